/* SPDX-License-Identifier: Apache-2.0 */
/* mfa.c - calls that bring a code of an MFA device: checked with the right to the call, used up when all the rest is decided.
 *
 * STS only reads; that a code was used must be written. So the call is parked while the global store's writer checks the code once
 * more and notes it: of two calls with the same code one gets credentials, and a crash doesn't make a code good again. */
#include "svc/sts/sts_int.h"
#include <errno.h>

static int refuse(struct call *c)
{
	return call_fail(c, &sts_err_access_denied, "MultiFactorAuthentication failed with invalid MFA one time pass code. ");
}

/* Devices belong to users: whoever else brings a code has none. */
static int claim(struct call *c, struct str serial, struct str code, struct iam_mfa_claim *ret)
{
	if (!serial.p || !code.p)
		return call_fail(c, &sts_err_validation_error, "%s is required when %s is given.", serial.p ? "TokenCode" : "SerialNumber",
				 serial.p ? "SerialNumber" : "TokenCode");
	if (c->who->p.type != PRINCIPAL_USER)
		return refuse(c);
	*ret = (struct iam_mfa_claim){ c->who->p.account, c->who->p.unique_id, serial, code, c->now_ms };
	return 0;
}

int sts_mfa_check(struct call *c, struct str serial, struct str code)
{
	struct iam_mfa_claim w;
	int r;

	if (!serial.p && !code.p)
		return 0;
	r = claim(c, serial, code, &w);
	if (r < 0)
		return r;
	r = iam_mfa_check(c->cloud, c->global, c->arena, &w);
	if (r == -EACCES || r == -ENOENT)
		return refuse(c);
	return r < 0 ? r : 1;
}

struct use {
	struct store_job job; /* first: the writer thread hands it back */
	struct cloud *cloud;
	struct iam_mfa_claim claim;
	struct call_park *park;
	int result;
};

static int use_run(struct store_job *j, struct store_txn *t)
{
	struct use *u = (struct use *)j;
	struct arena a = { 0 };
	int r = iam_mfa_use(u->cloud, t, &a, &u->claim);

	arena_done(&a);
	return r;
}

static int used(struct call *c, void *arg)
{
	const struct use *u = arg;

	if (u->result == -EACCES || u->result == -ENOENT)
		return refuse(c);
	return u->result;
}

static void use_done(struct store_job *j, int result)
{
	struct use *u = (struct use *)j;

	u->result = result;
	call_unpark(u->park, used, u);
}

int sts_mfa_use(struct call *c, struct str serial, struct str code)
{
	struct use *u;
	int r;

	if (!serial.p && !code.p)
		return 0;
	u = arena_new(c->arena, struct use);
	*u = (struct use){ .job = { .run = use_run, .done = use_done }, .cloud = c->cloud };
	r = claim(c, serial, code, &u->claim);
	if (r < 0)
		return r;
	u->park = call_park(c);
	if (!u->park)
		return -EDEADLK;
	store_submit(cloud_global(c->cloud), &u->job);
	return CALL_PARKED;
}
