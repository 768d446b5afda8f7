/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - the compiled form of a policy, shared by the files of this folder and by nobody else.
 *
 * Everything that can be decided once is decided when the document is parsed: actions are lower-cased, ARNs are cut into
 * segments, wildcards and variables are cut into parts, numbers, dates and address ranges are parsed. A compiled policy
 * never changes, so threads may share it. */
#pragma once
#include "base/arena.h"
#include "policy/policy.h"

/* --- limits --- */
#define POLICY_TEXT_BYTES_MAX 131072 /* the largest document any AWS model accepts */
#define ARN_SEGMENTS 6               /* arn:partition:service:region:account:resource */
#define ACTION_STACK_BYTES 128       /* longer actions are lower-cased in the scratch arena */
#define PARTS_STACK_MAX 24           /* patterns with more parts resolve their variables in the scratch arena */

/* --- patterns --- */
enum part_kind {
	PART_TEXT,     /* these bytes */
	PART_STAR,     /* any run of bytes */
	PART_ONE,      /* exactly one character */
	PART_VARIABLE, /* the value of a condition key, taken literally */
};
struct part {
	enum part_kind kind;
	struct str text;     /* PART_TEXT: the bytes; PART_VARIABLE: the key's name */
	struct str fallback; /* PART_VARIABLE: the default; absent when there is none */
};
enum pattern_kind { PATTERN_ANY, PATTERN_EXACT, PATTERN_PREFIX, PATTERN_PARTS, PATTERN_VARIABLES };
struct pattern {
	struct part *parts;
	uint32_t n;
	enum pattern_kind kind;
};
enum pattern_flags { PATTERN_WILDCARDS = 1, PATTERN_VARS = 2, PATTERN_LOWER = 4 };
enum match {
	MATCH_NO,
	MATCH_YES,
	MATCH_NULL, /* a variable has no value: like no match, but a negation must not turn it into an allow */
};

/* --- statements --- */
enum resource_kind {
	RESOURCE_ANY, /* "*" */
	RESOURCE_ARN,
	RESOURCE_NEVER, /* an ARN with too few segments where AWS doesn't fill them up */
};
struct resource_pattern {
	enum resource_kind kind;
	struct pattern *segments; /* RESOURCE_ARN: ARN_SEGMENTS of them */
};

enum principal_kind {
	NAMED_ANYONE,  /* "*" or {"AWS": "*"} */
	NAMED_ACCOUNT, /* account id or root ARN */
	NAMED_ARN,     /* user, role, role session, federated user */
	NAMED_ID,      /* unique id, AIDA... or AROA... */
	NAMED_SERVICE,
	NAMED_FEDERATED,
	NAMED_CANONICAL,
};
struct named_principal {
	enum principal_kind kind;
	struct str value; /* NAMED_ACCOUNT: the 12 digits */
	struct str raw;   /* as written */
};
/* How a Principal element names the caller; a set of bits, more than one may hold. */
enum principal_bits {
	BY_ACCOUNT = 1, /* through the account: hands the decision to the account's identity policies */
	BY_ROLE = 2,    /* the role behind the session, or the user behind the federated session */
	BY_ANYONE = 4,  /* "*" */
	BY_NAME = 8,    /* the user, the session, the service itself */
};

enum op_class { OP_STRING, OP_STRING_FOLD, OP_LIKE, OP_NUMERIC, OP_DATE, OP_BOOL, OP_IP, OP_ARN, OP_NULL };
enum op_compare { CMP_EQ, CMP_LT, CMP_LE, CMP_GT, CMP_GE };
enum op_set { SET_NONE, SET_ALL, SET_ANY };
struct operator
{
	const char *name;
	enum op_class class;
	enum op_compare compare;
	bool negated;
};
struct cidr {
	uint8_t addr[16]; /* IPv4 in the first four bytes */
	uint8_t bits;
	uint8_t family; /* 4 or 6; 0: not an address, equals nothing */
};
struct condition_value {
	struct str raw;
	bool valid; /* OP_NUMERIC, OP_DATE, OP_IP, OP_ARN, OP_NULL: the text could be read */
	union {
		struct pattern pattern;   /* OP_STRING, OP_STRING_FOLD, OP_LIKE, OP_BOOL */
		struct pattern *segments; /* OP_ARN */
		double number;
		int64_t ms;
		struct cidr cidr;
		bool flag; /* OP_NULL */
	};
};
struct condition {
	const struct operator* op;
	enum op_set set;
	bool if_exists;
	struct str key; /* lower case */
	struct condition_value *v;
	size_t n;
};

struct statement {
	bool deny;
	bool not_action, not_resource, not_principal;
	bool has_principal; /* Principal or NotPrincipal is there */
	bool has_resource;
	struct str sid;
	struct pattern *actions; /* lower case */
	size_t n_actions;
	struct resource_pattern *resources;
	size_t n_resources;
	struct named_principal *principals;
	size_t n_principals;
	struct condition *conditions;
	size_t n_conditions;
};
struct policy {
	enum policy_kind kind;
	struct statement *v;
	size_t n;
};

/* --- the request being decided --- */
struct eval {
	const struct policy_request *r;
	struct arena *scratch;
	struct str action;                 /* lower case */
	struct str resource[ARN_SEGMENTS]; /* only when resource_is_arn */
	bool resource_is_arn;
	bool has_boundary;
	char action_buf[ACTION_STACK_BYTES];
};

/* match.c */
void pattern_compile(struct arena *a, struct str text, unsigned flags, struct pattern *ret);
enum match pattern_match(const struct pattern *p, struct str s, bool fold, const struct eval *e);
/* arn_split cuts an ARN into its six segments, the last one takes the rest; colons inside ${...} don't count when
 * variables is set. Returns the number of segments found, at most six. */
size_t arn_split(struct str s, bool variables, struct str out[ARN_SEGMENTS]);
const struct policy_key *key_find(const struct eval *e, struct str name);
bool statement_matches_action(const struct eval *e, const struct statement *s);
bool statement_matches_resource(const struct eval *e, const struct statement *s);
/* statement_names_caller returns enum principal_bits, 0 when the statement doesn't speak of the caller. */
unsigned statement_names_caller(const struct eval *e, const struct statement *s);

/* condition.c */
const struct operator* operator_find(struct str name);
/* operator_parse reads "ForAnyValue:StringLikeIfExists": 0 or -EINVAL. */
int operator_parse(struct str text, struct condition *ret);
void condition_value_compile(struct arena *a, const struct operator* op, bool variables, struct str text, struct condition_value *ret);
bool statement_matches_conditions(const struct eval *e, const struct statement *s);
int policy_date_parse(struct str s, int64_t *ret_ms);       /* W3C date and time, or epoch seconds; -EINVAL */
int cidr_parse(struct str s, bool range, struct cidr *ret); /* range: "/bits" is allowed; -EINVAL */
