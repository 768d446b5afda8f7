/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - `cloudkeep clock`: shows the cloud's time, and moves it forward. The shift is kept in DIR/clock.json, so that
 * a cloud started again goes on in its own time. */
#include "cli/cli.h"
#include <errno.h>

static const char *path_of(struct arena *a, const char *dir)
{
	return str_printf(a, "%s/clock.json", dir).p;
}

int clock_load(const char *dir)
{
	struct arena a = { 0 };
	struct str text;
	struct json *j;
	int64_t shift;
	int r = cli_read_file(&a, path_of(&a, dir), &text);

	if (r == 0)
		r = json_parse(&a, text, &j, NULL);
	if (r == 0)
		r = json_to_i64(json_getz(j, "shift_ms"), &shift);
	if (r == 0)
		clock_shift_ms(shift);
	arena_done(&a);
	return r == -ENOENT ? 0 : r < 0 ? -EBADMSG : 0;
}

int clock_save(const char *dir, int64_t shift_ms)
{
	struct arena a = { 0 };
	int r = cli_write_file(path_of(&a, dir), str_printf(&a, "{\"shift_ms\":%lld}\n", (long long)shift_ms), 0600);

	arena_done(&a);
	return r;
}

/* "+30d", "+1h30m", "+90s", "+250ms": 0 or -EINVAL. */
static int parse_shift(struct str s, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "ms", 1 },       { "s", 1000 },      { "m", 60000 },      { "h", 3600000 },
		      { "d", 86400000 }, { "w", 604800000 }, { "y", 31536000000 } };
	int64_t sum = 0;

	if (s.n < 3 || s.p[0] != '+')
		return -EINVAL;
	s = str_skip(s, 1);
	while (s.n) {
		size_t digits = 0, letters = 0, i;
		int64_t v, add;

		while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
			digits++;
		while (digits + letters < s.n && s.p[digits + letters] >= 'a' && s.p[digits + letters] <= 'z')
			letters++;
		if (digits == 0 || str_to_i64(str_of(s.p, digits), &v) < 0)
			return -EINVAL;
		for (i = 0; i < ELEMENTS(units) && !str_is(str_of(s.p + digits, letters), units[i].unit);)
			i++;
		if (i == ELEMENTS(units) || __builtin_mul_overflow(v, units[i].ms, &add) || __builtin_add_overflow(sum, add, &sum))
			return -EINVAL;
		s = str_skip(s, digits + letters);
	}
	*ret_ms = sum;
	return 0;
}

static int run(struct cli *c)
{
	struct json *q = json_new(&c->arena, JSON_OBJECT), *a;
	int64_t delta = 0, offset = 0;
	int r;

	json_set_str(&c->arena, q, "do", S("clock"));
	if (c->n_args) {
		if (parse_shift(str_c(c->args[0]), &delta) < 0)
			return cli_usage(c, "%s is no step forward: write +30d, +12h, +1h30m, +90s or +250ms", c->args[0]);
		json_set_int(&c->arena, q, "shift_ms", delta);
	}
	r = admin_ask(c, q, &a);
	if (r != 0)
		return r;
	if (c->json) {
		cli_json(a, &c->arena);
		return 0;
	}
	(void)json_to_i64(json_getz(a, "clock_offset_ms"), &offset);
	printf("%.*s", STR(json_get_str(a, "time")));
	if (offset)
		printf("  %s%lld d %lld h %lld min ahead of this machine%s", cli_paint(c, PAINT_DIM), (long long)(offset / 86400000),
		       (long long)(offset / 3600000 % 24), (long long)(offset / 60000 % 60), cli_paint(c, PAINT_PLAIN));
	putchar('\n');
	return 0;
}

const struct cli_command cmd_clock = {
	.name = "clock",
	.args = "[+TIME]",
	.what = "show the cloud's time, or move it forward",
	.text = "Everything in the cloud lives by this clock: key rotation, expiry, retention, schedules. Moving it forward rehearses\n"
		"in a moment what would take months. It never goes back; a cloud started again keeps it. Requests are still signed\n"
		"with this machine's time, so clients need nothing.",
	.examples = "  cloudkeep clock              # what time is it there?\n"
		    "  cloudkeep clock +30d         # thirty days later\n"
		    "  cloudkeep clock +1h30m       # units: ms s m h d w y",
	.args_min = 0,
	.args_max = 1,
	.run = run,
};
