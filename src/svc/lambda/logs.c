/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - what functions write, with the lines of Lambda itself around it: INIT_START, START, END and REPORT, or their JSON forms.
 * Sources: "Viewing CloudWatch logs for Lambda functions", "Configuring advanced logging controls" with its table of system log
 * levels, "Lambda Telemetry API Event schema reference" (AWS Lambda Developer Guide). */
#include "svc/lambda/runtime_int.h"

#define TAIL_BYTES 4096

enum level { DEBUG, INFO, WARN };

static bool is_json(const struct lambda_live *x)
{
	return str_is(x->v.log_format, "JSON");
}

/* shown: does the function's SystemLogLevel let an event of this level through? Text has no levels. */
static bool shown(const struct lambda_live *x, enum level l)
{
	enum level least = str_is(x->v.log_system, "DEBUG") ? DEBUG : str_is(x->v.log_system, "WARN") ? WARN : INFO;

	return !is_json(x) || l >= least;
}

static struct str platform(struct arena *a, int64_t at_ms, const char *type, struct str record)
{
	return str_printf(a, "{\"time\":\"%.*s\",\"type\":\"platform.%s\",\"record\":{%.*s}}\n", STR(time_iso_ms(a, at_ms)), type,
			  STR(record));
}

static const char *kind_of_start(const struct lambda_live *x)
{
	return x->ahead ? "provisioned-concurrency" : "on-demand";
}

static struct str init_start(const struct lambda_live *x, struct arena *a, int64_t at_ms)
{
	struct str family = lambda_runtime_family(x->v.runtime), number = str_skip(x->v.runtime, family.n), arn;

	if (str_ends(number, S(".x")))
		number.n -= 2;
	arn = lambda_runtime_arn(a, x->region->name, x->v.runtime);
	if (!is_json(x))
		return str_printf(a, "INIT_START Runtime Version: %.*s:%.*s\tRuntime Version ARN: %.*s\n", STR(family), STR(number),
				  STR(arn));
	return platform(a, at_ms, "initStart",
			str_printf(a,
				   "\"initializationType\":\"%s\",\"phase\":\"init\",\"runtimeVersion\":\"%.*s:%.*s\","
				   "\"runtimeVersionArn\":\"%.*s\",\"functionName\":\"%.*s\",\"functionVersion\":\"%.*s\"",
				   kind_of_start(x), STR(family), STR(number), STR(arn), STR(x->v.name),
				   STR(lambda_version_text(a, x->v.version.v))));
}

static struct str start(const struct lambda_live *x, struct str id, struct arena *a, int64_t at_ms)
{
	struct str version = lambda_version_text(a, x->v.version.v);

	if (!is_json(x))
		return str_printf(a, "START RequestId: %.*s Version: %.*s\n", STR(id), STR(version));
	return platform(a, at_ms, "start", str_printf(a, "\"requestId\":\"%.*s\",\"version\":\"%.*s\"", STR(id), STR(version)));
}

static struct lambda_stream *open_stream(struct lambda_live *x, struct str environment, struct str id, struct arena *a, int64_t at_ms)
{
	bool new, request;
	struct lambda_stream *s = lambda_log_open(x, environment, id, &new, &request);

	if (s && new &&shown(x, INFO))
		lambda_log_event(s, init_start(x, a, at_ms), at_ms);
	if (s && request && shown(x, INFO))
		lambda_log_event(s, start(x, id, a, at_ms), at_ms);
	return s;
}

/* A carriage return inside a line is a line break inside of one event (procd/functions.h). */
void lambda_log_lines(struct lambda_live *live, struct str environment, struct str request_id, struct str lines, int64_t at_ms)
{
	struct arena a = { 0 };
	struct lambda_stream *s = open_stream(live, environment, request_id, &a, at_ms);

	while (s && lines.n) {
		ptrdiff_t end = str_find_char(lines, '\n');
		size_t n = end < 0 ? lines.n : (size_t)end + 1;
		char *text = arena_alloc(&a, n + 1);

		memcpy(text, lines.p, n);
		for (size_t i = 0; i + 1 < n; i++)
			if (text[i] == '\r' && text[i + 1] != '\n')
				text[i] = '\n';
		lambda_log_event(s, str_of(text, n), at_ms);
		lines = str_skip(lines, n);
	}
	lambda_log_close(s);
	arena_done(&a);
}

/* Text has a line of it only when the start went wrong, JSON one of every start that nobody waited for. */
void lambda_log_init(struct lambda_live *live, struct str environment, int64_t init_us, struct str error_type)
{
	struct arena a = { 0 };
	int64_t now = clock_now_ms();
	struct lambda_stream *s = open_stream(live, environment, STR_NONE, &a, now);
	double ms = (double)init_us / 1000;
	struct str line = STR_NONE, type = S("");

	if (is_json(live) && error_type.p)
		type = str_printf(&a, ",\"errorType\":%.*s", STR(json_text(&a, json_new_str(&a, error_type))));
	if (is_json(live))
		line = platform(&a, now, "initReport",
				str_printf(&a,
					   "\"initializationType\":\"%s\",\"phase\":\"init\",\"status\":\"%s\",\"metrics\":{"
					   "\"durationMs\":%.3f}%.*s",
					   kind_of_start(live), error_type.p ? "error" : "success", ms, STR(type)));
	else if (error_type.p)
		line = str_printf(&a, "INIT_REPORT Init Duration: %.2f ms\tPhase: init\tStatus: error\tError Type: %.*s\n", ms,
				  STR(error_type));
	if (s && line.p && shown(live, error_type.p ? WARN : INFO))
		lambda_log_event(s, line, now);
	lambda_log_close(s);
	arena_done(&a);
}

static const char *error_type(const struct fn_result *r)
{
	return r->outcome == FN_NO_MEMORY ? "Runtime.OutOfMemory" : r->outcome == FN_EXITED ? "Runtime.ExitError" : NULL;
}

/* Billed is what AWS bills: whole milliseconds, with the start of a new environment that was not ahead of it. */
static struct str report(struct lambda_live *x, struct str id, const struct fn_result *r, struct arena *a, int64_t at_ms)
{
	double ms = (double)r->duration_us / 1000;
	long long billed = (r->duration_us + (r->ahead ? 0 : r->init_us) + 999) / 1000, memory = x->v.memory_mb.v;
	struct str init = S(""), error = S("");
	const char *status = r->outcome == FN_TIMED_OUT ? "timeout" : r->outcome == FN_DONE || r->outcome == FN_FAILED ? NULL : "error";

	if (is_json(x)) {
		if (r->init_us)
			init = str_printf(a, ",\"initDurationMs\":%.3f", (double)r->init_us / 1000);
		if (error_type(r))
			error = str_printf(a, ",\"errorType\":\"%s\"", error_type(r));
		return platform(a, at_ms, "report",
				str_printf(a,
					   "\"requestId\":\"%.*s\",\"metrics\":{\"durationMs\":%.3f,\"billedDurationMs\":%lld,"
					   "\"memorySizeMB\":%lld,\"maxMemoryUsedMB\":%u%.*s},\"status\":\"%s\"%.*s",
					   STR(id), ms, billed, memory, r->memory_used_mb, STR(init),
					   status                    ? status
					   : r->outcome == FN_FAILED ? "error"
								     : "success",
					   STR(error)));
	}
	if (r->init_us)
		init = str_printf(a, "\tInit Duration: %.2f ms", (double)r->init_us / 1000);
	if (status)
		error = error_type(r) ? str_printf(a, "\tStatus: %s\tError Type: %s", status, error_type(r))
				      : str_printf(a, "\tStatus: %s", status);
	return str_printf(a,
			  "REPORT RequestId: %.*s\tDuration: %.2f ms\tBilled Duration: %lld ms\tMemory Size: %lld MB\tMax Memory Used: %u "
			  "MB%.*s%.*s\t\n",
			  STR(id), ms, billed, memory, r->memory_used_mb, STR(init), STR(error));
}

/* What ended the invocation, when nothing in the environment could say it. JSON has it in runtimeDone. */
static struct str failure(struct lambda_live *x, struct str id, const struct fn_result *r, struct arena *a, int64_t at_ms)
{
	const char *unused;
	struct json *j;

	if (r->outcome == FN_DONE || r->outcome == FN_FAILED)
		return S("");
	if (is_json(x))
		return platform(a, at_ms, "runtimeDone",
				str_printf(a, "\"requestId\":\"%.*s\",\"status\":\"%s\"", STR(id),
					   r->outcome == FN_TIMED_OUT ? "timeout" : "failure"));
	if (r->outcome == FN_TIMED_OUT)
		return str_printf(a, "%.*s %.*s Task timed out after %lld.00 seconds\n\n", STR(time_iso_ms(a, at_ms)), STR(id),
				  (long long)x->v.timeout_s.v);
	if (json_parse(a, lambda_result_payload(a, id, x->v.timeout_s.v, r, &unused), &j, NULL) < 0)
		return S("");
	return str_printf(a, "%.*s\n%s\n", STR(json_get_str(j, "errorMessage")), error_type(r));
}

struct str lambda_log_end(struct lambda_live *live, struct str request_id, const struct fn_result *r, struct arena *a)
{
	int64_t now = clock_now_ms();
	bool bad = r->outcome != FN_DONE;
	struct str failed = failure(live, request_id, r, a, now), rep = report(live, request_id, r, a, now), end = S(""), all, first;
	struct lambda_stream *s = open_stream(live, r->environment, request_id, a, now);

	if (!is_json(live))
		end = str_printf(a, "END RequestId: %.*s\n", STR(request_id));
	first = shown(live, INFO) ? start(live, request_id, a, now) : S("");
	if (!shown(live, bad ? WARN : INFO))
		rep = S("");
	if (s && failed.n)
		lambda_log_event(s, failed, now);
	if (s && end.n)
		lambda_log_event(s, end, now);
	if (s && rep.n)
		lambda_log_event(s, rep, now);
	lambda_log_close(s);
	all = str_printf(a, "%.*s%.*s%s%.*s%.*s%.*s", STR(first), STR(r->log_tail),
			 r->log_tail.n && r->log_tail.p[r->log_tail.n - 1] != '\n' ? "\n" : "", STR(failed), STR(end), STR(rep));
	return all.n > TAIL_BYTES ? str_skip(all, all.n - TAIL_BYTES) : all;
}
