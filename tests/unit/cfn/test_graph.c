/* SPDX-License-Identifier: Apache-2.0 */
/* Dependencies and their order, circles, and what changes from one template to the next. */
#include "common.h"

static struct str order_text(struct template_ctx *c)
{
	struct template_graph g;
	struct str s = S("");

	if (template_graph(c, &g) < 0)
		return c->err;
	for (size_t i = 0; i < g.n_order; i++) {
		s = str_printf(&test_arena, "%.*s%s%.*s", STR(s), i ? " " : "", STR(c->tpl->resources[g.order[i]].id));
		for (size_t d = 0; d < g.nodes[g.order[i]].n_deps; d++)
			s = str_printf(&test_arena, "%.*s<%.*s", STR(s), STR(c->tpl->resources[g.nodes[g.order[i]].deps[d]].id));
	}
	return s;
}

static void order(void **state)
{
	assert_str(order_text(begun("Resources:\n  A: {Type: T, Properties: {X: !Ref B, Y: [!GetAtt C.Arn, !Ref B]}}\n"
				    "  B: {Type: T, DependsOn: D}\n  C: {Type: T, Properties: {S: !Sub '${D.Arn}${AWS::Region}${!A}'}}\n  "
				    "D: {Type: T}\n"
				    "  E: {Type: T, Metadata: {m: !Sub ['${x}', {x: !Ref A}]}}\n",
				    NULL)),
		   "D B<D C<D A<B<C E<A");
}

#define COND                                                                                                                               \
	"Parameters: {P: {Type: String, Default: 'yes'}}\nConditions: {C: !Equals [!Ref P, 'yes']}\nResources:\n"                          \
	"  A: {Type: T, Properties: {X: !If [C, !Ref B, n]}}\n  B: {Type: T, Properties: {X: !If [C, n, !Ref A]}}\n"                       \
	"  D: {Type: T, Condition: C, DependsOn: A}\n  E: {Type: T, DependsOn: D}\n"

static void conditional(void **state)
{
	assert_str(order_text(begun(COND, NULL)), "B A<B D<A E<D");
	assert_str(order_text(begun(COND, "P=no")), "A E B<A");
}

static void circles(void **state)
{
	assert_refused("Resources:\n  A: {Type: T, Properties: {X: !Ref B}}\n  B: {Type: T, Properties: {X: !GetAtt C.Arn}}\n"
		       "  C: {Type: T, DependsOn: A}\n  D: {Type: T, DependsOn: A}\n  E: {Type: T}\n  F: {Type: T, DependsOn: E}\n",
		       "Circular dependency between resources: [A, B, C]");
	assert_refused("Resources:\n  A: {Type: T, Properties: {X: !Ref A}}\n", "Circular dependency between resources: [A]");
	assert_refused("Resources:\n  A: {Type: T, DependsOn: A}\n", "Circular dependency between resources: [A]");
	/* Only once a condition is known. */
	assert_str(order_text(begun("Conditions: {C: !Equals [a, a]}\nResources:\n  A: {Type: T, Properties: {X: !If [C, !Ref B, n]}}\n  "
				    "B: {Type: T, DependsOn: "
				    "A}\n  Z: {Type: T, DependsOn: B}\n",
				    NULL)),
		   "Circular dependency between resources: [A, B]");
}

/* The longest chain there can be, declared backwards. */
static void chain(void **state)
{
	struct template_ctx *c;
	struct template_graph g;
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_printf(&b, "Resources:\n");
	for (int i = 0; i < 499; i++)
		buf_printf(&b, "  R%d: {Type: T, DependsOn: R%d}\n", i, i + 1);
	buf_printf(&b, "  R499: {Type: T}\n");
	buf_c(&b, 0);
	c = begun(b.p, NULL);
	assert_int_equal(template_graph(c, &g), 0);
	assert_int_equal(g.n_order, 500);
	for (size_t i = 0; i < 500; i++)
		assert_int_equal(g.order[i], 499 - i);
	assert_int_equal(g.nodes[499].n_dependents, 1);
	assert_int_equal(g.nodes[499].dependents[0], 498);
	buf_done(&b);
}

#define TWO(a, b)                                                                                                                          \
	"Parameters: {P: {Type: String, Default: x}, Q: {Type: String, Default: q}}\nConditions: {C: !Equals [!Ref P, x]}\nResources:\n  " \
	"A: " a "\n  B: " b "\n"

static struct str changes_text(struct template_ctx *from, struct template_ctx *to)
{
	static const char *const actions[] = { "add", "modify", "remove" }, *const sources[] = { "direct", "parameter", "resource",
												 "attribute" };
	struct template_change *v;
	struct str s = S("");
	size_t n;

	if (template_changes(from, to, &v, &n) < 0)
		return to->err;
	for (size_t i = 0; i < n; i++) {
		s = str_printf(&test_arena, "%.*s%s%s %.*s%s", STR(s), i ? "; " : "", actions[v[i].action], STR(v[i].id),
			       v[i].type_changed ? " type" : "");
		for (size_t k = 0; k < v[i].n_details; k++)
			s = str_printf(&test_arena, "%.*s %.*s:%d:%s:%.*s", STR(s),
				       STR(v[i].details[k].property.p ? v[i].details[k].property : S("-")), v[i].details[k].scope,
				       sources[v[i].details[k].source], STR(v[i].details[k].cause.p ? v[i].details[k].cause : S("-")));
	}
	return s;
}

static void changes(void **state)
{
	const char *one = TWO("{Type: T, Properties: {a: 1, b: !Ref P, t: !Ref Q}}",
			      "{Type: U, Properties: {x: !Ref A, Tags: [1]}, Metadata: {m: 1}}");

	assert_str(changes_text(NULL, begun(one, NULL)), "add A; add B");
	assert_str(changes_text(begun(one, NULL), begun(one, NULL)), "");
	assert_str(changes_text(begun(one, NULL), begun(one, "P=y")), "modify A b:1:parameter:P");
	assert_str(changes_text(begun(one, NULL),
				begun(TWO("{Type: T, Properties: {a: 2, t: !Ref Q, n: 1}}",
					  "{Type: U, Properties: {x: !Ref A, Tags: [2]}, Metadata: {m: 2}, DeletionPolicy: Retain}"),
				      NULL)),
		   "modify A a:1:direct:- n:1:direct:- b:1:direct:-; modify B Tags:64:direct:- -:2:direct:- -:16:direct:-");
	assert_str(changes_text(
			   begun(one, NULL),
			   begun(TWO("{Type: V}", "{Type: U, Condition: C, Properties: {x: !Ref A, Tags: [1]}, Metadata: {m: 1}}"), "P=y")),
		   "modify A type a:1:direct:- b:1:direct:- t:1:direct:-; remove B");
	assert_str(changes_text(begun(TWO("{Type: T, Condition: C}", "{Type: T}"), "P=y"),
				begun(TWO("{Type: T, Condition: C}", "{Type: T}"), NULL)),
		   "add A");
}

static int other_ref(void *user, size_t i, struct str *ret)
{
	*ret = S("replaced");
	return 0;
}

/* What depends on a replaced resource changes because of it. */
static void causes(void **state)
{
	const char *text = TWO("{Type: T}", "{Type: U, Properties: {x: !Ref A, y: !Sub '${A}-${P}', z: !GetAtt A.Arn}}");
	struct template_calls other = world;
	struct template_ctx *to = begun(text, NULL);

	other.ref = other_ref;
	to->calls = &other;
	assert_str(changes_text(begun(text, NULL), to), "modify B x:1:resource:A y:1:resource:A");
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(order), T(conditional), T(circles), T(chain), T(changes), T(causes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
