/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - proofs: how an attempt is judged, and how the whole is told: a table, JUnit XML, or JSON. */
#include "cli/prove/prove.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define REPORT_BYTES_MAX (16u << 20)
#define DECIDED_BYTES_MAX 120
#define ATTEMPT_WIDTH_MAX 76
#define WIDTH_MAX 32

static const char *const verdicts[] = { "held", "BROKEN", "skipped", "not tried" };

struct str who_name(enum actor a)
{
	static const char *const names[] = {
		[ACTOR_INSIDER] = "a user with all rights",         [ACTOR_KEYLESS] = "a user without rights on the key",
		[ACTOR_NEIGHBOUR] = "a user with rights elsewhere", [ACTOR_NOBODY] = "a user without rights",
		[ACTOR_DELETER] = "a user who may only delete",     [ACTOR_ASSUMER] = "a user who may assume",
	};

	return a == ACTOR_COUNT ? S("nobody signed") : str_c(names[a]);
}

/* --- judging --- */
struct proof *proof_add(struct prove *p, const struct promise *m, enum verdict v, struct str attempt, struct str expected, struct str got)
{
	struct proof f = { .region = p->stack->region,
			   .family = str_c(m->family),
			   .promise = m->text,
			   .declared = m->declared,
			   .attempt = attempt,
			   .expected = expected,
			   .got = got,
			   .verdict = v == VERDICT_BROKEN && p->silent ? VERDICT_UNTRIED : v };

	vec_push(&p->arena, p->proofs, p->n_proofs, p->cap_proofs) = f;
	return &p->proofs[p->n_proofs - 1];
}

void proof_skip(struct prove *p, const struct promise *m, struct str reason)
{
	for (size_t i = 0; i < p->n_proofs; i++) { /* said once is enough */
		const struct proof *f = &p->proofs[i];

		if (f->verdict == VERDICT_SKIPPED && str_eq(f->promise, m->text) && str_eq(f->got, reason) &&
		    str_eq(f->region, p->stack->region))
			return;
	}
	(void)proof_add(p, m, VERDICT_SKIPPED, S("-"), S("-"), reason);
}

bool promise_owed(struct prove *p, const struct promise *m, bool is_declared)
{
	struct str why = declared_waived(m->target, m->family);

	if (why.p)
		proof_skip(p, m, str_printf(&p->arena, "waived in the template: %.*s", STR(why)));
	else if (!is_declared && p->declared_only)
		proof_skip(p, m, S("the stack does not promise it"));
	else
		return true;
	return false;
}

void promise_absent(struct prove *p, const struct promise *m, struct str what)
{
	if (promise_owed(p, m, true))
		proof_skip(p, m, str_printf(&p->arena, "not promised: %.*s", STR(what)));
}

static bool one_of(struct str code, const char *codes)
{
	struct str rest = str_c(codes), one;

	while (str_next(&rest, '|', &one))
		if (str_eq(code, one))
			return true;
	return false;
}

/* The first sentence, on one line. */
static struct str shortened(struct arena *a, struct str s)
{
	ptrdiff_t end;
	struct buf b;

	if (!s.p)
		return STR_NONE;
	end = str_find(s, S(". "));
	if (end >= 0)
		s.n = (size_t)end + 1;
	buf_init(&b, DECIDED_BYTES_MAX + 4);
	for (size_t i = 0; i < s.n && b.n < DECIDED_BYTES_MAX; i++)
		buf_c(&b, (unsigned char)s.p[i] < ' ' ? ' ' : s.p[i]);
	if (s.n > DECIDED_BYTES_MAX)
		buf_printf(&b, "...");
	s = str_dup(a, buf_view(&b));
	buf_done(&b);
	return s;
}

static void told(struct prove *p, struct proof *f, const struct answer *a)
{
	f->took_ms = a->took_ms;
	f->decided = decided_by(&p->arena, a->message);
	if (!f->decided.p)
		f->decided = shortened(&p->arena, a->message);
}

/* No answer, or one that says the cloud could not: nothing is proved either way. */
static bool no_verdict(const struct answer *a)
{
	return a->status == 0 || a->status >= 500 || str_is(a->code, "NotImplemented") || str_is(a->code, "UnknownOperationException") ||
	       str_is(a->code, "Throttling") || str_is(a->code, "ThrottlingException");
}

static struct str got(struct prove *p, const struct answer *a)
{
	if (a->status == 0)
		return a->error;
	return answer_ok(a) ? str_printf(&p->arena, "allowed (%d)", a->status) : a->code;
}

struct proof *proof_denied(struct prove *p, const struct promise *m, struct str attempt, const struct hit *h, const char *codes,
			   struct answer *ret)
{
	struct str first, rest;
	struct proof *f;
	enum verdict v;

	(void)hit(p, h, ret);
	v = no_verdict(ret) ? VERDICT_UNTRIED : !answer_ok(ret) && one_of(ret->code, codes) ? VERDICT_HELD : VERDICT_BROKEN;
	(void)str_cut(str_c(codes), '|', &first, &rest);
	f = proof_add(p, m, v, attempt, v == VERDICT_HELD ? ret->code : first, got(p, ret));
	told(p, f, ret);
	return f;
}

struct proof *proof_allowed(struct prove *p, const struct promise *m, struct str attempt, const struct hit *h, struct answer *ret)
{
	struct proof *f;
	enum verdict v;

	(void)hit(p, h, ret);
	v = no_verdict(ret) ? VERDICT_UNTRIED : answer_ok(ret) ? VERDICT_HELD : VERDICT_BROKEN;
	f = proof_add(p, m, v, attempt, S("allowed"), got(p, ret));
	told(p, f, ret);
	return f;
}

struct proof *proof_equal(struct prove *p, const struct promise *m, struct str attempt, struct str expected, struct str found)
{
	struct proof *f = proof_add(p, m, str_eq(expected, found) ? VERDICT_HELD : VERDICT_BROKEN, attempt, expected,
				    found.p ? found : S("nothing"));

	f->decided = S("read back");
	return f;
}

void proof_event(struct proof *f, const struct answer *a, const char *event)
{
	if (f->verdict == VERDICT_HELD && a->request_id.n) {
		f->request_id = a->request_id;
		f->event = str_c(event);
	}
}

/* --- telling --- */
static size_t count(const struct prove *p, enum verdict v, struct str region)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_proofs; i++)
		n += p->proofs[i].verdict == v && (!region.p || str_eq(p->proofs[i].region, region));
	return n;
}

static const char *paint(const struct report_opts *o, enum verdict v)
{
	static const char *const seq[] = { "\033[32m", "\033[1;31m", "\033[2m", "\033[33m" };

	return o->colour ? seq[v] : "";
}

static void cell(struct str s, size_t width)
{
	printf("%.*s", STR(s));
	for (size_t n = utf8_chars(s); n < width; n++) /* columns are characters, not bytes */
		(void)putchar(' ');
	printf("  ");
}

struct widths {
	size_t attempt, expected, got;
};

static void widen(size_t *w, struct str s, size_t max)
{
	if (s.n > *w)
		*w = s.n < max ? s.n : max;
}

static void table(const struct prove *p, const struct report_opts *o)
{
	const char *plain = o->colour ? "\033[0m" : "", *bold = o->colour ? "\033[1m" : "", *dim = o->colour ? "\033[2m" : "";
	struct widths w = { 7, 8, 3 };
	struct str region = STR_NONE, promise = STR_NONE;

	for (size_t i = 0; i < p->n_proofs; i++) {
		const struct proof *f = &p->proofs[i];

		if (f->verdict == VERDICT_SKIPPED)
			continue;
		widen(&w.attempt, f->attempt, ATTEMPT_WIDTH_MAX);
		widen(&w.expected, f->expected, WIDTH_MAX);
		widen(&w.got, f->got, WIDTH_MAX);
	}
	for (size_t i = 0; i < p->n_proofs; i++) {
		const struct proof *f = &p->proofs[i];

		if (!region.p || !str_eq(region, f->region)) {
			printf("%s%s%.*s in %.*s%s\n\n%s", i ? "\n" : "", bold, STR(p->stack_name), STR(f->region), plain, dim);
			printf("%-9s   ", "");
			cell(S("attempt"), w.attempt);
			cell(S("expected"), w.expected);
			cell(S("got"), w.got);
			printf("decided by%s\n", plain);
			region = f->region;
			promise = STR_NONE;
		}
		if (!promise.p || !str_eq(promise, f->promise)) {
			printf("%s%.*s%s  %s(%.*s)%s\n", bold, STR(f->promise), plain, dim, STR(f->declared), plain);
			promise = f->promise;
		}
		if (f->verdict == VERDICT_SKIPPED) {
			printf("%s  %-9s %.*s%s\n", paint(o, f->verdict), verdicts[f->verdict], STR(f->got), plain);
			continue;
		}
		printf("  %s%-9s%s ", paint(o, f->verdict), verdicts[f->verdict], plain);
		cell(f->attempt, w.attempt);
		cell(f->expected, w.expected);
		cell(f->got, w.got);
		printf("%s%.*s%s\n", dim, STR(f->decided), plain);
	}
}

static bool broken_baseline(const struct prove *p)
{
	for (size_t i = 0; i < p->n_proofs; i++)
		if (p->proofs[i].verdict == VERDICT_BROKEN && str_eq(p->proofs[i].declared, BASELINE))
			return true;
	return false;
}

static void summary(const struct prove *p, const struct report_opts *o)
{
	const char *plain = o->colour ? "\033[0m" : "";
	size_t broken = count(p, VERDICT_BROKEN, STR_NONE), untried = count(p, VERDICT_UNTRIED, STR_NONE),
	       held = count(p, VERDICT_HELD, STR_NONE);

	for (size_t v = 0; v < 2; v++) {
		enum verdict kind = v ? VERDICT_UNTRIED : VERDICT_BROKEN;

		if (count(p, kind, STR_NONE))
			printf("\n%s%s:%s\n", paint(o, kind), v ? "Not tried" : "Broken promises", plain);
		for (size_t i = 0; i < p->n_proofs; i++) {
			const struct proof *f = &p->proofs[i];

			if (f->verdict == kind)
				printf("  %.*s: %.*s (%.*s): %.*s: expected %.*s, got %.*s\n", STR(f->region), STR(f->promise),
				       STR(f->declared), STR(f->attempt), STR(f->expected), STR(f->got));
		}
	}
	if (broken_baseline(p))
		puts("\nWhat is broken as (baseline), the stack does not declare: declare it, or waive it with the reason in the "
		     "resource's Metadata\n"
		     "(see: cloudkeep prove --help), or ask for --declared promises only.");
	printf("\n%s%zu attempts: %zu held, %zu broken, %zu not tried; %zu promises not made or waived.%s\n",
	       paint(o, broken    ? VERDICT_BROKEN
			: untried ? VERDICT_UNTRIED
				  : VERDICT_HELD),
	       held + broken + untried, held, broken, untried, count(p, VERDICT_SKIPPED, STR_NONE), plain);
	if (p->n_unlooked)
		printf("\nNot looked at, since there is no attack for what it is:\n");
	for (size_t i = 0; i < p->n_unlooked; i++)
		printf("  %.*s: %.*s (%.*s)\n", STR(p->unlooked[i].region), STR(p->unlooked[i].id), STR(p->unlooked[i].type));
	puts("What the network declares was read back, not tried with packets.");
	printf("%s\n", o->left_behind ? "Not everything made for the proof could be removed; see above."
				      : "Everything made for the proof was removed.");
}

static void as_json(struct prove *p, const struct report_opts *o)
{
	struct arena *a = &p->arena;
	struct json *j = json_object(a, "stack", p->stack_name), *list = json_new(a, JSON_ARRAY), *regions = json_new(a, JSON_ARRAY),
		    *unlooked = json_new(a, JSON_ARRAY);

	for (size_t i = 0; i < p->n_regions; i++)
		json_push(a, regions, json_new_str(a, p->regions[i]));
	json_set(a, j, S("regions"), regions);
	json_set_int(a, j, "held", (int64_t)count(p, VERDICT_HELD, STR_NONE));
	json_set_int(a, j, "broken", (int64_t)count(p, VERDICT_BROKEN, STR_NONE));
	json_set_int(a, j, "untried", (int64_t)count(p, VERDICT_UNTRIED, STR_NONE));
	json_set_int(a, j, "skipped", (int64_t)count(p, VERDICT_SKIPPED, STR_NONE));
	json_set_int(a, j, "leftBehind", (int64_t)o->left_behind);
	for (size_t i = 0; i < p->n_proofs; i++) {
		const struct proof *f = &p->proofs[i];
		static const char *const names[] = { "held", "broken", "skipped", "untried" };
		struct json *e = json_object(a, "region", f->region);

		json_set_str(a, e, "family", f->family);
		json_set_str(a, e, "promise", f->promise);
		json_set_str(a, e, "declared", f->declared);
		json_set_str(a, e, "verdict", str_c(names[f->verdict]));
		if (f->verdict == VERDICT_SKIPPED)
			json_set_str(a, e, "reason", f->got);
		else {
			json_set_str(a, e, "attempt", f->attempt);
			json_set_str(a, e, "expected", f->expected);
			json_set_str(a, e, "got", f->got);
			json_set_str(a, e, "decidedBy", f->decided);
			json_set_int(a, e, "milliseconds", f->took_ms);
		}
		json_push(a, list, e);
	}
	json_set(a, j, S("proofs"), list);
	for (size_t i = 0; i < p->n_unlooked; i++) {
		struct json *e = json_object(a, "region", p->unlooked[i].region);

		json_set_str(a, e, "resource", p->unlooked[i].id);
		json_set_str(a, e, "type", p->unlooked[i].type);
		json_push(a, unlooked, e);
	}
	json_set(a, j, S("notLookedAt"), unlooked);
	struct str text = json_text(a, j);
	printf("%.*s\n", STR(text));
}

static void xml_attr(struct buf *b, const char *name, struct str v)
{
	buf_printf(b, " %s=\"", name);
	for (size_t i = 0; i < v.n; i++) /* control characters are no XML */
		if ((unsigned char)v.p[i] >= ' ')
			xml_escape(b, str_of(v.p + i, 1), true);
	buf_c(b, '"');
}

static void testcase(struct prove *p, struct buf *b, const struct proof *f)
{
	struct str detail = str_printf(&p->arena, "expected %.*s, got %.*s (declared: %.*s) %.*s", STR(f->expected), STR(f->got),
				       STR(f->declared), STR(f->decided));

	buf_printf(b, "    <testcase");
	xml_attr(b, "classname", f->family);
	xml_attr(b, "name", str_printf(&p->arena, "%.*s: %.*s", STR(f->promise), STR(f->attempt)));
	buf_printf(b, " time=\"%lld.%03lld\"", (long long)f->took_ms / 1000, (long long)f->took_ms % 1000);
	if (f->verdict == VERDICT_HELD) {
		buf_printf(b, "/>\n");
		return;
	}
	buf_printf(b, "><%s", f->verdict == VERDICT_BROKEN ? "failure" : f->verdict == VERDICT_SKIPPED ? "skipped" : "error");
	xml_attr(b, "message", f->verdict == VERDICT_SKIPPED ? f->got : detail);
	buf_printf(b, "/></testcase>\n");
}

static int junit(struct prove *p, const char *path)
{
	struct buf b;
	int fd, r = 0;

	buf_init(&b, REPORT_BYTES_MAX);
	buf_printf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cloudkeep prove\">\n");
	for (size_t k = 0; k < p->n_regions; k++) {
		struct str region = p->regions[k];
		size_t skipped = count(p, VERDICT_SKIPPED, region), broken = count(p, VERDICT_BROKEN, region),
		       untried = count(p, VERDICT_UNTRIED, region);

		buf_printf(&b, "  <testsuite");
		xml_attr(&b, "name", str_printf(&p->arena, "%.*s in %.*s", STR(p->stack_name), STR(region)));
		buf_printf(&b, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n",
			   count(p, VERDICT_HELD, region) + skipped + broken + untried, broken, untried, skipped);
		for (size_t i = 0; i < p->n_proofs; i++)
			if (str_eq(p->proofs[i].region, region))
				testcase(p, &b, &p->proofs[i]);
		buf_printf(&b, "  </testsuite>\n");
	}
	buf_printf(&b, "</testsuites>\n");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		r = -errno;
	else {
		if (!buf_ok(&b) || write(fd, b.p, b.n) != (ssize_t)b.n)
			r = -EIO;
		if (close(fd) < 0 && r == 0)
			r = -errno;
	}
	buf_done(&b);
	return r;
}

int report_write(struct prove *p, const struct report_opts *o)
{
	int r = o->junit ? junit(p, o->junit) : 0;

	if (r < 0)
		fprintf(stderr, "cloudkeep prove: %s cannot be written: %s\n", o->junit, strerror(-r));
	if (o->json)
		as_json(p, o);
	else {
		table(p, o);
		summary(p, o);
	}
	if (count(p, VERDICT_BROKEN, STR_NONE))
		return 1;
	return r < 0 || o->left_behind || count(p, VERDICT_UNTRIED, STR_NONE) || count(p, VERDICT_HELD, STR_NONE) == 0 ? 2 : 0;
}
