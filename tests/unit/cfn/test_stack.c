/* SPDX-License-Identifier: Apache-2.0 */
/* Whole templates of the two kinds the CDK sends: one like its bootstrap (YAML, long forms, conditions down to whole
 * maps), one like a synthesized stack (JSON). */
#include "common.h"

static const char bootstrap[] =
	"Description: What deployments need\n"
	"Parameters:\n"
	"  TrustedAccounts: {Description: trusted, Default: '', Type: CommaDelimitedList}\n"
	"  KeyId: {Default: '', Type: String}\n"
	"  Qualifier: {Type: String, Default: hnb659fds, AllowedPattern: '[A-Za-z0-9_-]{1,10}', ConstraintDescription: 10 characters at "
	"most}\n"
	"  PublicAccessBlockConfiguration: {Default: 'true', Type: String, AllowedValues: ['true', 'false']}\n"
	"Conditions:\n"
	"  HasTrusted:\n    Fn::Not:\n      - Fn::Equals:\n          - ''\n          - Fn::Join:\n              - ''\n              - Ref: "
	"TrustedAccounts\n"
	"  CreateKey:\n    Fn::Equals:\n      - ''\n      - Ref: KeyId\n"
	"  ManagedKey:\n    Fn::Equals: [AWS_MANAGED_KEY, {Ref: KeyId}]\n"
	"  Block:\n    Fn::And:\n      - Fn::Equals: ['true', {Ref: PublicAccessBlockConfiguration}]\n      - Fn::Not: [{Condition: "
	"ManagedKey}]\n"
	"Resources:\n"
	"  Key:\n    Type: AWS::KMS::Key\n    Condition: CreateKey\n    Properties: {KeyPolicy: {Statement: [{Principal: {AWS: {Ref: "
	"AWS::AccountId}}}]}}\n"
	"  Bucket:\n    Type: AWS::S3::Bucket\n    UpdateReplacePolicy: Retain\n    DeletionPolicy: Retain\n    Properties:\n"
	"      BucketName:\n        Fn::Sub: cdk-${Qualifier}-assets-${AWS::AccountId}-${AWS::Region}\n"
	"      KMSMasterKeyID:\n        Fn::If:\n          - CreateKey\n          - Fn::Sub: ${Key.Arn}\n          - Fn::If:\n             "
	" - ManagedKey\n"
	"              - Ref: AWS::NoValue\n              - Ref: KeyId\n"
	"      PublicAccessBlockConfiguration:\n        Fn::If:\n          - Block\n          - {BlockPublicAcls: true}\n          - Ref: "
	"AWS::NoValue\n"
	"  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: {Fn::Sub: 'cdk-${Qualifier}-role'}\n"
	"      AssumeRolePolicyDocument:\n        Statement:\n          - Action: sts:AssumeRole\n            Condition: {'Null': "
	"{sts:ExternalId: 'true'}}\n"
	"          - Fn::If:\n              - HasTrusted\n              - Action: sts:AssumeRole\n                Principal: {AWS: {Ref: "
	"TrustedAccounts}}\n"
	"              - Ref: AWS::NoValue\n"
	"Outputs:\n  BucketName: {Value: {Fn::Sub: '${Bucket}'}}\n  Version: {Value: {Fn::Sub: '33'}, Export: {Name: {Fn::Sub: "
	"'Cdk-${Qualifier}'}}}\n";

static void bootstrap_defaults(void **state)
{
	struct template_ctx *c = begun(bootstrap, NULL);
	struct template_summary s;
	struct template_graph g;
	struct str v, e;

	assert_str(properties(c, "Bucket"),
		   "{\"BucketName\":\"cdk-hnb659fds-assets-123456789012-us-east-1\",\"KMSMasterKeyID\":\"Key.Arn\","
		   "\"PublicAccessBlockConfiguration\":{\"BlockPublicAcls\":true}}");
	assert_str(properties(c, "Role"),
		   "{\"RoleName\":\"cdk-hnb659fds-role\",\"AssumeRolePolicyDocument\":{\"Statement\":[{\"Action\":\"sts:AssumeRole\","
		   "\"Condition\":{\"Null\":{\"sts:ExternalId\":\"true\"}}}]}}");
	assert_int_equal(template_graph(c, &g), 0);
	assert_int_equal(g.n_order, 3);
	assert_int_equal(g.nodes[1].n_deps, 1);
	assert_int_equal(template_eval_output(c, 1, &v, &e), 0);
	assert_str(v, "33");
	assert_str(e, "Cdk-hnb659fds");
	template_summary(&test_arena, c->tpl, &s);
	assert_str(s.capabilities.v[0], "CAPABILITY_NAMED_IAM");
}

static void bootstrap_given(void **state)
{
	struct template_ctx *c = begun(bootstrap, "TrustedAccounts=111111111111,222222222222;KeyId=AWS_MANAGED_KEY");
	struct template_supplied bad = { .key = S("Qualifier"), .value = S("far-too-long-a-name") };
	struct template_graph g;

	assert_false(template_active(c, resource(c, "Key")));
	assert_str(properties(c, "Bucket"), "{\"BucketName\":\"cdk-hnb659fds-assets-123456789012-us-east-1\"}");
	assert_str(properties(c, "Role"),
		   "{\"RoleName\":\"cdk-hnb659fds-role\",\"AssumeRolePolicyDocument\":{\"Statement\":[{\"Action\":\"sts:AssumeRole\","
		   "\"Condition\":{\"Null\":{\"sts:ExternalId\":\"true\"}}},{\"Action\":\"sts:AssumeRole\",\"Principal\":{\"AWS\":["
		   "\"111111111111\",\"222222222222\"]}}]}}");
	assert_int_equal(template_graph(c, &g), 0);
	assert_int_equal(g.n_order, 2);
	assert_int_equal(set_values(c, &bad, 1), -EINVAL);
	assert_str(c->err, "Parameter Qualifier failed to satisfy constraint: 10 characters at most");
}

static const char synthesized[] =
	"{\"Resources\":{"
	"\"Key\":{\"Type\":\"AWS::KMS::Key\",\"Properties\":{\"KeyPolicy\":{\"Statement\":[{\"Principal\":{\"AWS\":{\"Fn::Join\":[\"\",["
	"\"arn:\","
	"{\"Ref\":\"AWS::Partition\"},\":iam::123456789012:root\"]]}}}],\"Version\":\"2012-10-17\"}},\"UpdateReplacePolicy\":\"Delete\","
	"\"DeletionPolicy\":"
	"\"Delete\",\"Metadata\":{\"aws:cdk:path\":\"Stack/Key/Resource\"}},"
	"\"Bucket\":{\"Type\":\"AWS::S3::Bucket\",\"Properties\":{\"Key\":{\"Fn::GetAtt\":[\"Key\",\"Arn\"]}}},"
	"\"Policy\":{\"Type\":\"AWS::S3::BucketPolicy\",\"Properties\":{\"Bucket\":{\"Ref\":\"Bucket\"},\"R\":[{\"Fn::GetAtt\":[\"Bucket\","
	"\"Arn\"]},"
	"{\"Fn::Join\":[\"\",[{\"Fn::GetAtt\":[\"Bucket\",\"Arn\"]},\"/*\"]]}],\"P\":{\"AWS\":{\"Fn::GetAtt\":[\"Provider\",\"Arn\"]}}}},"
	"\"Empty\":{\"Type\":\"Custom::S3AutoDeleteObjects\",\"Properties\":{\"ServiceToken\":{\"Fn::GetAtt\":[\"Handler\",\"Arn\"]},"
	"\"BucketName\":{\"Ref\":"
	"\"Bucket\"}},\"DependsOn\":[\"Policy\"]},"
	"\"Provider\":{\"Type\":\"AWS::IAM::Role\",\"Properties\":{\"M\":[{\"Fn::Sub\":\"arn:${AWS::Partition}:iam::aws:policy/x\"}]}},"
	"\"Handler\":{\"Type\":\"AWS::Lambda::Function\",\"Properties\":{\"Role\":{\"Fn::GetAtt\":[\"Provider\",\"Arn\"]}},\"DependsOn\":["
	"\"Provider\"]},"
	"\"Meta\":{\"Type\":\"AWS::CDK::Metadata\",\"Properties\":{\"Analytics\":\"v2:x\"}}},"
	"\"Parameters\":{\"BootstrapVersion\":{\"Type\":\"AWS::SSM::Parameter::Value<String>\",\"Default\":\"/cdk-bootstrap/hnb659fds/"
	"version\"}},"
	"\"Rules\":{\"CheckBootstrapVersion\":{\"Assertions\":[{\"Assert\":{\"Fn::Not\":[{\"Fn::Contains\":[[\"1\",\"2\",\"3\",\"4\",\"5\"]"
	",{\"Ref\":"
	"\"BootstrapVersion\"}]}]},\"AssertDescription\":\"version 6 required\"}]}},"
	"\"Outputs\":{\"Name\":{\"Value\":{\"Ref\":\"Bucket\"},\"Export\":{\"Name\":\"Stack:Name\"}}}}";

static void synthesized_stack(void **state)
{
	struct template_ctx *c = begun(synthesized, NULL);
	struct template_graph g;
	struct str names = S("");

	assert_false(c->tpl->yaml);
	assert_int_equal(template_check_rules(c), 0);
	assert_int_equal(template_graph(c, &g), 0);
	for (size_t i = 0; i < g.n_order; i++)
		names = str_printf(&test_arena, "%.*s %.*s", STR(names), STR(c->tpl->resources[g.order[i]].id));
	assert_str(names, " Key Provider Meta Bucket Handler Policy Empty");
	assert_str(properties(c, "Policy"),
		   "{\"Bucket\":\"phys-Bucket\",\"R\":[\"Bucket.Arn\",\"Bucket.Arn/*\"],\"P\":{\"AWS\":\"Provider.Arn\"}}");
	assert_str(properties(c, "Key"), "{\"KeyPolicy\":{\"Statement\":[{\"Principal\":{\"AWS\":\"arn:aws:iam::123456789012:root\"}}],"
					 "\"Version\":\"2012-10-17\"}}");
	c = begun(synthesized, "BootstrapVersion=/old");
	assert_int_equal(template_check_rules(c), -EINVAL);
	assert_str(c->err, "Template validation error: Rule CheckBootstrapVersion failed: version 6 required");
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(bootstrap_defaults), T(bootstrap_given), T(synthesized_stack) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
