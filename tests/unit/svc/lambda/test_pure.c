/* SPDX-License-Identifier: Apache-2.0 */
/* What Lambda reads from outside, without a cloud: archives, and the ways to name functions and layers. */
#include "../../test.h"
#include "svc/lambda/names.h"
#include "svc/lambda/zip.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* --- archives --- */
struct entry {
	const char *name, *text;
	uint32_t mode;
	uint16_t flags, method;
	uint32_t size, crc; /* 0: as it is */
};

static void put(char *p, size_t *n, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[(*n)++] = (char)(v >> (8 * i));
}

static void put_common(char *p, size_t *n, const struct entry *e)
{
	uint32_t len = (uint32_t)strlen(e->text), crc = (uint32_t)crc32(0, (const Bytef *)e->text, len);

	put(p, n, 20, 2);
	put(p, n, e->flags, 2);
	put(p, n, e->method, 2);
	put(p, n, 0, 4);
	put(p, n, e->crc ? e->crc : crc, 4);
	put(p, n, len, 4);
	put(p, n, e->size ? e->size : len, 4);
	put(p, n, strlen(e->name), 2);
	put(p, n, 0, 2);
}

static void put_text(char *p, size_t *n, const char *text)
{
	memcpy(p + *n, text, strlen(text));
	*n += strlen(text);
}

/* An archive of n entries, into p, which has room. */
static struct str archive(char *p, const struct entry *v, size_t n)
{
	size_t at[8], len = 0, directory;

	for (size_t i = 0; i < n; i++) {
		at[i] = len;
		put_text(p, &len, "PK\3\4");
		put_common(p, &len, &v[i]);
		put_text(p, &len, v[i].name);
		put_text(p, &len, v[i].text);
	}
	directory = len;
	for (size_t i = 0; i < n; i++) {
		put_text(p, &len, "PK\1\2");
		put(p, &len, 3 << 8 | 20, 2);
		put_common(p, &len, &v[i]);
		put(p, &len, 0, 6);
		put(p, &len, 0, 2);
		len -= 2;
		put(p, &len, (uint64_t)(v[i].mode ? v[i].mode : 0100644) << 16, 4);
		put(p, &len, at[i], 4);
		put_text(p, &len, v[i].name);
	}
	at[0] = len;
	put_text(p, &len, "PK\5\6");
	put(p, &len, 0, 4);
	put(p, &len, n, 2);
	put(p, &len, n, 2);
	put(p, &len, at[0] - directory, 4);
	put(p, &len, directory, 4);
	put(p, &len, 0, 2);
	return str_of(p, len);
}

struct text {
	char p[64];
	size_t n;
};

static int to_text(void *arg, struct str piece)
{
	struct text *t = arg;

	memcpy(t->p + t->n, piece.p, piece.n);
	t->n += piece.n;
	return 0;
}

static void reads(void **state)
{
	static const struct entry v[] = { { .name = "lib/b.js", .text = "second" },
					  { .name = "lib/", .text = "", .mode = 040755 },
					  { .name = "a.sh", .text = "first", .mode = 0100755 },
					  { .name = "l", .text = "lib/b.js", .mode = 0120777 } };
	struct arena a = { 0 };
	const char *why = NULL;
	struct text t = { .n = 0 };
	char room[2048];
	struct zip z;

	assert_int_equal(zip_open(archive(room, v, 4), 1000, &a, &z, &why), 0);
	assert_int_equal(z.n, 4);
	assert_int_equal(z.size, 19);
	assert_str(z.v[0].name, "a.sh");
	assert_true(z.v[0].executable && z.v[0].kind == ZIP_FILE);
	assert_str(z.v[1].name, "l");
	assert_int_equal(z.v[1].kind, ZIP_LINK);
	assert_str(z.v[2].name, "lib");
	assert_int_equal(z.v[2].kind, ZIP_FOLDER);
	assert_str(z.v[3].name, "lib/b.js");
	assert_false(z.v[3].executable);
	assert_int_equal(zip_entry_read(&z, &z.v[3], to_text, &t), 0);
	assert_str(str_of(t.p, t.n), "second");
	assert_int_equal(zip_open(archive(room, v, 4), 18, &a, &z, &why), -EFBIG);
	arena_done(&a);
}

static void refuses(void **state)
{
	static const struct entry v[] = {
		{ .name = "../x", .text = "" },
		{ .name = "a/../x", .text = "" },
		{ .name = "/x", .text = "" },
		{ .name = "a\\b", .text = "" },
		{ .name = "a//b", .text = "" },
		{ .name = "./a", .text = "" },
		{ .name = "..", .text = "" },
		{ .name = "", .text = "" },
		{ .name = "/", .text = "" },
		{ .name = "a", .text = "", .mode = 020666 },
		{ .name = "a", .text = "1", .flags = 1 },
		{ .name = "a", .text = "1", .flags = 64 },
		{ .name = "a", .text = "1", .method = 12 },
		{ .name = "a", .text = "1", .size = 2 },
		{ .name = "a/", .text = "1" },
		{ .name = "a", .text = "1", .method = 8, .size = UINT32_MAX },
	};
	struct entry twice[] = { { .name = "a", .text = "1" }, { .name = "a", .text = "2" } };
	struct arena a = { 0 };
	char room[2048];
	struct zip z;
	struct str whole;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		const char *why = NULL;

		if (zip_open(archive(room, &v[i], 1), 1000, &a, &z, &why) != -EBADMSG || !why)
			fail_msg("entry %zu, %s, was taken", i, v[i].name);
	}
	for (size_t n = 0; n < 2; n++) {
		const char *why = NULL;

		twice[1].name = n ? "b" : "a";
		assert_int_equal(zip_open(archive(room, twice, 2), 1000, &a, &z, &why), n ? 0 : -EBADMSG);
	}
	whole = archive(room, twice, 2);
	for (size_t n = 0; n < whole.n; n++) { /* a part of an archive is none, from either end */
		const char *why = NULL;

		assert_int_equal(zip_open(str_of(whole.p, n), 1000, &a, &z, &why), -EBADMSG);
		if (n)
			assert_int_equal(zip_open(str_skip(whole, n), 1000, &a, &z, &why), -EBADMSG);
	}
	arena_done(&a);
}

/* What opening cannot see is refused when it comes out. */
static void lies(void **state)
{
	static const struct entry v[] = { { .name = "a", .text = "1", .crc = 7 },
					  { .name = "a", .text = "no deflate", .method = 8 },
					  { .name = "a", .text = "\x03", .method = 8, .size = 3 } };
	struct arena a = { 0 };
	char room[512];

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		const char *why = NULL;
		struct text t = { .n = 0 };
		struct zip z;

		assert_int_equal(zip_open(archive(room, &v[i], 1), 1000, &a, &z, &why), 0);
		assert_int_equal(zip_entry_read(&z, &z.v[0], to_text, &t), -EBADMSG);
	}
	arena_done(&a);
}

static int unpack(const struct entry *v, size_t n, char dir[64])
{
	struct arena a = { 0 };
	const char *why = NULL;
	char room[2048];
	struct zip z;
	int fd, r = zip_open(archive(room, v, n), 1000, &a, &z, &why);

	snprintf(dir, 64, "/tmp/test-zip-XXXXXX");
	assert_int_equal(r, 0);
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	r = zip_unpack(&z, fd, &why);
	(void)close(fd);
	arena_done(&a);
	return r;
}

static void remove_all(const char *dir, const char *const *names)
{
	char path[128];

	(void)chmod(dir, 0700);
	for (; *names; names++) {
		snprintf(path, sizeof path, "%s/%s", dir, *names);
		(void)chmod(path, 0700);
	}
	while (*--names) {
		snprintf(path, sizeof path, "%s/%s", dir, *names);
		(void)remove(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void unpacks(void **state)
{
	static const struct entry good[] = { { .name = "d/f", .text = "text" },
					     { .name = "d/x", .text = "", .mode = 0100755 },
					     { .name = "l", .text = "d/../d/f", .mode = 0120777 } };
	static const struct entry bad[][2] = {
		{ { .name = "l", .text = "../x", .mode = 0120777 }, { .name = "m", .text = "" } },
		{ { .name = "l", .text = "/etc", .mode = 0120777 }, { .name = "m", .text = "" } },
		{ { .name = "d", .text = "e", .mode = 0120777 }, { .name = "d/f", .text = "through the link" } },
		{ { .name = "d", .text = "file" }, { .name = "d/f", .text = "below a file" } },
	};
	static const char *const names[] = { NULL, "d", "d/f", "d/x", "l", NULL }, *const left[] = { NULL, "d", "l", "m", NULL };
	char dir[64], path[128];
	struct stat st;

	assert_int_equal(unpack(good, 3, dir), 0);
	snprintf(path, sizeof path, "%s/l", dir);
	assert_int_equal(stat(path, &st), 0); /* through the link */
	assert_int_equal(st.st_size, 4);
	assert_int_equal(st.st_mode & 07777, 0444);
	snprintf(path, sizeof path, "%s/d/x", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0555);
	snprintf(path, sizeof path, "%s/d", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0555);
	remove_all(dir, names + 1);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(unpack(bad[i], 2, dir), -EBADMSG);
		remove_all(dir, left + 1);
	}
}

/* --- names --- */
static void functions(void **state)
{
	static const struct {
		const char *text;
		int result;
		const char *region, *account, *name, *qualifier;
	} t[] = {
		{ "f", 0, NULL, NULL, "f", NULL },
		{ "f:live", 0, NULL, NULL, "f", "live" },
		{ "f:$LATEST", 0, NULL, NULL, "f", "$LATEST" },
		{ "123456789012:function:f", 0, NULL, "123456789012", "f", NULL },
		{ "123456789012:function:f:7", 0, NULL, "123456789012", "f", "7" },
		{ "function:f", 0, NULL, NULL, "f", NULL },
		{ "arn:aws:lambda:us-east-1:123456789012:function:f", 0, "us-east-1", "123456789012", "f", NULL },
		{ "arn:aws:lambda:us-east-1:123456789012:function:f:1", 0, "us-east-1", "123456789012", "f", "1" },
		{ "", -EINVAL, NULL, NULL, NULL, NULL },
		{ "f:", -EINVAL, NULL, NULL, NULL, NULL },
		{ ":f", -EINVAL, NULL, NULL, NULL, NULL },
		{ "f:a:b", -EINVAL, NULL, NULL, NULL, NULL },
		{ "../f", -EINVAL, NULL, NULL, NULL, NULL },
		{ "f f", -EINVAL, NULL, NULL, NULL, NULL },
		{ "f:$OTHER", -EINVAL, NULL, NULL, NULL, NULL },
		{ "arn:aws:s3:us-east-1:123456789012:function:f", -EINVAL, NULL, NULL, NULL, NULL },
		{ "arn:aws:lambda:us-east-1:12345678901:function:f", -EINVAL, NULL, NULL, NULL, NULL },
		{ "arn:aws:lambda:us-east-1:123456789012:layer:f", -EINVAL, NULL, NULL, NULL, NULL },
		{ "arn:aws:lambda:us-east-1:123456789012:function", -EINVAL, NULL, NULL, NULL, NULL },
		{ "arn:aws:lambda:us-east-1:123456789012:function:f:1:2", -EINVAL, NULL, NULL, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct lambda_ref r = { 0 };

		if (lambda_ref_parse(str_c(t[i].text), &r) != t[i].result)
			fail_msg("%s was not understood as it should be", t[i].text);
		if (t[i].result < 0)
			continue;
		assert_str(r.region, t[i].region);
		assert_str(r.account, t[i].account);
		assert_str(r.name, t[i].name);
		assert_str(r.qualifier, t[i].qualifier);
	}
}

static void layers_and_runtimes(void **state)
{
	struct arena a = { 0 };
	struct lambda_ref r;
	int64_t version;

	assert_int_equal(lambda_layer_parse(S("arn:aws:lambda:us-east-1:123456789012:layer:l:12"), &r, &version), 0);
	assert_str(r.name, "l");
	assert_int_equal(version, 12);
	assert_int_equal(lambda_layer_parse(S("arn:aws:lambda:us-east-1:123456789012:layer:l"), &r, &version), 0);
	assert_int_equal(version, 0);
	assert_int_equal(lambda_layer_parse(S("arn:aws:lambda:us-east-1:123456789012:layer:l:0"), &r, &version), -EINVAL);
	assert_int_equal(lambda_layer_parse(S("arn:aws:lambda:us-east-1:123456789012:layer:l:99999999999999999999"), &r, &version),
			 -EINVAL);
	assert_int_equal(lambda_layer_parse(S("arn:aws:lambda:us-east-1:123456789012:function:l:1"), &r, &version), -EINVAL);
	assert_true(lambda_is_version(S("12")));
	assert_false(lambda_is_version(S("1a")));
	assert_false(lambda_is_version(S("")));
	assert_str(lambda_runtime_family(S("nodejs22.x")), "nodejs");
	assert_str(lambda_runtime_family(S("python3.13")), "python");
	assert_str(lambda_runtime_family(S("java21")), NULL);
	assert_str(lambda_time(&a, 1767323045678), "2026-01-02T03:04:05.678+0000");
	arena_done(&a);
}

static void lineage(void **state)
{
	static const char *const odd[] = { "",
					   "Lineage=",
					   "Lineage=|",
					   "Lineage=12345678",
					   "Lineage=1234567:1",
					   "Lineage=12345678:0",
					   "Lineage=12345678:-1",
					   "Lineage=12345678:32768",
					   "Lineage=12345678:1|x",
					   "a;;b" };
	struct str arn = S("arn:aws:lambda:us-east-1:123456789012:function:f"), t = S("Root=1-2;Sampled=0");
	struct arena a = { 0 };

	assert_int_equal(lambda_lineage(t, arn), 0);
	for (int i = 1; i <= 20; i++) {
		t = lambda_lineage_add(&a, t, arn);
		assert_int_equal(lambda_lineage(t, arn), i);
		assert_true(str_starts(t, S("Root=1-2;Sampled=0;Lineage=")));
	}
	for (int i = 0; i < 15; i++)
		t = lambda_lineage_add(&a, t, str_printf(&a, "other%d", i));
	assert_int_equal(lambda_lineage(t, arn), 20);
	t = lambda_lineage_add(&a, t, S("one too many")); /* what was first is forgotten: the header stays short */
	assert_int_equal(lambda_lineage(t, arn), 0);
	assert_int_equal(lambda_lineage(t, S("other0")), 1);
	assert_true(t.n < 300);
	for (size_t i = 0; i < ELEMENTS(odd); i++) {
		assert_int_equal(lambda_lineage(str_c(odd[i]), arn), 0);
		assert_int_equal(lambda_lineage(lambda_lineage_add(&a, str_c(odd[i]), arn), arn), 1);
	}
	t = lambda_lineage_add(&a, lambda_lineage_add(&a, S("Lineage=00000000:32767"), arn), arn);
	assert_int_equal(lambda_lineage(t, arn), 2);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(lineage),
		cmocka_unit_test(refuses),
		cmocka_unit_test(lies),
		cmocka_unit_test(unpacks),
		cmocka_unit_test(functions),
		cmocka_unit_test(layers_and_runtimes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
