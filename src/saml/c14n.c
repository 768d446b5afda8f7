/* SPDX-License-Identifier: Apache-2.0 */
/* c14n.c - Exclusive XML Canonicalization 1.0 (W3C, 2002) of one element, without comments.
 *
 * A namespace is declared where its prefix is visibly used and no element written around it has declared it alike; those of the
 * prefix list, wherever they are in scope and not yet declared alike. */
#include "saml/internal.h"
#include <errno.h>
#include <stdlib.h>

struct scope { /* what the elements written around this one declare */
	const struct scope *up;
	const struct saml_ns *v;
	size_t n;
};
struct writer {
	struct arena *a;
	struct buf out;
	const struct saml_node *without;
	const struct str_list *inclusive;
};

static void escape(struct buf *b, struct str s, bool attribute)
{
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];

		if (ch == '&')
			buf_str(b, S("&amp;"));
		else if (ch == '<')
			buf_str(b, S("&lt;"));
		else if (ch == '>' && !attribute)
			buf_str(b, S("&gt;"));
		else if (ch == '"' && attribute)
			buf_str(b, S("&quot;"));
		else if (ch == '\r')
			buf_str(b, S("&#xD;"));
		else if (ch == '\t' && attribute)
			buf_str(b, S("&#x9;"));
		else if (ch == '\n' && attribute)
			buf_str(b, S("&#xA;"));
		else
			buf_c(b, ch);
	}
}

static const struct saml_ns *declaration(const struct saml_ns *v, size_t n, struct str prefix)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].prefix, prefix))
			return &v[i];
	return NULL;
}

/* What a prefix means at an element; absent: nothing. The default namespace is none where nobody has declared it. */
static struct str meaning(const struct saml_node *n, struct str prefix)
{
	const struct saml_ns *d = NULL;

	for (; n && !d; n = n->parent)
		d = declaration(n->ns, n->n_ns, prefix);
	return d ? d->uri : prefix.n ? STR_NONE : S("");
}

static struct str written(const struct scope *s, struct str prefix)
{
	const struct saml_ns *d = NULL;

	for (; s && !d; s = s->up)
		d = declaration(s->v, s->n, prefix);
	return d ? d->uri : prefix.n ? STR_NONE : S("");
}

static void want(struct saml_ns *v, size_t *n, const struct saml_node *e, const struct scope *around, struct str prefix)
{
	struct str uri = meaning(e, prefix), before = written(around, prefix);

	if (str_is(prefix, "xml") || !uri.p || (before.p && str_eq(uri, before)) || declaration(v, *n, prefix))
		return;
	v[(*n)++] = (struct saml_ns){ prefix, uri };
}

static int by_prefix(const void *a, const void *b)
{
	return str_cmp(((const struct saml_ns *)a)->prefix, ((const struct saml_ns *)b)->prefix);
}

static int by_name(const void *a, const void *b)
{
	const struct saml_attr *x = a, *y = b;
	int r = str_cmp(x->uri, y->uri);

	return r ? r : str_cmp(x->name, y->name);
}

static void qname(struct buf *b, struct str prefix, struct str name)
{
	buf_str(b, prefix);
	if (prefix.n)
		buf_c(b, ':');
	buf_str(b, name);
}

static void open_tag(struct writer *w, const struct saml_node *e, struct scope *scope)
{
	struct saml_ns *ns = arena_array(w->a, struct saml_ns, e->n_attrs + w->inclusive->n + 1);
	struct saml_attr *attrs = arena_dup(w->a, e->attrs, e->n_attrs * sizeof *e->attrs);
	size_t n = 0;

	want(ns, &n, e, scope->up, e->prefix);
	for (size_t i = 0; i < e->n_attrs; i++)
		if (e->attrs[i].prefix.n)
			want(ns, &n, e, scope->up, e->attrs[i].prefix);
	for (size_t i = 0; i < w->inclusive->n; i++)
		want(ns, &n, e, scope->up, w->inclusive->v[i]);
	qsort(ns, n, sizeof *ns, by_prefix);
	qsort(attrs, e->n_attrs, sizeof *attrs, by_name);
	scope->v = ns;
	scope->n = n;
	buf_c(&w->out, '<');
	qname(&w->out, e->prefix, e->name);
	for (size_t i = 0; i < n; i++) {
		buf_str(&w->out, ns[i].prefix.n ? S(" xmlns:") : S(" xmlns"));
		buf_str(&w->out, ns[i].prefix);
		buf_str(&w->out, S("=\""));
		escape(&w->out, ns[i].uri, true);
		buf_c(&w->out, '"');
	}
	for (size_t i = 0; i < e->n_attrs; i++) {
		buf_c(&w->out, ' ');
		qname(&w->out, attrs[i].prefix, attrs[i].name);
		buf_str(&w->out, S("=\""));
		escape(&w->out, attrs[i].value, true);
		buf_c(&w->out, '"');
	}
	buf_c(&w->out, '>');
}

static void element(struct writer *w, const struct saml_node *e, const struct scope *around) /* as deep as SAML_DEPTH_MAX */
{
	struct scope scope = { .up = around };

	if (!buf_ok(&w->out))
		return;
	open_tag(w, e, &scope);
	for (const struct saml_node *n = e->children; n; n = n->next) {
		if (n == w->without)
			continue;
		if (n->name.p)
			element(w, n, &scope);
		else
			escape(&w->out, n->text, false);
	}
	buf_str(&w->out, S("</"));
	qname(&w->out, e->prefix, e->name);
	buf_c(&w->out, '>');
}

int saml_c14n(struct arena *a, const struct saml_node *apex, const struct saml_node *without, const struct str_list *inclusive,
	      struct str *ret)
{
	struct writer w = { .a = a, .without = without, .inclusive = inclusive };
	int r = -E2BIG;

	buf_init(&w.out, SAML_CANONICAL_BYTES_MAX);
	element(&w, apex, NULL);
	if (buf_ok(&w.out)) {
		*ret = str_dup(a, buf_view(&w.out));
		r = 0;
	}
	buf_done(&w.out);
	return r;
}
