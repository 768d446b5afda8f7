/* SPDX-License-Identifier: Apache-2.0 */
/* How `cloudkeep prove` judges an answer: what held, what is broken, and what was not tried at all. No false green. */
#include "test.h"
#include "cli/prove/prove.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static struct answer next; /* what the cloud is going to answer */

int hit(struct prove *p, const struct hit *h, struct answer *ret)
{
	*ret = next;
	return next.status ? 0 : -ECONNRESET;
}

bool answer_ok(const struct answer *a)
{
	return a->status >= 200 && a->status < 300;
}

/* api.c's, which report.c needs for its JSON */
struct json *json_object(struct arena *a, const char *key, struct str value)
{
	struct json *j = json_new(a, JSON_OBJECT);

	json_set_str(a, j, key, value);
	return j;
}

struct str declared_waived(const struct declared *t, const char *family)
{
	return t ? json_get_str(t->waived, family) : STR_NONE;
}

size_t list_len(const struct json *j)
{
	return !j ? 0 : json_is(j, JSON_ARRAY) ? j->n : 1;
}

const struct json *list_at(const struct json *j, size_t i)
{
	return json_is(j, JSON_ARRAY) ? &j->items[i] : j;
}

static struct stack stack = { .region = { "us-east-1", 9 } };
static const struct promise promise = { "access", { "B lets no outsider in", 21 }, { "B", 1 }, NULL };

static struct prove *fresh(void)
{
	struct prove *p = xzalloc(sizeof *p);

	p->stack = &stack;
	p->stack_name = S("s");
	p->regions[p->n_regions++] = stack.region;
	return p;
}

static void done(struct prove *p)
{
	arena_done(&p->arena);
	free(p);
}

static int exit_status(struct prove *p, size_t left)
{
	int saved = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC), r;

	(void)fflush(stdout);
	(void)dup2(null, STDOUT_FILENO);
	r = report_write(p, &(struct report_opts){ .left_behind = left });
	(void)fflush(stdout);
	(void)dup2(saved, STDOUT_FILENO);
	(void)close(saved);
	(void)close(null);
	return r;
}

static enum verdict denied(struct prove *p, int status, const char *code)
{
	struct hit h = { 0 };
	struct answer a;

	next = (struct answer){ .status = status, .code = str_c(code), .error = S("no answer") };
	return proof_denied(p, &promise, S("GET"), &h, DENIED, &a)->verdict;
}

static void test_only_the_expected_refusal_holds(void **state)
{
	struct prove *p = fresh();

	assert_int_equal(denied(p, 403, "AccessDenied"), VERDICT_HELD);
	assert_int_equal(denied(p, 400, "AccessDeniedException"), VERDICT_HELD);
	assert_int_equal(exit_status(p, 0), 0);
	assert_int_equal(denied(p, 200, NULL), VERDICT_BROKEN);
	assert_int_equal(denied(p, 404, "NoSuchKey"), VERDICT_BROKEN); /* got past authorization */
	assert_int_equal(denied(p, 412, "DryRunOperation"), VERDICT_BROKEN);
	assert_int_equal(denied(p, 409, "EntityAlreadyExists"), VERDICT_BROKEN);
	assert_int_equal(denied(p, 403, "AccessDeniedX"), VERDICT_BROKEN);
	assert_int_equal(denied(p, 403, "Access"), VERDICT_BROKEN);
	assert_int_equal(exit_status(p, 0), 1);
	done(p);
}

static void test_no_answer_is_no_proof(void **state)
{
	static const struct {
		int status;
		const char *code;
	} nothing[] = { { 0, NULL },
			{ 500, "InternalFailure" },
			{ 503, "ServiceUnavailable" },
			{ 501, "NotImplemented" },
			{ 400, "NotImplemented" },
			{ 400, "ThrottlingException" } };

	for (size_t i = 0; i < ELEMENTS(nothing); i++) {
		struct prove *p = fresh();

		assert_int_equal(denied(p, 403, "AccessDenied"), VERDICT_HELD);
		assert_int_equal(denied(p, nothing[i].status, nothing[i].code), VERDICT_UNTRIED);
		assert_int_equal(exit_status(p, 0), 2);
		assert_int_equal(denied(p, 200, NULL), VERDICT_BROKEN);
		assert_int_equal(exit_status(p, 0), 1); /* broken is worse than not tried */
		done(p);
	}
}

static void test_exit_status_of_nothing(void **state)
{
	struct prove *p = fresh();

	assert_int_equal(exit_status(p, 0), 2);
	proof_skip(p, &promise, S("not promised"));
	assert_int_equal(exit_status(p, 0), 2); /* nothing was tried */
	assert_int_equal(denied(p, 403, "AccessDenied"), VERDICT_HELD);
	assert_int_equal(exit_status(p, 0), 0);
	assert_int_equal(exit_status(p, 1), 2); /* something was left behind */
	done(p);
}

static void test_a_control_that_fails_is_broken(void **state)
{
	struct prove *p = fresh();
	struct hit h = { 0 };
	struct answer a;

	next = (struct answer){ .status = 403, .code = S("AccessDenied") };
	assert_int_equal(proof_allowed(p, &promise, S("GET"), &h, &a)->verdict, VERDICT_BROKEN);
	next = (struct answer){ .status = 204 };
	assert_int_equal(proof_allowed(p, &promise, S("GET"), &h, &a)->verdict, VERDICT_HELD);
	assert_int_equal(proof_equal(p, &promise, S("x"), S("true"), STR_NONE)->verdict, VERDICT_BROKEN);
	assert_int_equal(proof_equal(p, &promise, S("x"), S("true"), S("true"))->verdict, VERDICT_HELD);
	done(p);
}

static void test_waivers_and_baseline(void **state)
{
	struct prove *p = fresh();
	struct json *waive;
	struct declared t = { 0 };
	struct promise m = promise;

	assert_int_equal(json_parse(&p->arena, S("{\"access\":\"it is public\"}"), &waive, NULL), 0);
	t.waived = waive;
	assert_true(promise_owed(p, &m, false));
	p->declared_only = true;
	assert_false(promise_owed(p, &m, false));
	assert_true(promise_owed(p, &m, true));
	m.target = &t;
	assert_false(promise_owed(p, &m, true));
	assert_str(p->proofs[p->n_proofs - 1].got, "waived in the template: it is public");
	assert_false(promise_owed(p, &m, true));
	assert_int_equal(p->n_proofs, 2); /* said once */
	m.family = "transport";
	assert_true(promise_owed(p, &m, true));
	done(p);
}

static void test_who_decided(void **state)
{
	struct arena a = { 0 };

	assert_str(decided_by(&a, S("User: arn:x is not authorized to perform: s3:GetObject on resource: \"y\" with an explicit deny in a "
				    "resource-based policy")),
		   "explicit deny in a resource-based policy");
	assert_str(decided_by(&a, S("User: arn:x is not authorized to perform: kms:Decrypt because no identity-based policy allows the "
				    "kms:Decrypt action")),
		   "no identity-based policy allows the kms:Decrypt action");
	assert_str(decided_by(&a, S("User: arn:x is not authorized to perform: sts:AssumeRole on resource: y")), "nothing allows it");
	assert_str(decided_by(&a, S("Request has expired")), NULL);
	assert_str(decided_by(&a, STR_NONE), NULL);
	arena_done(&a);
}

static const char tls_only[] =
	"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"Open\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\","
	"\"Resource\":\"arn:aws:s3:::b/*\"},{\"Sid\":\"Tls\",\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":"
	"\"arn:aws:s3:::b/*\",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"false\"}}}]}";

static void test_what_a_policy_says(void **state)
{
	struct prove *p = fresh();
	struct policy_ask ask = { .arn = S("arn:aws:iam::111122223333:user/u"),
				  .account = S("111122223333"),
				  .action = S("s3:GetObject"),
				  .resource = S("arn:aws:s3:::b/k") };
	struct json *doc;
	struct str sid;

	assert_int_equal(json_parse(&p->arena, S(""), &doc, NULL), -EINVAL);
	assert_int_equal(json_parse(&p->arena, str_c(tls_only), &doc, NULL), 0);
	assert_int_equal(policy_says(p, doc, POLICY_RESOURCE, &ask, &sid), DECISION_ALLOW);
	assert_str(sid, "statement Open");
	ask.plain = true;
	assert_int_equal(policy_says(p, doc, POLICY_RESOURCE, &ask, &sid), DECISION_EXPLICIT_DENY);
	assert_str(sid, "statement Tls");
	ask.plain = false;
	ask.action = S("s3:PutObject");
	assert_int_equal(policy_says(p, doc, POLICY_RESOURCE, &ask, &sid), DECISION_IMPLICIT_DENY);
	ask.arn = ask.account = STR_NONE; /* anonymous */
	ask.action = S("s3:GetObject");
	assert_int_equal(policy_says(p, doc, POLICY_RESOURCE, &ask, NULL), DECISION_ALLOW);
	assert_int_equal(policy_says(p, NULL, POLICY_RESOURCE, &ask, NULL), DECISION_IMPLICIT_DENY);
	done(p);
}

static void test_a_boundary_narrows(void **state)
{
	struct prove *p = fresh();
	struct policy_ask ask = { .arn = S("arn:aws:iam::111122223333:role/r"),
				  .account = S("111122223333"),
				  .action = S("iam:CreateUser"),
				  .resource = S("*") };
	struct json *all, *kms;
	const struct json *docs[1];

	assert_int_equal(
		json_parse(&p->arena,
			   S("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}"), &all,
			   NULL),
		0);
	assert_int_equal(
		json_parse(&p->arena,
			   S("{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"Resource\":\"*\"}}"),
			   &kms, NULL),
		0);
	docs[0] = all;
	assert_true(policies_allow(p, docs, 1, NULL, &ask));
	assert_false(policies_allow(p, docs, 1, kms, &ask));
	ask.action = S("kms:Decrypt");
	assert_true(policies_allow(p, docs, 1, kms, &ask));
	assert_false(policies_allow(p, docs, 0, NULL, &ask));
	done(p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_only_the_expected_refusal_holds),
	cmocka_unit_test(test_no_answer_is_no_proof),
	cmocka_unit_test(test_exit_status_of_nothing),
	cmocka_unit_test(test_a_control_that_fails_is_broken),
	cmocka_unit_test(test_waivers_and_baseline),
	cmocka_unit_test(test_who_decided),
	cmocka_unit_test(test_what_a_policy_says),
	cmocka_unit_test(test_a_boundary_narrows),
};
TEST_MAIN(tests)
