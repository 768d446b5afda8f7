/* SPDX-License-Identifier: Apache-2.0 */
/* xml.c - XML read into a tree in an arena, by expat.
 *
 * A document type declaration ends the parse: no entities of the document's own, so no expansion and no outside
 * references. Depth and attributes are bounded; the number of nodes is bounded by the size of the text. */
#include "wire/impl.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>

struct open_node {
	struct xml_node *node;
	struct xml_node **tail; /* where the next child goes */
};
struct parse {
	struct arena *a;
	XML_Parser expat;
	struct open_node stack[XML_DEPTH_MAX];
	size_t depth;
	struct xml_node *root;
	bool refused;
};

static void refuse(struct parse *p)
{
	p->refused = true;
	XML_StopParser(p->expat, XML_FALSE);
}

/* A name without its prefix. One that is nothing but a prefix ("k:") is refused: it names nothing ("Namespaces in XML"). */
static struct str local_name(struct parse *p, const char *name)
{
	const char *colon = strrchr(name, ':');

	if (colon && !colon[1])
		refuse(p);
	return str_dup(p->a, str_c(colon ? colon + 1 : name));
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
	struct parse *p = arg;
	struct xml_node *n;
	size_t k = 0;

	if (p->refused)
		return;
	while (attrs[2 * k])
		k++;
	if (p->depth == XML_DEPTH_MAX || k > XML_ATTRIBUTES_MAX) {
		refuse(p);
		return;
	}
	n = arena_new(p->a, struct xml_node);
	n->name = local_name(p, name);
	n->text = S("");
	n->n_attrs = k;
	n->attrs = arena_array(p->a, struct str_pair, k);
	for (size_t i = 0; i < k; i++)
		n->attrs[i] = (struct str_pair){ local_name(p, attrs[2 * i]), str_dup(p->a, str_c(attrs[2 * i + 1])) };
	if (p->depth) {
		*p->stack[p->depth - 1].tail = n;
		p->stack[p->depth - 1].tail = &n->next;
	} else {
		p->root = n;
	}
	p->stack[p->depth++] = (struct open_node){ n, &n->children };
}

static void on_end(void *arg, const XML_Char *name)
{
	struct parse *p = arg;

	(void)name;
	if (!p->refused && p->depth)
		p->depth--;
}

static void on_text(void *arg, const XML_Char *s, int n)
{
	struct parse *p = arg;
	struct xml_node *node;
	char *t;

	if (p->refused || !p->depth || n <= 0)
		return;
	node = p->stack[p->depth - 1].node;
	if (!node->text.n)
		t = arena_alloc(p->a, (size_t)n);
	else
		t = arena_grow(p->a, (void *)(uintptr_t)node->text.p, node->text.n, node->text.n + (size_t)n);
	memcpy(t + node->text.n, s, (size_t)n);
	node->text = str_of(t, node->text.n + (size_t)n);
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
	(void)name, (void)sysid, (void)pubid, (void)internal;
	refuse(arg);
}

int xml_parse(struct arena *a, struct str text, struct xml_node **ret)
{
	struct parse p = { .a = a };
	bool ok;

	if (text.n > INT_MAX)
		return -EINVAL;
	p.expat = XML_ParserCreate(NULL);
	if (!p.expat)
		return -ENOMEM;
	XML_SetUserData(p.expat, &p);
	XML_SetElementHandler(p.expat, on_start, on_end);
	XML_SetCharacterDataHandler(p.expat, on_text);
	XML_SetStartDoctypeDeclHandler(p.expat, on_doctype);
	ok = XML_Parse(p.expat, text.n ? text.p : "", (int)text.n, XML_TRUE) == XML_STATUS_OK && !p.refused && p.root;
	XML_ParserFree(p.expat);
	if (!ok)
		return -EINVAL;
	*ret = p.root;
	return 0;
}
