/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and sessions at any moment: found, expired, altered, of roles that are gone; and roles for services. */
#include "../../test.h"
#include "base/util.h"
#include "svc/iam/iam_int.h"
#include "svc/services.h"
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

static const struct service *const some[] = { &iam_service, &sts_service, NULL };
static struct cloud *cl;
static char dir[] = "/tmp/cloudkeep-iam-XXXXXX";

static int drop(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	return remove(path);
}

static int setup(void **state)
{
	static const char *const regions[] = { "us-east-1", NULL };
	const struct cloud_opts o = { .data_dir = dir, .regions = regions, .no_sync = true };

	assert_non_null(mkdtemp(dir));
	return cloud_open(&o, some, &cl);
}

static int teardown(void **state)
{
	cloud_close(cl);
	return nftw(dir, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static struct principal root(struct arena *a)
{
	struct principal w = { .name = S("root") };

	w.p = (struct policy_principal){ .type = PRINCIPAL_ROOT, .account = cloud_account(cl), .unique_id = cloud_account(cl) };
	w.p.arn = str_printf(a, "arn:aws:iam::%.*s:root", STR(cloud_account(cl)));
	return w;
}

/* call makes a call as who; fails the test when it is refused and wanted to succeed. */
static struct json *call(struct arena *a, const struct principal *who, const char *service, const char *op, const char *params, bool ok)
{
	struct call_facts facts = { .request_id = S("r"), .secure_transport = true };
	struct call_error err = { 0 };
	struct json *in, *out = NULL;
	int r;

	assert_int_equal(json_parse(a, str_c(params), &in, NULL), 0);
	r = cloud_invoke_json(cl, cloud_region(cl, S("us-east-1")), who, &facts, service, op, in, a, &out, &err);
	if ((r == 0) != ok)
		fail_msg("%s: %d %.*s", op, r, STR(err.message));
	return out;
}

static int find(struct arena *a, struct str key, struct str token, int64_t now, struct key_info *ret)
{
	struct store_txn *t;
	int r;

	assert_int_equal(store_begin_read(cloud_global(cl), &t), 0);
	r = iam_identity.find_key(cl, t, key, token, now, a, ret);
	store_end(t);
	return r;
}

static const char *quote(struct arena *a, struct str s)
{
	struct buf b;
	const char *z;

	buf_init(&b, 65536);
	json_write_str(&b, s);
	z = str_z(a, buf_view(&b));
	buf_done(&b);
	return z;
}

static void make_role(struct arena *a, const struct principal *w, const char *name, const char *principal)
{
	struct str doc = str_printf(
		a, "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":%s,\"Action\":\"sts:AssumeRole\"}]}",
		principal);

	(void)call(a, w, "iam", "CreateRole", str_printf(a, "{\"RoleName\":\"%s\",\"AssumeRolePolicyDocument\":%s}", name, quote(a, doc)).p,
		   true);
}

static void test_long_term_keys(void **state)
{
	struct arena a = { 0 };
	struct principal w = root(&a);
	struct key_info k;
	struct json *key;

	call(&a, &w, "iam", "CreateUser", "{\"UserName\":\"u\",\"Tags\":[{\"Key\":\"team\",\"Value\":\"red\"}]}", true);
	key = json_getz(call(&a, &w, "iam", "CreateAccessKey", "{\"UserName\":\"u\"}", true), "AccessKey");
	assert_int_equal(find(&a, json_get_str(key, "AccessKeyId"), STR_NONE, 0, &k), 0);
	assert_true(str_eq(k.secret, json_get_str(key, "SecretAccessKey")));
	assert_int_equal(k.who.p.type, PRINCIPAL_USER);
	assert_str(k.who.name, "u");
	assert_str(str_map_get(&k.who.tags, S("team")), "red");
	assert_false(k.who.temporary);
	assert_int_equal(find(&a, S("AKIANOTHERE000000000"), STR_NONE, 0, &k), -ENOENT);
	assert_int_equal(find(&a, json_get_str(key, "AccessKeyId"), S("AAAA"), 0, &k), -EBADMSG);
	call(&a, &w, "iam", "UpdateAccessKey",
	     str_printf(&a, "{\"UserName\":\"u\",\"Status\":\"Inactive\",\"AccessKeyId\":\"%.*s\"}", STR(json_get_str(key, "AccessKeyId")))
		     .p,
	     true);
	assert_int_equal(find(&a, json_get_str(key, "AccessKeyId"), STR_NONE, 0, &k), -EACCES);
	arena_done(&a);
}

static struct json *session(struct arena *a, const char *role)
{
	struct key_info k;
	struct principal w = root(a);
	struct json *key = json_getz(call(a, &w, "iam", "CreateAccessKey", "{\"UserName\":\"caller\"}", true), "AccessKey");
	struct str id = json_get_str(key, "AccessKeyId");
	struct json *out;

	assert_int_equal(find(a, id, STR_NONE, 0, &k), 0);
	out = call(a, &k.who, "sts", "AssumeRole",
		   str_printf(a, "{\"RoleArn\":\"arn:aws:iam::%.*s:role/%s\",\"RoleSessionName\":\"s1\"}", STR(cloud_account(cl)), role).p,
		   true);
	call(a, &w, "iam", "DeleteAccessKey", str_printf(a, "{\"UserName\":\"caller\",\"AccessKeyId\":\"%.*s\"}", STR(id)).p, true);
	return json_getz(out, "Credentials");
}

static void test_sessions_end(void **state)
{
	struct arena a = { 0 };
	struct principal w = root(&a);
	struct str id, token, bad;
	struct json *c;
	struct key_info k;
	int64_t end;

	call(&a, &w, "iam", "CreateUser", "{\"UserName\":\"caller\"}", true);
	make_role(&a, &w, "r1", str_printf(&a, "{\"AWS\":\"arn:aws:iam::%.*s:user/caller\"}", STR(cloud_account(cl))).p);
	c = session(&a, "r1");
	id = json_get_str(c, "AccessKeyId");
	token = json_get_str(c, "SessionToken");
	assert_int_equal(time_parse(json_get_str(c, "Expiration"), &end), 0);
	assert_int_equal(find(&a, id, token, end - 1, &k), 0);
	assert_int_equal(k.who.p.type, PRINCIPAL_ROLE_SESSION);
	assert_true(str_ends(k.who.p.arn, S(":assumed-role/r1/s1")));
	assert_true(k.who.temporary && k.who.expires_ms == end);
	assert_int_equal(find(&a, id, token, end, &k), -ESTALE);
	assert_int_equal(find(&a, id, token, end + 1000, &k), -ESTALE);
	/* every altered byte of the sealed token is noticed, at any time */
	for (size_t i = 0; i < token.n; i += 7) {
		char *p = arena_dup(&a, token.p, token.n);

		p[i] = p[i] == 'A' ? 'B' : 'A';
		bad = str_of(p, token.n);
		assert_int_equal(find(&a, id, bad, end - 1, &k), -EBADMSG);
	}
	assert_int_equal(find(&a, S("ASIAAAAAAAAAAAAAAAAA"), token, end - 1, &k), -EBADMSG);
	assert_int_equal(find(&a, id, S(""), end - 1, &k), -EBADMSG);
	/* the role goes, and comes again under its name */
	call(&a, &w, "iam", "DeleteRole", "{\"RoleName\":\"r1\"}", true);
	assert_int_equal(find(&a, id, token, end - 1, &k), -ENOENT);
	make_role(&a, &w, "r1", "{\"Service\":\"ec2.amazonaws.com\"}");
	assert_int_equal(find(&a, id, token, end - 1, &k), -ENOENT);
	arena_done(&a);
}

static void test_roles_for_services(void **state)
{
	struct arena a = { 0 };
	struct principal w = root(&a), got;
	struct call c;
	struct str arn = str_printf(&a, "arn:aws:iam::%.*s:role/svc", STR(cloud_account(cl)));

	make_role(&a, &w, "svc", "{\"Service\":\"cloudformation.amazonaws.com\"}");
	assert_int_equal(cloud_internal_read(cl, cloud_region(cl, S("us-east-1")), &a, &c), 0);
	c.svc = &(struct service){ .model = iam_service.model, .principal = "cloudformation.amazonaws.com" };
	assert_int_equal(iam_identity.role_principal(&c, arn, S("stack"), &got), 0);
	assert_int_equal(got.p.type, PRINCIPAL_ROLE_SESSION);
	assert_str(got.p.role_arn, str_z(&a, arn));
	c.svc = &(struct service){ .model = iam_service.model, .principal = "lambda.amazonaws.com" };
	assert_int_equal(iam_identity.role_principal(&c, arn, S("stack"), &got), -EACCES);
	assert_int_equal(iam_identity.role_principal(&c, str_printf(&a, "%.*sx", STR(arn)), S("stack"), &got), -ENOENT);
	cloud_internal_end(&c);
	arena_done(&a);
}

static void test_secret_is_bound_to_its_key(void **state)
{
	struct arena a = { 0 };
	struct iam_rec_access_key k = { .id = S("AKIA1"), .account = S("1"), .user_id = S("AIDA1") }, moved;
	struct str secret;

	iam_secret_seal(cl, &a, &k, S("secret"));
	assert_int_equal(iam_secret_open(cl, &a, &k, &secret), 0);
	assert_str(secret, "secret");
	moved = k;
	moved.user_id = S("AIDA2"); /* somebody who can write the store can't hand a key over */
	assert_int_equal(iam_secret_open(cl, &a, &moved, &secret), -EBADMSG);
	moved = k;
	moved.sealed.n = 5;
	assert_int_equal(iam_secret_open(cl, &a, &moved, &secret), -EBADMSG);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_term_keys),
		cmocka_unit_test(test_sessions_end),
		cmocka_unit_test(test_roles_for_services),
		cmocka_unit_test(test_secret_is_bound_to_its_key),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
