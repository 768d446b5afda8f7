/* SPDX-License-Identifier: Apache-2.0 */
/* attack_function.c - functions: who may call, read and change them; and what code that runs as a function can get at. The
 * second is tried by a function made for the proof, with a role that may do nothing; its code says what it got, and is
 * removed again. The stack's own functions are never run: Invoke is asked as a dry run. */
#include "cli/prove/prove.h"

#define API "/2015-03-31/functions"
#define ZIP_NAME "probe.py"
#define ZIP_BYTES_MAX 16384

/* --- who may --- */
static struct hit function_hit(struct prove *p, const struct declared *f, int what, const struct creds *who)
{
	struct arena *a = &p->arena;
	struct str at = str_printf(a, API "/%.*s", STR(f->physical));
	struct json *body = json_object(a, "RevisionId",
					S("00000000-0000-4000-8000-000000000000")); /* never its revision: nothing changes */
	struct hit h;

	switch (what) {
	case 0:
		h = hit_rest(p, "lambda", p->stack->region, "POST", str_printf(a, "%.*s/invocations", STR(at)), NULL, who);
		hit_header(&h, "x-amz-invocation-type", S("DryRun"));
		return h;
	case 1:
		return hit_rest(p, "lambda", p->stack->region, "GET", at, NULL, who);
	case 2:
		json_set_str(a, body, "Description", S("x"));
		return hit_rest(p, "lambda", p->stack->region, "PUT", str_printf(a, "%.*s/configuration", STR(at)), body, who);
	default:
		json_set_str(a, body, "StatementId", S("prove"));
		json_set_str(a, body, "Action", S("lambda:InvokeFunction"));
		json_set_str(a, body, "Principal", p->account);
		return hit_rest(p, "lambda", p->stack->region, "POST", str_printf(a, "%.*s/policy", STR(at)), body, who);
	}
}

/* Whom its policy lets in, and what its URL asks for: read, since who gets in runs it. */
static void doors(struct prove *p, struct declared *f)
{
	struct arena *a = &p->arena;
	struct promise m = { "functions", str_printf(a, "%.*s is run, read and changed by no outsider", STR(f->id)), f->id, f };
	struct str at = str_printf(a, API "/%.*s", STR(f->physical));
	struct hit h = hit_rest(p, "lambda", p->stack->region, "GET", str_printf(a, "%.*s/policy", STR(at)), NULL, &p->caller);
	struct answer ans;
	struct json *doc = NULL;

	if (call_hit(p, &h, "Lambda GetPolicy", &ans) == 0 && json_parse(a, json_get_str(ans.json, "Policy"), &doc, NULL) == 0)
		policy_outsiders(p, m.family, m.text, f, doc, true);
	else if (ans.status != 404)
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("GetPolicy"), S("an answer"), p->trouble);
	h = hit_rest(p, "lambda", p->stack->region, "GET", str_printf(a, "/2021-10-31/functions/%.*s/url", STR(f->physical)), NULL,
		     &p->caller);
	m.declared = BASELINE;
	if (call_hit(p, &h, "Lambda GetFunctionUrlConfig", &ans) < 0) {
		if (ans.status != 404)
			(void)proof_add(p, &m, VERDICT_UNTRIED, S("GetFunctionUrlConfig"), S("an answer"), p->trouble);
		return;
	}
	for (size_t i = 0; i < p->stack->n; i++) {
		const struct declared *u = &p->stack->v[i];

		if (declared_is(u, "AWS::Lambda::Url") && str_eq(u->physical, f->arn) && str_is(prop_str(u->props, "AuthType"), "AWS_IAM"))
			m.declared = str_printf(a, "%.*s, AuthType", STR(u->id));
	}
	if (promise_owed(p, &m, !str_eq(m.declared, BASELINE)))
		(void)proof_equal(p, &m, S("what its URL asks of who calls"), S("AWS_IAM"), json_get_str(ans.json, "AuthType"));
}

static void variables(struct prove *p, const struct declared *f)
{
	struct promise m = { "encryption", str_printf(&p->arena, "the variables of %.*s are sealed with the declared key", STR(f->id)),
			     str_printf(&p->arena, "%.*s, KmsKeyArn", STR(f->id)), f };
	struct str key = prop_str(f->props, "KmsKeyArn"), got;
	struct json *j;

	if (!key.n) {
		if (prop_get(f->props, "Environment.Variables"))
			promise_absent(p, &m, S("KmsKeyArn names no key, so it is AWS's own"));
		return;
	}
	if (!promise_owed(p, &m, true))
		return;
	j = call_rest(p, "lambda", p->stack->region, "GET", str_printf(&p->arena, API "/%.*s/configuration", STR(f->physical)), NULL);
	got = json_get_str(j, "KMSKeyArn");
	if (!j)
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("GetFunctionConfiguration"), key, p->trouble);
	else
		(void)proof_equal(p, &m, S("the key of its variables"), key, got);
}

void attack_function(struct prove *p, struct declared *f)
{
	static const char *const names[] = { "Invoke", "GetFunction", "UpdateFunctionConfiguration", "AddPermission" };
	static const enum actor who[] = { ACTOR_NOBODY, ACTOR_NEIGHBOUR }; /* an unsigned request names no service, so not this one */
	struct promise m = { "functions", str_printf(&p->arena, "%.*s is run, read and changed by no outsider", STR(f->id)), f->id, f };
	struct hit h = function_hit(p, f, 0, actor(p, ACTOR_INSIDER));
	struct answer a;

	if (!promise_owed(p, &m, true) || proof_allowed(p, &m, S("Invoke, a user with all rights"), &h, &a)->verdict != VERDICT_HELD)
		return;
	for (int i = 0; i < (int)ELEMENTS(names); i++)
		for (size_t k = 0; k < ELEMENTS(who); k++) {
			h = function_hit(p, f, i, actor(p, who[k]));
			(void)proof_denied(p, &m, str_printf(&p->arena, "%s, %.*s", names[i], STR(who_name(who[k]))), &h, DENIED, &a);
		}
	doors(p, f);
	variables(p, f);
}

/* --- what its code can get at --- */
static const char probe[] = "import json, os, socket\n"
			    "\n"
			    "def connect(host, port):\n"
			    "    s = socket.create_connection((host, port), 0.5)\n"
			    "    s.close()\n"
			    "\n"
			    "def users():\n"
			    "    import boto3\n"
			    "    boto3.client('iam').list_users()\n"
			    "\n"
			    "def strangers():\n"
			    "    others = [d for d in os.listdir('/proc') if d.isdigit()]\n"
			    "    if len(others) <= 8:\n"
			    "        raise OSError('only its own')\n"
			    "\n"
			    "TRIES = {\n"
			    "    'read /etc/shadow': lambda: open('/etc/shadow').read(1),\n"
			    "    'list /root': lambda: os.listdir('/root')[0],\n"
			    "    'write its own code': lambda: open('/var/task/x', 'w').close(),\n"
			    "    'write to /usr': lambda: open('/usr/x', 'w').close(),\n"
			    "    'become root': lambda: os.setuid(0) if os.getuid() else 1 / 0,\n"
			    "    'see other processes': strangers,\n"
			    "    'reach the metadata service': lambda: connect('169.254.169.254', 80),\n"
			    "    'reach another host': lambda: connect('192.0.2.1', 443),\n"
			    "    'use rights that its role does not have': users,\n"
			    "}\n"
			    "\n"
			    "def handler(event, context):\n"
			    "    got = {}\n"
			    "    for name, act in TRIES.items():\n"
			    "        try:\n"
			    "            act()\n"
			    "            got[name] = ''\n"
			    "        except Exception as e:\n"
			    "            got[name] = type(e).__name__\n"
			    "    return got\n";

static void le(struct buf *b, uint32_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		buf_c(b, (char)(v >> (8 * i) & 0xff));
}

static void zeros(struct buf *b, int n)
{
	while (n-- > 0)
		buf_c(b, 0);
}

/* An archive with one stored file (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16). */
static struct str zipped(struct arena *a, struct str code)
{
	uint32_t crc = crc32_ieee(0, code.p, code.n), n = (uint32_t)code.n, name = sizeof ZIP_NAME - 1, directory;
	struct buf b;
	struct str out;

	buf_init(&b, ZIP_BYTES_MAX);
	le(&b, 0x04034b50, 4);
	le(&b, 10, 2); /* version needed */
	zeros(&b, 8);  /* flags, stored, time and date */
	le(&b, crc, 4);
	le(&b, n, 4);
	le(&b, n, 4);
	le(&b, name, 2);
	le(&b, 0, 2);
	buf_str(&b, S(ZIP_NAME));
	buf_str(&b, code);
	directory = (uint32_t)b.n;
	le(&b, 0x02014b50, 4);
	le(&b, 10 | 3 << 8, 2); /* made on Unix */
	le(&b, 10, 2);
	zeros(&b, 8);
	le(&b, crc, 4);
	le(&b, n, 4);
	le(&b, n, 4);
	le(&b, name, 2);
	zeros(&b, 8); /* no extra field, comment, disk; internal attributes */
	le(&b, 0100644u << 16, 4);
	le(&b, 0, 4); /* where its local header is */
	buf_str(&b, S(ZIP_NAME));
	n = (uint32_t)b.n - directory;
	le(&b, 0x06054b50, 4);
	le(&b, 0, 4);
	le(&b, 1, 2);
	le(&b, 1, 2);
	le(&b, n, 4);
	le(&b, directory, 4);
	le(&b, 0, 2);
	out = str_dup(a, buf_view(&b));
	buf_done(&b);
	return out;
}

static const struct json *run_probe(struct prove *p, struct str name, struct str role, struct answer *ret)
{
	struct arena *a = &p->arena;
	struct json *body = json_object(a, "FunctionName", name), *code;
	struct hit h, away = hit_rest(p, "lambda", p->stack->region, "DELETE", str_printf(a, API "/%.*s", STR(name)), NULL, &p->caller);

	code = json_object(a, "ZipFile", base64_encode(a, zipped(a, str_c(probe))));
	json_set_str(a, body, "Runtime", S("python3.12"));
	json_set_str(a, body, "Role", role);
	json_set_str(a, body, "Handler", S("probe.handler"));
	json_set_int(a, body, "Timeout", 20);
	json_set_int(a, body, "MemorySize", 256);
	json_set(a, body, S("Code"), code);
	(void)undo_hit(p, name, &away);
	if (!call_rest(p, "lambda", p->stack->region, "POST", S(API), body))
		return NULL;
	h = hit_rest(p, "lambda", p->stack->region, "POST", str_printf(a, API "/%.*s/invocations", STR(name)), json_new(a, JSON_OBJECT),
		     &p->caller);
	if (call_hit(p, &h, "Lambda Invoke", ret) < 0)
		return NULL;
	if (answer_header(ret, "x-amz-function-error").p || !json_is(ret->json, JSON_OBJECT) || ret->json->n == 0) {
		p->trouble = str_printf(a, "the probe failed: %.*s", STR(ret->reply.body));
		return NULL;
	}
	return ret->json;
}

void attack_isolation(struct prove *p)
{
	struct promise m = { "functions", S("a function gets at nothing but its own"), BASELINE, NULL };
	struct str role, name = str_printf(&p->arena, PROVE_NAME "-%.*s-probe", STR(p->run));
	const struct json *got;
	struct answer a;
	bool any = false;

	for (size_t i = 0; i < p->stack->n; i++)
		any = any || declared_is(&p->stack->v[i], "AWS::Lambda::Function");
	if (!any || !promise_owed(p, &m, false))
		return;
	if (actor_service_role(p, str_printf(&p->arena, "probe-%.*s", STR(p->stack->region)).p, "lambda.amazonaws.com", &role) < 0 ||
	    !(got = run_probe(p, name, role, &a))) {
		(void)proof_add(p, &m, VERDICT_UNTRIED, S("run a function made for the proof"), S("an answer"), p->trouble);
		return;
	}
	for (size_t i = 0; i < got->n; i++) {
		struct str why = json_str(&got->members[i].value);

		(void)proof_add(p, &m, why.n ? VERDICT_HELD : VERDICT_BROKEN, str_dup(&p->arena, got->members[i].key), S("refused"),
				why.n ? why : S("it could"));
	}
}
