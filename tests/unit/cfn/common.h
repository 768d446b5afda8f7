/* SPDX-License-Identifier: Apache-2.0 */
/* common.h - templates of a few lines, and a world that answers: physical ids are "phys-<id>", attributes "<id>.<attr>". */
#pragma once
#include "test.h"

#include "cfn/template.h"
#include <errno.h>

#define ACCOUNT "123456789012"

static struct arena test_arena;

static inline struct str parse_error(const char *text)
{
	struct template *t;
	struct str err = STR_NONE;

	return template_parse(&test_arena, str_dup(&test_arena, str_c(text)), NULL, &t, &err) < 0 ? err : STR_NONE;
}
#define assert_refused(text, want) assert_str(parse_error(text), want)

static inline struct template *parse(const char *text)
{
	struct template *t = NULL;
	struct str err = STR_NONE;
	int r = template_parse(&test_arena, str_dup(&test_arena, str_c(text)), NULL, &t, &err);

	if (r < 0)
		fail_msg("%.*s", STR(err));
	return t;
}

static inline int world_ref(void *user, size_t i, struct str *ret)
{
	struct template_ctx *c = user;

	*ret = str_printf(c->arena, "phys-%.*s", STR(c->tpl->resources[i].id));
	return 0;
}

static inline int world_getatt(void *user, size_t i, struct str attr, struct json **ret)
{
	struct template_ctx *c = user;

	if (str_is(attr, "Nope"))
		return -ENOENT;
	if (str_is(attr, "Later"))
		return -EAGAIN;
	*ret = json_new_str(c->arena, str_printf(c->arena, "%.*s.%.*s", STR(c->tpl->resources[i].id), STR(attr)));
	if (str_is(attr, "List")) {
		*ret = json_new(c->arena, JSON_ARRAY);
		json_push(c->arena, *ret, json_new_str(c->arena, S("l1")));
		json_push(c->arena, *ret, json_new_str(c->arena, S("l2")));
	}
	return 0;
}

static inline int world_import(void *user, struct str name, struct str *ret)
{
	if (!str_is(name, "shared-vpc"))
		return -ENOENT;
	*ret = S("vpc-0shared");
	return 0;
}

static inline int world_zones(void *user, struct str region, struct str_list *ret)
{
	struct template_ctx *c = user;

	ret->n = 3;
	ret->v = arena_array(c->arena, struct str, 3);
	for (size_t i = 0; i < 3; i++)
		ret->v[i] = str_printf(c->arena, "%.*s%c", STR(region), (char)('a' + i));
	return 0;
}

static inline int world_dynamic(void *user, const struct template_dynamic *d, struct str *ret)
{
	struct template_ctx *c = user;

	if (str_is(d->name, "gone"))
		return -ENOENT;
	*ret = str_printf(c->arena, "<%d %.*s|%.*s|%.*s|%.*s>", d->kind, STR(d->name), STR(d->version.p ? d->version : S("-")),
			  STR(d->json_key.p ? d->json_key : S("-")), STR(d->stage.p ? d->stage : S("-")));
	return 0;
}

static inline int world_ssm(void *user, struct str name, struct str *ret)
{
	if (str_is(name, "/cdk-bootstrap/hnb659fds/version"))
		*ret = S("33");
	else if (str_is(name, "/old"))
		*ret = S("4");
	else if (str_is(name, "/subnets"))
		*ret = S("subnet-1,subnet-2");
	else
		return -ENOENT;
	return 0;
}

static inline int world_exists(void *user, struct str type, struct str value)
{
	return str_starts(value, S("gone")) ? -ENOENT : 0;
}

static inline int world_value_of(void *user, struct str type, struct str value, struct str attribute, struct str *ret)
{
	if (!str_is(attribute, "VpcId"))
		return -ENOENT;
	*ret = str_is(value, "subnet-9") ? S("vpc-2") : S("vpc-1");
	return 0;
}

static const struct template_calls world = { world_ref,     world_getatt, world_import, world_zones,
					     world_dynamic, world_ssm,    world_exists, world_value_of };

static inline struct template_ctx *context(const struct template *t)
{
	static struct str arns[2];
	struct template_ctx *c = arena_new(&test_arena, struct template_ctx);

	arns[0] = S("arn:aws:sns:us-east-1:" ACCOUNT ":a");
	arns[1] = S("arn:aws:sns:us-east-1:" ACCOUNT ":b");

	*c = (struct template_ctx){
		.arena = &test_arena,
		.tpl = t,
		.calls = &world,
		.env = { S(ACCOUNT),
			 S("us-east-1"),
			 S("aws"),
			 S("amazonaws.com"),
			 S("arn:aws:cloudformation:us-east-1:" ACCOUNT ":stack/demo/11111111-2222-3333-4444-555555555555"),
			 S("demo"),
			 { arns, 2 } },
	};
	c->user = c;
	return c;
}

static inline int set_values(struct template_ctx *c, const struct template_supplied *given, size_t n)
{
	return template_values(c, given, n, NULL);
}

/* begun parses and begins with the defaults; given is "Key=value;Key=value". */
static inline struct template_ctx *begun(const char *text, const char *given)
{
	struct template_ctx *c = context(parse(text));
	struct template_supplied v[16];
	struct str rest = str_c(given), one;
	size_t n = 0;

	while (given && str_next(&rest, ';', &one) && n < ELEMENTS(v)) {
		v[n] = (struct template_supplied){ 0 };
		str_cut(one, '=', &v[n].key, &v[n].value);
		n++;
	}
	if (set_values(c, v, n) < 0 || template_begin(c) < 0)
		fail_msg("%.*s", STR(c->err));
	return c;
}

static inline size_t resource(const struct template_ctx *c, const char *id)
{
	size_t i = 0;

	assert_int_equal(template_find(c->tpl, str_c(id), &i), TEMPLATE_RESOURCE);
	return i;
}

/* properties returns the evaluated Properties as text, or the sentence. */
static inline struct str properties(struct template_ctx *c, const char *id)
{
	struct json *j;

	return template_eval_resource(c, resource(c, id), &j) < 0 ? c->err : json_text(&test_arena, j);
}

static inline int arena_teardown(void **state)
{
	arena_done(&test_arena);
	return 0;
}
#define T(f) cmocka_unit_test_teardown(f, arena_teardown)
