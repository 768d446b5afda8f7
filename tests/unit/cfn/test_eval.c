/* SPDX-License-Identifier: Apache-2.0 */
/* Intrinsic functions, conditions, rules, outputs and dynamic references, evaluated. */
#include "common.h"

#define HEAD                                                                                                                               \
	"Parameters:\n"                                                                                                                    \
	"  Env: {Type: String, Default: dev}\n"                                                                                            \
	"  Size: {Type: Number, Default: 3}\n"                                                                                             \
	"  Subnets: {Type: CommaDelimitedList, Default: 'subnet-1, subnet-2,subnet-3'}\n"                                                  \
	"  Empty: {Type: CommaDelimitedList, Default: ''}\n"                                                                               \
	"Mappings:\n  M: {us-east-1: {Ami: ami-e, Size: 2, L: [x, z]}, eu-west-1: {Ami: ami-w}}\n"                                         \
	"Conditions:\n"                                                                                                                    \
	"  Prod: !Equals [!Ref Env, prod]\n"                                                                                               \
	"  NotProd: !Not [!Condition Prod]\n"                                                                                              \
	"  East: !Equals [!FindInMap [M, !Ref 'AWS::Region', Ami], ami-e]\n"                                                               \
	"  Both: !And [!Condition NotProd, !Condition East]\n"                                                                             \
	"  Either: !Or [!Condition Prod, !Equals [a, b]]\n"                                                                                \
	"Resources:\n"                                                                                                                     \
	"  A: {Type: T, Condition: Prod}\n"                                                                                                \
	"  B: {Type: T}\n"

static struct str value_of(const char *expr)
{
	const char *text = str_z(&test_arena, str_printf(&test_arena, "%s  R: {Type: T, Properties: {P: %s}}\n", HEAD, expr));
	struct template_ctx *c = begun(text, NULL);
	struct json *j;

	if (template_eval_resource(c, resource(c, "R"), &j) < 0)
		return c->err;
	return json_getz(j, "P") ? json_text(&test_arena, json_getz(j, "P")) : S("nothing");
}

struct pair {
	const char *expr, *want;
};

static void check(const struct pair *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_str(value_of(v[i].expr), v[i].want);
}

static void refs(void **state)
{
	static const struct pair v[] = {
		{ "!Ref Env", "\"dev\"" },
		{ "!Ref Size", "\"3\"" },
		{ "!Ref Subnets", "[\"subnet-1\",\"subnet-2\",\"subnet-3\"]" },
		{ "!Ref Empty", "[\"\"]" },
		{ "!Ref B", "\"phys-B\"" },
		{ "!Ref AWS::AccountId", "\"123456789012\"" },
		{ "!Ref AWS::Region", "\"us-east-1\"" },
		{ "!Ref AWS::Partition", "\"aws\"" },
		{ "!Ref AWS::StackName", "\"demo\"" },
		{ "!Ref AWS::StackId",
		  "\"arn:aws:cloudformation:us-east-1:123456789012:stack/demo/11111111-2222-3333-4444-555555555555\"" },
		{ "!Ref AWS::URLSuffix", "\"amazonaws.com\"" },
		{ "!Ref AWS::NotificationARNs", "[\"arn:aws:sns:us-east-1:123456789012:a\",\"arn:aws:sns:us-east-1:123456789012:b\"]" },
		{ "!GetAtt B.Arn", "\"B.Arn\"" },
		{ "!GetAtt B.Endpoint.Port", "\"B.Endpoint.Port\"" },
		{ "{'Fn::GetAtt': [B, Endpoint.Port]}", "\"B.Endpoint.Port\"" },
		{ "{'Fn::GetAtt': [B, {Ref: Env}]}", "\"B.dev\"" },
		{ "{'Fn::GetAtt': 'B.Arn'}", "\"B.Arn\"" },
		{ "!GetAtt B.List", "[\"l1\",\"l2\"]" },
		{ "!GetAtt B.Nope", "Template error: resource B does not support attribute type Nope in Fn::GetAtt" },
		{ "{Ref: B, Other: 1}", "{\"Ref\":\"B\",\"Other\":1}" },
		{ "{Condition: Prod}", "{\"Condition\":\"Prod\"}" },
	};

	check(v, ELEMENTS(v));
}

static void texts(void **state)
{
	static const struct pair v[] = {
		{ "!Sub 'a-${Env}-${B}-${B.Arn}-${AWS::Region}-${!Lit}-$x-${'", "\"a-dev-phys-B-B.Arn-us-east-1-${Lit}-$x-${\"" },
		{ "!Sub ['${x}/${Env}/${n}', {x: !GetAtt B.Arn, n: 5}]", "\"B.Arn/dev/5\"" },
		{ "!Sub ''", "\"\"" },
		{ "!Sub '$${Env}$'", "\"$dev$\"" },
		{ "!Sub ['${a.b}', {a.b: x}]", "\"x\"" },
		{ "!Sub '${Subnets}'", "Template error: variable Subnets in Fn::Sub expression does not resolve to a string" },
		{ "!Sub ['${x}', {x: !Ref 'AWS::NoValue'}]", "\"phys\"" },
		{ "!Join ['-', [a, !Ref Env, 1, true, !GetAtt B.Arn]]", "\"a-dev-1-true-B.Arn\"" },
		{ "!Join ['|', !Ref Subnets]", "\"subnet-1|subnet-2|subnet-3\"" },
		{ "!Join ['', !Ref Empty]", "\"\"" },
		{ "!Join ['-', [a, !Ref 'AWS::NoValue', b]]", "\"a-b\"" },
		{ "!Join ['-', [a, !If [Prod, x, !Ref 'AWS::NoValue']]]", "\"a\"" },
		{ "!Join ['-', !Split [',', 'a,b']]", "\"a-b\"" },
		{ "!Join ['-', []]", "\"\"" },
		{ "!Split [',', 'a,b,,c']", "[\"a\",\"b\",\"\",\"c\"]" },
		{ "!Split ['::', !Sub '${Env}::x']", "[\"dev\",\"x\"]" },
		{ "!Split [',', '']", "[\"\"]" },
		{ "!Base64 'hello world'", "\"aGVsbG8gd29ybGQ=\"" },
		{ "{'Fn::Base64': !Sub '${Env}-x'}", "\"ZGV2LXg=\"" },
	};

	/* A map's value that is NoValue is no string. */
	assert_str(value_of(v[6].expr), "Template error: variable x in Fn::Sub expression does not resolve to a string");
	check(v, 6);
	check(v + 7, ELEMENTS(v) - 7);
}

static void choices(void **state)
{
	static const struct pair v[] = {
		{ "!If [Prod, big, small]", "\"small\"" },
		{ "!If [Both, big, small]", "\"big\"" },
		{ "!If [Either, big, {k: !Ref Env}]", "{\"k\":\"dev\"}" },
		{ "!If [Prod, !Ref A, !If [East, e, w]]", "\"e\"" },
		{ "!FindInMap [M, !Ref 'AWS::Region', Ami]", "\"ami-e\"" },
		{ "!FindInMap [M, us-east-1, Size]", "2" },
		{ "!FindInMap [M, us-east-1, L]", "[\"x\",\"z\"]" },
		{ "!FindInMap [M, eu-west-1, Size]", "Template error: Unable to get mapping for M::eu-west-1::Size" },
		{ "!FindInMap [!Ref Env, a, b]",
		  "Template error: Mapping named 'dev' is not present in the 'Mappings' section of template." },
		{ "!Select [1, [a, b, c]]", "\"b\"" },
		{ "!Select ['2', !Ref Subnets]", "\"subnet-3\"" },
		{ "!Select [0, !Split ['/', 'x/y']]", "\"x\"" },
		{ "!Select [0, !GetAZs '']", "\"us-east-1a\"" },
		{ "!Select [3, [a, b, c]]", "Template error: Fn::Select cannot select nonexistent value at index 3" },
		{ "!Select [-1, [a]]", "Template error: Fn::Select cannot select nonexistent value at index -1" },
		{ "!Select [x, [a]]", "Template error: Fn::Select requires a list argument with a valid index value as its first element" },
		{ "!Select [0, !Ref Env]",
		  "Template error: Fn::Select requires a list argument with two elements: an integer index and a list" },
	};

	check(v, ELEMENTS(v));
}

static void no_value(void **state)
{
	static const struct pair v[] = {
		{ "!Ref AWS::NoValue", "nothing" },
		{ "!If [Prod, x, !Ref 'AWS::NoValue']", "nothing" },
		{ "{K: 1, D: !Ref 'AWS::NoValue', E: {F: !Ref 'AWS::NoValue'}}", "{\"K\":1,\"E\":{}}" },
		{ "[a, !Ref 'AWS::NoValue', c]", "[\"a\",\"c\"]" },
		{ "[!If [Prod, a, !Ref 'AWS::NoValue']]", "[]" },
		{ "[[!Ref 'AWS::NoValue']]", "[[]]" },
		{ "!Base64 {Ref: 'AWS::NoValue'}", "Template error: every Fn::Base64 object must have a String-typed value." },
		{ "!Select [0, [!Ref 'AWS::NoValue', b]]", "\"b\"" },
	};
	struct template_ctx *c = begun("Resources: {R: {Type: T, Properties: {Ref: 'AWS::NoValue'}}}\n", NULL);

	check(v, ELEMENTS(v));
	assert_str(properties(c, "R"), "{}");
}

static void cidr(void **state)
{
	static const struct pair v[] = {
		{ "!Cidr ['192.168.0.0/24', 6, 5]", "[\"192.168.0.0/27\",\"192.168.0.32/27\",\"192.168.0.64/27\",\"192.168.0.96/"
						    "27\",\"192.168.0.128/27\",\"192.168.0.160/27\"]" },
		{ "!Cidr ['10.0.7.9/16', '2', '8']", "[\"10.0.0.0/24\",\"10.0.1.0/24\"]" },
		{ "!Cidr ['2600:1f18:abc:de00::/56', 2, 64]", "[\"2600:1f18:abc:de00::/64\",\"2600:1f18:abc:de01::/64\"]" },
		{ "!Cidr ['0.0.0.0/0', 1, 32]", "[\"0.0.0.0/0\"]" },
		{ "!Cidr ['::/0', 1, 128]", "[\"::/0\"]" },
		{ "!Cidr ['10.0.0.0/24', 9, 5]", "Template error: Fn::Cidr cannot fit 9 blocks with 5 CIDR bits in 10.0.0.0/24" },
		{ "!Cidr ['10.0.0.0/24', 1, 9]", "Template error: Fn::Cidr cannot fit 1 blocks with 9 CIDR bits in 10.0.0.0/24" },
		{ "!Cidr ['10.0.0.0/16', 257, 8]", "Template error: Fn::Cidr count must be between 1 and 256" },
		{ "!Cidr ['10.0.0.0/16', 0, 8]", "Template error: Fn::Cidr count must be between 1 and 256" },
		{ "!Cidr ['10.0.0/16', 1, 8]", "Template error: Fn::Cidr ipBlock 10.0.0/16 is not a valid CIDR block" },
		{ "!Cidr ['10.0.0.0/33', 1, 8]", "Template error: Fn::Cidr ipBlock 10.0.0.0/33 is not a valid CIDR block" },
		{ "!Cidr ['10.0.0.0', 1, 8]", "Template error: Fn::Cidr ipBlock 10.0.0.0 is not a valid CIDR block" },
		{ "!Cidr ['10.0.0.0/16', x, 8]", "Template error: Fn::Cidr requires the count and the cidrBits to be numbers." },
	};

	check(v, ELEMENTS(v));
}

static void outside(void **state)
{
	static const struct pair v[] = {
		{ "!GetAZs ''", "[\"us-east-1a\",\"us-east-1b\",\"us-east-1c\"]" },
		{ "!GetAZs eu-west-1", "[\"eu-west-1a\",\"eu-west-1b\",\"eu-west-1c\"]" },
		{ "!GetAZs {Ref: 'AWS::Region'}", "[\"us-east-1a\",\"us-east-1b\",\"us-east-1c\"]" },
		{ "!ImportValue shared-vpc", "\"vpc-0shared\"" },
		{ "{'Fn::ImportValue': !Sub '${Env}-vpc'}", "No export named dev-vpc found." },
	};
	static const struct template_calls nobody = { 0 };
	struct template_ctx *c = begun("Resources: {B: {Type: T}, R: {Type: T, Properties: {P: !GetAtt B.Later}}}\n", NULL);
	struct json *j;

	check(v, ELEMENTS(v));
	assert_int_equal(template_eval_resource(c, 1, &j), -EAGAIN);
	c->calls = &nobody;
	assert_int_equal(template_eval_resource(c, 1, &j), -EINVAL);
	assert_str(c->err, "Template format error: Unresolved resource dependencies [B] in the Resources block of the template");
}

static struct str begin_error(const char *text)
{
	struct template_ctx *c = context(parse(text));

	return set_values(c, NULL, 0) < 0 || template_begin(c) < 0 ? c->err : STR_NONE;
}

static void gone(void **state)
{
	assert_str(begin_error(HEAD "  R: {Type: T, Properties: {P: !Ref A}}\n"),
		   "Template format error: Unresolved resource dependencies [A] in the Resources block of the template");
	assert_str(begin_error(HEAD "  R: {Type: T, Properties: {P: !Sub '${A.Arn}'}}\n"),
		   "Template format error: Unresolved resource dependencies [A] in the Resources block of the template");
	assert_str(begin_error(HEAD "Outputs: {O: {Value: !GetAtt A.Arn}}\n"),
		   "Template format error: Unresolved resource dependencies [A] in the Outputs block of the template");
	assert_str(begin_error(HEAD "Outputs: {O: {Value: !GetAtt A.Arn, Condition: Prod}}\n"), NULL);
	assert_str(begin_error(HEAD "  R: {Type: T, Properties: {P: !If [Prod, !Ref A, x]}}\n"), NULL);
	assert_str(begin_error(HEAD "  R: {Type: T, DependsOn: A}\n"), NULL);
	assert_str(begin_error(HEAD "  R: {Type: T, Condition: Prod, Properties: {P: !Ref A}}\n"), NULL);
	assert_str(
		begin_error("Mappings: {M: {a: {b: c}}}\nConditions: {C: !Equals [!FindInMap [M, a, z], x]}\nResources: {A: {Type: T}}\n"),
		"Template error: Unable to get mapping for M::a::z");
}

static void outputs(void **state)
{
	struct template_ctx *c = begun(HEAD "Outputs:\n"
					    "  V: {Value: !GetAtt B.Arn, Export: {Name: !Sub '${AWS::StackName}-arn'}}\n"
					    "  N: {Value: 5}\n"
					    "  L: {Value: !Ref Subnets}\n"
					    "  G: {Value: x, Condition: Prod}\n"
					    "  E: {Value: x, Export: {Name: ''}}\n",
				       NULL);
	struct str v, e;

	assert_int_equal(template_eval_output(c, 0, &v, &e), 0);
	assert_str(v, "B.Arn");
	assert_str(e, "demo-arn");
	assert_int_equal(template_eval_output(c, 1, &v, &e), 0);
	assert_str(v, "5");
	assert_str(e, NULL);
	assert_int_equal(template_eval_output(c, 2, &v, &e), -EINVAL);
	assert_str(c->err, "Template format error: The Value field of every Outputs member must evaluate to a String.");
	assert_false(template_output_active(c, 3));
	assert_int_equal(template_eval_output(c, 4, &v, &e), -EINVAL);
}

static void attributes(void **state)
{
	struct template_ctx *c = begun(
		"Parameters: {P: {Type: String, Default: Retain}}\nTransform: AWS::LanguageExtensions\n"
		"Resources:\n  A: {Type: T, DeletionPolicy: !Ref P, Metadata: {m: !Ref P}}\n  D: {Type: AWS::RDS::DBInstance}\n"
		"  E: {Type: AWS::RDS::DBInstance, DeletionPolicy: Delete, UpdateReplacePolicy: Snapshot}\n"
		"  F: {Type: T, DeletionPolicy: RetainExceptOnCreate}\n",
		NULL);
	enum template_policy del, rep;
	struct json *j;

	assert_int_equal(template_policies(c, 0, &del, &rep), 0);
	assert_int_equal(del, TEMPLATE_RETAIN);
	assert_int_equal(rep, TEMPLATE_DELETE);
	assert_int_equal(template_policies(c, 1, &del, &rep), 0);
	assert_int_equal(del, TEMPLATE_SNAPSHOT);
	assert_int_equal(template_policies(c, 2, &del, &rep), 0);
	assert_int_equal(del, TEMPLATE_DELETE);
	assert_int_equal(rep, TEMPLATE_SNAPSHOT);
	assert_int_equal(template_policies(c, 3, &del, &rep), 0);
	assert_int_equal(del, TEMPLATE_RETAIN_EXCEPT_ON_CREATE);
	assert_int_equal(template_eval_attribute(c, 0, "Metadata", &j), 0);
	assert_str(json_text(&test_arena, j), "{\"m\":\"Retain\"}");
	assert_int_equal(template_eval_attribute(c, 1, "Metadata", &j), 0);
	assert_null(j);
}

#define RULES(assert)                                                                                                                      \
	"Parameters:\n  V: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /cdk-bootstrap/hnb659fds/version}\n"                      \
	"  Nets: {Type: 'List<AWS::EC2::Subnet::Id>', Default: 'subnet-1,subnet-2'}\n  Vpc: {Type: AWS::EC2::VPC::Id, Default: vpc-1}\n"   \
	"  Env: {Type: String, Default: prod}\n"                                                                                           \
	"Rules: {R: {RuleCondition: !Equals [!Ref Env, prod], Assertions: [{Assert: " assert ", AssertDescription: too old}]}}\n"          \
	"Resources: {A: {Type: T}}\n"

static struct str rule_error(const char *text, const char *given)
{
	struct template_ctx *c = begun(text, given);

	return template_check_rules(c) < 0 ? c->err : STR_NONE;
}

static void rules(void **state)
{
	static const char cdk[] = RULES("{'Fn::Not': [{'Fn::Contains': [['1', '2', '3', '4', '5'], {Ref: V}]}]}");
	static const char old[] = "Template validation error: Rule R failed: too old";

	assert_str(rule_error(cdk, NULL), NULL);
	assert_str(rule_error(cdk, "V=/old"), old);
	assert_str(rule_error(cdk, "V=/old;Env=dev"), NULL);
	assert_str(rule_error(RULES("!EachMemberEquals [!ValueOfAll ['AWS::EC2::Subnet::Id', VpcId], vpc-1]"), NULL), NULL);
	assert_str(rule_error(RULES("!EachMemberEquals [!ValueOf [Nets, VpcId], !Ref Vpc]"), NULL), NULL);
	assert_str(rule_error(RULES("!EachMemberEquals [!ValueOf [Nets, VpcId], !Ref Vpc]"), "Nets=subnet-1,subnet-9"), old);
	assert_str(rule_error(RULES("!EachMemberIn [!ValueOf [Nets, VpcId], !RefAll 'AWS::EC2::VPC::Id']"), NULL), NULL);
	assert_str(rule_error(RULES("!EachMemberIn [!Ref Nets, [subnet-1]]"), NULL), old);
	assert_str(rule_error(RULES("!Contains [!Ref Nets, subnet-2]"), NULL), NULL);
	assert_str(rule_error(RULES("!Equals [!ValueOf [Nets, Nope], x]"), NULL),
		   "Template error: attribute Nope of List<AWS::EC2::Subnet::Id> is not available to rule functions");
}

static struct str resolved(const char *text)
{
	struct template_ctx *c = begun("Resources: {A: {Type: T}}\n", NULL);
	struct json *j = json_new_str(&test_arena, str_c(text)), *out;

	return template_resolve_dynamic(c, j, &out) < 0 ? c->err : json_str(out);
}

static void dynamic(void **state)
{
	struct template_ctx *c;
	struct json *j, *out;

	assert_str(resolved("{{resolve:ssm:/a/b:3}}"), "<0 /a/b|3|-|->");
	assert_str(resolved("x{{resolve:ssm:p}}y{{resolve:ssm-secure:q:1}}z"), "x<0 p|-|-|->y<1 q|1|-|->z");
	assert_str(resolved("{{resolve:secretsmanager:s}}"), "<2 s|-|-|->");
	assert_str(resolved("{{resolve:secretsmanager:s:SecretString:password}}"), "<2 s|-|password|->");
	assert_str(resolved("{{resolve:secretsmanager:s:SecretString:password::v1}}"), "<2 s|v1|password|->");
	assert_str(resolved("{{resolve:secretsmanager:s:SecretString::AWSPREVIOUS}}"), "<2 s|-|-|AWSPREVIOUS>");
	assert_str(resolved("{{resolve:secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:n-AbCdEf:SecretString:k::}}"),
		   "<2 arn:aws:secretsmanager:us-east-1:123456789012:secret:n-AbCdEf|-|k|->");
	assert_str(resolved("{{resolve:secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:n-AbCdEf}}"),
		   "<2 arn:aws:secretsmanager:us-east-1:123456789012:secret:n-AbCdEf|-|-|->");
	assert_str(resolved("{{resolve:nobody:x}}"), "{{resolve:nobody:x}}");
	assert_str(resolved("{{resolve:ssm:x"), "{{resolve:ssm:x");
	assert_str(resolved("{{resolve:}}"), "{{resolve:}}");
	assert_str(resolved("{{resolve:ssm:p:x}}"), "Incorrect format is used in the following SSM reference: [{{resolve:ssm:p:x}}]");
	assert_str(resolved("{{resolve:secretsmanager:s:Binary}}"),
		   "Incorrect format is used in the following SecretsManager reference: [{{resolve:secretsmanager:s:Binary}}]");
	assert_str(resolved("{{resolve:ssm:gone}}"), "Parameters: [{{resolve:ssm:gone}}] cannot be found.");
	/* References made by joining are resolved, after the joining. */
	c = begun("Parameters: {N: {Type: String, Default: db}}\nResources: {A: {Type: T, Properties: {L: [!Join [':', ['{{resolve', ssm, "
		  "!Ref N, "
		  "'1}}']], 7], M: {k: !Sub '{{resolve:ssm-secure:${N}}}'}}}}\n",
		  NULL);
	assert_int_equal(template_eval_resource(c, 0, &j), 0);
	assert_str(json_text(&test_arena, j), "{\"L\":[\"{{resolve:ssm:db:1}}\",7],\"M\":{\"k\":\"{{resolve:ssm-secure:db}}\"}}");
	assert_int_equal(template_resolve_dynamic(c, j, &out), 0);
	assert_str(json_text(&test_arena, out), "{\"L\":[\"<0 db|1|-|->\",7],\"M\":{\"k\":\"<1 db|-|-|->\"}}");
}

static void extensions(void **state)
{
#define LE                                                                                                                                 \
	"Transform: AWS::LanguageExtensions\nParameters: {Names: {Type: CommaDelimitedList, Default: 'a,b'}}\nMappings: {M: {k: {v: "      \
	"x}}}\n"
	struct template_ctx *c = begun(
		LE "Resources:\n"
		   "  R: {Type: T, Properties: {L: !Length [1, 2, 3], N: !Length {Ref: Names}, J: !ToJsonString {a: !Ref Names, b: 1}, "
		   "D: !FindInMap [M, k, zz, {DefaultValue: d}], E: !FindInMap [X, k, v, {DefaultValue: !Ref 'AWS::NoValue'}]}}\n"
		   "  Fn::ForEach::Topics:\n    - T\n    - !Ref Names\n"
		   "    - Topic${T}: {Type: T, Properties: {Name: !Sub '${T}-x', R: !Ref T, Q: '&{T}'}}\n"
		   "      Fn::ForEach::Inner:\n        - I\n        - ['1-', '2-']\n"
		   "        - In${T}&{I}: {Type: T, Properties: {V: '${I}${T}'}}\n",
		NULL);

	assert_str(properties(c, "R"), "{\"L\":3,\"N\":2,\"J\":\"{\\\"a\\\":[\\\"a\\\",\\\"b\\\"],\\\"b\\\":1}\",\"D\":\"d\"}");
	assert_int_equal(c->tpl->n_resources, 7);
	assert_str(c->tpl->resources[1].id, "Topica");
	assert_str(properties(c, "Topicb"), "{\"Name\":\"b-x\",\"R\":\"b\",\"Q\":\"b\"}");
	assert_str(properties(c, "Inb2"), "{\"V\":\"2-b\"}");
	assert_refused(LE "Resources: {'Fn::ForEach::X': [a, b]}\n",
		       "Transform AWS::LanguageExtensions failed with: Fn::ForEach layout is incorrect");
	assert_refused(LE "Resources: {'Fn::ForEach::X': [a, !Ref Nope, {}]}\n",
		       "Transform AWS::LanguageExtensions failed with: Fn::ForEach could not resolve list of strings");
	assert_refused("Resources: {'Fn::ForEach::X': [a, [b], {'R${a}': {Type: T}}]}\n",
		       "Template format error: Resource name Fn::ForEach::X is non alphanumeric.");
	assert_true(str_starts(parse_error(LE "Resources: {'Fn::ForEach::X': [a, [b, c], {'R': {Type: T}}]}\n"),
			       S("Template format error: YAML not well-formed. Duplicate key 'R'")));
}

/* Small texts that ask for a lot. */
static void bombs(void **state)
{
	struct buf b;
	struct template_ctx *c;
	struct json *j;

	buf_init(&b, 4 << 20);
	buf_printf(&b, "Parameters: {P: {Type: String, Default: '");
	for (int i = 0; i < 4000; i++)
		buf_c(&b, 'x');
	buf_printf(&b, "'}}\nResources: {A: {Type: T, Properties: {V: !Sub '");
	for (int i = 0; i < 200000; i++)
		buf_printf(&b, "${P}");
	buf_printf(&b, "'}}}\n");
	buf_c(&b, 0);
	c = begun(b.p, NULL);
	assert_int_equal(template_eval_resource(c, 0, &j), -EINVAL);
	assert_str(c->err, "Template error: the evaluated template exceeds the maximum size of 33554432 bytes");
	buf_clear(&b);
	buf_printf(&b, "Transform: AWS::LanguageExtensions\nResources:\n  A: {Type: T}\nMetadata:\n");
	for (int i = 0; i < 8; i++)
		buf_printf(&b, "%*sFn::ForEach::L%d: [v%d, [a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p], {\n", i + 1, "", i, i);
	buf_printf(&b, "x: 1");
	for (int i = 0; i < 8; i++)
		buf_printf(&b, "}]");
	buf_printf(&b, "\n");
	buf_c(&b, 0);
	assert_refused(b.p, "Transform AWS::LanguageExtensions failed with: Fn::ForEach makes the template too large");
	/* A chain of conditions as long as fits: order, not recursion. */
	buf_clear(&b);
	buf_printf(&b, "{\"Resources\":{\"A\":{\"Type\":\"T\",\"Condition\":\"C0\"}},\"Conditions\":{");
	for (int i = 0; i < 20000; i++)
		buf_printf(&b, "\"C%d\":{\"Condition\":\"C%d\"},", i, i + 1);
	buf_printf(&b, "\"C20000\":{\"Fn::Equals\":[1,1]}}}");
	buf_c(&b, 0);
	assert_true(template_active(begun(b.p, NULL), 0));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(refs),    T(texts),      T(choices), T(no_value), T(cidr),       T(outside), T(gone),
		T(outputs), T(attributes), T(rules),   T(dynamic),  T(extensions), T(bombs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
