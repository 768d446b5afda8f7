/* SPDX-License-Identifier: Apache-2.0 */
/* What a template may hold: each refusal in CloudFormation's words. */
#include "common.h"

#define RES "Resources:\n  B: {Type: AWS::S3::Bucket}\n"

static void accepted(void **state)
{
	struct template *t = parse(
		"AWSTemplateFormatVersion: 2010-09-09\nDescription: d\nMetadata: {x: 1}\n"
		"Parameters:\n  P: {Type: String, Default: x, NoEcho: true}\n  L: {Type: "
		"'AWS::SSM::Parameter::Value<List<AWS::EC2::Subnet::Id>>'}\n"
		"Mappings: {M: {us-east-1: {Ami: ami-1, L: [a]}}}\n"
		"Conditions: {C: !Equals [!Ref P, x]}\n"
		"Resources:\n  A: {Type: T::T::T, Condition: C, DependsOn: [B, B], DeletionPolicy: Retain, UpdateReplacePolicy: Snapshot,"
		" CreationPolicy: {}, UpdatePolicy: {}, Metadata: {}}\n  B: {Type: AWS::S3::Bucket}\n"
		"Outputs: {O: {Value: !Ref B, Export: {Name: e}, Condition: C, Description: o}}\n");
	size_t i = 9;

	assert_str(t->description, "d");
	assert_int_equal(t->n_resources, 2);
	assert_int_equal(t->resources[0].n_depends_on, 1);
	assert_int_equal(t->resources[0].depends_on[0], 1);
	assert_int_equal(t->resources[0].condition, 0);
	assert_true(t->parameters[0].no_echo);
	assert_true(t->parameters[1].list && t->parameters[1].ssm);
	assert_str(t->parameters[1].item, "AWS::EC2::Subnet::Id");
	assert_int_equal(template_find(t, S("B"), &i), TEMPLATE_RESOURCE);
	assert_int_equal(i, 1);
	assert_int_equal(template_find(t, S("C"), &i), TEMPLATE_NONE);
}

static void head(void **state)
{
	assert_refused("Resourcess: {}\n", "Invalid template property or properties [Resourcess]");
	assert_refused("AWSTemplateFormatVersion: 2011-01-01\n" RES,
		       "Template format error: unsupported value for AWSTemplateFormatVersion.");
	assert_refused("Description: [a]\n" RES, "Template format error: Every Description member must be a string.");
	assert_refused("Description: a\n", "Template format error: At least one Resources member must be defined.");
	assert_refused("Resources: {}\n", "Template format error: At least one Resources member must be defined.");
	assert_refused("Transform: AWS::Serverless-2016-10-31\n" RES, "No transform named AWS::Serverless-2016-10-31 found.");
	assert_refused("Transform: [AWS::LanguageExtensions, Mine]\n" RES,
		       "Template format error: Transform must not name a transform twice.");
	assert_refused("Hooks: {}\n" RES, "Template format error: Hooks are not supported.");
}

static void resources(void **state)
{
	assert_refused("Resources: {a-b: {Type: T}}\n", "Template format error: Resource name a-b is non alphanumeric.");
	assert_refused("Resources: {A: x}\n", "Template format error: Any Resources member must be an object.");
	assert_refused("Resources: {A: {}}\n", "Template format error: [/Resources/A] Every Resources object must contain a Type member.");
	assert_refused("Resources: {A: {Type: T, Propertys: {}}}\n", "Invalid template resource property 'Propertys'");
	assert_refused("Resources: {A: {Type: T, Properties: []}}\n",
		       "Template format error: [/Resources/A/Properties] Every Properties member must be an object.");
	assert_refused("Resources: {A: {Type: T, DependsOn: {}}}\n",
		       "Template format error: DependsOn must be a string or list of strings.");
	assert_refused("Resources: {A: {Type: T, DependsOn: [1]}}\n", "Template format error: Every DependsOn value must be a string.");
	assert_refused("Resources: {A: {Type: T, DependsOn: Z}}\n",
		       "Template format error: Unresolved resource dependencies [Z] in the Resources block of the template");
	assert_refused("Resources: {A: {Type: T, Condition: Z}}\n",
		       "Template format error: Unresolved condition dependency Z in the Resources block of the template");
	assert_refused("Resources: {A: {Type: T, Condition: [Z]}}\n", "Template format error: Every Condition member must be a string.");
	assert_refused("Resources: {A: {Type: T, DeletionPolicy: Keep}}\n",
		       "Template format error: Unrecognized DeletionPolicy Keep for resource A");
	assert_refused("Resources: {A: {Type: T, UpdateReplacePolicy: RetainExceptOnCreate}}\n",
		       "Template format error: Unrecognized UpdateReplacePolicy RetainExceptOnCreate for resource A");
	assert_refused("Resources: {A: {Type: T, DeletionPolicy: !Ref X}}\n",
		       "Template format error: Every DeletionPolicy member must be a string.");
	assert_refused("Parameters: {A: {Type: String}}\nResources: {A: {Type: T}}\n",
		       "Template error: all resources and parameters must have unique names. Common name(s):[A]");
}

static void parameters(void **state)
{
	assert_refused("Parameters: {P: {}}\n" RES, "Template format error: Every Parameters object must contain a Type member.");
	assert_refused("Parameters: {P: {Type: Strin}}\n" RES, "Template format error: Unrecognized parameter type: Strin");
	assert_refused("Parameters: {P: {Type: 'AWS::SSM::Parameter::Value<Foo>'}}\n" RES,
		       "Template format error: Unrecognized parameter type: AWS::SSM::Parameter::Value<Foo>");
	assert_refused("Parameters: {p_q: {Type: String}}\n" RES, "Template format error: Parameter name p_q is non alphanumeric.");
	assert_refused("Parameters: {P: {Type: String, Defalt: x}}\n" RES, "Invalid template parameter property 'Defalt'");
	assert_refused("Parameters: {P: {Type: String, Default: [x]}}\n" RES,
		       "Template format error: Every Default member must be a string.");
	assert_refused("Parameters: {P: {Type: String, MinValue: 1}}\n" RES,
		       "Template error: Parameter 'P' MinValue must be on a parameter of type Number");
	assert_refused("Parameters: {P: {Type: Number, AllowedPattern: a}}\n" RES,
		       "Template error: Parameter 'P' AllowedPattern must be on a parameter of type String");
	assert_refused("Parameters: {P: {Type: String, AllowedValues: a}}\n" RES,
		       "Template format error: Every AllowedValues member must be a list.");
}

static void other_sections(void **state)
{
	assert_refused("Mappings: {M: {a: b}}\n" RES, "Template format error: [/Mappings/M/a] Every Mappings attribute must be a map");
	assert_refused("Mappings: {M: x}\n" RES, "Template format error: Every Mappings member M must be a map");
	assert_refused("Mappings: {M: {a: {b: {c: d}}}}\n" RES,
		       "Template format error: Every Mappings attribute must be a String or a List.");
	assert_refused("Conditions: {C: true}\n" RES,
		       "Template format error: Conditions can only be boolean operations on parameters and other conditions");
	assert_refused("Outputs: {O: {}}\n" RES, "Template format error: Every Outputs member must contain a Value object");
	assert_refused("Outputs: {o-o: {Value: x}}\n" RES, "Template format error: Output name o-o is non alphanumeric.");
	assert_refused("Outputs: {O: {Value: x, Condition: Z}}\n" RES,
		       "Template format error: Unresolved condition dependency Z in the Outputs block of the template");
	assert_refused(
		"Outputs: {O: {Value: x, Export: e}}\n" RES,
		"Template format error: Output O is malformed. The Name field of every Export member must be specified and be non-empty.");
	assert_refused("Rules: {R: {Assertions: []}}\n" RES, "Template format error: Rule R must contain a list of Assertions.");
	assert_refused("Rules: {R: {Assertions: [{Assert: {'Fn::Foo': 1}}]}}\n" RES,
		       "Template format error: Rules can only be boolean operations on parameters and other conditions");
}

#define P(v) "Resources:\n  B: {Type: T, Properties: {N: " v "}}\n"

static void functions(void **state)
{
	static const char sub[] =
		"Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first "
		"argument, and an optional second argument to specify a mapping of values to replace in the string";
	static const char att[] =
		"Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute";
	static const char join[] =
		"Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be "
		"joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.";

	assert_refused(P("!Ref Nope"),
		       "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template");
	assert_refused(P("[!Ref X, !Ref Y, !Ref X, !Sub '${Z}']"),
		       "Template format error: Unresolved resource dependencies [X, Y, Z] in the Resources block of the template");
	assert_refused(P("{Ref: [a]}"), "Template error: every Ref object must have a single String value.");
	assert_refused(P("!Ref AWS::Nope"),
		       "Template format error: Unresolved resource dependencies [AWS::Nope] in the Resources block of the template");
	assert_refused(P("!GetAtt Nope.Arn"), "Template error: instance of Fn::GetAtt references undefined resource Nope");
	assert_refused(P("!GetAtt Nope"), att);
	assert_refused(P("!GetAtt [B, '']"), att);
	assert_refused(P("!GetAtt [B, a, b]"), att);
	assert_refused(P("!Sub {a: b}"), sub);
	assert_refused(P("!Sub [a]"), sub);
	assert_refused(P("!Sub [a, b]"), sub);
	assert_refused(P("!Sub '${Nope.Arn}'"), "Template error: instance of Fn::Sub references invalid resource attribute Nope.Arn");
	assert_refused(P("!Sub '${a b}'"), "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, "
					   "underscores, periods, and colons");
	assert_refused(P("!Join a"), join);
	assert_refused(P("!Join [a, b]"), join);
	assert_refused(P("!Join [!Ref B, [b]]"), join);
	assert_refused(P("!If [C, a]"), "Template error: Fn::If requires a list argument with three elements");
	assert_refused(P("!If [Nope, a, b]"), "Template error: unresolved condition dependency Nope in Fn::If");
	assert_refused(P("!FindInMap [Nope, a, b]"),
		       "Template error: Mapping named 'Nope' is not present in the 'Mappings' section of template.");
	assert_refused(P("!FindInMap [a, b]"), "Template error: every Fn::FindInMap object requires three parameters, the map name, map "
					       "key and the attribute for return value");
	assert_refused(P("!Select [0]"),
		       "Template error: Fn::Select requires a list argument with two elements: an integer index and a list");
	assert_refused(P("!Base64 [a]"), "Template error: every Fn::Base64 object must have a String-typed value.");
	assert_refused(P("!Equals [a, b]"), "Template error: Fn::Equals cannot be partially collapsed");
	assert_refused(P("!ImportValue {Ref: B}"),
		       "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs");
	assert_refused(P("!Transform {Name: AWS::Include, Parameters: {}}"), "No transform named AWS::Include found.");
	assert_true(str_starts(parse_error(P("{Fn::Nope: 1}")),
			       S("Template error: Encountered unsupported function: Fn::Nope Supported functions are: [Fn::Base64,")));
	assert_true(str_starts(parse_error(P("!Length [1]")), S("Template error: Encountered unsupported function: Fn::Length")));
	assert_refused("Outputs: {O: {Value: !Ref Nope}}\n" RES,
		       "Template format error: Unresolved resource dependencies [Nope] in the Outputs block of the template");
}

#define C(v) "Conditions:\n  C: " v "\n" RES

static void conditions(void **state)
{
	assert_refused(
		C("!Equals [!Ref B, x]"),
		"Template format error: Unresolved dependencies [B]. Cannot reference resources in the Conditions block of the template");
	assert_refused(C("!Not [!Condition Z]"), "Template error: unresolved condition dependency Z in Condition");
	assert_refused(C("!And [!Equals [a, a]]"),
		       "Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters.");
	assert_refused(C("!Or [!Equals [a, a]]"),
		       "Template error: every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters.");
	assert_refused(C("!Not [!Equals [a, a], !Equals [a, b]]"),
		       "Template error: every Fn::Not object requires a list with exactly 1 boolean parameter.");
	assert_refused(C("!Equals [a]"), "Template error: every Fn::Equals object requires a list of 2 string parameters.");
	assert_refused(C("!Not [a]"),
		       "Template format error: Conditions can only be boolean operations on parameters and other conditions");
	assert_refused(
		"Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition D]\n  D: !Not [!Condition B]\n  E: !Not [!Condition D]\n" RES,
		"Template error: Found circular condition dependency: [B, D]");
	assert_refused("Conditions:\n  A: !Equals [!If [A, x, y], x]\n" RES, "Template error: Found circular condition dependency: [A]");
}

static void limits(void **state)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_printf(&b, "Resources:\n");
	for (int i = 0; i < 501; i++)
		buf_printf(&b, "  R%d: {Type: T}\n", i);
	buf_c(&b, 0);
	assert_refused(b.p, "Template format error: Number of resources, 501, is greater than maximum allowed, 500");
	buf_clear(&b);
	buf_printf(&b, RES "Parameters:\n");
	for (int i = 0; i < 201; i++)
		buf_printf(&b, "  P%d: {Type: String}\n", i);
	buf_c(&b, 0);
	assert_refused(b.p, "Template format error: Number of parameters, 201, is greater than maximum allowed, 200");
	buf_clear(&b);
	buf_printf(&b, RES "Outputs:\n");
	for (int i = 0; i < 201; i++)
		buf_printf(&b, "  P%d: {Value: x}\n", i);
	buf_c(&b, 0);
	assert_refused(b.p, "Template format error: Number of outputs, 201, is greater than maximum allowed, 200");
	buf_clear(&b);
	buf_printf(&b, RES "Description: '");
	for (int i = 0; i < 1025; i++)
		buf_c(&b, 'd');
	buf_printf(&b, "'\n");
	buf_c(&b, 0);
	assert_refused(b.p, "Template format error: 'Description' length is greater than 1024");
	buf_done(&b);
}

static void summary(void **state)
{
	struct template_summary s;

	template_summary(
		&test_arena,
		parse("Resources:\n  A: {Type: AWS::S3::Bucket}\n  B: {Type: AWS::IAM::Role}\n  C: {Type: AWS::IAM::Policy, Properties: "
		      "{PolicyName: p}}\n  D: {Type: AWS::IAM::Role}\n"),
		&s);
	assert_int_equal(s.capabilities.n, 1);
	assert_str(s.capabilities.v[0], "CAPABILITY_IAM");
	assert_str(s.capabilities_reason, "The following resource(s) require capabilities: [AWS::IAM::Policy, AWS::IAM::Role]");
	assert_int_equal(s.resource_types.n, 3);
	template_summary(&test_arena,
			 parse("Resources:\n  A: {Type: AWS::IAM::OIDCProvider}\n  B: {Type: AWS::IAM::ServerCertificate}\n  D: {Type: "
			       "AWS::IAM::SAMLProvider}\n  C: {Type: "
			       "AWS::IAM::VirtualMFADevice}\n"),
			 &s);
	assert_int_equal(s.capabilities.n, 0);
	template_summary(&test_arena,
			 parse("Transform: AWS::LanguageExtensions\nResources: {A: {Type: AWS::IAM::Role, Properties: {RoleName: r}}}\n"),
			 &s);
	assert_int_equal(s.capabilities.n, 2);
	assert_str(s.capabilities.v[0], "CAPABILITY_NAMED_IAM");
	assert_str(s.capabilities.v[1], "CAPABILITY_AUTO_EXPAND");
	template_summary(&test_arena, parse(RES), &s);
	assert_int_equal(s.capabilities.n, 0);
	assert_str(s.capabilities_reason, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(accepted), T(head), T(resources), T(parameters), T(other_sections), T(functions), T(conditions), T(limits), T(summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
