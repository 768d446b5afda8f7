/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.c - the models' regular expressions, compiled at first use and kept for good.
 *
 * Work per check is bounded by a match limit; a text that exceeds it counts as not matching. Compiled expressions are
 * shared by all threads; the scratch memory of a match is per thread. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "wire/impl.h"

#include <assert.h>
#include <pcre2.h>
#include <pthread.h>
#include <stdatomic.h>

#define PATTERN_MATCH_LIMIT 200000
#define PATTERN_DEPTH_LIMIT 20000
#define PATTERN_HEAP_KIB 4096

struct patterns {
	const struct service_model *model;
	struct patterns *next;
	_Atomic(pcre2_code *) codes[]; /* by shape */
};
struct scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
};

static _Atomic(struct patterns *) all;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void free_scratch(void *p)
{
	struct scratch *s = p;

	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->context);
	free(s);
}

static void make_key(void)
{
	if (pthread_key_create(&scratch_key, free_scratch) != 0)
		abort();
}

static struct scratch *scratch(void)
{
	static _Thread_local struct scratch *mine;

	if (!mine) {
		pthread_once(&scratch_once, make_key);
		mine = xzalloc(sizeof *mine);
		mine->data = pcre2_match_data_create(1, NULL);
		mine->context = pcre2_match_context_create(NULL);
		if (!mine->data || !mine->context)
			abort();
		pcre2_set_match_limit(mine->context, PATTERN_MATCH_LIMIT);
		pcre2_set_depth_limit(mine->context, PATTERN_DEPTH_LIMIT);
		pcre2_set_heap_limit(mine->context, PATTERN_HEAP_KIB);
		pthread_setspecific(scratch_key, mine);
	}
	return mine;
}

static struct patterns *patterns_of(const struct service_model *m)
{
	struct patterns *p;

	for (p = atomic_load(&all); p; p = p->next)
		if (p->model == m)
			return p;
	pthread_mutex_lock(&lock);
	for (p = atomic_load(&all); p && p->model != m; p = p->next)
		;
	if (!p) {
		p = xzalloc(sizeof *p + m->n_shapes * sizeof p->codes[0]);
		p->model = m;
		p->next = atomic_load(&all);
		atomic_store(&all, p);
	}
	pthread_mutex_unlock(&lock);
	return p;
}

/* Patterns with an anchor of their own mean a search, those without one mean the whole text. */
static pcre2_code *compile(const char *pattern)
{
	size_t n = strlen(pattern), offset;
	bool anchored = n && (pattern[0] == '^' || (pattern[n - 1] == '$' && (n < 2 || pattern[n - 2] != '\\')));
	uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY;
	pcre2_compile_context *ctx = pcre2_compile_context_create(NULL);
	pcre2_code *code;
	int error;

	if (!ctx)
		abort();
	code = pcre2_compile((PCRE2_SPTR)pattern, n, options | (anchored ? 0 : PCRE2_ANCHORED | PCRE2_ENDANCHORED), &error, &offset, ctx);
	pcre2_compile_context_free(ctx);
	return code;
}

int pattern_check(const struct service_model *m, const struct desc_shape *s, struct str text)
{
	const char *pattern = s->pcre ? s->pcre : s->pattern;
	struct patterns *all_of = patterns_of(m);
	_Atomic(pcre2_code *) *slot = &all_of->codes[s - m->shapes];
	pcre2_code *code = atomic_load(slot), *expected = NULL;
	struct scratch *x;

	assert(s >= m->shapes && s < m->shapes + m->n_shapes);
	if (!pattern || !*pattern)
		return 1;
	if (!code) {
		code = compile(pattern);
		if (!code) /* modelgen's test sees to it that this does not happen */
			return 1;
		if (!atomic_compare_exchange_strong(slot, &expected, code)) {
			pcre2_code_free(code);
			code = expected;
		}
	}
	if (!utf8_valid(text))
		return 0;
	x = scratch();
	return pcre2_match(code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, 0, PCRE2_NO_UTF_CHECK, x->data, x->context) >= 0;
}
