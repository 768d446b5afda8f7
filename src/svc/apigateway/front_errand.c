/* SPDX-License-Identifier: Apache-2.0 */
/* front_errand.c - calls into the cloud that a visit waits for: as API Gateway itself, as a role that it was given, or as the caller.
 *
 * An errand has memory of its own and lives until its call is over, also when the visit has long had its answer. */
#include "svc/apigateway/front.h"
#include <errno.h>

static void errand_free(struct errand *e)
{
	struct arena a = e->arena;

	if (e->more)
		arena_done(e->more);
	if (e->timer)
		http_timer_cancel(e->loop, e->timer);
	if (e->region)
		region_unuse(e->region);
	free(e);
	arena_done(&a);
}

static void back(void *arg)
{
	struct errand *e = arg;
	struct visit *v = e->v;

	if (v) {
		e->v = NULL;
		e->over(e, v, e->result);
	}
	errand_free(e);
}

void errand_end(struct errand *e, int result)
{
	e->result = result;
	http_post(e->loop, back, e);
}

static void too_late(void *arg)
{
	struct errand *e = arg;
	struct visit *v = e->v;

	e->timer = NULL;
	e->v = NULL;
	e->over(e, v, -ETIMEDOUT);
}

static int as_whom(struct visit *v, struct errand *e, struct str credentials)
{
	const struct identity *id = cloud_identity(v->cl);
	struct call c;
	struct arn arn;
	int r;

	if (!credentials.n) {
		e->who.p = (struct policy_principal){ .type = PRINCIPAL_SERVICE, .service = S("apigateway.amazonaws.com") };
		return 0;
	}
	if (arn_parse(credentials, &arn) < 0)
		return -EINVAL;
	if (str_is(arn.resource, "user/*")) { /* the caller's own: who didn't sign has none */
		if (v->who.p.type == PRINCIPAL_ANONYMOUS || !v->who.p.arn.p)
			return -EACCES;
		return principal_copy(&e->arena, &v->who, &e->who); /* the call may outlive the request that it came with */
	}
	if (!str_eq(arn.account, v->account))
		return -EACCES;
	r = front_call(v->f, v->region, &apigateway_service, &e->who, &c);
	if (r < 0)
		return r;
	c.arena = &e->arena;
	r = id && id->role_principal ? id->role_principal(&c, credentials, S("BackplaneAssumeRoleSession"), &e->who) : -ENOENT;
	front_call_end(&c);
	return r;
}

int errand_new(struct visit *v, size_t size, const struct errand_for *f, struct errand **ret)
{
	struct errand *e = xzalloc(size);
	int r;

	*ret = NULL;
	e->v = v;
	e->loop = v->http->loop;
	e->over = f->over;
	e->region = front_region(v->cl, f->region);
	r = e->region ? as_whom(v, e, f->credentials) : -ENOENT;
	if (r < 0) {
		errand_free(e);
		return r;
	}
	e->facts.request_id = random_uuid(&e->arena);
	e->facts.invoked_by = S("apigateway.amazonaws.com");
	e->facts.secure_transport = true;
	e->facts.source_arn = str_dup(&e->arena, f->source_arn);
	e->facts.source_account = str_dup(&e->arena, v->account);
	e->timer = http_timer(e->loop, f->timeout_ms, too_late, e);
	*ret = e;
	return 0;
}
