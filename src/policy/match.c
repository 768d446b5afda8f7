/* SPDX-License-Identifier: Apache-2.0 */
/* match.c - wildcards, variables, actions, resources and principals.
 *
 * A pattern is a list of parts. The values of variables are matched as text, never as wildcards: whoever can choose his
 * user agent or a tag can't widen a policy with a "*" in it. Matching is greedy with one resume point, so its time is
 * bounded by pattern length times text length. */
#include <errno.h>
#include "policy/internal.h"

static char fold_byte(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool bytes_equal(const char *a, const char *b, size_t n, bool fold)
{
	if (!fold)
		return memcmp(a, b, n) == 0;
	for (size_t i = 0; i < n; i++) {
		if (fold_byte(a[i]) != fold_byte(b[i]))
			return false;
	}
	return true;
}

/* --- compiling --- */

static void part_add(struct arena *a, struct pattern *p, size_t *cap, struct part part)
{
	size_t n = p->n;
	struct part *v = p->parts;

	if (part.kind == PART_STAR && n && v[n - 1].kind == PART_STAR)
		return;
	vec_push(a, v, n, *cap) = part;
	p->parts = v;
	p->n = (uint32_t)n;
}

/* text_add appends literal bytes at *out, which has room for them; bytes that follow on the last part extend it. */
static void text_add(struct arena *a, struct pattern *p, size_t *cap, char **out, struct str text, bool lower)
{
	struct part *last = p->n ? &p->parts[p->n - 1] : NULL;
	char *to = *out;

	if (!text.n)
		return;
	for (size_t i = 0; i < text.n; i++)
		to[i] = lower ? fold_byte(text.p[i]) : text.p[i];
	*out = to + text.n;
	if (last && last->kind == PART_TEXT)
		last->text.n += text.n;
	else
		part_add(a, p, cap, (struct part){ .kind = PART_TEXT, .text = str_of(to, text.n) });
}

/* variable_parse reads what is between "${" and "}": a key, maybe followed by a quoted default. */
static struct part variable_parse(struct arena *a, struct str inside)
{
	struct part part = { .kind = PART_VARIABLE };
	struct str name, rest;

	if (str_cut(inside, ',', &name, &rest)) {
		rest = str_trim(rest);
		if (rest.n >= 2 && rest.p[0] == '\'' && rest.p[rest.n - 1] == '\'')
			part.fallback = str_dup(a, str_of(rest.p + 1, rest.n - 2));
	}
	part.text = str_dup(a, str_trim(name));
	return part;
}

static bool is_escape(struct str inside)
{
	return inside.n == 1 && (inside.p[0] == '*' || inside.p[0] == '?' || inside.p[0] == '$');
}

static void pattern_classify(struct pattern *p)
{
	p->kind = PATTERN_PARTS;
	for (uint32_t i = 0; i < p->n; i++) {
		if (p->parts[i].kind == PART_VARIABLE) {
			p->kind = PATTERN_VARIABLES;
			return;
		}
	}
	if (p->n == 0 || (p->n == 1 && p->parts[0].kind == PART_TEXT))
		p->kind = PATTERN_EXACT;
	else if (p->n == 1 && p->parts[0].kind == PART_STAR)
		p->kind = PATTERN_ANY;
	else if (p->n == 2 && p->parts[0].kind == PART_TEXT && p->parts[1].kind == PART_STAR)
		p->kind = PATTERN_PREFIX;
}

/* special_at reads the wildcard or variable that begins text; returns its length, 0 when it is plain text. ret_text gets
 * the character an escape like ${*} stands for. vars is cleared when no "}" follows, so that it is looked for only once. */
static size_t special_at(struct arena *a, struct str text, bool wildcards, bool *vars, struct part *ret, struct str *ret_text)
{
	ptrdiff_t end;
	struct str inside;

	*ret = (struct part){ .kind = PART_TEXT };
	*ret_text = STR_NONE;
	if (wildcards && (text.p[0] == '*' || text.p[0] == '?')) {
		ret->kind = text.p[0] == '*' ? PART_STAR : PART_ONE;
		return 1;
	}
	if (!*vars || text.n < 2 || text.p[0] != '$' || text.p[1] != '{')
		return 0;
	end = str_find_char(text, '}');
	if (end < 0) {
		*vars = false;
		return 0;
	}
	inside = str_of(text.p + 2, (size_t)end - 2);
	if (is_escape(inside))
		*ret_text = inside;
	else
		*ret = variable_parse(a, inside);
	return (size_t)end + 1;
}

/* pattern_compile cuts text into parts; which characters are special is decided by flags. */
void pattern_compile(struct arena *a, struct str text, unsigned flags, struct pattern *ret)
{
	struct pattern p = { 0 };
	size_t cap = 0, from = 0, i = 0;
	bool vars = flags & PATTERN_VARS, lower = flags & PATTERN_LOWER;
	char *out = arena_alloc(a, text.n + 1);

	while (i < text.n) {
		struct part special;
		struct str escaped;
		size_t len = special_at(a, str_skip(text, i), flags & PATTERN_WILDCARDS, &vars, &special, &escaped);

		if (!len) {
			i++;
			continue;
		}
		text_add(a, &p, &cap, &out, str_of(text.p + from, i - from), lower);
		text_add(a, &p, &cap, &out, escaped, lower);
		if (special.kind != PART_TEXT)
			part_add(a, &p, &cap, special);
		i += len;
		from = i;
	}
	text_add(a, &p, &cap, &out, str_of(text.p + from, text.n - from), lower);
	pattern_classify(&p);
	*ret = p;
}

/* --- matching --- */

/* part_take consumes one part that isn't a star at *pos; *pos moves only when it fits. */
static bool part_take(const struct part *part, struct str s, size_t *pos, bool fold)
{
	size_t at = *pos;

	if (part->kind == PART_ONE) {
		if (at >= s.n)
			return false;
		for (at++; at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80; at++)
			;
		*pos = at;
		return true;
	}
	if (s.n - at < part->text.n || !bytes_equal(s.p + at, part->text.p, part->text.n, fold))
		return false;
	*pos = at + part->text.n;
	return true;
}

static bool parts_match(const struct part *v, size_t n, struct str s, bool fold)
{
	size_t i = 0, pos = 0, star = SIZE_MAX, mark = 0;

	for (;;) {
		if (i < n && v[i].kind == PART_STAR) {
			star = ++i;
			mark = pos;
			if (i == n)
				return true;
			continue;
		}
		if (i == n && pos == s.n)
			return true;
		if (i < n && part_take(&v[i], s, &pos, fold)) {
			i++;
			continue;
		}
		if (star == SIZE_MAX || mark >= s.n)
			return false;
		pos = ++mark;
		i = star;
	}
}

const struct policy_key *key_find(const struct eval *e, struct str name)
{
	for (size_t i = 0; i < e->r->n_keys; i++) {
		const struct policy_key *k = &e->r->keys[i];

		if (k->name.n == name.n && str_eq_ci(k->name, name))
			return k;
	}
	return NULL;
}

/* variable_resolve: only keys with a single value can stand in a text. */
static bool variable_resolve(const struct eval *e, const struct part *part, struct str *ret)
{
	const struct policy_key *k = key_find(e, part->text);

	if (k && !k->multi && k->n == 1 && k->values[0].p)
		*ret = k->values[0];
	else if (part->fallback.p)
		*ret = part->fallback;
	else
		return false;
	return true;
}

static enum match variables_match(const struct pattern *p, struct str s, bool fold, const struct eval *e)
{
	struct part stack[PARTS_STACK_MAX], *v = stack;

	if (p->n > PARTS_STACK_MAX)
		v = arena_array(e->scratch, struct part, p->n);
	for (uint32_t i = 0; i < p->n; i++) {
		v[i] = p->parts[i];
		if (v[i].kind != PART_VARIABLE)
			continue;
		v[i].kind = PART_TEXT;
		if (!variable_resolve(e, &p->parts[i], &v[i].text))
			return MATCH_NULL;
	}
	return parts_match(v, p->n, s, fold) ? MATCH_YES : MATCH_NO;
}

/* pattern_match compares all of s; fold ignores ASCII case. */
enum match pattern_match(const struct pattern *p, struct str s, bool fold, const struct eval *e)
{
	struct str text;

	switch (p->kind) {
	case PATTERN_ANY:
		return MATCH_YES;
	case PATTERN_EXACT:
		text = p->n ? p->parts[0].text : S("");
		return text.n == s.n && bytes_equal(text.p, s.p ? s.p : "", s.n, fold) ? MATCH_YES : MATCH_NO;
	case PATTERN_PREFIX:
		text = p->parts[0].text;
		return text.n <= s.n && bytes_equal(text.p, s.p, text.n, fold) ? MATCH_YES : MATCH_NO;
	case PATTERN_PARTS:
		return parts_match(p->parts, p->n, s, fold) ? MATCH_YES : MATCH_NO;
	case PATTERN_VARIABLES:
		break;
	}
	return variables_match(p, s, fold, e);
}

size_t arn_split(struct str s, bool variables, struct str out[ARN_SEGMENTS])
{
	size_t n = 0, from = 0, i = 0;

	if (!s.p)
		s = S("");
	while (i < s.n && n < ARN_SEGMENTS - 1) {
		if (variables && s.p[i] == '$' && i + 1 < s.n && s.p[i + 1] == '{') {
			ptrdiff_t end = str_find_char(str_skip(s, i), '}');

			if (end > 0) {
				i += (size_t)end + 1;
				continue;
			}
			variables = false;
		}
		if (s.p[i] == ':') {
			out[n++] = str_of(s.p + from, i - from);
			from = i + 1;
		}
		i++;
	}
	out[n++] = str_of(s.p + from, s.n - from);
	return n;
}

/* --- actions and resources --- */

bool statement_matches_action(const struct eval *e, const struct statement *s)
{
	for (size_t i = 0; i < s->n_actions; i++) {
		if (pattern_match(&s->actions[i], e->action, false, e) == MATCH_YES)
			return !s->not_action;
	}
	return s->not_action;
}

static enum match resource_match(const struct eval *e, const struct resource_pattern *p)
{
	bool null = false;

	if (p->kind == RESOURCE_ANY)
		return MATCH_YES;
	if (p->kind == RESOURCE_NEVER || !e->resource_is_arn)
		return MATCH_NO;
	/* From the end: the last segment tells resources apart most often. */
	for (size_t i = ARN_SEGMENTS; i-- > 0;) {
		enum match m = pattern_match(&p->segments[i], e->resource[i], false, e);

		if (m == MATCH_NO)
			return MATCH_NO;
		null |= m == MATCH_NULL;
	}
	return null ? MATCH_NULL : MATCH_YES;
}

/* statement_matches_resource: a variable without a value matches no resource. In NotResource that would turn an Allow
 * into "everything", so there such an Allow doesn't apply; a Deny does. */
bool statement_matches_resource(const struct eval *e, const struct statement *s)
{
	bool null = false;

	if (!s->has_resource)
		return true;
	for (size_t i = 0; i < s->n_resources; i++) {
		enum match m = resource_match(e, &s->resources[i]);

		if (m == MATCH_YES)
			return !s->not_resource;
		null |= m == MATCH_NULL;
	}
	return s->not_resource && (s->deny || !null);
}

/* --- principals --- */

static bool present_eq(struct str a, struct str b)
{
	return a.p && b.p && a.n && str_eq(a, b);
}

/* id_names: "AIDA..." is the user himself, "AROA..." the role of the session AROA...:name. Returns principal bits. */
static unsigned id_names(struct str id, const struct policy_principal *p)
{
	struct str head, tail;

	if (!p->unique_id.p)
		return 0;
	if (present_eq(id, p->unique_id))
		return BY_NAME;
	return str_cut(p->unique_id, ':', &head, &tail) && present_eq(id, head) ? BY_ROLE : 0;
}

/* principal_names returns how one entry of a Principal element names the caller. deny: the statement denies; only then
 * "*" also stands for callers who come with nothing but an identity provider's word. */
static unsigned principal_names(const struct named_principal *n, const struct policy_principal *p, bool deny)
{
	switch (n->kind) {
	case NAMED_ANYONE:
		return p->type == PRINCIPAL_FEDERATED && !p->account.p && !deny ? 0 : BY_ANYONE;
	case NAMED_ACCOUNT:
		if (p->type == PRINCIPAL_SERVICE || p->type == PRINCIPAL_ANONYMOUS || !present_eq(n->value, p->account))
			return 0;
		return p->type == PRINCIPAL_ROOT ? BY_NAME | BY_ACCOUNT : BY_ACCOUNT;
	case NAMED_ARN:
		if (p->type == PRINCIPAL_SERVICE || p->type == PRINCIPAL_ANONYMOUS)
			return 0;
		if (present_eq(n->value, p->arn))
			return BY_NAME;
		if (p->type == PRINCIPAL_ROLE_SESSION || p->type == PRINCIPAL_FEDERATED)
			return present_eq(n->value, p->role_arn) ? BY_ROLE : 0;
		return 0;
	case NAMED_ID:
		return p->type == PRINCIPAL_SERVICE || p->type == PRINCIPAL_ANONYMOUS ? 0 : id_names(n->value, p);
	case NAMED_SERVICE:
		return p->type == PRINCIPAL_SERVICE && present_eq(n->value, p->service) ? BY_NAME : 0;
	case NAMED_FEDERATED:
		return p->type == PRINCIPAL_FEDERATED && present_eq(n->value, p->arn) ? BY_NAME : 0;
	case NAMED_CANONICAL:
		return p->type != PRINCIPAL_SERVICE && present_eq(n->value, p->canonical_id) ? BY_ACCOUNT : 0;
	}
	return 0;
}

/* not_principal_spares: does a NotPrincipal list take the caller out? A Deny spares only a caller whose every level is
 * listed: the account, the role, and the user or session ("Specify NotPrincipal with Deny", IAM User Guide). */
static bool not_principal_spares(const struct eval *e, const struct statement *s, unsigned bits)
{
	const struct policy_principal *p = e->r->principal;
	unsigned need;

	if (bits & BY_ANYONE)
		return true;
	if (!s->deny)
		return bits != 0;
	if (e->has_boundary)
		return false;
	switch (p->type) {
	case PRINCIPAL_USER:
		need = BY_NAME | BY_ACCOUNT;
		break;
	case PRINCIPAL_ROLE_SESSION:
		need = BY_NAME | BY_ROLE | BY_ACCOUNT;
		break;
	case PRINCIPAL_FEDERATED:
		need = p->account.p ? BY_NAME | BY_ACCOUNT : BY_NAME;
		break;
	default:
		need = BY_NAME;
	}
	return (bits & need) == need;
}

unsigned statement_names_caller(const struct eval *e, const struct statement *s)
{
	unsigned bits = 0;

	if (!s->has_principal)
		return 0;
	for (size_t i = 0; i < s->n_principals; i++)
		bits |= principal_names(&s->principals[i], e->r->principal, s->deny != s->not_principal);
	if (!s->not_principal)
		return bits;
	if (!s->deny && e->r->principal->type == PRINCIPAL_FEDERATED && !e->r->principal->account.p)
		return 0;
	return not_principal_spares(e, s, bits) ? 0 : BY_ANYONE;
}
