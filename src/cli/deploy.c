/* SPDX-License-Identifier: Apache-2.0 */
/* deploy.c - `cloudkeep deploy`: creates or updates a stack in several regions at once, and waits for the end. */
#include "cli/stack.h"
#include <errno.h>

#define TEMPLATE_INLINE_MAX 51200 /* CloudFormation's limit for TemplateBody */
#define PARAMS_MAX 256

static struct target_opts target_opts;
static const char *template_file, *bucket;
static struct str_list parameters, capabilities, tags;

struct plan { /* the same for every region */
	struct str template_body, template_url;
	struct str_map parameters;
	struct str_map tags;
	struct str_list capabilities;
	struct str_list declared; /* the template's parameters */
};

struct params {
	struct str_pair v[PARAMS_MAX];
	size_t n;
};

static void add(struct params *p, struct str key, struct str value)
{
	if (p->n < PARAMS_MAX)
		p->v[p->n++] = (struct str_pair){ key, value };
}

static void add_template(const struct plan *pl, struct params *p)
{
	if (pl->template_url.p)
		add(p, S("TemplateURL"), pl->template_url);
	else
		add(p, S("TemplateBody"), pl->template_body);
}

static bool stack_has_parameter(struct xml_node *stack, struct str name)
{
	for (struct xml_node *m = stack ? xml_find(stack, "Parameters/member") : NULL; m; m = m->next)
		if (str_eq(xml_text(m, "ParameterKey"), name))
			return true;
	return false;
}

/* What CreateStack and UpdateStack take. stack: as it is, for an update; what is not given keeps its value then. */
static void add_request(struct stack_job *j, struct xml_node *stack, struct params *p)
{
	const struct plan *pl = j->arg;
	struct arena *a = &j->arena;
	uint8_t digest[32];
	size_t k = 0;

	add(p, S("StackName"), j->name);
	add_template(pl, p);
	for (size_t i = 0; i < pl->parameters.n; i++) {
		add(p, str_printf(a, "Parameters.member.%zu.ParameterKey", ++k), pl->parameters.v[i].key);
		add(p, str_printf(a, "Parameters.member.%zu.ParameterValue", k), pl->parameters.v[i].value);
	}
	for (size_t i = 0; stack && i < pl->declared.n; i++) {
		if (str_map_get(&pl->parameters, pl->declared.v[i]).p || !stack_has_parameter(stack, pl->declared.v[i]))
			continue;
		add(p, str_printf(a, "Parameters.member.%zu.ParameterKey", ++k), pl->declared.v[i]);
		add(p, str_printf(a, "Parameters.member.%zu.UsePreviousValue", k), S("true"));
	}
	for (size_t i = 0; i < pl->capabilities.n; i++)
		add(p, str_printf(a, "Capabilities.member.%zu", i + 1), pl->capabilities.v[i]);
	for (size_t i = 0; i < pl->tags.n; i++) {
		add(p, str_printf(a, "Tags.member.%zu.Key", i + 1), pl->tags.v[i].key);
		add(p, str_printf(a, "Tags.member.%zu.Value", i + 1), pl->tags.v[i].value);
	}
	/* A request that is sent again because its connection broke must not be done twice. */
	random_bytes(digest, sizeof digest);
	add(p, S("ClientRequestToken"), hex_encode(a, digest, 16));
}

static void begin_update(struct stack_job *j, struct xml_node *stack, struct params *p)
{
	struct client_answer ans;
	int r;

	j->id = xml_text(stack, "StackId");
	stack_skip_events(j);
	add_request(j, stack, p);
	r = client_query(j->cfn, &j->arena, "UpdateStack", CFN_VERSION, p->v, p->n, &ans);
	if (r == 1 && str_find(ans.message, S("No updates are to be performed")) >= 0) {
		j->outcome = STACK_UNCHANGED;
		(void)stack_wait(j);
		j->outcome = STACK_UNCHANGED;
		return;
	}
	if (r != 0) {
		stack_fail(j, "UpdateStack: %.*s%s%.*s", STR(ans.code.p ? ans.code : S("")), ans.code.p ? ": " : "", STR(ans.message));
		return;
	}
	if (stack_wait(j) == 0 && str_is(j->status, "UPDATE_COMPLETE"))
		j->outcome = STACK_DONE;
}

static void begin_create(struct stack_job *j, struct params *p)
{
	struct client_answer ans;

	add_request(j, NULL, p);
	if (stack_call(j, "CreateStack", p->v, p->n, &ans) != 0)
		return;
	j->id = xml_text(ans.root, "CreateStackResult/StackId");
	if (!j->id.n) {
		stack_fail(j, "CreateStack answered without a StackId");
		return;
	}
	if (stack_wait(j) == 0 && str_is(j->status, "CREATE_COMPLETE"))
		j->outcome = STACK_DONE;
}

static void deploy(struct stack_job *j)
{
	struct params *p = arena_new(&j->arena, struct params);
	struct xml_node *stack = NULL;
	int r = stack_describe(j, j->name, &stack);

	if (r < 0)
		return;
	if (r == 1) {
		begin_create(j, p);
		return;
	}
	j->status = xml_text(stack, "StackStatus");
	if (str_is(j->status, "DELETE_COMPLETE")) {
		begin_create(j, p);
	} else if (str_is(j->status, "ROLLBACK_COMPLETE") || str_is(j->status, "ROLLBACK_FAILED") || str_is(j->status, "CREATE_FAILED") ||
		   str_is(j->status, "REVIEW_IN_PROGRESS") || str_is(j->status, "DELETE_FAILED"))
		stack_fail(j, "the stack never came to life and cannot be updated; remove it first: cloudkeep destroy %.*s --regions %.*s",
			   STR(j->name), STR(j->region));
	else if (str_ends(j->status, S("_IN_PROGRESS")))
		stack_fail(j, "something else is at work on this stack; wait for its end and try again");
	else
		begin_update(j, stack, p);
}

/* --- before anything is changed --- */
static int read_pairs(struct cli *c, const struct str_list *given, const char *what, struct str_map *ret)
{
	size_t cap = 0;

	for (size_t i = 0; i < given->n; i++) {
		struct str k, v;

		if (!str_cut(given->v[i], '=', &k, &v) || k.n == 0)
			return cli_usage(c, "--%s %.*s: write NAME=VALUE", what, STR(given->v[i]));
		vec_push(&c->arena, ret->v, ret->n, cap) = (struct str_pair){ k, v };
	}
	return ret->n > 60 ? cli_usage(c, "more than 60 of --%s", what) : 0;
}

/* A template too large to be sent with the call goes to a bucket of the same cloud. */
static int upload(struct cli *c, const struct target *t, struct str region, struct plan *pl)
{
	struct client *s3 = NULL;
	struct client_reply rep;
	struct str problem, target;
	struct target st = *t;
	uint8_t digest[32];
	int r;

	if (!bucket)
		return cli_error("Name a bucket that it may be put into: --s3-bucket BUCKET",
				 "%s has %zu bytes; more than %d are not sent with the call", template_file, pl->template_body.n,
				 TEMPLATE_INLINE_MAX);
	hash_sha256(pl->template_body.p, pl->template_body.n, digest);
	target = str_printf(&c->arena, "/%s/cloudkeep-templates/%.*s", bucket, STR(hex_encode(&c->arena, digest, sizeof digest)));
	r = target_client(&st, &c->arena, region, "s3", &s3, &problem);
	if (r == 0)
		r = client_send(s3, &c->arena, "PUT", target, NULL, 0, pl->template_body, &rep, &problem);
	client_free(s3);
	if (r < 0)
		return cli_error(NULL, "the template cannot be put into %s: %.*s", bucket, STR(problem));
	if (rep.status != 200) {
		struct xml_node *e = NULL;

		(void)xml_parse(&c->arena, rep.body, &e);
		return cli_error("Is it a bucket of this account in this region?", "the template cannot be put into %s: %d %.*s", bucket,
				 rep.status, STR(e ? xml_text(e, "Message") : S("")));
	}
	if (t->endpoint.p)
		pl->template_url = str_printf(&c->arena, "%.*s%.*s", STR(t->endpoint), STR(target));
	else
		pl->template_url = str_printf(&c->arena, "https://s3.%.*s.amazonaws.com%.*s", STR(region), STR(target));
	return 0;
}

/* The cloud reads the template before anything happens: mistakes and missing parameters are told at once. */
static int validate(struct cli *c, const struct target *t, struct str region, struct plan *pl)
{
	struct client *cfn = NULL;
	struct client_answer ans = { 0 };
	struct params p = { 0 };
	struct str missing = STR_NONE;
	size_t cap = 0;
	int r = target_client(t, &c->arena, region, "cloudformation", &cfn, &ans.message);

	add_template(pl, &p);
	if (r == 0)
		r = client_query(cfn, &c->arena, "ValidateTemplate", CFN_VERSION, p.v, p.n, &ans);
	client_free(cfn);
	if (r < 0)
		return cli_error(t->endpoint.p ? "Does it run? cloudkeep status" : NULL, "%.*s", STR(ans.message));
	if (r == 1)
		return cli_error(NULL, "%s is refused: %.*s: %.*s", template_file, STR(ans.code), STR(ans.message));
	for (struct xml_node *m = xml_find(ans.root, "ValidateTemplateResult/Parameters/member"); m; m = m->next) {
		struct str key = xml_text(m, "ParameterKey");

		vec_push(&c->arena, pl->declared.v, pl->declared.n, cap) = key;
		if (!xml_find(m, "DefaultValue") && !str_map_get(&pl->parameters, key).p)
			missing = str_printf(&c->arena, "%.*s%s%.*s", STR(missing.p ? missing : S("")), missing.p ? ", " : "", STR(key));
	}
	for (size_t i = 0; pl->declared.n && i < pl->parameters.n; i++) /* some clouds list none */
		if (!str_list_has(&pl->declared, pl->parameters.v[i].key))
			return cli_error(NULL, "%s has no parameter %.*s", template_file, STR(pl->parameters.v[i].key));
	/* An update may keep the values it has: only a first deployment needs them all, and then the cloud says so. */
	if (missing.p && !c->json)
		fprintf(stderr, "cloudkeep: not given, so kept as they are in stacks that exist: %.*s\n", STR(missing));
	return 0;
}

static int run(struct cli *c)
{
	struct plan pl = { 0 };
	struct str regions[STACK_REGIONS_MAX];
	static struct str both[] = { { "CAPABILITY_IAM", 14 }, { "CAPABILITY_NAMED_IAM", 20 } };
	struct target t;
	size_t n;
	int r;

	if (!template_file)
		return cli_usage(c, "which template? --template FILE");
	r = read_pairs(c, &parameters, "parameter", &pl.parameters);
	if (r == 0)
		r = read_pairs(c, &tags, "tag", &pl.tags);
	if (r == 0)
		r = target_regions(c, &target_opts, regions, &n);
	if (r != 0)
		return r;
	pl.capabilities = capabilities.n ? capabilities : (struct str_list){ both, ELEMENTS(both) };
	r = cli_read_file(&c->arena, template_file, &pl.template_body);
	if (r < 0)
		return cli_error(NULL, "%s cannot be read: %s", template_file, strerror(-r));
	r = target_read(c, &target_opts, &t);
	if (r == 0 && pl.template_body.n > TEMPLATE_INLINE_MAX)
		r = upload(c, &t, regions[0], &pl);
	if (r == 0)
		r = validate(c, &t, regions[0], &pl);
	if (r != 0)
		return r;
	return stack_run(c, &t, regions, n, c->args[0], "deployed", deploy, &pl);
}

static const struct cli_option options[] = {
	{ "template", "FILE", "the CloudFormation template, YAML or JSON", &template_file, NULL, NULL },
	{ "regions", "a,b,c", "where to, all at once (default $AWS_REGION, or us-east-1)", &target_opts.regions, NULL, NULL },
	{ "parameter", "NAME=VALUE", "a parameter of the template", NULL, NULL, &parameters },
	{ "tag", "NAME=VALUE", "a tag of the stack and its resources", NULL, NULL, &tags },
	{ "capabilities", "NAME", "what the template may do (default CAPABILITY_IAM and CAPABILITY_NAMED_IAM)", NULL, NULL, &capabilities },
	{ "s3-bucket", "BUCKET", "where templates above 51,200 bytes are put first", &bucket, NULL, NULL },
	{ "endpoint-url", "URL", "another cloud; keys from the AWS environment variables", &target_opts.endpoint_url, NULL, NULL },
	{ "aws", NULL, "AWS itself; keys from the AWS environment variables", NULL, &target_opts.aws, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct cli_command cmd_deploy = {
	.name = "deploy",
	.args = "STACK",
	.what = "create or update a stack in regions, all at once",
	.text = "Sends a CloudFormation template to every region in parallel, shows each resource as it comes to life, and ends with the\n"
		"outputs, or with the reasons of what failed. A stack that is there is updated; nothing to change is success. It calls\n"
		"as any client does: the same command deploys to AWS. Templates may make IAM roles unless --capabilities says less.",
	.examples = "  cloudkeep deploy web --template web.yaml\n"
		    "  cloudkeep deploy baseline --template template.yaml --regions us-east-1,eu-west-1 --parameter Stage=test\n"
		    "  cloudkeep deploy web --template web.yaml --aws --regions eu-west-1     # the same, at AWS",
	.options = options,
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
