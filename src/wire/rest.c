/* SPDX-License-Identifier: Apache-2.0 */
/* rest.c - where members travel in restJson1 and restXml: labels, query parameters, headers, status and payload. */
#include "wire/impl.h"

#include <assert.h>
#include <errno.h>

#include "base/util.h"

struct str header_of(const struct http_request *r, const char *name)
{
	struct str want = str_c(name);

	for (size_t i = 0; i < r->n_headers; i++)
		if (r->headers[i].name.n == want.n && str_eq_ci(r->headers[i].name, want))
			return r->headers[i].value;
	return STR_NONE;
}

/* --- reading --- */

/* Takes the next element off a comma-separated header list; elements may be quoted. */
static bool next_element(struct arena *a, struct str *rest, struct str *ret)
{
	struct str t;

	if (!rest->p)
		return false;
	*rest = str_trim(*rest);
	if (rest->n && *rest->p == '"') {
		char *out = arena_alloc(a, rest->n);
		size_t n = 0, i = 1;

		for (; i < rest->n && rest->p[i] != '"'; i++) {
			if (rest->p[i] == '\\' && i + 1 < rest->n)
				i++;
			out[n++] = rest->p[i];
		}
		*ret = str_of(out, n);
		t = str_skip(*rest, i);
		str_cut(t, ',', &(struct str){ 0 }, rest);
		return true;
	}
	str_next(rest, ',', &t);
	*ret = str_trim(t);
	return true;
}

/* HTTP dates hold a comma: two fields of the list make one element. */
static bool next_date(struct str *rest, struct str *ret)
{
	struct str s = *rest, field;
	size_t n;

	if (!str_next(rest, ',', &field))
		return false;
	n = field.n;
	if (str_trim(field).n == 3 && str_next(rest, ',', &field))
		n += 1 + field.n;
	*ret = str_trim(str_of(s.p, n));
	return true;
}

static int decode_header(struct codec *c, const struct desc_member *m, struct str value, void *slot)
{
	const struct desc_shape *s = &c->shapes[m->shape], *e = &c->shapes[s->element];
	struct str t;

	if (is_scalar(s)) {
		if (s->kind == DK_STRING && (m->flags & DM_JSON_VALUE)) {
			if (base64_decode(c->a, value, &t) < 0)
				return fault_bad(c, m->wire, value);
			value = t;
		}
		return scalar_read(c->a, s, value, slot) == 0 ? 0 : fault_bad(c, m->wire, value);
	}
	if (s->kind != DK_LIST || !is_scalar(e))
		return 0;
	value_empty(c->a, slot);
	if (!value.n)
		return 0;
	while (e->kind == DK_TIME && time_format(NULL, e, DT_HTTP) == DT_HTTP ? next_date(&value, &t) : next_element(c->a, &value, &t))
		if (scalar_read(c->a, e, t, list_add(c->a, e, slot)) < 0)
			return fault_bad(c, m->wire, t);
	return 0;
}

static int decode_header_map(struct codec *c, const struct desc_member *m, const struct http_request *r, void *slot)
{
	const struct desc_shape *s = &c->shapes[m->shape], *e = &c->shapes[s->element];
	struct str prefix = str_c(m->wire);

	for (size_t i = 0; i < r->n_headers && s->kind == DK_MAP && is_scalar(e); i++) {
		const struct http_header *h = &r->headers[i];
		struct str head = str_of(h->name.p, prefix.n);

		if (h->name.n <= prefix.n || !str_eq_ci(head, prefix))
			continue;
		if (scalar_read(c->a, e, h->value, map_add(c->a, e, slot, str_lower(c->a, str_skip(h->name, prefix.n)))) < 0)
			return fault_bad(c, m->wire, h->value);
	}
	return 0;
}

struct query {
	struct str_pair *v;
	size_t n, cap;
};

static int parse_query(struct codec *c, struct str text, struct query *q)
{
	struct str field, k, x;

	while (str_next(&text, '&', &field)) {
		struct str_pair p = { .value = S("") };

		if (!field.n)
			continue;
		str_cut(field, '=', &k, &x);
		if (uri_decode(c->a, k, true, &p.key) < 0 || (x.n && uri_decode(c->a, x, true, &p.value) < 0))
			return fault_set(c, is_s3(c->m) ? "InvalidURI" : "SerializationException", 400,
					 S("Couldn't parse the specified URI."));
		vec_push(c->a, q->v, q->n, q->cap) = p;
	}
	return 0;
}

static int decode_query_list(struct codec *c, const struct desc_shape *e, struct str value, const char *name, void *list)
{
	if (!is_scalar(e))
		return 0;
	return scalar_read(c->a, e, value, list_add(c->a, e, list)) == 0 ? 0 : fault_bad(c, name, value);
}

/* Whether a parameter belongs to a member of its own or to the operation's template. */
static bool is_bound(const struct codec *c, const struct op *op, struct str key)
{
	const struct desc_shape *in = &c->shapes[op->in];
	struct str path, rest, part, name;

	str_cut(str_c(op->uri), '?', &path, &rest);
	while (str_next(&rest, '&', &part)) {
		str_cut(part, '=', &name, &(struct str){ 0 });
		if (str_eq(name, key))
			return true;
	}
	for (size_t i = 0; i < in->n_members; i++)
		if (in->members[i].location == DL_QUERY && c->shapes[in->members[i].shape].kind != DK_MAP &&
		    str_is(key, in->members[i].wire))
			return true;
	return false;
}

static int decode_query(struct codec *c, const struct op *op, const struct desc_member *m, const struct query *q, void *slot)
{
	const struct desc_shape *s = &c->shapes[m->shape], *e = &c->shapes[s->element];

	for (size_t i = 0; i < q->n; i++) {
		struct str key = q->v[i].key, value = q->v[i].value;

		if (s->kind == DK_MAP) { /* all parameters that no other member takes */
			struct str_map *map = slot;
			void *x = NULL;

			if (is_bound(c, op, key))
				continue;
			for (size_t k = 0; k < map->n && e->kind == DK_LIST; k++) {
				char *entry = (char *)map->v + k * entry_size(e);

				if (str_eq(*(struct str *)(void *)entry, key))
					x = entry + sizeof(struct str);
			}
			if (!x)
				x = map_add(c->a, e, slot, key);
			if (e->kind == DK_LIST ? decode_query_list(c, &c->shapes[e->element], value, m->wire, x) < 0
					       : is_scalar(e) && scalar_read(c->a, e, value, x) < 0)
				return fault_bad(c, m->wire, value);
			continue;
		}
		if (!str_is(key, m->wire))
			continue;
		if (s->kind == DK_LIST) {
			if (decode_query_list(c, e, value, m->wire, slot) < 0)
				return -EINVAL;
		} else if (is_scalar(s)) {
			if (!value.n && s->kind != DK_STRING && s->kind != DK_BLOB) /* "?max-keys=" is as good as absent */
				return 0;
			return scalar_read(c->a, s, value, slot) == 0 ? 0 : fault_bad(c, m->wire, value);
		}
	}
	return 0;
}

static int decode_label(struct codec *c, const struct desc_member *m, const struct wire_route *route, void *slot)
{
	const struct desc_shape *s = &c->shapes[m->shape];

	for (size_t i = 0; i < route->n_labels; i++) {
		struct str text;

		if (!str_is(route->labels[i].key, m->wire))
			continue;
		if (uri_decode(c->a, route->labels[i].value, false, &text) < 0)
			return fault_set(c, is_s3(c->m) ? "InvalidURI" : "SerializationException", 400,
					 S("Couldn't parse the specified URI."));
		return is_scalar(s) && scalar_read(c->a, s, text, slot) < 0 ? fault_bad(c, m->wire, text) : 0;
	}
	return 0;
}

static int decode_payload(struct codec *c, const struct desc_member *m, struct str body, void *in)
{
	const struct desc_shape *s = &c->shapes[m->shape];
	void *slot = (char *)in + m->offset;
	struct xml_node *root;
	struct json *j;

	if (s->kind == DK_BODY || !body.n)
		return 0;
	if (s->kind == DK_STRING || s->kind == DK_BLOB) {
		if (s->kind == DK_STRING && !utf8_valid(body))
			return fault_bad(c, m->wire, body);
		*(struct str *)slot = body;
		return 0;
	}
	if (c->p == WIRE_REST_XML) {
		if (s->kind != DK_STRUCT)
			return 0;
		if (xml_parse(c->a, body, &root) < 0 || (!str_is(root->name, m->wire) && !(s->xml_name && str_is(root->name, s->xml_name))))
			return fault_set(c, "MalformedXML", 400,
					 S("The XML you provided was not well-formed or did not validate against our published schema"));
		return xml_decode_struct(c, s, root, slot_make(c->a, s, slot), false);
	}
	if (json_parse(c->a, body, &j, NULL) < 0)
		return fault_set(c, "SerializationException", 400, S("The request body is not valid JSON"));
	return json_decode(c, s, j, slot_make(c->a, s, slot));
}

/* Members without a location, in a body of their own. */
static int decode_body(struct codec *c, const struct wire_route *route, const struct desc_shape *s, struct str body, void *in)
{
	struct xml_node *root;

	if (!str_trim(body).n)
		return 0;
	if (c->p == WIRE_REST_JSON)
		return json_decode_body(c, s, body, in, true);
	if (xml_parse(c->a, body, &root) < 0 || (route->op->in_xml && !str_is(root->name, route->op->in_xml)))
		return fault_set(c, "MalformedXML", 400,
				 S("The XML you provided was not well-formed or did not validate against our published schema"));
	return xml_decode_struct(c, s, root, in, true);
}

int rest_decode(struct codec *c, const struct wire_route *route, struct http_request *r, void *in)
{
	const struct desc_shape *s = &c->shapes[route->op->in];
	struct query q = { 0 };
	bool in_body = false;

	if (r->query.n && parse_query(c, r->query, &q) < 0)
		return -EINVAL;
	for (size_t i = 0; i < s->n_members; i++) {
		const struct desc_member *m = &s->members[i];
		void *slot = (char *)in + m->offset;
		struct str h;
		int err = 0;

		switch (m->location) {
		case DL_HEADER:
			h = header_of(r, m->wire);
			if (h.p)
				err = decode_header(c, m, h, slot);
			break;
		case DL_HEADERS:
			err = decode_header_map(c, m, r, slot);
			break;
		case DL_QUERY:
			err = decode_query(c, route->op, m, &q, slot);
			break;
		case DL_URI:
			err = decode_label(c, m, route, slot);
			break;
		default:
			in_body = true;
		}
		if (err < 0)
			return err;
	}
	if (s->payload >= 0)
		return decode_payload(c, &s->members[s->payload], r->body, in);
	return in_body ? decode_body(c, route, s, r->body, in) : 0;
}

/* --- writing --- */

void reply_header(struct wire_reply *r, struct arena *a, struct str name, struct str value)
{
	char *copy = NULL;

	if (r->n_headers == ELEMENTS(r->headers) || !value.p)
		return;
	for (size_t i = 0; i < value.n; i++) /* a value must not be able to end its line */
		if (((unsigned char)value.p[i] < 0x20 && value.p[i] != '\t') || value.p[i] == 0x7f) {
			if (!copy)
				copy = arena_dup(a, value.p, value.n);
			copy[i] = ' ';
		}
	r->headers[r->n_headers++] = (struct http_header){ name, copy ? str_of(copy, value.n) : value };
}

/* A header name made of a prefix and a map's key; absent when the key cannot be one. */
static struct str prefixed_name(struct arena *a, const char *prefix, struct str key)
{
	for (size_t i = 0; i < key.n; i++)
		if ((unsigned char)key.p[i] <= 0x20 || (unsigned char)key.p[i] >= 0x7f || key.p[i] == ':')
			return STR_NONE;
	return str_printf(a, "%s%.*s", prefix, STR(key));
}

static void encode_header(struct codec *c, const struct desc_member *m, const void *slot, struct wire_reply *ret)
{
	const struct desc_shape *s = &c->shapes[m->shape], *e = &c->shapes[s->element];
	const struct str_list *l = slot;
	struct str t;

	if (m->location == DL_STATUS) {
		const struct opt_int *v = slot;

		if ((s->kind == DK_INT || s->kind == DK_LONG) && v->has && v->v >= 100 && v->v <= 599)
			ret->status = (int)v->v;
		return;
	}
	if (m->location == DL_HEADERS) {
		for (size_t i = 0; s->kind == DK_MAP && is_scalar(e) && i < l->n; i++) {
			const char *entry = (const char *)l->v + i * entry_size(e);
			struct str name = prefixed_name(c->a, m->wire, *(const struct str *)(const void *)entry);

			if (name.p)
				reply_header(ret, c->a, name, scalar_text(c->a, e, time_format(NULL, e, DT_HTTP), entry + sizeof name));
		}
		return;
	}
	if (is_scalar(s)) {
		t = scalar_text(c->a, s, time_format(m, s, DT_HTTP), slot);
		if (s->kind == DK_STRING && (m->flags & DM_JSON_VALUE))
			t = base64_encode(c->a, t);
	} else if (s->kind == DK_LIST && is_scalar(e)) {
		struct str *texts = arena_array(c->a, struct str, l->n);

		for (size_t i = 0; i < l->n; i++)
			texts[i] = scalar_text(c->a, e, time_format(NULL, e, DT_HTTP), (const char *)l->v + i * e->size);
		t = l->n ? str_join(c->a, texts, l->n, S(", ")) : STR_NONE;
	} else {
		return;
	}
	reply_header(ret, c->a, str_c(m->wire), t);
}

static void encode_payload(struct codec *c, const struct desc_member *m, const void *slot, struct buf *b, struct wire_reply *ret)
{
	const struct desc_shape *s = &c->shapes[m->shape];
	const void *v = slot_value(s, slot);

	if (!v)
		return;
	if (s->kind == DK_BODY) {
		ret->stream = *(struct body *const *)slot;
	} else if (s->kind == DK_STRING || s->kind == DK_BLOB) {
		buf_str(b, *(const struct str *)v);
	} else if (c->p == WIRE_REST_JSON) {
		json_encode(c, b, s, DT_DEFAULT, v);
	} else if (s->kind == DK_STRUCT) {
		const char *root = s->xml_name ? s->xml_name : m->wire;

		buf_str(b, S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
		xml_open(b, root, m->xmlns ? m->xmlns : c->m->xmlns);
		xml_encode_struct(c, b, s, v, false);
		xml_close(b, root);
	}
}

/* S3's oldest answer: the constraint is the text of the root, and empty for us-east-1. */
static void encode_location(struct codec *c, const struct desc_shape *s, const void *out, struct buf *b)
{
	struct str t = s->n_members && c->shapes[s->members[0].shape].kind == DK_STRING
			       ? *(const struct str *)(const void *)((const char *)out + s->members[0].offset)
			       : STR_NONE;

	xml_open(b, "LocationConstraint", c->m->xmlns);
	if (t.n && !str_eq(t, S("us-east-1")))
		xml_escape(b, t, false);
	xml_close(b, "LocationConstraint");
}

static void encode_body(struct codec *c, const struct op *op, const struct desc_shape *s, const void *out, struct buf *b)
{
	const char *root = op->out_xml ? op->out_xml : s->xml_name ? s->xml_name : s->name;

	if (c->p == WIRE_REST_JSON) {
		json_encode_struct(c, b, s, out, true);
		return;
	}
	buf_str(b, S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
	if (is_s3(c->m) && strcmp(op->name, "GetBucketLocation") == 0) {
		encode_location(c, s, out, b);
		return;
	}
	xml_open(b, root, c->m->xmlns);
	xml_encode_struct(c, b, s, out, true);
	xml_close(b, root);
}

void rest_encode(struct codec *c, const struct wire_route *route, const void *out, struct buf *b, struct wire_reply *ret)
{
	const struct op *op = route->op;
	const struct desc_shape *s = &c->shapes[op->out];
	bool in_body = false, typed = false;

	for (size_t i = 0; i < s->n_members; i++) {
		const struct desc_member *m = &s->members[i];
		const void *slot = (const char *)out + m->offset;

		if (m->location == DL_BODY || (int)i == s->payload) {
			in_body = true;
		} else if (value_present(&c->shapes[m->shape], slot)) {
			typed = typed || strcasecmp(m->wire, "Content-Type") == 0;
			encode_header(c, m, slot, ret);
		}
	}
	if (strcmp(op->method, "HEAD") == 0 || ret->status == 204 || ret->status == 304)
		return;
	if (s->payload >= 0) {
		const struct desc_member *m = &s->members[s->payload];
		uint8_t kind = c->shapes[m->shape].kind;

		encode_payload(c, m, (const char *)out + m->offset, b, ret);
		if (!typed && (kind == DK_BODY || kind == DK_BLOB))
			reply_header(ret, c->a, S("Content-Type"), S("application/octet-stream"));
		else if (!typed && kind == DK_STRING)
			reply_header(ret, c->a, S("Content-Type"),
				     c->p == WIRE_REST_JSON || is_s3(c->m) ? S("application/json") : S("text/plain"));
		else if (!typed)
			reply_header(ret, c->a, S("Content-Type"), c->p == WIRE_REST_JSON ? S("application/json") : S("application/xml"));
		return;
	}
	if (c->p == WIRE_REST_JSON || in_body) {
		encode_body(c, op, s, out, b);
		reply_header(ret, c->a, S("Content-Type"), c->p == WIRE_REST_JSON ? S("application/json") : S("application/xml"));
	}
}
