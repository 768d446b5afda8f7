/* SPDX-License-Identifier: Apache-2.0 */
/* test_record.c - records to bytes and back: every kind, older and newer programs, damage. */
#include "store_test.h"
#include "record_tables.h"
#include "base/json.h"

static struct t_sub leaf = { .name = { "leaf", 4 } };
static struct t_sub kids[2];
static struct t_sub top;

static void fill(struct arena *a, struct t_rec *r)
{
	static struct str names[] = { { "a", 1 }, { "", 0 }, { "c\0d", 3 } };
	static struct opt_int numbers[] = { { true, 0 }, { true, INT64_MIN }, { true, INT64_MAX }, { false, 0 }, { true, -1 } };
	static struct opt_bool flags[] = { { true, true }, { true, false }, { false, false } };
	static struct str_list grid[2];
	static struct str_pair tags[] = { { { "k1", 2 }, { "v1", 2 } }, { { "", 0 }, { "", 0 } } };
	static struct t_sub_map_entry by_name[1];
	static char big[100000];

	memset(big, 'B', sizeof big);
	memset(r, 0, sizeof *r);
	kids[0] = (struct t_sub){ .count = OPT_INT(7) };
	kids[1] = (struct t_sub){ .name = S("kid"), .child = &leaf };
	top = (struct t_sub){ .name = S("top"), .child = &kids[1], .children = { kids, 2 } };
	grid[0] = (struct str_list){ names, 3 };
	grid[1] = (struct str_list){ names, 0 };
	by_name[0] = (struct t_sub_map_entry){ S("x"), kids[1] };
	r->text = S("");
	r->blob = str_of(big, sizeof big);
	r->flag = OPT_BOOL(false);
	r->small = OPT_INT(-129);
	r->large = OPT_INT(INT64_MIN);
	r->single = (struct opt_double){ true, 0.5 };
	r->full = (struct opt_double){ true, -1.0e300 };
	r->created = OPT_TIME(1767225600123);
	r->sub = &top;
	r->names = (struct str_list){ names, 3 };
	r->numbers = (struct opt_int_list){ numbers, 5 };
	r->flags = (struct opt_bool_list){ flags, 3 };
	r->grid = (struct str_list_list){ grid, 2 };
	r->subs = (struct t_sub_list){ kids, 0 }; /* present and empty */
	r->tags = (struct str_map){ tags, 2 };
	r->by_name = (struct t_sub_map){ by_name, 1 };
	assert_int_equal(json_parse(a, S("{\"a\":[1,2.50,\"x\"]}"), &r->doc, NULL), 0);
}

static void check(const struct t_rec *r, const struct t_rec *want)
{
	assert_non_null(r->text.p);
	assert_int_equal(r->text.n, 0);
	assert_true(str_eq(r->blob, want->blob));
	assert_ptr_not_equal(r->blob.p, want->blob.p);
	assert_true(r->flag.has && !r->flag.v);
	assert_true(r->small.has && r->small.v == -129);
	assert_true(r->large.has && r->large.v == INT64_MIN);
	assert_true(r->single.has && r->single.v == 0.5);
	assert_true(r->full.has && r->full.v == -1.0e300);
	assert_true(r->created.has && r->created.ms == 1767225600123);
	assert_true(str_is(r->sub->name, "top") && !r->sub->count.has);
	assert_true(str_is(r->sub->child->name, "kid") && str_is(r->sub->child->child->name, "leaf"));
	assert_null(r->sub->child->child->child);
	assert_int_equal(r->sub->children.n, 2);
	assert_true(r->sub->children.v[0].count.v == 7 && !r->sub->children.v[0].name.p);
	assert_int_equal(r->names.n, 3);
	for (int i = 0; i < 3; i++)
		assert_true(r->names.v[i].p && str_eq(r->names.v[i], want->names.v[i]));
	assert_int_equal(r->numbers.n, 5);
	for (int i = 0; i < 5; i++)
		assert_true(r->numbers.v[i].has == want->numbers.v[i].has && r->numbers.v[i].v == want->numbers.v[i].v);
	assert_int_equal(r->flags.n, 3);
	for (int i = 0; i < 3; i++)
		assert_true(r->flags.v[i].has == want->flags.v[i].has && r->flags.v[i].v == want->flags.v[i].v);
	assert_int_equal(r->grid.n, 2);
	assert_true(r->grid.v[0].n == 3 && str_eq(r->grid.v[0].v[2], want->names.v[2]));
	assert_true(r->grid.v[1].n == 0 && r->grid.v[1].v);
	assert_true(r->subs.v && r->subs.n == 0);
	assert_int_equal(r->tags.n, 2);
	assert_true(str_is(r->tags.v[0].key, "k1") && str_is(r->tags.v[0].value, "v1"));
	assert_int_equal(r->by_name.n, 1);
	assert_true(str_is(r->by_name.v[0].key, "x") && str_is(r->by_name.v[0].value.child->name, "leaf"));
	assert_true(json_equal(r->doc, want->doc));
}

static void test_round_trip(void **state)
{
	struct arena a = { 0 };
	struct t_rec rec, back, none = { 0 };
	struct buf b;

	fill(&a, &rec);
	buf_init(&b, 1 << 20);
	assert_int_equal(record_encode(&t_records, T_REC, &rec, &b), 0);
	memset(&back, 0xaa, sizeof back);
	assert_int_equal(record_decode(&t_records, T_REC, &a, buf_view(&b), &back), 0);
	memset(b.p, 0xdd, b.n); /* nothing points into the bytes */
	check(&back, &rec);

	buf_clear(&b);
	assert_int_equal(record_encode(&t_records, T_REC, &none, &b), 0);
	assert_int_equal(b.n, 1);
	memset(&back, 0xaa, sizeof back);
	assert_int_equal(record_decode(&t_records, T_REC, &a, buf_view(&b), &back), 0);
	assert_memory_equal(&back, &none, sizeof none);
	buf_done(&b);

	buf_init(&b, 1000); /* too small for the blob */
	assert_int_equal(record_encode(&t_records, T_REC, &rec, &b), -EFBIG);
	buf_done(&b);
	arena_done(&a);
}

/* An older program skips what it doesn't know; a newer one finds the new fields absent. */
static void test_versions(void **state)
{
	struct arena a = { 0 };
	struct t_rec rec, back;
	struct t_old old;
	struct buf b;

	fill(&a, &rec);
	buf_init(&b, 1 << 20);
	assert_int_equal(record_encode(&t_records, T_REC, &rec, &b), 0);
	assert_int_equal(record_decode(&t_records, T_OLD, &a, buf_view(&b), &old), 0);
	assert_true(old.text.p && old.text.n == 0 && old.large.v == INT64_MIN);
	buf_clear(&b);
	old = (struct t_old){ S("from the past"), OPT_INT(3) };
	assert_int_equal(record_encode(&t_records, T_OLD, &old, &b), 0);
	assert_int_equal(record_decode(&t_records, T_REC, &a, buf_view(&b), &back), 0);
	assert_true(str_is(back.text, "from the past") && back.large.v == 3);
	assert_false(back.created.has);
	assert_null(back.names.v);
	buf_done(&b);
	arena_done(&a);
}

static void test_bytes_are_stable(void **state)
{
	static const char want[] = "\1\1\2hi\5\2\xd7\4"; /* a change of these bytes would orphan every store out there */
	struct t_old old = { S("hi"), OPT_INT(-300) };
	struct t_old back;
	struct arena a = { 0 };
	struct buf b;

	buf_init(&b, 100);
	assert_int_equal(record_encode(&t_records, T_OLD, &old, &b), 0);
	assert_int_equal(record_decode(&t_records, T_OLD, &a, str_of(want, sizeof want - 1), &back), 0);
	assert_true(str_is(back.text, "hi") && back.large.v == -300);
	assert_int_equal(b.n, sizeof want - 1);
	assert_memory_equal(b.p, "\1\5\2\xd7\4\1\2hi", b.n); /* in the order of the table */
	buf_done(&b);
	arena_done(&a);
}

static void test_damage(void **state)
{
	static const struct {
		const char *p;
		size_t n;
	} bad[] = {
#define BAD(s) { s, sizeof(s) - 1 }
		BAD(""),
		BAD("\0"),
		BAD("\2"),
		BAD("\xff"), /* format */
		BAD("\1\1"),
		BAD("\1\1\5ab"),
		BAD("\1\x80"), /* cut */
		BAD("\1\0\0"),
		BAD("\1\x80\x80\x80\x80\x01\0"),                       /* field number 0, and too large */
		BAD("\1\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),     /* a length of 2^64 - 1 */
		BAD("\1\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), /* and one longer than any number */
		BAD("\1\3\1\2"),
		BAD("\1\3\2\1\1"), /* bool */
		BAD("\1\4\2\2\2"),
		BAD("\1\4\1\x80"),    /* int */
		BAD("\1\7\7abcdefg"), /* double */
		BAD("\1\x0a\1\5"),
		BAD("\1\x0a\x05\xff\xff\xff\xff\x7f"),
		BAD("\1\x0a\2\0x"),
		BAD("\1\x0a\3\1\5x"), /* list */
		BAD("\1\x0f\3\1\1k"), /* map without its value */
		BAD("\1\xac\2\1{"),   /* document */
		BAD("\1\x09\2\1\5"),  /* inside a struct */
#undef BAD
	};
	struct arena a = { 0 };
	struct t_rec rec, back;
	struct buf b;

	for (size_t i = 0; i < ELEMENTS(bad); i++)
		if (record_decode(&t_records, T_REC, &a, str_of(bad[i].p, bad[i].n), &back) != -EBADMSG)
			fail_msg("bad[%zu] was taken", i);

	fill(&a, &rec);
	rec.blob = S("short");
	buf_init(&b, 1 << 20);
	assert_int_equal(record_encode(&t_records, T_REC, &rec, &b), 0);
	for (size_t n = 0; n < b.n; n++) { /* cut anywhere: an error or the fields before; flipped anywhere: no crash */
		char *copy = arena_dup(&a, b.p, n);
		int r = record_decode(&t_records, T_REC, &a, str_of(copy, n), &back);

		assert_true(r == 0 || r == -EBADMSG);
	}
	for (size_t i = 0; i < b.n * 8; i++) {
		b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << i % 8);
		record_decode(&t_records, T_REC, &a, buf_view(&b), &back);
		b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << i % 8);
		if (i % 64 == 0) {
			arena_reset(&a);
		}
	}
	buf_done(&b);
	arena_done(&a);
}

static void test_depth(void **state)
{
	static struct t_sub chain[100];
	struct t_rec rec = { .sub = chain };
	struct arena a = { 0 };
	struct buf b, deep;

	for (int i = 0; i < 99; i++)
		chain[i].child = &chain[i + 1];
	buf_init(&b, 1 << 20);
	assert_int_equal(record_encode(&t_records, T_REC, &rec, &b), -E2BIG);
	chain[40].child = NULL;
	buf_clear(&b);
	assert_int_equal(record_encode(&t_records, T_REC, &rec, &b), 0);
	assert_int_equal(record_decode(&t_records, T_REC, &a, buf_view(&b), &rec), 0);
	buf_clear(&b);
	for (int i = 0; i < 200; i++) { /* from inside out */
		buf_init(&deep, 1 << 20);
		buf_c(&deep, i == 199 ? 9 : 3);
		for (size_t n = b.n;; n >>= 7) {
			buf_c(&deep, (char)(n >= 0x80 ? (n & 0x7f) | 0x80 : n));
			if (n < 0x80)
				break;
		}
		buf_str(&deep, buf_view(&b));
		buf_done(&b);
		b = deep;
	}
	buf_init(&deep, 1 << 20);
	buf_c(&deep, 1);
	buf_str(&deep, buf_view(&b));
	assert_int_equal(record_decode(&t_records, T_REC, &a, buf_view(&deep), &rec), -EBADMSG);
	buf_done(&deep);
	buf_done(&b);
	arena_done(&a);
}

static int put_record(struct store_txn *t, void *arg)
{
	struct keybuf k;

	key_begin(&k, S("123456789012"), "recs");
	key_str(&k, S("one"));
	return record_put(t, &t_records, T_REC, &k, arg);
}

static void test_in_store(void **state)
{
	struct arena a = { 0 };
	struct t_rec rec, back;
	struct store_txn *t;
	struct store *s;
	struct keybuf k;

	test_dir_make();
	s = test_open(test_dir);
	fill(&a, &rec);
	assert_int_equal(store_write(s, put_record, &rec), 0);
	assert_int_equal(store_begin_read(s, &t), 0);
	key_begin(&k, S("123456789012"), "recs");
	key_str(&k, S("one"));
	assert_int_equal(record_get(t, &t_records, T_REC, &a, &k, &back), 0);
	store_end(t);
	check(&back, &rec);
	assert_int_equal(store_begin_read(s, &t), 0);
	key_str(&k, S("two"));
	assert_int_equal(record_get(t, &t_records, T_REC, &a, &k, &back), -ENOENT);
	for (int i = 0; i < 1000; i++)
		key_str(&k, S("overflow"));
	assert_int_equal(record_get(t, &t_records, T_REC, &a, &k, &back), -E2BIG);
	store_end(t);
	store_close(s);
	test_dir_remove();
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_versions), cmocka_unit_test(test_bytes_are_stable),
		cmocka_unit_test(test_damage),     cmocka_unit_test(test_depth),    cmocka_unit_test(test_in_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
