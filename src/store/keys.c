/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - keys built from parts, in an encoding whose byte order is the order of the parts.
 *
 * A string part ends with 0x00. Inside it 0x00 is written as 01 01 and 0x01 as 01 02; all other bytes stand for
 * themselves. So the end sorts before every byte, 00 before 01 before the rest, and no part can run into the next. */
#include "store/store.h"
#include "base/arena.h"
#include <errno.h>

static void key_add(struct keybuf *k, const void *p, size_t n)
{
	if (k->overflow || n > sizeof k->b - k->n) {
		k->overflow = true;
		return;
	}
	if (n)
		memcpy(k->b + k->n, p, n);
	k->n += n;
}

void key_begin(struct keybuf *k, struct str account, const char *table)
{
	k->n = 0;
	k->overflow = false;
	key_str(k, account);
	key_str(k, str_c(table));
}

void key_str(struct keybuf *k, struct str s)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	size_t from = 0, i;

	for (i = 0; i < s.n; i++) {
		while (s.n - i >= 8) { /* eight bytes at once that are all above 1 */
			uint64_t w;

			memcpy(&w, s.p + i, 8);
			if ((w - ones * 2) & ~w & tops)
				break;
			i += 8;
		}
		if (i == s.n)
			break;
		if ((uint8_t)s.p[i] > 1)
			continue;
		key_add(k, s.p + from, i - from);
		key_add(k, s.p[i] ? "\1\2" : "\1\1", 2);
		from = i + 1;
	}
	if (s.n > from)
		key_add(k, s.p + from, s.n - from);
	key_add(k, "", 1);
}

void key_raw(struct keybuf *k, struct str s)
{
	key_add(k, s.p, s.n);
}

void key_u64(struct keybuf *k, uint64_t v)
{
	uint8_t b[8];

	for (int i = 7; i >= 0; i--, v >>= 8)
		b[i] = (uint8_t)v;
	key_add(k, b, sizeof b);
}

/* take_plain takes a part that was written without escapes. */
static int take_plain(struct str *rest, struct str *ret)
{
	const char *end = rest->n ? memchr(rest->p, 0, rest->n) : NULL;
	size_t n = end ? (size_t)(end - rest->p) : 0;

	if (!end || (n && memchr(rest->p, 1, n)))
		return -EBADMSG;
	*ret = str_of(rest->p, n);
	*rest = str_skip(*rest, n + 1);
	return 0;
}

int key_take_begin(struct str *rest, struct str *ret_account, struct str *ret_table)
{
	struct str s = *rest, account, table;

	if (take_plain(&s, &account) < 0 || take_plain(&s, &table) < 0)
		return -EBADMSG;
	*ret_account = account;
	*ret_table = table;
	*rest = s;
	return 0;
}

int key_take_str(struct str *rest, struct arena *a, struct str *ret)
{
	const char *end = rest->n ? memchr(rest->p, 0, rest->n) : NULL;
	size_t n = end ? (size_t)(end - rest->p) : 0, out = 0, i;
	char *p;

	if (!end)
		return -EBADMSG;
	p = arena_alloc(a, n + 1);
	for (i = 0; i < n; i++) {
		if (rest->p[i] != 1) {
			p[out++] = rest->p[i];
			continue;
		}
		if (++i == n || (rest->p[i] != 1 && rest->p[i] != 2))
			return -EBADMSG;
		p[out++] = (char)(rest->p[i] - 1);
	}
	p[out] = 0;
	*ret = str_of(p, out);
	*rest = str_skip(*rest, n + 1);
	return 0;
}

int key_take_u64(struct str *rest, uint64_t *ret)
{
	uint64_t v = 0;

	if (rest->n < 8)
		return -EBADMSG;
	for (int i = 0; i < 8; i++)
		v = v << 8 | (uint8_t)rest->p[i];
	*ret = v;
	*rest = str_skip(*rest, 8);
	return 0;
}
