/* SPDX-License-Identifier: Apache-2.0 */
/* managed.c - the policies that AWS publishes, as managed_policies.json holds them: one policy a line, the document last.
 * Read once, at first use; everything points into the program's own constant. */
#include "svc/iam/iam_int.h"
#include <assert.h>
#include <pthread.h>

extern const char iam_managed_json[];
extern const size_t iam_managed_json_n;

static struct iam_managed *all;
static size_t n_all;
static struct arena kept; /* of the process */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_line(struct arena *a, struct str line, struct iam_managed *m)
{
	ptrdiff_t at = str_find(line, S("\"document\":"));
	struct json *j;
	int r = json_parse(a, line, &j, NULL);

	assert(at > 0 && r == 0);
	m->name = str_dup(&kept, json_get_str(j, "name"));
	m->path = str_dup(&kept, json_get_str(j, "path"));
	m->id = str_dup(&kept, json_get_str(j, "id"));
	m->version = str_dup(&kept, json_get_str(j, "version"));
	if (json_get_str(j, "description").p)
		m->description = str_dup(&kept, json_get_str(j, "description"));
	m->arn = str_printf(&kept, "arn:aws:iam::aws:policy%.*s%.*s", STR(m->path), STR(m->name));
	m->document = str_skip(line, (size_t)at + 11);
	m->document.n--; /* the closing brace of the line's own object */
	r = time_parse_iso(json_get_str(j, "created"), &m->created_ms);
	assert(r == 0);
	r = time_parse_iso(json_get_str(j, "updated"), &m->updated_ms);
	assert(r == 0);
}

static int by_name(const void *a, const void *b)
{
	const struct iam_managed *x = a, *y = b;

	return str_cmp(x->name, y->name);
}

static void read_all(void)
{
	struct str rest = str_of(iam_managed_json, iam_managed_json_n), line;
	struct arena scratch = { 0 };
	size_t cap = 0;

	while (str_next(&rest, '\n', &line)) {
		if (line.n < 3 || line.p[0] != '{')
			continue;
		if (line.p[line.n - 1] == ',')
			line.n--;
		struct iam_managed m = { 0 };

		read_line(&scratch, line, &m);
		arena_reset(&scratch);
		vec_push(&kept, all, n_all, cap) = m;
	}
	arena_done(&scratch);
	qsort(all, n_all, sizeof *all, by_name);
}

size_t iam_managed_count(void)
{
	(void)pthread_once(&once, read_all);
	return n_all;
}

const struct iam_managed *iam_managed_at(size_t i)
{
	assert(i < iam_managed_count());
	return &all[i];
}

const struct iam_managed *iam_managed_named(struct str name)
{
	struct iam_managed wanted = { .name = name };

	(void)pthread_once(&once, read_all);
	return bsearch(&wanted, all, n_all, sizeof *all, by_name);
}

const struct iam_managed *iam_managed_find(struct str arn_text)
{
	const struct iam_managed *m;
	struct str rest;
	struct arn arn;

	if (arn_parse(arn_text, &arn) < 0 || !str_is(arn.service, "iam") || !str_is(arn.account, "aws") ||
	    !str_starts(arn.resource, S("policy/")))
		return NULL;
	rest = str_skip(arn.resource, 6); /* path and name */
	m = iam_managed_named(str_skip(rest, (size_t)str_rfind_char(rest, '/') + 1));
	if (!m || rest.n != m->path.n + m->name.n || !str_starts(rest, m->path))
		return NULL;
	return m;
}
