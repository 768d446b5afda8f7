/* SPDX-License-Identifier: Apache-2.0 */
/* test_sealed.c - encrypted files: what is written is read, from anywhere; damage is noticed; small contents without a file. */
#include "store_test.h"
#include "store/sealed.h"
#include <fcntl.h>
#include <sys/stat.h>

#define FRAME SEALED_FRAME_BYTES

static int setup(void **state)
{
	struct files *f;

	test_dir_make();
	assert_int_equal(files_open(test_dir, &f), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	files_close(*state);
	test_dir_remove();
	return 0;
}

static char byte_at(uint64_t i)
{
	return (char)(i * 31 + (i >> 9));
}

/* Writes n bytes in pieces of an odd size; gives the writer that is to be ended, and its key. */
static struct sealed_writer *write_all(struct files *f, size_t n, uint8_t key[32])
{
	struct sealed_writer *w;
	char piece[7777];

	assert_int_equal(sealed_begin(f, "test", &w), 0);
	sealed_key(w, key);
	for (size_t at = 0; at < n;) {
		size_t k = n - at < sizeof piece ? n - at : sizeof piece;

		for (size_t i = 0; i < k; i++)
			piece[i] = byte_at(at + i);
		assert_int_equal(sealed_write(w, piece, k), 0);
		at += k;
	}
	return w;
}

/* Reads to the end with a buffer of `room`; the number of bytes, or what sealed_read refused with. */
static int64_t read_all(struct sealed_reader *r, uint64_t from, size_t room)
{
	char *buf = malloc(room);
	uint64_t at = from;
	ssize_t k;

	while ((k = sealed_read(r, buf, room)) > 0) {
		for (ssize_t i = 0; i < k; i++)
			assert_int_equal(buf[i], byte_at(at + (uint64_t)i));
		at += (uint64_t)k;
	}
	sealed_close(r);
	free(buf);
	return k < 0 ? k : (int64_t)(at - from);
}

static void test_files(void **state)
{
	static const size_t sizes[] = { 0, 1, 16384, 16385, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 3 * FRAME + 100 };
	static const size_t rooms[] = { 1000, FRAME - 1, FRAME, 2 * FRAME };
	struct files *f = *state;

	for (size_t i = 0; i < ELEMENTS(sizes); i++) {
		size_t n = sizes[i], cuts[] = { 0, n / 3, n < FRAME ? 0 : FRAME, n };
		uint8_t key[32];
		char id[8];

		(void)snprintf(id, sizeof id, "f%zu", i);
		assert_int_equal(sealed_finish(write_all(f, n, key), str_c(id)), 0);
		for (size_t a = 0; a < ELEMENTS(cuts); a++)
			for (size_t b = 0; b < ELEMENTS(cuts); b++)
				for (size_t k = 0; k < ELEMENTS(rooms) && cuts[a] <= cuts[b]; k++) {
					struct sealed_reader *r;

					assert_int_equal(sealed_open(f, str_c(id), key, "test", n, cuts[a], cuts[b], &r), 0);
					assert_int_equal(read_all(r, cuts[a], rooms[k]), cuts[b] - cuts[a]);
				}
	}
}

static void test_refusals(void **state)
{
	struct files *f = *state;
	struct sealed_reader *r;
	uint8_t key[32];
	uint64_t bytes;
	char path[400], c = 0;
	int fd;

	assert_int_equal(sealed_finish(write_all(f, 2 * FRAME + 5, key), S("x")), 0);
	assert_int_equal(sealed_open(f, S("other"), key, "test", 5, 0, 5, &r), -ENOENT);
	assert_int_equal(sealed_open(f, S("x"), key, "tesT", 2 * FRAME + 5, 0, 9, &r), 0);
	assert_int_equal(read_all(r, 0, 100), -EBADMSG);
	assert_int_equal(sealed_open(f, S("x"), key, "test", 2 * FRAME, 0, 2 * FRAME, &r), 0); /* as if it had been cut there */
	assert_int_equal(read_all(r, 0, 4 * FRAME), -EBADMSG);
	assert_int_equal(file_open_read(f, S("x"), &fd, &bytes), 0);
	assert_int_equal(bytes, 2 * FRAME + 5 + 3 * 16);
	close(fd);
	snprintf(path, sizeof path, "%s/objects/%02x/x", test_dir, (unsigned)crc32_ieee(0, "x", 1) & 0xff);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0 && pread(fd, &c, 1, FRAME + 20) == 1);
	c ^= 1;
	assert_true(pwrite(fd, &c, 1, FRAME + 20) == 1);
	close(fd);
	assert_int_equal(sealed_open(f, S("x"), key, "test", 2 * FRAME + 5, 0, FRAME, &r), 0);
	assert_int_equal(read_all(r, 0, FRAME), FRAME); /* what is not asked for is not looked at */
	assert_int_equal(sealed_open(f, S("x"), key, "test", 2 * FRAME + 5, 0, FRAME + 1, &r), 0);
	assert_int_equal(read_all(r, 0, FRAME), -EBADMSG);
}

static void test_small(void **state)
{
	struct files *f = *state;
	struct sealed_writer *w;
	struct sealed_reader *r;
	struct str bytes;
	uint8_t key[32];
	char copy[1016];

	for (size_t n = 0; n <= 1000; n += 500) {
		w = write_all(f, n, key);
		assert_int_equal(sealed_small(w, 1000, &bytes), 1);
		assert_int_equal(bytes.n, n + 16);
		memcpy(copy, bytes.p, bytes.n);
		sealed_abort(w);
		bytes.p = copy;
		assert_int_equal(sealed_open_bytes(bytes, key, "test", n, n / 4, n, &r), 0);
		assert_int_equal(read_all(r, n / 4, 300), n - n / 4);
		assert_int_equal(sealed_open_bytes(bytes, key, "test", n + 1, 0, n, &r), -EBADMSG);
		assert_int_equal(sealed_open_bytes(str_of(copy, n), key, "test", n, 0, n, &r), -EBADMSG);
		copy[n / 2] ^= 4;
		assert_int_equal(sealed_open_bytes(bytes, key, "test", n, 0, n, &r), 0);
		assert_int_equal(read_all(r, 0, 2000), n ? -EBADMSG : 0);
	}
	w = write_all(f, 1001, key);
	assert_int_equal(sealed_small(w, 1000, &bytes), 0);
	assert_int_equal(sealed_finish(w, S("large")), 0); /* then it becomes a file */
	assert_int_equal(sealed_open(f, S("large"), key, "test", 1001, 0, 1001, &r), 0);
	assert_int_equal(read_all(r, 0, 2000), 1001);
	w = write_all(f, 2 * FRAME, key);
	assert_int_equal(sealed_small(w, 4 * FRAME, &bytes), 0); /* more than a frame is in its file already */
	sealed_abort(w);
	sealed_abort(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
