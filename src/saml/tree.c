/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c - a document as a tree, by expat: with its namespaces, without comments, and with text whole however it was split.
 *
 * A document type ends the parse, so there are no entities; a processing instruction ends it too, since nobody signs one in good
 * faith. Everything is bounded: depth, nodes, attributes and declarations of one element. */
#include "base/util.h"
#include "saml/internal.h"
#include <errno.h>
#include <expat.h>
#include <limits.h>

#define SEPARATOR '\x01' /* no XML document can hold it */

struct parse {
	struct arena *a;
	XML_Parser expat;
	struct saml_node *root, *open;
	struct saml_node *last[SAML_DEPTH_MAX]; /* child of the open element at each depth */
	struct saml_ns ns[SAML_NODE_NAMESPACES_MAX];
	size_t n_ns, depth, nodes;
	bool refused;
};

static void refuse(struct parse *p)
{
	p->refused = true;
	XML_StopParser(p->expat, XML_FALSE);
}

/* A name comes as URI, local name and prefix, the first and last of them where there are such. */
static void split(struct parse *p, const char *triplet, struct str *uri, struct str *name, struct str *prefix)
{
	struct str all = str_dup(p->a, str_c(triplet)), rest;

	*uri = *prefix = S("");
	if (!str_cut(all, SEPARATOR, uri, &rest)) {
		*uri = S("");
		*name = all;
		return;
	}
	if (!str_cut(rest, SEPARATOR, name, prefix))
		*prefix = S("");
}

static struct saml_node *add(struct parse *p)
{
	struct saml_node *n;

	if (p->nodes == SAML_NODES_MAX) {
		refuse(p);
		return NULL;
	}
	p->nodes++;
	n = arena_new(p->a, struct saml_node);
	n->parent = p->open;
	if (!p->open) {
		p->root = n;
		return n;
	}
	if (p->last[p->depth - 1])
		p->last[p->depth - 1]->next = n;
	else
		p->open->children = n;
	p->last[p->depth - 1] = n;
	return n;
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
	struct parse *p = arg;
	struct saml_node *n;
	size_t k = 0;

	while (attrs[2 * k])
		k++;
	if (p->refused || p->depth == SAML_DEPTH_MAX || k > SAML_NODE_ATTRIBUTES_MAX) {
		refuse(p);
		return;
	}
	n = add(p);
	if (!n)
		return;
	split(p, name, &n->uri, &n->name, &n->prefix);
	n->attrs = arena_array(p->a, struct saml_attr, k + 1);
	for (n->n_attrs = 0; n->n_attrs < k; n->n_attrs++) {
		struct saml_attr *t = &n->attrs[n->n_attrs];

		split(p, attrs[2 * n->n_attrs], &t->uri, &t->name, &t->prefix);
		t->value = str_dup(p->a, str_c(attrs[2 * n->n_attrs + 1]));
	}
	n->ns = arena_dup(p->a, p->ns, p->n_ns * sizeof *p->ns);
	n->n_ns = p->n_ns;
	p->n_ns = 0;
	p->open = n;
	p->last[p->depth++] = NULL;
}

static void on_end(void *arg, const XML_Char *name)
{
	struct parse *p = arg;

	if (p->refused)
		return;
	p->open = p->open->parent;
	p->depth--;
}

static void on_namespace(void *arg, const XML_Char *prefix, const XML_Char *uri)
{
	struct parse *p = arg;

	if (p->refused || p->n_ns == SAML_NODE_NAMESPACES_MAX) {
		refuse(p);
		return;
	}
	p->ns[p->n_ns++] = (struct saml_ns){ str_dup(p->a, str_c(prefix ? prefix : "")), str_dup(p->a, str_c(uri ? uri : "")) };
}

/* Text that a comment or the parser's buffer splits is one piece. */
static void on_text(void *arg, const XML_Char *s, int len)
{
	struct parse *p = arg;
	struct saml_node *n;
	char *t;

	if (p->refused || !p->open || len <= 0)
		return;
	n = p->last[p->depth - 1];
	if (!n || n->name.p)
		n = add(p);
	if (!n)
		return;
	t = arena_grow(p->a, (void *)(uintptr_t)n->text.p, n->text.n, n->text.n + (size_t)len);
	memcpy(t + n->text.n, s, (size_t)len);
	n->text = str_of(t, n->text.n + (size_t)len);
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
	refuse(arg);
}

static void on_instruction(void *arg, const XML_Char *target, const XML_Char *data)
{
	refuse(arg);
}

int saml_parse(struct arena *a, struct str text, struct saml_node **ret)
{
	struct parse p = { .a = a };
	bool ok;

	if (text.n > INT_MAX)
		return -EINVAL;
	p.expat = XML_ParserCreateNS(NULL, SEPARATOR);
	if (!p.expat)
		return -ENOMEM;
	XML_SetReturnNSTriplet(p.expat, 1);
	XML_SetUserData(p.expat, &p);
	XML_SetElementHandler(p.expat, on_start, on_end);
	XML_SetStartNamespaceDeclHandler(p.expat, on_namespace);
	XML_SetCharacterDataHandler(p.expat, on_text);
	XML_SetStartDoctypeDeclHandler(p.expat, on_doctype);
	XML_SetProcessingInstructionHandler(p.expat, on_instruction);
	ok = XML_Parse(p.expat, text.n ? text.p : "", (int)text.n, XML_TRUE) == XML_STATUS_OK && !p.refused && p.root;
	XML_ParserFree(p.expat);
	if (!ok)
		return -EINVAL;
	*ret = p.root;
	return 0;
}

/* --- looking around --- */

bool saml_is(const struct saml_node *n, const char *uri, const char *name)
{
	return n->name.p && str_is(n->name, name) && str_is(n->uri, uri);
}

static const struct saml_node *from(const struct saml_node *n, const char *uri, const char *name)
{
	while (n && !saml_is(n, uri, name))
		n = n->next;
	return n;
}

const struct saml_node *saml_first(const struct saml_node *n, const char *uri, const char *name)
{
	return n ? from(n->children, uri, name) : NULL;
}

const struct saml_node *saml_next(const struct saml_node *n, const char *uri, const char *name)
{
	return from(n->next, uri, name);
}

const struct saml_node *saml_only(const struct saml_node *n, const char *uri, const char *name)
{
	const struct saml_node *first = saml_first(n, uri, name);

	return first && !saml_next(first, uri, name) ? first : NULL;
}

struct str saml_attr(const struct saml_node *n, const char *name)
{
	for (size_t i = 0; i < n->n_attrs; i++)
		if (!n->attrs[i].uri.n && str_is(n->attrs[i].name, name))
			return n->attrs[i].value;
	return STR_NONE;
}

struct str saml_text(const struct saml_node *n)
{
	if (!n)
		return STR_NONE;
	if (!n->children)
		return S("");
	return n->children->name.p || n->children->next ? STR_NONE : n->children->text;
}

int saml_base64(struct arena *a, struct str text, struct str *ret)
{
	char *packed = arena_alloc(a, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		if (!strchr(" \t\r\n", text.p[i]))
			packed[n++] = text.p[i];
	return base64_decode(a, str_of(packed, n), ret);
}
