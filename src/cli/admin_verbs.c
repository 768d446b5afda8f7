/* SPDX-License-Identifier: Apache-2.0 */
/* admin_verbs.c - what can be asked for on the admin socket. */
#include "cli/admin.h"
#include "cli/archive.h"
#include "cloud/explain.h"
#include <errno.h>
#include <unistd.h>

#define REGIONS_MAX 64
#define SHIFT_MS_MAX (100ll * 365 * 86400 * 1000)
#define CONTEXT_MAX 64

static struct json *refusal(struct arena *a, const char *todo, struct str error)
{
	struct json *j = json_new(a, JSON_OBJECT);

	json_set_str(a, j, "error", error);
	json_set_str(a, j, "todo", str_c(todo));
	return j;
}

static int do_status(struct admin_env *e, const struct json *q, struct arena *a, int fd, struct json **ret)
{
	struct region *all[REGIONS_MAX];
	size_t n = cloud_regions(e->cloud, all, REGIONS_MAX);
	struct json *j = json_new(a, JSON_OBJECT), *regions = json_new(a, JSON_ARRAY);
	uint64_t us, put_off_us;

	json_set_str(a, j, "account", cloud_account(e->cloud));
	json_set_int(a, j, "pid", e->state->pid);
	json_set_int(a, j, "port", e->state->port);
	json_set_str(a, j, "listen", str_c(e->state->listen));
	json_set_str(a, j, "endpoint", str_printf(a, "https://localhost:%d", e->state->port));
	json_set_str(a, j, "started", str_c(e->state->started));
	json_set_str(a, j, "time", time_iso(a, clock_now_ms()));
	json_set_int(a, j, "clock_offset_ms", clock_offset_ms());
	json_set_int(a, j, "answered", (int64_t)cloud_answered(e->cloud, &us, &put_off_us));
	json_set_int(a, j, "answered_us", (int64_t)us);
	json_set_int(a, j, "put_off_us", (int64_t)put_off_us);
	json_set(a, j, S("global"), region_counts(e->cloud, cloud_global_region(e->cloud), a));
	for (size_t i = 0; i < n; i++) {
		struct json *one = json_new(a, JSON_OBJECT);
		bool up = cloud_region(e->cloud, all[i]->name);

		json_set_str(a, one, "name", all[i]->name);
		json_set_bool(a, one, "up", up);
		if (up) {
			json_set(a, one, S("resources"), region_counts(e->cloud, all[i], a));
			json_set(a, one, S("stacks"), region_stacks(e->cloud, all[i], a));
		}
		json_push(a, regions, one);
	}
	json_set(a, j, S("regions"), regions);
	*ret = j;
	return 0;
}

static int do_stop(struct admin_env *e, const struct json *q, struct arena *a, int fd, struct json **ret)
{
	if (write(e->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t)) < 0)
		return -errno;
	*ret = json_new(a, JSON_OBJECT);
	json_set_bool(a, *ret, "stopping", true);
	return 0;
}

static int do_region_start(struct admin_env *e, const struct json *q, struct arena *a, int fd, struct json **ret)
{
	struct str name = json_get_str(q, "region");
	int r = name.p ? cloud_region_start(e->cloud, name) : -EINVAL;

	if (r == -EINVAL)
		*ret = refusal(a, "Names look like eu-central-1.", str_printf(a, "%.*s is not the name of a region", STR(name)));
	else if (r < 0)
		*ret = refusal(a, "Its data are in DIR/regions; the log may say more.",
			       str_printf(a, "%.*s does not start: %s", STR(name), strerror(-r)));
	else {
		*ret = json_new(a, JSON_OBJECT);
		json_set_bool(a, *ret, "up", true);
	}
	return 0;
}

static int do_region_stop(struct admin_env *e, const struct json *q, struct arena *a, int fd, struct json **ret)
{
	struct str name = json_get_str(q, "region");
	int r = name.p ? cloud_region_stop(e->cloud, name) : -ENOENT;

	if (r == -ENOENT)
		*ret = refusal(a, "See which run: cloudkeep region list", str_printf(a, "no region %.*s is running", STR(name)));
	else if (r < 0)
		*ret = refusal(a, NULL, str_printf(a, "%.*s does not stop: %s", STR(name), strerror(-r)));
	else {
		*ret = json_new(a, JSON_OBJECT);
		json_set_bool(a, *ret, "up", false);
	}
	return 0;
}

/* The shift is saved before time moves: after a crash the cloud never finds records of a future it has forgotten. */
static int do_clock(struct admin_env *e, const struct json *q, struct arena *a, int fd, struct json **ret)
{
	int64_t delta = 0;
	int r;

	if (json_getz(q, "shift_ms") && json_to_i64(json_getz(q, "shift_ms"), &delta) < 0)
		return -EINVAL;
	if (delta > SHIFT_MS_MAX || clock_offset_ms() + delta > SHIFT_MS_MAX || delta < 0) {
		*ret = refusal(a, "Records of what has happened would lie in the future.",
			       S("the clock only goes forward, by at most 100 years in all"));
		return 0;
	}
	if (delta) {
		r = clock_save(e->dir, clock_offset_ms() + delta);
		if (r < 0) {
			*ret = refusal(
				a, NULL,
				str_printf(a, "the clock stays as it is: %s/clock.json cannot be written: %s", e->dir, strerror(-r)));
			return 0;
		}
		clock_shift_ms(delta);
		cloud_jobs_wake(e->cloud);
	}
	*ret = json_new(a, JSON_OBJECT);
	json_set_str(a, *ret, "time", time_iso(a, clock_now_ms()));
	json_set_int(a, *ret, "clock_offset_ms", clock_offset_ms());
	return 0;
}

static const char *layer_name(enum policy_layer l)
{
	static const char *const names[] = {
		[LAYER_NONE] = "none",
		[LAYER_IDENTITY] = "identity-based policies",
		[LAYER_RESOURCE] = "resource-based policy",
		[LAYER_BOUNDARY] = "permissions boundary",
		[LAYER_SESSION] = "session policy",
		[LAYER_ORGANIZATION] = "service control policies",
		[LAYER_RESOURCE_CONTROL] = "resource control policies",
		[LAYER_ROOT] = "root of the account",
	};

	return names[l];
}

static int do_explain(struct admin_env *e, const struct json *q, struct arena *a, int fd, struct json **ret)
{
	static const char *const decisions[] = {
		[DECISION_ALLOW] = "allowed", [DECISION_IMPLICIT_DENY] = "implicitly denied", [DECISION_EXPLICIT_DENY] = "explicitly denied"
	};
	struct explain_question x = { .principal = json_get_str(q, "principal"),
				      .action = json_get_str(q, "action"),
				      .resource = json_get_str(q, "resource") };
	struct json *context = json_getz(q, "context"), *j;
	struct explain_answer out = { 0 };
	struct str region = json_get_str(q, "region");
	struct region *r = cloud_region(e->cloud, region);
	int err;

	if (!x.principal.p || !x.action.p || !x.resource.p || !region.p ||
	    (context && (!json_is(context, JSON_OBJECT) || context->n > CONTEXT_MAX)))
		return -EINVAL;
	if (!r) {
		*ret = refusal(a, "See which run: cloudkeep region list", str_printf(a, "no region %.*s is running", STR(region)));
		return 0;
	}
	x.context = arena_array(a, struct str_pair, CONTEXT_MAX);
	for (size_t i = 0; context && i < context->n; i++)
		x.context[x.n_context++] = (struct str_pair){ context->members[i].key, json_scalar(&context->members[i].value) };
	err = cloud_explain(e->cloud, r, &x, a, &out);
	if (err < 0) {
		*ret = refusal(a, NULL, out.problem.p ? out.problem : str_printf(a, "the question cannot be answered: %s", strerror(-err)));
		return 0;
	}
	*ret = j = json_new(a, JSON_OBJECT);
	json_set_bool(a, j, "allowed", out.allowed);
	json_set_str(a, j, "decision", out.granted ? S("allowed by a grant") : str_c(decisions[out.result.decision]));
	json_set_str(a, j, "layer", str_c(layer_name(out.result.layer)));
	json_set_str(a, j, "policy", out.result.policy_name);
	json_set_str(a, j, "sid", out.result.sid);
	if (out.result.statement >= 0)
		json_set_int(a, j, "statement", out.result.statement);
	json_set_str(a, j, "resource", out.resource);
	json_set_bool(a, j, "resource_found", out.resource_found);
	json_set_str(a, j, "explanation", out.sentence);
	return 0;
}

static int do_export(struct admin_env *e, const struct json *q, struct arena *a, int fd, struct json **ret)
{
	if (admin_send(fd, S("{\"export\":true}\n")) == 0)
		(void)archive_write_running(e->cloud, fd); /* a broken one has no end, which the reader notices */
	*ret = NULL;
	return 0;
}

int admin_answer(struct admin_env *e, const struct json *q, struct arena *a, int fd, struct json **ret)
{
	static const struct {
		const char *name;
		int (*run)(struct admin_env *e, const struct json *q, struct arena *a, int fd, struct json **ret);
	} verbs[] = {
		{ "status", do_status },           { "stop", do_stop },   { "region-start", do_region_start },
		{ "region-stop", do_region_stop }, { "clock", do_clock }, { "explain", do_explain },
		{ "export", do_export },
	};
	struct str what = json_get_str(q, "do");

	for (size_t i = 0; i < ELEMENTS(verbs); i++)
		if (str_is(what, verbs[i].name))
			return verbs[i].run(e, q, a, fd, ret);
	return -EINVAL;
}
