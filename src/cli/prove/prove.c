/* SPDX-License-Identifier: Apache-2.0 */
/* prove.c - `cloudkeep prove STACK`: where, with what, in which order, and that nothing stays behind. */
#include "cli/cli.h"
#include "cli/prove/prove.h"
#include "cli/stack.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>

#define RUN_DIGITS 8
#define COULD_NOT 2 /* exit status */

volatile sig_atomic_t prove_stop;

static struct target_opts where;
static const char *junit_file, *terraform_file, *template_file;
static bool only_declared;

static void on_signal(int sig)
{
	prove_stop = sig;
}

/* Interrupted calls are not restarted, and the rest of the run sees the signal: then only what was made is removed. */
static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal }, old;

	for (size_t i = 0; i < ELEMENTS(signals); i++)
		if (signals[i] != SIGHUP || sigaction(SIGHUP, NULL, &old) < 0 || old.sa_handler != SIG_IGN) /* nohup means what it says */
			(void)sigaction(signals[i], &sa, NULL);
}

/* --- the endpoint --- */
static int connect_to(struct prove *p, const struct target *t)
{
	struct client_opts o = { .endpoint = t->endpoint, .ca_file = t->ca_file, .timeout_ms = PROVE_TIMEOUT_MS };
	struct str rest, path, problem = STR_NONE;
	int r;

	if (!str_starts(t->endpoint, S("https://")))
		return cli_error("Give the https address: plain HTTP is one of the attacks.", "%.*s is not encrypted", STR(t->endpoint)),
		       COULD_NOT;
	r = client_new(&o, &p->arena, &p->tls, &problem);
	o.endpoint = str_printf(&p->arena, "http://%.*s", STR(str_skip(t->endpoint, 8)));
	if (r == 0)
		r = client_new(&o, &p->arena, &p->plain, &problem);
	if (r < 0)
		return cli_error(NULL, "%.*s", STR(problem)), COULD_NOT;
	(void)str_cut(str_skip(t->endpoint, 8), '/', &rest, &path);
	p->authority = rest;
	p->caller = (struct creds){ t->key_id, t->secret, t->token };
	return 0;
}

/* Who is asking. A machine whose clock is wrong is told the cloud's by its answer, and signs by that. (Not at once: a cloud
 * whose clock was moved forward dates things by it, but checks signatures by the time that clients have.) */
static int introduce(struct prove *p)
{
	struct hit h = hit_query(p, "sts", p->regions[0], "GetCallerIdentity", &p->caller);
	struct answer a;
	int64_t there;

	for (int try = 0; try < 2; try++) {
		if (hit(p, &h, &a) < 0)
			return cli_error(NULL, "the cloud does not answer: %.*s", STR(a.error)), COULD_NOT;
		if (answer_ok(&a) || time_parse(answer_header(&a, "date"), &there) < 0)
			break;
		p->clock_ms = there - clock_now_ms();
	}
	if (!answer_ok(&a))
		return cli_error(NULL, "the cloud does not know who is asking: %.*s: %.*s", STR(a.code), STR(a.message)), COULD_NOT;
	p->account = xml_text(xml_deep(a.xml, "GetCallerIdentityResult"), "Account");
	return 0;
}

/* --- regions --- */
static int by_text(const void *x, const void *y)
{
	return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

/* All regions that this cloud has. */
static void every_region(struct cli *c, struct prove *p)
{
	DIR *d = opendir(cli_path(c, "regions"));
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && p->n_regions < PROVE_REGIONS_MAX)
			p->regions[p->n_regions++] = str_dup(&p->arena, str_c(e->d_name));
	if (d)
		(void)closedir(d);
	qsort(p->regions, p->n_regions, sizeof *p->regions, by_text);
}

static int read_stacks(struct prove *p, bool named, struct stack **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_regions; i++) {
		int r = stack_read(p, p->regions[i], &ret[n]);

		if (r == -ENOENT && !named)
			continue; /* nobody said that it is there */
		if (r < 0)
			return cli_error(r == -ENOENT ? "Deploy it: cloudkeep deploy STACK --template FILE --regions a,b,c" : NULL, "%.*s",
					 STR(p->trouble)),
			       COULD_NOT;
		p->regions[n++] = p->regions[i];
	}
	if (n == 0)
		return cli_error("Deploy it: cloudkeep deploy STACK --template FILE --regions a,b,c",
				 "there is no stack %.*s in any region", STR(p->stack_name)),
		       COULD_NOT;
	p->n_regions = n;
	return 0;
}

/* --- attacks, in order --- */
static void link_policies(struct stack *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct declared *b = declared_is(&s->v[i], "AWS::S3::BucketPolicy")
					     ? stack_physical(s, "AWS::S3::Bucket", prop_str(s->v[i].props, "Bucket"))
					     : NULL;

		if (!b)
			continue;
		b->policy = prop_get(s->v[i].props, "PolicyDocument");
		b->policy_id = s->v[i].id;
	}
}

/* Types that are attacked, or read with what they belong to, or have nothing to promise. Others are named in the report. */
static const char *const known[] = {
	PROVE_PASSWORD_POLICY,
	"AWS::ApiGateway::Account",
	"AWS::ApiGateway::Deployment",
	"AWS::ApiGateway::Method",
	"AWS::ApiGateway::Resource",
	"AWS::ApiGateway::RestApi",
	"AWS::ApiGateway::Stage",
	"AWS::CDK::Metadata",
	"AWS::EC2::InternetGateway",
	"AWS::EC2::Route",
	"AWS::EC2::RouteTable",
	"AWS::EC2::SecurityGroup",
	"AWS::EC2::SecurityGroupEgress",
	"AWS::EC2::SecurityGroupIngress",
	"AWS::EC2::Subnet",
	"AWS::EC2::SubnetRouteTableAssociation",
	"AWS::EC2::VPC",
	"AWS::EC2::VPCEndpoint",
	"AWS::EC2::VPCGatewayAttachment",
	"AWS::ECR::Repository",
	"AWS::IAM::AccessKey",
	"AWS::IAM::Group",
	"AWS::IAM::GroupPolicy",
	"AWS::IAM::InstanceProfile",
	"AWS::IAM::ManagedPolicy",
	"AWS::IAM::Policy",
	"AWS::IAM::Role",
	"AWS::IAM::RolePolicy",
	"AWS::IAM::User",
	"AWS::IAM::UserPolicy",
	"AWS::KMS::Alias",
	"AWS::KMS::Key",
	"AWS::Lambda::Function",
	"AWS::Lambda::Permission",
	"AWS::Lambda::Url",
	"AWS::Lambda::Version",
	"AWS::Logs::LogGroup",
	"AWS::Logs::ResourcePolicy",
	"AWS::S3::Bucket",
	"AWS::S3::BucketPolicy",
	"AWS::SSM::Parameter",
};

static void name_unlooked(struct prove *p, const struct stack *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct unlooked u = { s->region, s->v[i].id, s->v[i].type };
		bool is_known = false;

		for (size_t k = 0; k < ELEMENTS(known) && !is_known; k++)
			is_known = declared_is(&s->v[i], known[k]);
		if (!is_known)
			vec_push(&p->arena, p->unlooked, p->n_unlooked, p->cap_unlooked) = u;
	}
}

static void attack_stack(struct prove *p, struct stack *s)
{
	p->stack = s;
	name_unlooked(p, s);
	link_policies(s);
	for (size_t i = 0; i < s->n && !prove_stop; i++)
		if (declared_is(&s->v[i], "AWS::S3::Bucket")) {
			attack_access(p, &s->v[i]);
			attack_transport(p, &s->v[i]);
			attack_encryption(p, &s->v[i]);
			attack_public(p, &s->v[i]);
			attack_versions(p, &s->v[i]);
		}
	for (size_t i = 0; i < s->n && !prove_stop; i++)
		if (declared_is(&s->v[i], "AWS::KMS::Key"))
			attack_key(p, &s->v[i]);
		else if (declared_is(&s->v[i], "AWS::SSM::Parameter"))
			attack_parameter(p, &s->v[i]);
		else if (declared_is(&s->v[i], "AWS::Logs::LogGroup"))
			attack_logs(p, &s->v[i]);
		else if (declared_is(&s->v[i], PROVE_PASSWORD_POLICY))
			attack_passwords(p, &s->v[i]);
		else if (declared_is(&s->v[i], "AWS::Lambda::Function"))
			attack_function(p, &s->v[i]);
		else if (declared_is(&s->v[i], "AWS::ApiGateway::RestApi"))
			attack_api(p, &s->v[i]);
		else if (declared_is(&s->v[i], "AWS::ApiGateway::Method"))
			attack_method(p, &s->v[i]);
		else if (declared_is(&s->v[i], "AWS::ECR::Repository"))
			attack_repository(p, &s->v[i]);
		else if (declared_is(&s->v[i], "AWS::EC2::VPCEndpoint"))
			attack_endpoint(p, &s->v[i]);
	if (!prove_stop)
		attack_isolation(p);
	for (size_t i = 0; i < s->n && !prove_stop; i++)
		if (declared_is(&s->v[i], "AWS::IAM::Role"))
			attack_role(p, &s->v[i]);
		else if (declared_is(&s->v[i], "AWS::IAM::User") || declared_is(&s->v[i], "AWS::IAM::Group"))
			attack_principal(p, &s->v[i]);
	if (!prove_stop)
		attack_policies(p);
	if (!prove_stop)
		attack_network(p);
	if (!prove_stop)
		attack_signatures(p);
	if (!prove_stop)
		attack_keep(p);
	if (!prove_stop)
		attack_template(p);
	if (!prove_stop)
		attack_trail(p);
}

static int prove(struct cli *c, struct prove *p)
{
	struct stack *stacks[PROVE_REGIONS_MAX];
	struct report_opts o = { .junit = junit_file, .json = c->json, .colour = *cli_paint(c, PAINT_BOLD) != '\0' };
	size_t n = 0;
	int r = introduce(p);

	if (r == 0 && !terraform_file)
		r = read_stacks(p, where.regions != NULL, stacks);
	else if (r == 0 && terraform_read(p, terraform_file, stacks, &n) < 0)
		r = (cli_error("Give the output of: terraform show -json", "%.*s", STR(p->trouble)), COULD_NOT);
	if (r != 0)
		return r;
	r = actors_make(p, stacks, p->n_regions);
	if (r < 0 && !prove_stop)
		(void)cli_error(p->silent ? "Is the cloud running? See: cloudkeep status" : "Run it as an administrator of the account.",
				"the attackers cannot be made: %.*s", STR(p->trouble));
	if (r == 0)
		actors_sweep(p, stacks, p->n_regions);
	for (size_t i = 0; r == 0 && i < p->n_regions && !prove_stop; i++)
		attack_stack(p, stacks[i]);
	o.left_behind = undo_all(p);
	if (o.left_behind)
		fprintf(stderr, "cloudkeep prove: what is left is removed by the next run, once it is an hour old\n");
	if (prove_stop) {
		(void)cli_error(NULL, "interrupted; %s",
				o.left_behind ? "not everything made for the proof could be removed"
					      : "everything made for the proof was removed");
		return COULD_NOT;
	}
	return r < 0 ? COULD_NOT : report_write(p, &o);
}

static int run(struct cli *c)
{
	struct prove *p = xzalloc(sizeof *p);
	struct target t;
	int r = target_read(c, &where, &t);

	catch_signals();
	if (!c->n_args == !terraform_file)
		return free(p), cli_usage(c, terraform_file ? "a stack or --terraform, not both" : "which stack? Or --terraform FILE");
	if (template_file && terraform_file)
		return free(p), cli_usage(c, "--template or --terraform, not both");
	p->stack_name = terraform_file ? S("terraform") : str_c(c->args[0]);
	p->run = random_from(&p->arena, S("abcdefghijklmnopqrstuvwxyz0123456789"), RUN_DIGITS);
	p->declared_only = only_declared;
	if (template_file && r == 0) {
		r = cli_read_file(&p->arena, template_file, &p->expected);
		if (r < 0)
			r = cli_error(NULL, "%s cannot be read: %s", template_file, strerror(-r));
	}
	if (r == 0 && terraform_file)
		p->regions[0] = S("us-east-1"); /* until the state has been read: for the call that asks who is asking */
	else if (r == 0 && !where.regions && !where.endpoint_url)
		every_region(c, p);
	if (r == 0 && p->n_regions == 0 && !terraform_file)
		r = target_regions(c, &where, p->regions, &p->n_regions);
	r = r == 0 ? connect_to(p, &t) : COULD_NOT;
	if (r == 0)
		r = prove(c, p);
	client_free(p->tls);
	client_free(p->plain);
	arena_done(&p->arena);
	free(p);
	return r;
}

static const struct cli_option options[] = {
	{ "regions", "a,b,c", "where the stack is (default: every region that has it)", &where.regions, NULL, NULL },
	{ "terraform", "FILE", "what Terraform has deployed: the output of `terraform show -json`, or -", &terraform_file, NULL, NULL },
	{ "template", "FILE", "prove what FILE promises, and that it is what was deployed: the template you reviewed", &template_file, NULL,
	  NULL },
	{ "junit", "FILE", "write the result as JUnit XML, too", &junit_file, NULL, NULL },
	{ "declared", NULL, "only what the stack declares, not what every stack owes", NULL, &only_declared, NULL },
	{ "endpoint-url", "URL", "another cloud; keys from the AWS environment variables", &where.endpoint_url, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct cli_command cmd_prove = {
	.name = "prove",
	.args = "[STACK]",
	.what = "attack what a stack promises, and see whether it holds",
	.text = "Reads what a deployed stack (or a Terraform state) declares and attacks it through the front door: plain HTTP against "
		"buckets that want TLS,\n"
		"outsiders at objects, keys and roles, altered ciphertexts, replayed and expired signatures, public policies, deletion\n"
		"of what is protected. The attackers are users and roles made for the purpose and removed again. What every stack owes,\n"
		"declared or not, is tried too (\"baseline\"); a resource's Metadata may waive a family, with the reason (families: "
		"access,\n"
		"encryption, functions, key use, network, passwords, private API, privilege, public, recovery, rotation, transport, "
		"trust):\n"
		"  Cloudkeep::Prove: { Waive: { transport: the old scanners speak no TLS } }\n"
		"\"skipped\" is what the stack does not promise or waives. A promise is what the deployed template says, so a template "
		"that\n"
		"promises less holds: --template FILE tries what the template says that you reviewed.\n"
		"Exit status: 0 all promises held, 1 one was broken, 2 something could not be tried.",
	.examples = "  cloudkeep prove baseline\n"
		    "  cloudkeep prove baseline --regions us-east-1,eu-west-1 --junit proof.xml\n"
		    "  cloudkeep prove baseline --template reviewed.yaml\n"
		    "  terraform show -json | cloudkeep prove --terraform -\n"
		    "  cloudkeep prove baseline --json | jq '.proofs[] | select(.verdict == \"broken\")'",
	.options = options,
	.args_max = 1,
	.run = run,
};
