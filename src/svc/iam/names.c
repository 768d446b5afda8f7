/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - the pure parts of IAM: ids, key ids, tags, sizes, passwords. No store, no call. */
#include "svc/iam/iam_int.h"
#include <errno.h>

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

struct str iam_unique_id(struct arena *a, enum iam_kind kind)
{
	static const char *const prefix[IAM_KINDS] = { "AIDA", "AGPA", "AROA", "AIPA", "ANPA", "OIDC", "AMFA", "ASCA", "SAMLSP" };

	return str_printf(a, "%s%.*s", prefix[kind], STR(random_from(a, str_of(base32, 32), 17)));
}

/* Of the 80 bits behind the prefix, bits 1 to 40 are the account; the rest is random. Source: sts:GetAccessKeyInfo
 * answers for any key id, and the published analyses of how. */
struct str iam_key_id(struct arena *a, const char *prefix, struct str account)
{
	uint8_t b[10];
	uint64_t number = 0, head;
	char text[16];

	(void)str_to_u64(account, &number);
	random_bytes(b, sizeof b);
	head = (number << 7) | (b[5] & 0x7f) | (1ull << 47);
	for (int i = 0; i < 6; i++)
		b[i] = (uint8_t)(head >> (8 * (5 - i)));
	for (int i = 0; i < 16; i++) {
		int bit = i * 5, at = bit / 8, shift = bit % 8;
		unsigned pair = (unsigned)b[at] << 8 | (at + 1 < 10 ? b[at + 1] : 0);

		text[i] = base32[pair >> (11 - shift) & 31];
	}
	return str_printf(a, "%s%.*s", prefix, 16, text);
}

int iam_key_account(struct arena *a, struct str key_id, struct str *ret)
{
	uint64_t head = 0;

	if (key_id.n < 20)
		return -EINVAL;
	for (size_t i = 4; i < 14; i++) {
		const char *at = key_id.p[i] ? strchr(base32, key_id.p[i]) : NULL;

		if (!at)
			return -EINVAL;
		head = head << 5 | (uint64_t)(at - base32);
	}
	head >>= 2; /* 50 bits were read, 48 count */
	*ret = str_printf(a, "%012llu", (unsigned long long)(head >> 7 & 0xffffffffffull));
	return ret->n == 12 ? 0 : -EINVAL;
}

struct str iam_secret(struct arena *a)
{
	return random_from(a, S("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"), 40);
}

struct str iam_document_encode(struct arena *a, struct str text)
{
	return uri_encode(a, text, false);
}

size_t iam_document_bytes(struct str text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] != ' ' && text.p[i] != '\t' && text.p[i] != '\n' && text.p[i] != '\r';
	return n;
}

bool iam_tags_duplicate(const struct str_map *tags)
{
	for (size_t i = 0; i < tags->n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (str_eq_ci(tags->v[i].key, tags->v[j].key))
				return true;
		}
	}
	return false;
}

int iam_tags_merge(struct arena *a, struct str_map *tags, const struct str_map *add)
{
	struct str_map all = { arena_array(a, struct str_pair, tags->n + add->n + 1), tags->n };

	memcpy(all.v, tags->v ? tags->v : all.v, tags->n * sizeof *all.v);
	for (size_t i = 0; i < add->n; i++) {
		size_t at = 0;

		while (at < all.n && !str_eq_ci(all.v[at].key, add->v[i].key))
			at++;
		if (at == all.n)
			all.n++;
		all.v[at] = add->v[i];
	}
	if (all.n > IAM_TAGS_MAX)
		return -E2BIG;
	*tags = all;
	return 0;
}

void iam_tags_remove(struct str_map *tags, const struct str_list *keys)
{
	size_t kept = 0;

	for (size_t i = 0; i < tags->n; i++) {
		bool drop = false;

		for (size_t k = 0; k < keys->n && !drop; k++)
			drop = str_eq_ci(tags->v[i].key, keys->v[k]);
		if (!drop)
			tags->v[kept++] = tags->v[i];
	}
	tags->n = kept;
}

bool iam_version_parse(struct str s, int64_t *ret)
{
	return s.n > 1 && s.p[0] == 'v' && str_to_i64(str_skip(s, 1), ret) == 0 && *ret > 0;
}

struct classes {
	bool upper, lower, number, symbol;
};
static struct classes classes_of(struct str s)
{
	struct classes k = { 0 };

	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];

		k.upper |= ch >= 'A' && ch <= 'Z';
		k.lower |= ch >= 'a' && ch <= 'z';
		k.number |= ch >= '0' && ch <= '9';
		k.symbol |= ch && strchr("!@#$%^&*()_+-=[]{}|'", ch) != NULL;
	}
	return k;
}

/* Source: "Set an account password policy for IAM users" (IAM User Guide), default and custom policies. */
struct str iam_password_fault(struct arena *a, const struct iam_rec_passwords *p, struct str password)
{
	struct classes k = classes_of(password);
	int64_t least = p ? (p->min_length.has ? p->min_length.v : 6) : 8;

	if ((int64_t)password.n < least)
		return str_printf(a, "Password should have a minimum length of %lld", (long long)least);
	if (!p) {
		if (k.upper + k.lower + k.number + k.symbol < 3)
			return S("Password should have at least three of these: uppercase letters, lowercase letters, numbers, symbols");
		return STR_NONE;
	}
	if (p->upper.v && !k.upper)
		return S("Password should have at least one uppercase character");
	if (p->lower.v && !k.lower)
		return S("Password should have at least one lowercase character");
	if (p->numbers.v && !k.number)
		return S("Password should have at least one number");
	if (p->symbols.v && !k.symbol)
		return S("Password should have at least one symbol");
	return STR_NONE;
}
