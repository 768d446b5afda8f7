/* SPDX-License-Identifier: Apache-2.0 */
/* The messages between the serving process and procd: what is sent arrives, anything else is refused. */
#include "test.h"

#include "base/arena.h"
#include "procd/message.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static char room[MESSAGE_BYTES_MAX];

static void pair(int sp[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sp), 0);
}

static void test_round_trip(void **state)
{
	int sp[2], fds[2] = { 0, 1 };
	struct message m;

	pair(sp);
	assert_int_equal(message_receive(sp[1], room, &m), -EAGAIN);
	assert_int_equal(message_send(sp[0], MESSAGE_STARTED, 7, -5, 1, S("body"), fds, 2), 0);
	assert_int_equal(message_receive(sp[1], room, &m), 1);
	assert_int_equal(m.head.kind, MESSAGE_STARTED);
	assert_int_equal(m.head.id, 7);
	assert_int_equal(m.head.number, -5);
	assert_int_equal(m.head.flag, 1);
	assert_str(m.body, "body");
	assert_int_equal(m.n_fds, 2);
	for (size_t i = 0; i < m.n_fds; i++) {
		assert_int_equal(fcntl(m.fds[i], F_GETFD), FD_CLOEXEC);
		close(m.fds[i]);
	}
	assert_int_equal(message_send_exited(sp[0], 9, 256, true, 42), 0);
	assert_int_equal(message_receive(sp[1], room, &m), 1);
	assert_int_equal(m.head.kind, MESSAGE_EXITED);
	assert_int_equal(m.head.peak_mb, 42);
	close(sp[0]);
	assert_int_equal(message_receive(sp[1], room, &m), 0);
	close(sp[1]);
}

static void refuse(const struct message_head *h, const char *more, size_t n)
{
	int sp[2];
	struct message m;
	struct iovec iov[] = { { (void *)(uintptr_t)h, sizeof *h }, { (void *)(uintptr_t)more, n } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	pair(sp);
	assert_true(sendmsg(sp[0], &msg, 0) > 0);
	assert_int_equal(message_receive(sp[1], room, &m), -EBADMSG);
	close(sp[0]);
	close(sp[1]);
}

static void test_nonsense_is_refused(void **state)
{
	const struct message_head good = { .magic = MESSAGE_MAGIC, .kind = MESSAGE_KILL, .length = 3 };
	struct message_head h = good;
	struct message m;
	int sp[2];

	h.magic++;
	refuse(&h, "abc", 3);
	h = good;
	h.kind = MESSAGE_KINDS;
	refuse(&h, "abc", 3);
	h.kind = 0;
	refuse(&h, "abc", 3);
	refuse(&good, "ab", 2);
	refuse(&good, "abcd", 4);
	pair(sp);
	assert_int_equal(write(sp[0], "short", 5), 5);
	assert_int_equal(message_receive(sp[1], room, &m), -EBADMSG);
	assert_int_equal(message_send(sp[0], MESSAGE_START, 1, 0, 0, str_of(room, MESSAGE_BYTES_MAX), NULL, 0), -EMSGSIZE);
	close(sp[0]);
	close(sp[1]);
}

static const char *mounts[] = { "/a", "/var/task", "/b", "/var/runtime" }, *layers[] = { "/l1", "/l2" }, *args[] = { "/bin/x", "" },
		  *env[] = { "A=1" };
static const struct start_order sample = { .memory_mb = 128,
					   .tmp_mb = 512,
					   .pids = 10,
					   .name = "n",
					   .cwd = "/var/task",
					   .n_mounts = 2,
					   .n_layers = 2,
					   .n_argv = 2,
					   .n_env = 1,
					   .mounts = mounts,
					   .layers = layers,
					   .argv = args,
					   .env = env };

static void test_order(void **state)
{
	struct arena a = { 0 };
	struct start_order got;
	struct buf b;

	buf_init(&b, MESSAGE_BYTES_MAX);
	start_order_write(&b, &sample);
	assert_true(buf_ok(&b));
	assert_int_equal(start_order_read(&a, buf_view(&b), &got), 0);
	assert_int_equal(got.memory_mb, 128);
	assert_string_equal(got.cwd, "/var/task");
	assert_int_equal(got.n_mounts, 2);
	assert_string_equal(got.mounts[3], "/var/runtime");
	assert_string_equal(got.layers[1], "/l2");
	assert_string_equal(got.argv[1], "");
	assert_null(got.argv[2]);
	assert_string_equal(got.env[0], "A=1");
	for (size_t n = 0; n < b.n; n++) /* every part of it that is not all of it */
		assert_int_equal(start_order_read(&a, str_of(b.p, n), &got), -EBADMSG);
	buf_c(&b, 'x');
	assert_int_equal(start_order_read(&a, buf_view(&b), &got), -EBADMSG);
	buf_done(&b);
	arena_done(&a);
}

static void bad_order(struct start_order o)
{
	struct arena a = { 0 };
	struct start_order got;
	struct buf b;

	buf_init(&b, MESSAGE_BYTES_MAX);
	start_order_write(&b, &o);
	assert_int_equal(start_order_read(&a, buf_view(&b), &got), -EBADMSG);
	buf_done(&b);
	arena_done(&a);
}

static void test_orders_that_make_no_sense(void **state)
{
	const char *relative[] = { "a", "/var/task" }, *many[START_STRINGS_MAX + 1];
	struct start_order o = sample;

	o.n_argv = 0;
	bad_order(o);
	o = sample;
	o.mounts = relative;
	o.n_mounts = 1;
	bad_order(o);
	o = sample;
	o.layers = relative;
	o.n_layers = 1;
	bad_order(o);
	for (size_t i = 0; i < ELEMENTS(many); i++)
		many[i] = "X=1";
	o = sample;
	o.env = many;
	o.n_env = ELEMENTS(many);
	bad_order(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip), cmocka_unit_test(test_nonsense_is_refused),
					    cmocka_unit_test(test_order), cmocka_unit_test(test_orders_that_make_no_sense) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
