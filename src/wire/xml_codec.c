/* SPDX-License-Identifier: Apache-2.0 */
/* xml_codec.c - XML bodies: restXml both ways, the answers of awsQuery and ec2Query. */
#include "wire/impl.h"

#include <errno.h>

#include "base/util.h"

static int decode(struct codec *c, const struct desc_shape *s, const struct desc_member *m, const struct xml_node *n, void *v);

static int malformed(struct codec *c)
{
	return fault_set(c, "MalformedXML", 400,
			 S("The XML you provided was not well-formed or did not validate against our published schema"));
}

static const struct xml_node *child_named(const struct xml_node *n, const char *name)
{
	for (const struct xml_node *x = n->children; x; x = x->next)
		if (str_is(x->name, name))
			return x;
	return NULL;
}

static int decode_map_entry(struct codec *c, const struct desc_shape *s, const struct xml_node *n, void *v)
{
	const struct desc_shape *e = &c->shapes[s->element];
	const struct xml_node *key = child_named(n, s->xml_name), *value = child_named(n, s->xml_value);

	if (!key || !value)
		return malformed(c);
	return decode(c, e, NULL, value, map_add(c->a, e, v, key->text));
}

static const char *bare(const char *name) /* "xsi:type" is read as "type" */
{
	const char *colon = strchr(name, ':');

	return colon ? colon + 1 : name;
}

static int decode_attributes(struct codec *c, const struct desc_shape *s, const struct xml_node *n, void *v)
{
	for (size_t i = 0; i < s->n_members; i++) {
		const struct desc_member *m = &s->members[i];

		if (!(m->flags & DM_XML_ATTRIBUTE))
			continue;
		for (size_t k = 0; k < n->n_attrs; k++)
			if (str_is(n->attrs[k].key, bare(m->wire)) &&
			    scalar_read(c->a, &c->shapes[m->shape], n->attrs[k].value, (char *)v + m->offset) < 0)
				return malformed(c);
	}
	return 0;
}

int xml_decode_struct(struct codec *c, const struct desc_shape *s, const struct xml_node *n, void *v, bool located)
{
	size_t hint = 0;

	if (n->n_attrs && decode_attributes(c, s, n, v) < 0)
		return -EINVAL;
	for (const struct xml_node *x = n->children; x; x = x->next) {
		const struct desc_member *m = NULL;
		const struct desc_shape *ms;
		void *slot;

		for (size_t k = 0; k < s->n_members && !m; k++) {
			size_t i = hint + k < s->n_members ? hint + k : hint + k - s->n_members;

			if (str_is(x->name, s->members[i].wire)) {
				m = &s->members[i];
				hint = i;
			}
		}
		if (!m || (m->flags & DM_XML_ATTRIBUTE) || (located && m->location != DL_BODY))
			continue;
		ms = &c->shapes[m->shape];
		if (ms->kind == DK_BODY || ms->kind == DK_DOCUMENT)
			continue;
		slot = (char *)v + m->offset;
		if (decode(c, ms, m, x, slot_make(c->a, ms, slot)) < 0)
			return -EINVAL;
	}
	return 0;
}

static int decode(struct codec *c, const struct desc_shape *s, const struct desc_member *m, const struct xml_node *n, void *v)
{
	const struct desc_shape *e = &c->shapes[s->element];
	bool flat = (s->flags & DS_FLATTENED) || (m && (m->flags & DM_FLATTENED));
	int r = 0;

	if (c->depth >= WIRE_DEPTH_MAX)
		return malformed(c);
	c->depth++;
	switch (s->kind) {
	case DK_STRUCT:
		r = xml_decode_struct(c, s, n, v, false);
		break;
	case DK_LIST:
		value_empty(c->a, v);
		if (flat)
			r = decode(c, e, NULL, n, list_add(c->a, e, v));
		for (const struct xml_node *x = n->children; !flat && x && r == 0; x = x->next)
			r = str_is(x->name, s->xml_name) ? decode(c, e, NULL, x, list_add(c->a, e, v)) : malformed(c);
		break;
	case DK_MAP:
		value_empty(c->a, v);
		if (flat)
			r = decode_map_entry(c, s, n, v);
		for (const struct xml_node *x = n->children; !flat && x && r == 0; x = x->next)
			r = str_is(x->name, "entry") ? decode_map_entry(c, s, x, v) : malformed(c);
		break;
	case DK_BODY:
	case DK_DOCUMENT:
		break;
	default:
		if (n->children || scalar_read(c->a, s, n->text, v) < 0)
			r = malformed(c);
	}
	c->depth--;
	return r;
}

/* --- writing --- */

void xml_open(struct buf *b, const char *name, const char *xmlns)
{
	buf_c(b, '<');
	buf_put(b, name, strlen(name));
	if (xmlns) {
		buf_put(b, " xmlns=\"", 8);
		xml_escape(b, str_c(xmlns), true);
		buf_c(b, '"');
	}
	buf_c(b, '>');
}

void xml_close(struct buf *b, const char *name)
{
	buf_put(b, "</", 2);
	buf_put(b, name, strlen(name));
	buf_c(b, '>');
}

void xml_leaf(struct buf *b, const char *name, struct str text)
{
	xml_open(b, name, NULL);
	xml_escape(b, text, false);
	xml_close(b, name);
}

/* The attributes of a structure, and the declaration of their prefix. */
static void put_attributes(struct codec *c, struct buf *b, const struct desc_shape *s, const void *v)
{
	for (size_t i = 0; s->kind == DK_STRUCT && i < s->n_members; i++) {
		const struct desc_member *m = &s->members[i];
		const struct desc_shape *ms = &c->shapes[m->shape];
		const char *colon = strchr(m->wire, ':');
		struct str t;

		if (!(m->flags & DM_XML_ATTRIBUTE))
			continue;
		t = scalar_text(c->a, ms, time_format(m, ms, DT_ISO), (const char *)v + m->offset);
		if (!t.p)
			continue;
		if (colon && s->xml_value)
			buf_printf(b, " xmlns:%.*s=\"%s\"", (int)(colon - m->wire), m->wire, s->xml_value);
		buf_printf(b, " %s=\"", m->wire);
		xml_escape(b, t, true);
		buf_c(b, '"');
	}
}

static void encode(struct codec *c, struct buf *b, const struct desc_shape *s, const struct desc_member *m, const char *name,
		   const void *v);

static void encode_entry(struct codec *c, struct buf *b, const struct desc_shape *s, const char *name, const char *entry)
{
	const struct desc_shape *e = &c->shapes[s->element];

	xml_open(b, name, NULL);
	xml_leaf(b, s->xml_name, *(const struct str *)(const void *)entry);
	encode(c, b, e, NULL, s->xml_value, entry + sizeof(struct str));
	xml_close(b, name);
}

/* Writes v as one element called name, or as several for what is flattened. */
static void encode(struct codec *c, struct buf *b, const struct desc_shape *s, const struct desc_member *m, const char *name, const void *v)
{
	const struct desc_shape *e = &c->shapes[s->element];
	bool flat = c->p != WIRE_EC2 && ((s->flags & DS_FLATTENED) || (m && (m->flags & DM_FLATTENED)));
	const struct str_list *l = v;
	size_t size;

	switch (s->kind) {
	case DK_STRUCT:
		buf_c(b, '<');
		buf_put(b, name, strlen(name));
		if (m && m->xmlns)
			buf_printf(b, " xmlns=\"%s\"", m->xmlns);
		put_attributes(c, b, s, v);
		buf_c(b, '>');
		xml_encode_struct(c, b, s, v, false);
		break;
	case DK_LIST:
	case DK_MAP:
		size = s->kind == DK_MAP ? entry_size(e) : e->size;
		if (!flat)
			xml_open(b, name, NULL);
		for (size_t i = 0; i < l->n; i++) {
			const char *x = (const char *)l->v + i * size;

			if (s->kind == DK_MAP)
				encode_entry(c, b, s, flat ? name : "entry", x);
			else
				encode(c, b, e, NULL, flat ? name : s->xml_name, x);
		}
		if (flat)
			return;
		break;
	case DK_BODY:
	case DK_DOCUMENT:
		return;
	default:
		xml_open(b, name, NULL);
		xml_escape(b, scalar_text(c->a, s, time_format(m, s, DT_ISO), v), false);
	}
	xml_close(b, name);
}

void xml_encode_struct(struct codec *c, struct buf *b, const struct desc_shape *s, const void *v, bool located)
{
	for (size_t i = 0; i < s->n_members; i++) {
		const struct desc_member *m = &s->members[i];
		const struct desc_shape *ms = &c->shapes[m->shape];
		const void *x;

		if ((m->flags & DM_XML_ATTRIBUTE) || (located && m->location != DL_BODY))
			continue;
		x = slot_value(ms, (const char *)v + m->offset);
		if (x)
			encode(c, b, ms, m, m->wire, x);
	}
}
