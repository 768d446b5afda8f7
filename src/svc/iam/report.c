/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - the credential report: who can come in, and with what. Made at once and kept; for four hours the same one is given.
 * Columns and values: "Getting credential reports for your AWS account" (IAM User Guide). */
#include "svc/iam/ops.h"
#include <errno.h>

#define REPORT_KEEP_MS (4 * 3600 * 1000)
#define REPORT_BYTES_MAX (16u << 20)
#define KEY_COLUMNS 2

static struct str date(struct call *c, struct opt_time t)
{
	return t.has ? str_printf(c->arena, "%.*s+00:00", 19, time_iso(c->arena, t.ms).p) : S("N/A");
}

static int password_columns(struct call *c, struct buf *b, struct str id)
{
	struct iam_rec_passwords rules = { 0 };
	struct iam_rec_login login;
	struct opt_time next = { 0 };
	struct keybuf k;
	int r;

	iam_key_of(&k, c->account, "iam.login", id, STR_NONE);
	r = record_get(c->txn, &iam_records, IAM_REC_LOGIN, c->arena, &k, &login);
	if (r == -ENOENT) {
		buf_str(b, S(",false,N/A,N/A,N/A"));
		return 0;
	}
	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.passwords", STR_NONE, STR_NONE);
	r = record_get(c->txn, &iam_records, IAM_REC_PASSWORDS, c->arena, &k, &rules);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && rules.max_age.v > 0)
		next = OPT_TIME(login.created.ms + rules.max_age.v * 86400000);
	buf_printf(b, ",true,no_information,%.*s,%.*s", STR(date(c, login.created)), STR(date(c, next)));
	return 0;
}

static void key_columns(struct call *c, struct buf *b, const struct iam_rec_access_key *key)
{
	struct iam_rec_used used;
	bool known = iam_used_get(c, key->id, &used) == 0;

	buf_printf(b, ",%s,%.*s", key->active.v ? "true" : "false", STR(date(c, key->created)));
	if (known)
		buf_printf(b, ",%.*s,%.*s,%.*s", STR(date(c, used.at)), STR(used.region), STR(used.service));
	else
		buf_str(b, S(",N/A,N/A,N/A"));
}

/* keys_of: the columns of two access keys; the account's own key of its first day is in no list, and is one all the same. */
static int keys_of(struct call *c, struct buf *b, struct str id)
{
	struct store_range range = { 0 };
	struct iam_rec_access_key key;
	struct keybuf k, one;
	struct str at, value;
	int n = 0, r;

	if (str_eq(id, c->account)) {
		buf_str(b, S(",true,N/A,N/A,N/A,N/A"));
		n++;
	}
	iam_key_of(&k, c->account, "iam.userkey", id, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && n < KEY_COLUMNS && (r = store_range_next(&range, &at, &value)) > 0) {
		iam_key_of(&one, S(""), "iam.key", iam_rest_str(c, str_skip(at, k.n)), STR_NONE);
		r = record_get(c->txn, &iam_records, IAM_REC_ACCESS_KEY, c->arena, &one, &key);
		if (r < 0)
			break;
		key_columns(c, b, &key);
		n++;
	}
	store_range_close(&range);
	for (; n < KEY_COLUMNS; n++)
		buf_str(b, S(",false,N/A,N/A,N/A,N/A"));
	return r < 0 ? r : 0;
}

/* Names may hold commas, paths quotation marks, too: they must not look like columns (RFC 4180). */
static struct str field(struct call *c, struct str s)
{
	if (str_find_char(s, ',') < 0 && str_find_char(s, '"') < 0)
		return s;
	return str_printf(c->arena, "\"%.*s\"", STR(str_replace(c->arena, s, S("\""), S("\"\""))));
}

static int user_row(struct call *c, struct buf *b, const struct iam_rec_entity *e)
{
	int r;

	buf_printf(b, "%.*s,%.*s,%.*s", STR(field(c, e->name)), STR(field(c, e->arn)), STR(date(c, e->created)));
	r = password_columns(c, b, e->id);
	if (r < 0)
		return r;
	r = iam_any(c, "iam.usermfa", e->id);
	if (r < 0)
		return r;
	buf_str(b, r ? S(",true") : S(",false"));
	r = keys_of(c, b, e->id);
	buf_str(b, S(",false,N/A,false,N/A\n"));
	return r;
}

static int write_report(struct call *c, struct buf *b)
{
	struct store_range range = { 0 };
	struct iam_rec_entity e;
	struct keybuf k;
	struct str key, value;
	int r;

	buf_str(b,
		S("user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,"
		  "access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,"
		  "access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
		  "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,"
		  "cert_2_last_rotated\n"));
	buf_printf(b,
		   "<root_account>,arn:%.*s:iam::%.*s:root,no_information,not_supported,no_information,not_supported,not_supported,false",
		   STR(region_partition(call_region(c))), STR(c->account));
	r = keys_of(c, b, c->account);
	buf_str(b, S(",false,N/A,false,N/A\n"));
	if (r < 0)
		return r;
	iam_key_of(&k, c->account, "iam.user", STR_NONE, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		r = iam_decode(c, value, &e);
		if (r == 0)
			r = user_row(c, b, &e);
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

static int report_get(struct call *c, struct iam_rec_report *ret)
{
	struct keybuf k;

	iam_key_of(&k, c->account, "iam.report", STR_NONE, STR_NONE);
	return record_get(c->txn, &iam_records, IAM_REC_REPORT, c->arena, &k, ret);
}

int iam_generate_credential_report(struct call *c, const struct iam_generate_credential_report_request *in,
				   struct iam_generate_credential_report_response *out)
{
	struct iam_rec_report old = { 0 };
	struct keybuf k;
	struct buf b;
	int r = report_get(c, &old);

	if (r == 0 && c->now_ms - old.made.ms < REPORT_KEEP_MS) {
		out->state = S("COMPLETE");
		return 0;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	buf_init(&b, REPORT_BYTES_MAX);
	r = write_report(c, &b);
	if (r == 0 && !buf_ok(&b))
		r = -EFBIG;
	iam_key_of(&k, c->account, "iam.report", STR_NONE, STR_NONE);
	if (r == 0)
		r = record_put(c->txn, &iam_records, IAM_REC_REPORT, &k,
			       &(struct iam_rec_report){ OPT_TIME(c->now_ms - c->now_ms % 1000), buf_view(&b) });
	buf_done(&b);
	out->state = S("STARTED");
	out->description = S("No report exists. Starting a new report generation task");
	return r;
}

int iam_get_credential_report(struct call *c, const struct iam_get_credential_report_request *in,
			      struct iam_get_credential_report_response *out)
{
	struct iam_rec_report report;
	int r = report_get(c, &report);

	if (r == -ENOENT)
		return call_fail(c, &iam_err_credential_report_not_present,
				 "No report has been generated for this account. Use GenerateCredentialReport to make one.");
	if (r < 0)
		return r;
	if (c->now_ms - report.made.ms >= REPORT_KEEP_MS)
		return call_fail(c, &iam_err_credential_report_expired,
				 "The most recent credential report has expired. Use GenerateCredentialReport to make a new one.");
	out->content = report.text;
	out->report_format = S("text/csv");
	out->generated_time = report.made;
	return 0;
}
