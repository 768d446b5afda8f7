/* SPDX-License-Identifier: Apache-2.0 */
/* path.c - paths and ranges of the OCI distribution API. Pure functions. */
#include "svc/ecr/registry.h"
#include <errno.h>

#define NAME_BYTES_MIN 2
#define NAME_BYTES_MAX 256

static bool alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Letters and digits, with one '.', one or two '_', or any number of '-' between them. */
static bool component_valid(struct str s)
{
	size_t i = 0;

	if (!s.n || !alnum(s.p[0]))
		return false;
	while (i < s.n) {
		size_t run = 0;
		char c = s.p[i];

		if (alnum(c)) {
			i++;
			continue;
		}
		while (i + run < s.n && s.p[i + run] == c)
			run++;
		if (i + run == s.n || !alnum(s.p[i + run]) || (c == '.' && run > 1) || (c == '_' && run > 2) || !strchr("._-", c))
			return false;
		i += run;
	}
	return true;
}

bool registry_name_valid(struct str name)
{
	struct str rest = name, part;

	if (name.n < NAME_BYTES_MIN || name.n > NAME_BYTES_MAX || memchr(name.p, 0, name.n))
		return false;
	while (str_next(&rest, '/', &part))
		if (!component_valid(part))
			return false;
	return true;
}

/* Takes "/TAIL" off the end. */
static bool take_tail(struct str *s, struct str *tail)
{
	ptrdiff_t slash = str_rfind_char(*s, '/');

	if (slash < 0)
		return false;
	*tail = str_skip(*s, (size_t)slash + 1);
	s->n = (size_t)slash;
	return true;
}

int registry_path_parse(struct str path, struct registry_path *ret)
{
	struct str kind, before;

	*ret = (struct registry_path){ 0 };
	if (str_starts(path, S("/-/layers/"))) {
		ret->what = REG_URL;
		ret->ref = str_skip(path, 10);
		return 0;
	}
	if (str_is(path, "/v2") || str_is(path, "/v2/"))
		return 0;
	if (!str_starts(path, S("/v2/")))
		return -ENOENT;
	path = str_skip(path, 4);
	if (str_is(path, "_catalog")) {
		ret->what = REG_CATALOG;
		return 0;
	}
	if (str_ends(path, S("/blobs/uploads/")))
		path.n--;
	if (str_ends(path, S("/blobs/uploads"))) {
		ret->what = REG_UPLOADS;
		ret->name = str_of(path.p, path.n - 14);
	} else if (!take_tail(&path, &ret->ref) || !take_tail(&path, &kind)) {
		return -ENOENT;
	} else {
		ret->name = before = path;
		if (str_is(kind, "manifests"))
			ret->what = REG_MANIFEST;
		else if (str_is(kind, "referrers"))
			ret->what = REG_REFERRERS;
		else if (str_is(kind, "tags") && str_is(ret->ref, "list"))
			ret->what = REG_TAGS;
		else if (str_is(kind, "blobs"))
			ret->what = REG_BLOB;
		else if (str_is(kind, "uploads") && str_ends(before, S("/blobs"))) {
			ret->what = REG_UPLOAD;
			ret->name.n -= 6;
		} else
			return -ENOENT;
	}
	return registry_name_valid(ret->name) ? 0 : -EINVAL;
}

int registry_range_parse(struct str range, uint64_t size, uint64_t *from, uint64_t *to)
{
	struct str a, b;
	uint64_t x = 0, y = 0;

	*from = 0;
	*to = size;
	if (!str_starts(range, S("bytes=")) || str_find_char(range, ',') >= 0)
		return 0; /* units and lists that we don't know are ignored (RFC 9110) */
	if (!str_cut(str_skip(range, 6), '-', &a, &b) || (!a.n && !b.n) || (a.n && str_to_u64(a, &x) < 0) || (b.n && str_to_u64(b, &y) < 0))
		return 0;
	if (!a.n) { /* the last bytes */
		if (!y || !size)
			return -ERANGE;
		*from = y < size ? size - y : 0;
		return 1;
	}
	if (b.n && y < x)
		return 0;
	if (x >= size)
		return -ERANGE;
	*from = x;
	*to = b.n && y < size - 1 ? y + 1 : size;
	return 1;
}
