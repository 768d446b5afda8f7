/* SPDX-License-Identifier: Apache-2.0 */
/* apigateway_int.h - shared by the files of API Gateway (REST APIs). Sources: API Gateway Developer Guide, REST API Reference.
 *
 * What is edited (apigw.api, .res, .model...) and what is served are two things: a deployment is an immutable copy of all of
 * an API (struct apigw_rec_snapshot), and a stage names one. The data plane reads stages and snapshots, never what is edited.
 * Records carry the API's own member names, so that requests, records and answers are copied by name (copy.c) and
 * patched by path (patch.c). */
#pragma once
#include "cloud/cloud.h"
#include "gen_apigateway.h"
#include "gen_apigateway_rec.h"

#define APIGW_ID_CHARS "abcdefghijklmnopqrstuvwxyz0123456789"
#define APIGW_API_ID_CHARS 10
#define APIGW_PART_ID_CHARS 6
#define APIGW_APIS_MAX 600
#define APIGW_RESOURCES_MAX 300
#define APIGW_STAGES_MAX 10
#define APIGW_AUTHORIZERS_MAX 10
#define APIGW_PLANS_MAX 300
#define APIGW_KEYS_MAX 10000
#define APIGW_CERTIFICATES_MAX 60
#define APIGW_KEY_VALUE_MIN 20
#define APIGW_KEY_VALUE_MAX 128
#define APIGW_ACCOUNT_RATE 10000.0 /* requests a second, of an account in a region */
#define APIGW_ACCOUNT_BURST 5000

/* --- load.c: for the data plane. Everything is copied into the arena. --- */
/* apigw_find_api: whose API is it? Also says whether there is one. -ENOENT. */
int apigw_find_api(struct store_txn *t, struct arena *a, struct str api, struct str *ret_account);
int apigw_load_stage(struct store_txn *t, struct arena *a, struct str account, struct str api, struct str stage,
		     struct apigw_rec_stage *ret); /* -ENOENT */
/* apigw_load_snapshot: what a deployment serves. Never changes while it exists, so it may be cached by (API, deployment). */
int apigw_load_snapshot(struct store_txn *t, struct arena *a, struct str account, struct str api, struct str deployment,
			struct apigw_rec_snapshot *ret); /* -ENOENT */
/* apigw_load_draft: the same picture of the API as it is being edited, for TestInvokeMethod. */
int apigw_load_draft(struct store_txn *t, struct arena *a, struct str account, struct str api, struct apigw_rec_snapshot *ret);
/* apigw_load_key: the API key (enabled or not) with this value. -ENOENT. */
int apigw_load_key(struct cloud *cl, struct store_txn *t, struct arena *a, struct str account, struct str value,
		   struct apigw_rec_api_key *ret);
/* apigw_load_plan: the usage plan of the key that has this stage. -ENOENT: none, so the key opens nothing here. */
int apigw_load_plan(struct store_txn *t, struct arena *a, struct str account, struct str key_id, struct str api, struct str stage,
		    struct apigw_rec_usage_plan *ret);
int apigw_load_account(struct store_txn *t, struct arena *a, struct str account, struct apigw_rec_account *ret); /* empty when never set */
int apigw_load_certificate(struct store_txn *t, struct arena *a, struct str account, struct str id,
			   struct apigw_rec_client_certificate *ret);
/* Usage is kept a day: day is "YYYY-MM-DD" (UTC). used counts requests, extension is what UpdateUsage granted on top of the
 * quota (counted on the first day of the quota's period). */
void apigw_usage_key(struct keybuf *k, struct str account, struct str plan, struct str key_id, struct str day);
int apigw_load_usage(struct store_txn *t, struct arena *a, struct str account, struct str plan, struct str key_id, struct str day,
		     struct apigw_rec_usage *ret); /* zeros when there is none */

void apigw_key_index(struct cloud *cl, struct keybuf *k, struct str account, struct str value);

/* --- keys of records: apigw.TABLE / API / part; part absent: the prefix of all --- */
void apigw_key(struct keybuf *k, struct str account, const char *table, struct str a, struct str b);
#define APIGW_HANDLER(op, I, O) int apigateway_##op(struct call *c, const struct apigateway_##I *in, struct apigateway_##O *out)
APIGW_HANDLER(get_account, get_account_request, account);
