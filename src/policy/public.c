/* SPDX-License-Identifier: Apache-2.0 */
/* public.c - is a resource policy public, and whom does it name?
 *
 * "Public" is Amazon S3's definition ("The meaning of public", Blocking public access to your Amazon S3 storage): an
 * Allow to everyone is public unless a condition holds one of a few keys to fixed values, without wildcards or
 * variables. */
#include "policy/internal.h"

#define PUBLIC_V4_BITS_MIN 8 /* a shorter prefix is as good as the whole internet */
#define PUBLIC_V6_BITS_MIN 32

static const char *const fixed_value_keys[] = {
	"aws:principalaccount",
	"aws:principalorgid",
	"aws:sourceaccount",
	"aws:sourceowner",
	"aws:sourcevpc",
	"aws:sourcevpce",
	"aws:vpceaccount",
	"aws:vpceorgid",
	"s3:dataaccesspointaccount",
	"s3:x-amz-server-side-encryption-aws-kms-key-id",
};
static const char *const path_keys[] = { "aws:principalorgpaths", "aws:vpceorgpaths" };
static const char *const arn_keys[] = { "aws:principalarn", "aws:sourcearn", "aws:sourcevpcarn", "s3:dataaccesspointarn" };

static bool key_in(struct str key, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_is(key, keys[i]))
			return true;
	}
	return false;
}

static bool has_wildcard(struct str s)
{
	return str_find_char(s, '*') >= 0 || str_find_char(s, '?') >= 0;
}

static bool has_variable(struct str s)
{
	return str_find(s, S("${")) >= 0;
}

/* A range is narrow when it can't be the internet in a few pieces. */
static bool range_is_narrow(const struct condition_value *v)
{
	return v->valid && v->cidr.bits >= (v->cidr.family == 6 ? PUBLIC_V6_BITS_MIN : PUBLIC_V4_BITS_MIN);
}

static bool arn_is_fixed(const struct condition_value *v)
{
	struct str seg[ARN_SEGMENTS];

	if (arn_split(v->raw, false, seg) != ARN_SEGMENTS)
		return false;
	return !has_wildcard(v->raw) || (seg[4].n && !has_wildcard(seg[4]));
}

/* "AROAEXAMPLE:*" is one role; "*" and "A*" are anyone. */
static bool userid_is_fixed(const struct condition_value *v, bool wildcards)
{
	struct str id, rest;

	if (!wildcards || !has_wildcard(v->raw))
		return true;
	return str_cut(v->raw, ':', &id, &rest) && id.n && !has_wildcard(id);
}

static bool path_is_fixed(const struct condition_value *v)
{
	struct str org, rest;

	return str_cut(v->raw, '/', &org, &rest) && str_starts(org, S("o-")) && !has_wildcard(org) && rest.n && rest.p[0] != '*';
}

static bool value_limits(const struct condition *c, const struct condition_value *v)
{
	enum op_class class = c->op->class;
	bool equals = class == OP_STRING || class == OP_STRING_FOLD, like = class == OP_LIKE;

	if (has_variable(v->raw))
		return false;
	if (class == OP_IP)
		return str_is(c->key, "aws:sourceip") && range_is_narrow(v);
	if (key_in(c->key, arn_keys, ELEMENTS(arn_keys)))
		return (class == OP_ARN || like || equals) && arn_is_fixed(v);
	if (str_is(c->key, "aws:principalisawsservice"))
		return (class == OP_BOOL || equals) && str_eq_ci(v->raw, S("true"));
	if (str_is(c->key, "aws:principalservicename") || str_is(c->key, "aws:principalservicenameslist"))
		return equals || (like && str_ends(v->raw, S(".amazonaws.com")));
	if (str_is(c->key, "aws:userid"))
		return (equals || like) && userid_is_fixed(v, like);
	if (key_in(c->key, path_keys, ELEMENTS(path_keys)))
		return (equals || like) && path_is_fixed(v);
	if (key_in(c->key, fixed_value_keys, ELEMENTS(fixed_value_keys)))
		return equals || (like && !has_wildcard(v->raw));
	return false;
}

/* condition_limits: is the condition only met by callers of a known account, network or service? "IfExists" and
 * ForAllValues are met by a request without the key, so they limit nothing. */
static bool condition_limits(const struct condition *c)
{
	if (c->op->negated || c->if_exists || c->set == SET_ALL || !c->n)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		if (!value_limits(c, &c->v[i]))
			return false;
	}
	return true;
}

static bool names_anyone(const struct statement *s)
{
	if (s->not_principal)
		return true;
	for (size_t i = 0; i < s->n_principals; i++) {
		if (s->principals[i].kind == NAMED_ANYONE)
			return true;
	}
	return false;
}

bool policy_is_public(const struct policy *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct statement *s = &p->v[i];
		bool limited = false;

		if (s->deny || !s->has_principal || !names_anyone(s))
			continue;
		for (size_t k = 0; !limited && k < s->n_conditions; k++)
			limited = condition_limits(&s->conditions[k]);
		if (!limited)
			return true;
	}
	return false;
}

int policy_each_principal(const struct policy *p, int (*fn)(struct str principal, void *arg), void *arg)
{
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->v[i].n_principals; k++) {
			const struct named_principal *n = &p->v[i].principals[k];
			int r = 0;

			if (n->kind == NAMED_ACCOUNT || n->kind == NAMED_ARN || n->kind == NAMED_ID)
				r = fn(n->raw, arg);
			if (r != 0)
				return r;
		}
	}
	return 0;
}
