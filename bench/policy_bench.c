/* SPDX-License-Identifier: Apache-2.0 */
/* policy_bench: nanoseconds of processor time per decision, for requests like those of a busy account. Goal: 10 statements in 2 us. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../tests/unit/policy/policy_case.h"

#define ROUNDS 100000
#define REPEATS 20

/* ' stands for " */
#define SESSION                                                                                                                            \
	"'principal':{'type':'role_session','account':'111111111111','arn':'arn:aws:sts::111111111111:assumed-role/App/s1',"               \
	"'role_arn':'arn:aws:iam::111111111111:role/team/App'},"                                                                           \
	"'keys':{'aws:PrincipalArn':'arn:aws:iam::111111111111:role/team/App','aws:PrincipalAccount':'111111111111',"                      \
	"'aws:PrincipalType':'AssumedRole','aws:userid':'AROAAPPAPPAPPAPPAPP1:s1','aws:SourceIp':'10.1.2.3',"                              \
	"'aws:SecureTransport':'true','aws:CurrentTime':'2026-03-01T12:00:00Z','aws:EpochTime':'1772366400',"                              \
	"'aws:UserAgent':'aws-cli/2','aws:RequestedRegion':'eu-west-1','aws:PrincipalTag/team':'blue',"                                    \
	"'s3:prefix':'blue/','aws:TagKeys':['env','team']}"
#define GET "'action':'s3:GetObject','resource':'arn:aws:s3:::data-bucket/blue/2026/03/report.parquet','resource_account':'111111111111'"
#define RUN "'action':'ec2:RunInstances','resource':'arn:aws:ec2:eu-west-1:111111111111:instance/*'"
#define TEN                                                                                                                                \
	"{'Version':'2012-10-17','Statement':["                                                                                            \
	"{'Effect':'Allow','Action':['sqs:SendMessage','sqs:ReceiveMessage'],'Resource':'arn:aws:sqs:*:111111111111:orders-*'},"           \
	"{'Effect':'Allow','Action':'dynamodb:*','Resource':'arn:aws:dynamodb:eu-west-1:111111111111:table/Orders'},"                      \
	"{'Effect':'Allow','Action':['logs:CreateLogStream','logs:PutLogEvents'],'Resource':'*'},"                                         \
	"{'Effect':'Deny','Action':'s3:Delete*','Resource':'*'},"                                                                          \
	"{'Effect':'Deny','Action':'s3:*','Resource':'*','Condition':{'Bool':{'aws:SecureTransport':'false'}}},"                           \
	"{'Effect':'Allow','Action':'s3:ListBucket','Resource':'arn:aws:s3:::data-bucket'},"                                               \
	"{'Effect':'Allow','Action':['kms:Decrypt','kms:GenerateDataKey'],'Resource':'arn:aws:kms:eu-west-1:111111111111:key/*'},"         \
	"{'Effect':'Deny','NotAction':['iam:*','sts:*'],'Resource':'*','Condition':{'StringNotEquals':{'aws:RequestedRegion':"             \
	"['eu-west-1','eu-central-1']}}},"                                                                                                 \
	"{'Effect':'Allow','Action':'s3:GetObject','Resource':'arn:aws:s3:::data-bucket/${aws:PrincipalTag/team}/*',"                      \
	"'Condition':{'IpAddress':{'aws:SourceIp':['192.168.0.0/16','10.0.0.0/8']}}},"                                                     \
	"{'Effect':'Allow','Action':'lambda:InvokeFunction','Resource':'arn:aws:lambda:*:*:function:*'}]}"
#define FULL "{'Version':'2012-10-17','Statement':{'Effect':'Allow','Action':'*','Resource':'*'}}"
#define BUCKET                                                                                                                             \
	"{'Version':'2012-10-17','Statement':[{'Effect':'Deny','Principal':'*','Action':'s3:*','Resource':["                               \
	"'arn:aws:s3:::data-bucket','arn:aws:s3:::data-bucket/*'],'Condition':{'Bool':{'aws:SecureTransport':'false'}}}]}"

static const struct {
	const char *name, *text;
	enum policy_decision want;
} cases[] = {
	{ "10 statements, allowed", "{" SESSION "," GET ",'identity':[" TEN "]}", DECISION_ALLOW },
	{ "10 statements, nothing allows", "{" SESSION "," RUN ",'identity':[" TEN "]}", DECISION_IMPLICIT_DENY },
	{ "10 statements, bucket policy, boundary, 3 levels of SCP",
	  "{" SESSION "," GET ",'identity':[" TEN "],'boundary':[" FULL "],'scp':[[" FULL "],[" FULL "],[" FULL
	  "]],'resource_policy':" BUCKET "}",
	  DECISION_ALLOW },
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* measure returns the best of some runs, in nanoseconds per decision. */
static double measure(const struct policy_request *r, struct arena *a, enum policy_decision want)
{
	double best = 1e18;

	for (int k = 0; k < REPEATS; k++) {
		double start = now_ns(), took;

		for (int i = 0; i < ROUNDS; i++) {
			if (policy_evaluate(r, a).decision != want)
				abort();
		}
		took = (now_ns() - start) / ROUNDS;
		best = took < best ? took : best;
	}
	return best;
}

int main(void)
{
	struct arena a = { 0 };

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct policy_request r;
		struct str error = STR_NONE, text = str_replace(&a, str_c(cases[i].text), S("'"), S("\""));
		struct json *j;
		size_t used;

		if (json_parse(&a, text, &j, NULL) < 0 || case_read(&a, j, &r, &error) < 0) {
			fprintf(stderr, "%s: %.*s\n", cases[i].name, STR(error));
			return 1;
		}
		used = a.used_bytes;
		printf("%-60s %7.0f ns\n", cases[i].name, measure(&r, &a, cases[i].want));
		if (a.used_bytes != used) {
			fprintf(stderr, "%s: a decision took memory\n", cases[i].name);
			return 1;
		}
	}
	arena_done(&a);
	return 0;
}
