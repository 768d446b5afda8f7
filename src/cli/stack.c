/* SPDX-License-Identifier: Apache-2.0 */
/* stack.c - a CloudFormation client like any other: follows stacks in several regions at once and tells what happens.
 *
 * Each region has a thread, a connection and an arena of its own; only the lines they print are shared, under a lock. */
#include "cli/stack.h"
#include <errno.h>

#define POLL_MIN_MS 2    /* whole stacks take less than a blink here ... */
#define POLL_MAX_MS 2000 /* ... and many minutes at AWS, which counts calls */
#define EVENT_PAGES_MAX 100

static pthread_mutex_t print_lock = PTHREAD_MUTEX_INITIALIZER;
static bool line_open; /* a passing line is on the terminal */

void stack_fail(struct stack_job *j, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	j->reason = str_vprintf(&j->arena, fmt, ap);
	va_end(ap);
	j->outcome = STACK_FAILED;
}

int stack_call(struct stack_job *j, const char *action, const struct str_pair *params, size_t n, struct client_answer *ret)
{
	int r = client_query(j->cfn, &j->arena, action, CFN_VERSION, params, n, ret);

	if (r != 0)
		stack_fail(j, "%s: %.*s%s%.*s", action, STR(ret->code.p ? ret->code : S("")), ret->code.p ? ": " : "", STR(ret->message));
	return r;
}

int stack_describe(struct stack_job *j, struct str name, struct xml_node **ret)
{
	struct client_answer ans;
	int r = client_query(j->cfn, &j->arena, "DescribeStacks", CFN_VERSION, &(struct str_pair){ S("StackName"), name }, 1, &ans);

	if (r == 1 && str_is(ans.code, "ValidationError") && str_find(ans.message, S("does not exist")) >= 0)
		return 1;
	if (r != 0) {
		stack_fail(j, "DescribeStacks: %.*s%s%.*s", STR(ans.code.p ? ans.code : S("")), ans.code.p ? ": " : "", STR(ans.message));
		return r < 0 ? r : -EACCES;
	}
	*ret = xml_find(ans.root, "DescribeStacksResult/Stacks/member");
	return *ret ? 0 : 1;
}

/* --- progress --- */
static bool ends_with(struct str s, const char *end)
{
	return str_ends(s, str_c(end));
}

static void clear_line(void)
{
	if (line_open)
		fputs("\r\033[K", stdout);
	line_open = false;
}

static void print_event(struct stack_job *j, struct xml_node *e)
{
	struct str status = xml_text(e, "ResourceStatus"), reason = xml_text(e, "ResourceStatusReason");
	bool passing = ends_with(status, "_IN_PROGRESS"), bad = ends_with(status, "_FAILED") || str_find(status, S("ROLLBACK")) >= 0;
	struct cli *c = j->c;
	FILE *out = c->json ? stderr : stdout;

	pthread_mutex_lock(&print_lock);
	clear_line();
	if (passing && cli_terminal() && !c->json) {
		printf("%s%6lld ms  %-14.*s %.*s %.*s%s", cli_paint(c, PAINT_DIM), (long long)(clock_mono_ms() - j->began_ms),
		       STR(j->region), STR(status), STR(xml_text(e, "LogicalResourceId")), cli_paint(c, PAINT_PLAIN));
		line_open = true;
	} else {
		fprintf(out, "%6lld ms  %-14.*s %s%-20.*s%s %-34.*s %.*s%s%.*s\n", (long long)(clock_mono_ms() - j->began_ms),
			STR(j->region),
			cli_paint(c, bad       ? PAINT_BAD
				     : passing ? PAINT_DIM
					       : PAINT_GOOD),
			STR(status), cli_paint(c, PAINT_PLAIN), STR(xml_text(e, "ResourceType")), STR(xml_text(e, "LogicalResourceId")),
			reason.n ? "  " : "", STR(reason.n ? reason : S("")));
	}
	(void)fflush(out);
	pthread_mutex_unlock(&print_lock);
}

struct events {
	struct xml_node **v;
	size_t n, cap;
};

/* Collects events newer than j->last_event, newest first. */
static int collect(struct stack_job *j, struct events *ev)
{
	struct str_pair p[2] = { { S("StackName"), j->id.p ? j->id : j->name } };
	struct client_answer ans;

	for (int page = 0; page < EVENT_PAGES_MAX; page++) {
		struct xml_node *e;
		int r = client_query(j->cfn, &j->arena, "DescribeStackEvents", CFN_VERSION, p, p[1].value.p ? 2 : 1, &ans);

		if (r != 0)
			return r < 0 ? r : -EACCES;
		e = xml_find(ans.root, "DescribeStackEventsResult/StackEvents/member");
		for (; e; e = e->next) {
			if (!str_is(e->name, "member"))
				continue;
			if (j->last_event.p && str_eq(xml_text(e, "EventId"), j->last_event))
				return 0;
			vec_push(&j->arena, ev->v, ev->n, ev->cap) = e;
		}
		p[1] = (struct str_pair){ S("NextToken"), xml_text(ans.root, "DescribeStackEventsResult/NextToken") };
		if (!p[1].value.n)
			return 0;
	}
	return 0;
}

void stack_skip_events(struct stack_job *j)
{
	struct str_pair p = { S("StackName"), j->id.p ? j->id : j->name };
	struct client_answer ans;

	if (client_query(j->cfn, &j->arena, "DescribeStackEvents", CFN_VERSION, &p, 1, &ans) == 0)
		j->last_event = xml_text(ans.root, "DescribeStackEventsResult/StackEvents/member/EventId");
}

/* Why did it fail: the reasons of the resources that failed by themselves, not of those cancelled with them. */
static void note_failure(struct stack_job *j, struct xml_node *e)
{
	struct str status = xml_text(e, "ResourceStatus"), reason = xml_text(e, "ResourceStatusReason");

	if (!ends_with(status, "_FAILED") || !reason.n || str_find(reason, S("cancelled")) >= 0 ||
	    str_eq(xml_text(e, "PhysicalResourceId"), j->id))
		return;
	j->reason = str_printf(&j->arena, "%.*s%s%.*s (%.*s): %.*s", STR(j->reason.p ? j->reason : S("")), j->reason.p ? "\n" : "",
			       STR(xml_text(e, "LogicalResourceId")), STR(xml_text(e, "ResourceType")), STR(reason));
}

static void show_new(struct stack_job *j)
{
	struct events ev = { 0 };

	if (collect(j, &ev) < 0)
		return; /* progress only: the state of the stack is asked for separately */
	for (size_t i = ev.n; i-- > 0;) {
		struct str status = xml_text(ev.v[i], "ResourceStatus");

		print_event(j, ev.v[i]);
		note_failure(j, ev.v[i]);
		j->n_done += ends_with(status, "_COMPLETE");
		j->last_event = xml_text(ev.v[i], "EventId");
	}
}

static void read_outputs(struct stack_job *j, struct xml_node *stack)
{
	struct xml_node *o = xml_find(stack, "Outputs/member");
	size_t cap = 0;

	j->outputs = (struct str_map){ 0 };
	for (; o; o = o->next)
		vec_push(&j->arena, j->outputs.v, j->outputs.n, cap) = (struct str_pair){ xml_text(o, "OutputKey"),
											  xml_text(o, "OutputValue") };
}

int stack_wait(struct stack_job *j)
{
	struct xml_node *stack;
	int64_t pause_ms = POLL_MIN_MS;

	for (;;) {
		struct timespec t = { pause_ms / 1000, pause_ms % 1000 * 1000000 };
		int r;

		show_new(j);
		r = stack_describe(j, j->id, &stack);
		if (r < 0)
			return r;
		j->status = r == 1 ? S("DELETE_COMPLETE") : xml_text(stack, "StackStatus");
		if (!ends_with(j->status, "_IN_PROGRESS")) {
			show_new(j);
			if (r == 0) {
				read_outputs(j, stack);
				if (!j->reason.p && ends_with(j->status, "FAILED"))
					j->reason = xml_text(stack, "StackStatusReason");
			}
			return 0;
		}
		(void)nanosleep(&t, NULL);
		pause_ms += pause_ms / 2 ? pause_ms / 2 : 1;
		if (pause_ms > POLL_MAX_MS)
			pause_ms = POLL_MAX_MS;
	}
}

/* --- running --- */
struct runner {
	struct stack_job job;
	void (*work)(struct stack_job *j);
	pthread_t thread;
	bool started;
};

static void *run_region(void *arg)
{
	struct runner *r = arg;

	r->job.began_ms = clock_mono_ms();
	r->work(&r->job);
	r->job.took_ms = clock_mono_ms() - r->job.began_ms;
	return NULL;
}

static void print_job(struct cli *c, const struct stack_job *j, const char *verb)
{
	static const char *const words[] = { "failed", NULL, "no changes", "there was no such stack" };
	const char *paint = cli_paint(c, j->outcome == STACK_FAILED ? PAINT_BAD : PAINT_GOOD), *plain = cli_paint(c, PAINT_PLAIN);
	struct str rest = j->reason, line;

	printf("%s%.*s%s  %s%s%.*s  (%lld ms)\n", paint, STR(j->region), plain, j->outcome == STACK_DONE ? verb : words[j->outcome],
	       j->status.n ? ": " : "", STR(j->status.n ? j->status : S("")), (long long)j->took_ms);
	if (j->outcome == STACK_FAILED)
		while (str_next(&rest, '\n', &line))
			printf("  %s%.*s%s\n", paint, STR(line), plain);
	for (size_t i = 0; i < j->outputs.n; i++)
		printf("  %.*s = %.*s\n", STR(j->outputs.v[i].key), STR(j->outputs.v[i].value));
}

static struct json *job_json(struct arena *a, const struct stack_job *j)
{
	static const char *const words[] = { "failed", "done", "unchanged", "absent" };
	struct json *one = json_new(a, JSON_OBJECT), *out = json_new(a, JSON_OBJECT);

	json_set_str(a, one, "region", j->region);
	json_set_str(a, one, "outcome", str_c(words[j->outcome]));
	json_set_str(a, one, "status", j->status);
	json_set_str(a, one, "stack_id", j->id);
	json_set_str(a, one, "reason", j->outcome == STACK_FAILED ? j->reason : STR_NONE);
	json_set_int(a, one, "ms", j->took_ms);
	for (size_t i = 0; i < j->outputs.n; i++)
		json_set(a, out, j->outputs.v[i].key, json_new_str(a, j->outputs.v[i].value));
	json_set(a, one, S("outputs"), out);
	return one;
}

static int finish(struct cli *c, struct runner *all, size_t n, const char *name, const char *verb)
{
	struct json *j = json_new(&c->arena, JSON_OBJECT), *regions = json_new(&c->arena, JSON_ARRAY);
	int status = 0;

	clear_line();
	for (size_t i = 0; i < n; i++) {
		if (all[i].job.outcome == STACK_FAILED)
			status = 1;
		if (c->json)
			json_push(&c->arena, regions, job_json(&c->arena, &all[i].job));
		else
			print_job(c, &all[i].job, verb);
	}
	if (c->json) {
		json_set_str(&c->arena, j, "stack", str_c(name));
		json_set(&c->arena, j, S("regions"), regions);
		cli_json(j, &c->arena);
	}
	return status;
}

int stack_run(struct cli *c, const struct target *t, const struct str *regions, size_t n, const char *name, const char *verb,
	      void (*work)(struct stack_job *j), const void *arg)
{
	struct runner *all = arena_array(&c->arena, struct runner, n);
	int status;

	(void)cli_terminal(); /* remembered before threads ask */
	for (size_t i = 0; i < n; i++) {
		struct runner *r = &all[i];

		r->work = work;
		r->job = (struct stack_job){ .c = c, .region = regions[i], .name = str_c(name), .arg = arg };
		if (target_client(t, &r->job.arena, regions[i], "cloudformation", &r->job.cfn, &r->job.reason) < 0)
			continue;
		r->started = pthread_create(&r->thread, NULL, run_region, r) == 0;
		if (!r->started)
			stack_fail(&r->job, "no thread could be started");
	}
	for (size_t i = 0; i < n; i++)
		if (all[i].started)
			(void)pthread_join(all[i].thread, NULL);
	status = finish(c, all, n, name, verb);
	for (size_t i = 0; i < n; i++) {
		client_free(all[i].job.cfn);
		arena_done(&all[i].job.arena);
	}
	return status;
}
