/* SPDX-License-Identifier: Apache-2.0 */
/* parameters.c - one parameter: put, get, history, delete, tags.
 *
 * The latest version is under its name, every version in the history. Names are the last part of their key as they are, so
 * that a path is a range. SecureString values are sealed by KMS as the caller, with the parameter's ARN as encryption
 * context. Source: "AWS Systems Manager Parameter Store" (User Guide), PutParameter. */
#include "svc/ssm/ssm_int.h"
#include <errno.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

void ssm_key(struct keybuf *k, struct str account, struct str name)
{
	key_begin(k, account, "ssm.param");
	key_raw(k, name);
}

void ssm_history_key(struct keybuf *k, struct str account, struct str name, int64_t version)
{
	key_begin(k, account, "ssm.history");
	key_str(k, name);
	if (version)
		key_u64(k, (uint64_t)version);
}

struct str ssm_arn(struct call *c, struct str name)
{
	return call_arn(c, "ssm", "parameter/%.*s", STR(name.n && name.p[0] == '/' ? str_skip(name, 1) : name));
}

int ssm_ref_parse(struct call *c, struct str s, struct ssm_ref *ret)
{
	struct str name = s, rest = STR_NONE, tail;
	struct arn arn;

	*ret = (struct ssm_ref){ 0 };
	if (str_starts(s, S("arn:"))) {
		if (arn_parse(s, &arn) < 0 || !str_starts(arn.resource, S("parameter/")) || !str_is(arn.service, "ssm") ||
		    !str_eq(arn.account, c->account) || !str_eq(arn.region, call_region(c)))
			return -EINVAL;
		name = str_skip(arn.resource, 9);
		if (str_find_char(str_skip(name, 1), '/') < 0)
			name = str_skip(name, 1); /* a name without a path has no slash in front */
	}
	if (str_cut(name, ':', &tail, &rest)) {
		ret->selector = str_of(tail.p + tail.n, rest.n + 1);
		name = tail;
		if (rest.n == 0)
			return -EINVAL;
		if (str_to_i64(rest, &ret->version) < 0 || ret->version <= 0) {
			ret->version = 0;
			ret->label = rest;
		}
	}
	ret->name = name;
	return 0;
}

int ssm_load(struct call *c, struct str name, struct ssm_rec_parameter *ret)
{
	struct keybuf k;

	ssm_key(&k, c->account, name);
	return record_get(c->txn, &ssm_records, SSM_REC_PARAMETER, c->arena, &k, ret);
}

int ssm_load_version(struct call *c, struct str name, int64_t version, struct ssm_rec_parameter *ret)
{
	struct keybuf k;

	if (!version)
		return ssm_load(c, name, ret);
	ssm_history_key(&k, c->account, name, version);
	return record_get(c->txn, &ssm_records, SSM_REC_PARAMETER, c->arena, &k, ret);
}

/* --- KMS --- */
static struct str_map context(struct call *c, struct str name)
{
	struct str_pair *p = arena_new(c->arena, struct str_pair);

	*p = (struct str_pair){ S("PARAMETER_ARN"), ssm_arn(c, name) };
	return (struct str_map){ p, 1 };
}

static int kms_refused(struct call *c, int r, const struct call_error *err)
{
	if (r == -EACCES && err->err)
		return call_fail(c,
				 str_is(str_c(err->err->code), "AccessDeniedException") ? &aws_err_access_denied_exception
											: &ssm_err_invalid_key_id,
				 "%.*s", STR(err->message));
	return r;
}

/* A new value without KeyId stays under the parameter's key: clients that change the value alone don't send it (Terraform). */
static int seal(struct call *c, const struct ssm_put_parameter_request *in, struct str name, struct ssm_rec_parameter *p)
{
	struct kms_encrypt_request req = { .key_id = in->key_id.p  ? in->key_id
						     : p->key_id.p ? p->key_id
								   : S("alias/aws/ssm"),
					   .plaintext = in->value,
					   .encryption_context = context(c, name) };
	struct kms_encrypt_response res = { 0 };
	struct call_error err = { 0 };
	int r = call_invoke(c, &kms_model, "Encrypt", &req, &res, "ssm.amazonaws.com", &err);

	if (r < 0)
		return kms_refused(c, r, &err);
	p->sealed = base64_encode(c->arena, res.ciphertext_blob);
	p->key_id = req.key_id;
	p->value = STR_NONE;
	return 0;
}

int ssm_value(struct call *c, const struct ssm_rec_parameter *p, bool decrypt, struct str *ret)
{
	struct kms_decrypt_request req = { .encryption_context = context(c, p->name) };
	struct kms_decrypt_response res = { 0 };
	struct call_error err = { 0 };
	int r;

	*ret = p->sealed.p ? p->sealed : p->value;
	if (!p->sealed.p || !decrypt)
		return 0;
	r = base64_decode(c->arena, p->sealed, &req.ciphertext_blob);
	if (r < 0)
		return -EBADMSG;
	r = call_invoke(c, &kms_model, "Decrypt", &req, &res, "ssm.amazonaws.com", &err);
	if (r < 0)
		return kms_refused(c, r, &err);
	*ret = res.plaintext;
	return 0;
}

/* --- names and values --- */
static bool name_chars(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/", s.p[i]))
			return false;
	return true;
}

static int check_name(struct call *c, struct str name)
{
	size_t levels = 0;
	struct str head = name.n && name.p[0] == '/' ? str_skip(name, 1) : name, low;

	for (size_t i = 0; i < name.n; i++)
		levels += name.p[i] == '/';
	if (name.n == 0 || !name_chars(name) || str_ends(name, S("/")) || str_find(name, S("//")) >= 0)
		return call_fail(c, &aws_err_validation_exception,
				 "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist "
				 "of sub-paths divided by slash symbol; each "
				 "sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_");
	if (levels && name.p[0] != '/')
		return call_fail(c, &aws_err_validation_exception, "Parameter name must be a fully qualified name.");
	low = str_lower(c->arena, head);
	if (str_starts(low, S("aws")) || str_starts(low, S("ssm")))
		return call_fail(c, &aws_err_access_denied_exception, "No access to reserved parameter name: %.*s.", STR(name));
	if (levels > SSM_LEVELS_MAX)
		return call_fail(c, &ssm_err_hierarchy_level_limit_exceeded,
				 "The hierarchy can have a maximum of %d levels. For more information, see About requirements and "
				 "constraints for parameter names.",
				 SSM_LEVELS_MAX);
	return 0;
}

static int check_pattern(struct call *c, struct str pattern, struct str value)
{
	int code, r;
	PCRE2_SIZE at;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &code, &at, NULL);
	pcre2_match_data *m;
	pcre2_match_context *ctx;

	if (!re)
		return call_fail(c, &ssm_err_invalid_allowed_pattern, "The pattern is not a valid regular expression: %.*s", STR(pattern));
	m = pcre2_match_data_create_from_pattern(re, NULL);
	ctx = pcre2_match_context_create(NULL);
	(void)pcre2_set_match_limit(ctx, 50000);
	r = pcre2_match(re, (PCRE2_SPTR)value.p, value.n, 0, 0, m, ctx);
	pcre2_match_context_free(ctx);
	pcre2_match_data_free(m);
	pcre2_code_free(re);
	if (r < 0)
		return call_fail(c, &ssm_err_parameter_pattern_mismatch,
				 "Parameter value, cannot be validated against allowedPattern: %.*s", STR(pattern));
	return 0;
}

static void set_tag(struct call *c, struct str_map *m, struct str key, struct str value)
{
	struct str_pair *v = arena_array(c->arena, struct str_pair, m->n + 1);

	if (m->n)
		memcpy(v, m->v, m->n * sizeof *v);
	m->v = v;
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(v[i].key, key)) {
			v[i].value = value;
			return;
		}
	v[m->n++] = (struct str_pair){ key, value };
}

static int add_tags(struct call *c, struct str_map *m, const struct ssm_tag_list *tags)
{
	for (size_t i = 0; i < tags->n; i++) {
		if (str_starts(tags->v[i].key, S("aws:")))
			return call_fail(c, &aws_err_validation_exception, "Tag keys starting with 'aws:' are reserved for system use");
		for (size_t j = 0; j < i; j++) /* conditions on aws:RequestTag see one value a key */
			if (str_eq(tags->v[i].key, tags->v[j].key))
				return call_fail(c, &aws_err_validation_exception,
						 "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
		set_tag(c, m, tags->v[i].key, tags->v[i].value);
	}
	return m->n > 50 ? call_fail(c, &ssm_err_too_many_tags_error, "The number of tags exceeds the limit of 50.") : 0;
}

static int check_put(struct call *c, const struct ssm_put_parameter_request *in, const struct ssm_rec_parameter *old, bool exists,
		     struct str name)
{
	bool advanced = str_is(in->tier, "Advanced") || (exists && str_is(old->tier, "Advanced")) ||
			(str_is(in->tier, "Intelligent-Tiering") && in->value.n > SSM_STANDARD_BYTES_MAX);
	size_t max = advanced ? SSM_ADVANCED_BYTES_MAX : SSM_STANDARD_BYTES_MAX;

	if (exists && !in->overwrite.v)
		return call_fail(c, &ssm_err_parameter_already_exists,
				 "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.");
	if (!exists && !in->type.p)
		return call_fail(c, &aws_err_validation_exception, "A parameter type is required when you create a parameter.");
	if (exists && in->type.p && !str_eq(in->type, old->type))
		return call_fail(
			c, &ssm_err_hierarchy_type_mismatch,
			"Parameter Store does not support changing a parameter type in a hierarchy. The parameter %.*s is of type %.*s.",
			STR(name), STR(old->type));
	if (exists && in->tags.n)
		return call_fail(c, &aws_err_validation_exception,
				 "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please "
				 "remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or "
				 "RemoveTagsFromResource.");
	if (exists && str_is(old->tier, "Advanced") && str_is(in->tier, "Standard"))
		return call_fail(c, &aws_err_validation_exception,
				 "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
				 "advanced-parameter tier to the standard-parameter tier.");
	if (in->value.n == 0)
		return call_fail(c, &aws_err_validation_exception, "Parameter value, cannot be empty.");
	if (in->value.n > max)
		return call_fail(
			c, &aws_err_validation_exception, "%s tier parameters support a maximum parameter value of %zu characters.%s",
			advanced ? "Advanced" : "Standard", max,
			advanced ? "" : " To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.");
	if (in->policies.p && !str_is(in->policies, "[]"))
		return call_fail(c, &ssm_err_unsupported_operation, "Parameter policies are not implemented by this cloud.");
	if (in->data_type.p && !str_is(in->data_type, "text"))
		return call_fail(c, &aws_err_validation_exception, "The data type %.*s is not implemented by this cloud.",
				 STR(in->data_type));
	if (in->key_id.p && !str_is(in->type.p ? in->type : old->type, "SecureString"))
		return call_fail(c, &aws_err_validation_exception, "KeyId is only supported for the SecureString parameter type.");
	return 0;
}

/* The oldest version makes room, unless somebody named it. */
static int drop_oldest(struct call *c, struct str name, int64_t version)
{
	struct ssm_rec_parameter p;
	struct keybuf k;
	int r = ssm_load_version(c, name, version, &p);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && p.labels.n)
		return call_fail(c, &ssm_err_parameter_max_version_limit_exceeded,
				 "You attempted to create a new version of %.*s by calling the PutParameter API with the overwrite flag. "
				 "Version %lld, the oldest version, can't be "
				 "deleted because it has a label associated with it. Move the label to another version of the parameter, "
				 "and try again.",
				 STR(name), (long long)version);
	ssm_history_key(&k, c->account, name, version);
	return r < 0 ? r : store_del(c->txn, key_view(&k));
}

SSM_HANDLER(put_parameter)
{
	struct ssm_rec_parameter p = { 0 };
	struct ssm_ref ref;
	struct keybuf k;
	bool exists;
	int r;

	if (ssm_ref_parse(c, in->name, &ref) < 0 || ref.selector.p)
		return call_fail(c, &aws_err_validation_exception, "Invalid parameter name. Please use correct syntax for parameter name.");
	r = check_name(c, ref.name);
	if (r < 0)
		return r;
	r = ssm_load(c, ref.name, &p);
	exists = r == 0;
	if (r < 0 && r != -ENOENT)
		return r;
	r = check_put(c, in, &p, exists, ref.name);
	if (r < 0)
		return r;
	if (exists && p.version.v >= SSM_VERSIONS_MAX) {
		r = drop_oldest(c, ref.name, p.version.v - SSM_VERSIONS_MAX + 1);
		if (r < 0)
			return r;
	}
	p.labels = (struct str_list){ 0 }; /* labels stay with their version */
	p.name = ref.name;
	p.type = in->type.p ? in->type : p.type;
	p.version = OPT_INT(p.version.v + 1);
	p.modified = OPT_TIME(c->now_ms);
	p.modified_by = c->who->p.arn.p ? c->who->p.arn : S("");
	p.data_type = S("text");
	if (in->description.p)
		p.description = in->description;
	if (in->allowed_pattern.p)
		p.allowed_pattern = in->allowed_pattern;
	if (in->tier.p || !p.tier.p)
		p.tier = str_is(in->tier, "Advanced") || (str_is(in->tier, "Intelligent-Tiering") && in->value.n > SSM_STANDARD_BYTES_MAX)
				 ? S("Advanced")
				 : S("Standard");
	if (p.allowed_pattern.n) {
		r = check_pattern(c, p.allowed_pattern, in->value);
		if (r < 0)
			return r;
	}
	r = add_tags(c, &p.tags, &in->tags);
	if (r < 0)
		return r;
	p.value = in->value;
	p.sealed = STR_NONE;
	if (str_is(p.type, "SecureString")) {
		r = seal(c, in, ref.name, &p);
		if (r < 0)
			return r;
	}
	ssm_key(&k, c->account, ref.name);
	r = record_put(c->txn, &ssm_records, SSM_REC_PARAMETER, &k, &p);
	if (r < 0)
		return r;
	ssm_history_key(&k, c->account, ref.name, p.version.v);
	out->version = p.version;
	out->tier = p.tier;
	return record_put(c->txn, &ssm_records, SSM_REC_PARAMETER, &k, &p);
}

/* --- reading --- */
static int not_found(struct call *c)
{
	return call_fail(c, &ssm_err_parameter_not_found, "%s", "");
}

static int to_parameter(struct call *c, const struct ssm_rec_parameter *p, struct str selector, bool decrypt, struct ssm_parameter *out)
{
	int r = ssm_value(c, p, decrypt, &out->value);

	if (r < 0)
		return r;
	out->name = p->name;
	out->type = p->type;
	out->version = p->version;
	out->selector = selector;
	out->last_modified_date = p->modified;
	out->arn = ssm_arn(c, p->name);
	out->data_type = p->data_type;
	return 0;
}

SSM_HANDLER(get_parameter)
{
	struct ssm_rec_parameter p;
	struct ssm_ref ref;
	int r;

	if (ssm_ref_parse(c, in->name, &ref) < 0)
		return not_found(c);
	r = ssm_load_ref(c, &ref, &p);
	if (r == -ENOENT) {
		if (ref.selector.p && ssm_load(c, ref.name, &p) == 0)
			return call_fail(c, &ssm_err_parameter_version_not_found,
					 "Systems Manager could not find version %.*s of %.*s. Verify the version and try again.",
					 STR(str_skip(ref.selector, 1)), STR(ref.name));
		return not_found(c);
	}
	if (r < 0)
		return r;
	out->parameter = arena_new(c->arena, struct ssm_parameter);
	return to_parameter(c, &p, ref.selector, in->with_decryption.v, out->parameter);
}

SSM_HANDLER(get_parameters)
{
	out->parameters.v = arena_array(c->arena, struct ssm_parameter, in->names.n);
	out->invalid_parameters.v = arena_array(c->arena, struct str, in->names.n);
	for (size_t i = 0; i < in->names.n; i++) {
		struct ssm_rec_parameter p;
		struct ssm_ref ref;
		int r = ssm_ref_parse(c, in->names.v[i], &ref);

		if (r == 0)
			r = ssm_load_ref(c, &ref, &p);
		if (r == -ENOENT || r == -EINVAL) {
			out->invalid_parameters.v[out->invalid_parameters.n++] = in->names.v[i];
			continue;
		}
		if (r == 0)
			r = to_parameter(c, &p, ref.selector, in->with_decryption.v, &out->parameters.v[out->parameters.n++]);
		if (r < 0)
			return r;
	}
	return 0;
}

SSM_HANDLER(get_parameter_history)
{
	size_t max = in->max_results.has ? (size_t)in->max_results.v : 50, cap = 0;
	struct store_range range = { 0 };
	struct str after = STR_NONE, key, value;
	struct ssm_rec_parameter p;
	struct ssm_ref ref;
	struct keybuf k;
	int r;

	if (ssm_ref_parse(c, in->name, &ref) < 0 || ssm_load(c, ref.name, &p) < 0)
		return not_found(c);
	if (in->next_token.p && page_parse(c, in->next_token, &after) < 0)
		return call_fail(c, &ssm_err_invalid_next_token, "The specified token isn't valid.");
	ssm_history_key(&k, c->account, ref.name, 0);
	r = store_range_open(&range, c->txn, key_view(&k), after, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1) {
		struct ssm_parameter_history h = { 0 };

		if (out->parameters.n == max) {
			out->next_token = page_token(c, after);
			r = 0;
			break;
		}
		after = str_dup(c->arena, key);
		r = record_decode(&ssm_records, SSM_REC_PARAMETER, c->arena, value, &p);
		if (r == 0)
			r = ssm_value(c, &p, in->with_decryption.v, &h.value);
		h.name = p.name;
		h.type = p.type;
		h.key_id = p.key_id;
		h.last_modified_date = p.modified;
		h.last_modified_user = p.modified_by;
		h.description = p.description;
		h.allowed_pattern = p.allowed_pattern;
		h.version = p.version;
		h.tier = p.tier;
		h.data_type = p.data_type;
		h.labels = p.labels;
		if (!h.labels.v)
			h.labels.v = arena_alloc(c->arena, 1);
		h.policies.v = arena_alloc(c->arena, 1);
		if (r == 0)
			vec_push(c->arena, out->parameters.v, out->parameters.n, cap) = h;
	}
	store_range_close(&range);
	return r;
}

/* --- deleting --- */
static int drop(struct call *c, struct str name)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	int r;

	ssm_key(&k, c->account, name);
	r = store_del(c->txn, key_view(&k));
	if (r == 0)
		r = ssm_labels_drop(c, name);
	if (r < 0)
		return r;
	ssm_history_key(&k, c->account, name, 0);
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r == 0 && (r = store_range_next(&range, &key, &value)) == 1)
		r = store_del(c->txn, str_dup(c->arena, key));
	store_range_close(&range);
	return r;
}

SSM_HANDLER(delete_parameter)
{
	struct ssm_ref ref;
	int r = ssm_ref_parse(c, in->name, &ref);

	if (r == 0)
		r = ref.version ? -ENOENT : drop(c, ref.name); /* a version alone cannot be deleted */
	return r == -ENOENT || r == -EINVAL ? not_found(c) : r;
}

SSM_HANDLER(delete_parameters)
{
	out->deleted_parameters.v = arena_array(c->arena, struct str, in->names.n);
	out->invalid_parameters.v = arena_array(c->arena, struct str, in->names.n);
	for (size_t i = 0; i < in->names.n; i++) {
		struct ssm_ref ref;
		int r = ssm_ref_parse(c, in->names.v[i], &ref);

		if (r == 0)
			r = ref.version ? -ENOENT : drop(c, ref.name);
		if (r == 0)
			out->deleted_parameters.v[out->deleted_parameters.n++] = in->names.v[i];
		else if (r == -ENOENT || r == -EINVAL)
			out->invalid_parameters.v[out->invalid_parameters.n++] = in->names.v[i];
		else
			return r;
	}
	return 0;
}

/* --- tags --- */
static int tagged(struct call *c, struct str type, struct str id, struct ssm_rec_parameter *p)
{
	struct ssm_ref ref;

	if (!str_is(type, "Parameter"))
		return call_fail(c, &ssm_err_invalid_resource_type, "Resources of type %.*s are not implemented by this cloud.", STR(type));
	if (ssm_ref_parse(c, id, &ref) < 0 || ssm_load(c, ref.name, p) < 0)
		return call_fail(c, &ssm_err_invalid_resource_id,
				 "The resource ID is not valid. Verify that you entered the correct ID and try again.");
	return 0;
}

static int put_latest(struct call *c, const struct ssm_rec_parameter *p)
{
	struct keybuf k;

	ssm_key(&k, c->account, p->name);
	return record_put(c->txn, &ssm_records, SSM_REC_PARAMETER, &k, p);
}

SSM_HANDLER(add_tags_to_resource)
{
	struct ssm_rec_parameter p;
	int r = tagged(c, in->resource_type, in->resource_id, &p);

	if (r == 0)
		r = add_tags(c, &p.tags, &in->tags);
	return r < 0 ? r : put_latest(c, &p);
}

SSM_HANDLER(remove_tags_from_resource)
{
	struct ssm_rec_parameter p;
	struct str_map left = { 0 };
	int r = tagged(c, in->resource_type, in->resource_id, &p);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p.tags.n; i++)
		if (!str_list_has(&in->tag_keys, p.tags.v[i].key))
			set_tag(c, &left, p.tags.v[i].key, p.tags.v[i].value);
	p.tags = left;
	return put_latest(c, &p);
}

SSM_HANDLER(list_tags_for_resource)
{
	struct ssm_rec_parameter p;
	int r = tagged(c, in->resource_type, in->resource_id, &p);

	if (r < 0)
		return r;
	out->tag_list.v = arena_array(c->arena, struct ssm_tag, p.tags.n + 1);
	for (size_t i = 0; i < p.tags.n; i++)
		out->tag_list.v[out->tag_list.n++] = (struct ssm_tag){ p.tags.v[i].key, p.tags.v[i].value };
	return 0;
}
