/* SPDX-License-Identifier: Apache-2.0 */
/* integration_http.c - requests to backends over HTTP/1.1, with or without TLS (http/fetch.h). Nothing of a visit is touched on
 * the pool's threads but the request it has handed over. */
#include "http/fetch.h"
#include "svc/apigateway/front.h"
#include <errno.h>

#define THREADS_MAX 64
#define QUEUE_MAX 2000
#define ANSWER_BYTES_MAX (10u << 20)

struct job {
	struct fetch fetch;
	struct visit *v;
	struct http_loop *loop;
};

static struct fetch_pool pool = FETCH_POOL(pool, THREADS_MAX, QUEUE_MAX);

static void take_headers(struct visit *v, struct str head, bool proxy)
{
	static const char *const remapped[] = { "connection", "content-length", "date", "server" };
	struct str line, rest = head, name, value;

	(void)str_next(&rest, '\n', &line); /* the status line */
	while (str_next(&rest, '\n', &line)) {
		if (!str_cut(line, ':', &name, &value))
			continue;
		name = str_trim(name);
		value = str_trim(value);
		if (str_eq_ci(name, S("transfer-encoding")) || (proxy && str_eq_ci(name, S("via"))))
			continue;
		for (size_t i = 0; proxy && i < ELEMENTS(remapped); i++)
			if (str_eq_ci(name, str_c(remapped[i])))
				name = str_printf(v->a, "x-amzn-Remapped-%.*s", STR(name));
		if (proxy)
			visit_header_out(v, &v->out, name, value);
		else
			vec_push(v->a, v->integration.headers, v->integration.n, v->integration.cap) = (struct http_header){ name, value };
	}
}

static void came_back(void *arg)
{
	struct job *j = arg;
	struct visit *v = j->v;
	bool proxy = str_is(v->m->m->method_integration->type, "HTTP_PROXY");
	int r = 0;

	v->integration_latency_ms = clock_mono_ms() - v->integration_mono_ms;
	v->integration_status = v->integration.status = j->fetch.status;
	if (j->fetch.result == -ETIMEDOUT) {
		v->integration_error = S("Execution failed due to a timeout error");
		visit_log(v, EXEC_ERROR, "%.*s", STR(v->integration_error));
		r = visit_refuse(v, GW_INTEGRATION_TIMEOUT, STR_NONE);
	} else if (j->fetch.result < 0) {
		v->integration_error = S("Network error communicating with endpoint");
		visit_log(v, EXEC_ERROR, "Execution failed due to a network error communicating with endpoint");
		r = visit_refuse(v, GW_INTEGRATION_FAILURE,
				 j->fetch.result == -EPROTO || j->fetch.result == -EMSGSIZE || j->fetch.result == -EINVAL ||
						 j->fetch.result == -EKEYREJECTED
					 ? STR_NONE
					 : S("Network error communicating with endpoint"));
	} else {
		take_headers(v, str_dup(v->a, j->fetch.head), proxy);
		v->integration.body = str_dup(v->a, j->fetch.answer);
		v->out.status = j->fetch.status;
		v->out.body = v->integration.body;
		visit_log_received(v, j->fetch.status, proxy ? v->out.headers : v->integration.headers, proxy ? v->out.n : v->integration.n,
				   v->integration.body);
	}
	fetch_free(&j->fetch);
	free(j);
	visit_step(v, r);
}

static void fetched(struct fetch *f, void *arg)
{
	struct job *j = arg;

	http_post(j->loop, came_back, j);
}

int integration_http_start(struct visit *v, const struct integration_request *q)
{
	struct job *j = xzalloc(sizeof *j);

	visit_log_sending(v, q->uri, q->headers, q->n, q->body);
	*j = (struct job){ .v = v, .loop = v->http->loop };
	j->fetch = (struct fetch){
		.method = q->method,
		.url = q->uri,
		.headers = q->headers,
		.n_headers = q->n,
		.body = q->body,
		.timeout_ms = q->timeout_ms,
		.answer_max = ANSWER_BYTES_MAX,
		.insecure = q->insecure,
		.abroad = q->abroad,
		.done = fetched,
		.arg = j,
	};
	if (fetch_start(&pool, &j->fetch) == 0)
		return VISIT_WAITS;
	free(j);
	return visit_refuse(v, GW_INTEGRATION_FAILURE, STR_NONE);
}

void integration_http_close(void)
{
	fetch_close(&pool);
}
