/* SPDX-License-Identifier: Apache-2.0 */
/* labels.c - names for versions of a parameter. A label stands at one version at a time; giving it again moves it.
 *
 * Each version's record in the history holds its labels; ssm.label finds the version of one. Source: "Working with
 * parameter labels" (Systems Manager User Guide), LabelParameterVersion. */
#include "svc/ssm/ssm_int.h"
#include <errno.h>

static void label_key(struct keybuf *k, struct str account, struct str name, struct str label)
{
	key_begin(k, account, "ssm.label");
	key_str(k, name);
	if (label.p)
		key_str(k, label);
}

static int label_version(struct call *c, struct str name, struct str label, int64_t *ret)
{
	struct keybuf k;
	struct str v;
	int r;

	label_key(&k, c->account, name, label);
	r = store_get(c->txn, key_view(&k), &v);
	return r < 0 ? r : str_to_i64(v, ret);
}

int ssm_load_ref(struct call *c, const struct ssm_ref *ref, struct ssm_rec_parameter *ret)
{
	int64_t version = ref->version;
	int r = ref->label.p ? label_version(c, ref->name, ref->label, &version) : 0;

	return r < 0 ? r : ssm_load_version(c, ref->name, version, ret);
}

/* Labels hold letters, digits, '.', '-' and '_', and begin neither with a digit nor with "aws" or "ssm". */
static bool label_valid(struct call *c, struct str s)
{
	struct str low = str_lower(c->arena, s);

	if (s.n == 0 || (s.p[0] >= '0' && s.p[0] <= '9') || str_starts(low, S("aws")) || str_starts(low, S("ssm")))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", s.p[i]))
			return false;
	return true;
}

static int put_version(struct call *c, const struct ssm_rec_parameter *p)
{
	struct keybuf k;

	ssm_history_key(&k, c->account, p->name, p->version.v);
	return record_put(c->txn, &ssm_records, SSM_REC_PARAMETER, &k, p);
}

/* Takes the label away from the version where it stands, if that is another one. */
static int unlabel(struct call *c, struct str name, struct str label, int64_t keep)
{
	struct ssm_rec_parameter old;
	size_t n = 0;
	int64_t at;
	int r = label_version(c, name, label, &at);

	if (r == -ENOENT || (r == 0 && at == keep))
		return 0;
	if (r == 0)
		r = ssm_load_version(c, name, at, &old);
	if (r < 0)
		return r;
	for (size_t i = 0; i < old.labels.n; i++)
		if (!str_eq(old.labels.v[i], label))
			old.labels.v[n++] = old.labels.v[i];
	old.labels.n = n;
	return put_version(c, &old);
}

SSM_HANDLER(label_parameter_version)
{
	struct ssm_rec_parameter latest, p;
	struct ssm_ref ref;
	struct keybuf k;
	size_t cap;
	int r = ssm_ref_parse(c, in->name, &ref);

	if (r == 0)
		r = ssm_load(c, ref.name, &latest);
	if (r == -ENOENT || r == -EINVAL)
		return call_fail(c, &ssm_err_parameter_not_found, "%s", "");
	if (r == 0)
		r = ssm_load_version(c, ref.name, in->parameter_version.has ? in->parameter_version.v : latest.version.v, &p);
	if (r == -ENOENT)
		return call_fail(c, &ssm_err_parameter_version_not_found,
				 "Systems Manager could not find version %lld of %.*s. Verify the version and try again.",
				 (long long)in->parameter_version.v, STR(ref.name));
	if (r < 0)
		return r;
	out->parameter_version = p.version;
	out->invalid_labels.v = arena_array(c->arena, struct str, in->labels.n + 1);
	cap = p.labels.n;
	for (size_t i = 0; i < in->labels.n; i++) {
		struct str label = in->labels.v[i];

		if (!label_valid(c, label)) {
			out->invalid_labels.v[out->invalid_labels.n++] = label;
			continue;
		}
		r = unlabel(c, ref.name, label, p.version.v);
		if (r < 0)
			return r;
		if (!str_list_has(&p.labels, label))
			vec_push(c->arena, p.labels.v, p.labels.n, cap) = label;
		label_key(&k, c->account, ref.name, label);
		r = store_put(c->txn, key_view(&k), str_printf(c->arena, "%lld", (long long)p.version.v));
		if (r < 0)
			return r;
	}
	if (p.labels.n > SSM_LABELS_MAX)
		return call_fail(c, &ssm_err_parameter_version_label_limit_exceeded, "A parameter version can have maximum %d labels.",
				 SSM_LABELS_MAX);
	return put_version(c, &p);
}

int ssm_labels_drop(struct call *c, struct str name)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	int r;

	label_key(&k, c->account, name, STR_NONE);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1)
		r = store_del(c->txn, str_dup(c->arena, key));
	store_range_close(&range);
	return r;
}
