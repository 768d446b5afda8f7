/* SPDX-License-Identifier: Apache-2.0 */
/* output.c - what the processes of an environment write: cut to lines, given to the log with the invocation it belongs to,
 * and its last bytes kept for the caller who asked for them. */
#include "base/util.h"
#include "procd/private.h"
#include <errno.h>
#include <unistd.h>

static void remember(struct env *e, struct str s)
{
	if (s.n > FN_TAIL_BYTES) {
		e->tail_n += s.n - FN_TAIL_BYTES;
		s = str_skip(s, s.n - FN_TAIL_BYTES);
	}
	for (size_t i = 0; i < s.n; i++)
		e->tail[e->tail_n++ % FN_TAIL_BYTES] = s.p[i];
}

struct str output_tail(const struct env *e, struct arena *a)
{
	size_t n = e->tail_n < FN_TAIL_BYTES ? e->tail_n : FN_TAIL_BYTES;
	char *p = arena_alloc(a, n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = e->tail[(e->tail_n - n + i) % FN_TAIL_BYTES];
	return str_of(p, n);
}

static void tell(struct env *e, struct str lines)
{
	remember(e, lines);
	if (e->spec.log)
		e->spec.log(e->spec.arg, str_c(e->name), e->inv && e->dispatched_us ? e->inv->event.request_id : STR_NONE, lines,
			    clock_now_ms());
}

/* cut gives away all complete lines, and what is too long for one; all: the rest too. */
static void cut(struct env *e, struct buf *b, bool all)
{
	ptrdiff_t end = all || b->n > FN_LINE_BYTES_MAX ? (ptrdiff_t)b->n - 1 : str_rfind_char(buf_view(b), '\n');

	if (end < 0)
		return;
	tell(e, str_of(b->p, (size_t)end + 1));
	b->n -= (size_t)end + 1;
	memmove(b->p, b->p + end + 1, b->n);
}

static ssize_t read_once(struct env *e, int which)
{
	struct watch *w = which ? &e->err : &e->out;
	ssize_t n = w->fd < 0 ? 0 : read(w->fd, e->f->read_room, FN_READ_BYTES);

	if (n > 0) {
		buf_put(&e->output[which].line, e->f->read_room, (size_t)n);
		cut(e, &e->output[which].line, false);
	} else if (w->fd >= 0 && !(n < 0 && (errno == EAGAIN || errno == EINTR))) {
		fn_unwatch(e->f, w);
	}
	return n;
}

void output_read(struct env *e, int which)
{
	(void)read_once(e, which);
}

void output_drain(struct env *e, bool last)
{
	for (int which = 0; which < 2; which++) {
		for (int i = 0; i < FN_DRAIN_READS_MAX && read_once(e, which) > 0; i++)
			;
		if (last)
			cut(e, &e->output[which].line, true);
	}
}
