/* SPDX-License-Identifier: Apache-2.0 */
/* asks.c - requests to somebody outside that are under way: the provider of a custom resource, who signals a wait
 * condition. A request is stored before it is sent, its answer before it is acknowledged; both go in the transaction that
 * records what came of them. */
#include "cfn/custom.h"
#include "cfn/engine/state.h"
#include "store/jobs.h"
#include <errno.h>

#define ANSWER_JOB S("cloudformation/answer")

static void ask_key(struct keybuf *k, struct str id)
{
	key_begin(k, S(""), "cfn.ask");
	key_str(k, id);
}

int ask_load(struct store_txn *t, struct arena *a, struct str id, struct cfn_rec_ask *ret)
{
	struct keybuf k;

	ask_key(&k, id);
	return record_get(t, &cfn_records, CFN_REC_ASK, a, &k, ret);
}

/* The job wakes the step when nobody has answered. */
int ask_put(struct store_txn *t, const struct cfn_rec_ask *ask)
{
	struct keybuf k;
	int r = 0;

	if (ask->deadline.has)
		r = job_put(t, ask->deadline.ms + 1, ANSWER_JOB, ask->id, ask->op);
	ask_key(&k, ask->id);
	return r < 0 ? r : record_put(t, &cfn_records, CFN_REC_ASK, &k, ask);
}

int ask_delete(struct store_txn *t, struct str id)
{
	struct keybuf k;
	int r = job_del(t, ANSWER_JOB, id);

	if (r < 0 && r != -ENOENT)
		return r;
	ask_key(&k, id);
	r = store_del(t, key_view(&k));
	return r == -ENOENT ? 0 : r;
}

void ask_key_bytes(struct cloud *cl, uint8_t key[32])
{
	cloud_master_key(cl, "cloudformation-answers", key);
}

struct str ask_url(struct cloud *cl, struct arena *a, const struct cfn_rec_ask *ask, struct str region)
{
	struct custom_place p = { .stack_id = ask->stack_arn, .region = region, .logical = ask->logical, .request_id = ask->id };
	int64_t now = clock_now_ms();
	struct str target;
	uint8_t key[32];

	ask_key_bytes(cl, key);
	target = custom_target(a, key, &p, now, ask->deadline.has ? ask->deadline.ms : now + 3600000LL * 24 * 365);
	mem_wipe(key, sizeof key);
	return str_printf(a, "https://localhost:%d%.*s", cloud_port(cl), STR(target));
}
