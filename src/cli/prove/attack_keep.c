/* SPDX-License-Identifier: Apache-2.0 */
/* attack_keep.c - deletion of what is protected, the template that was given against the one that was deployed, and the trail of all
 * that was denied. */
#include "cli/prove/prove.h"

#define TRAIL_PAGES_MAX 40

/* --- deletion --- */
static void protection(struct prove *p)
{
	struct promise m = { "recovery", S("the stack cannot be deleted"), S("termination protection"), NULL };
	struct hit h = hit_query(p, "cloudformation", p->stack->region, "DeleteStack", actor(p, ACTOR_DELETER));
	struct answer a;

	if (!p->stack->protected) {
		proof_skip(p, &m, S("termination protection is not on"));
		return;
	}
	/* The deleter may ask for it, but may delete nothing in it: should protection fail, the resources stay. */
	hit_param(p, &h, "StackName", p->stack->id);
	(void)proof_denied(p, &m, S("DeleteStack, a user who may"), &h, "ValidationError", &a);
}

static void retained(struct prove *p)
{
	struct stack *s = p->stack;

	for (size_t i = 0; i < s->n; i++) {
		struct str policy = json_get_str(s->tpl->resources[s->v[i].index].decl, "DeletionPolicy");
		struct promise m = { "recovery", str_printf(&p->arena, "%.*s outlives the stack", STR(s->v[i].id)),
				     str_printf(&p->arena, "%.*s, DeletionPolicy", STR(s->v[i].id)), &s->v[i] };

		if (policy.p && !str_is(policy, "Delete"))
			proof_skip(p, &m, str_printf(&p->arena, "declared as %.*s; to try it would be to delete the stack", STR(policy)));
	}
}

static void imported(struct prove *p)
{
	struct stack *s = p->stack;
	struct xml_node *list = xml_deep(s->described, "Outputs");

	for (struct xml_node *o = list ? list->children : NULL; o; o = o->next) {
		struct str name = xml_text(o, "ExportName");
		struct promise m = { "recovery", str_printf(&p->arena, "export %.*s stays while it is used", STR(name)),
				     str_printf(&p->arena, "output %.*s", STR(xml_text(o, "OutputKey"))), NULL };
		struct hit h = hit_query(p, "cloudformation", s->region, "ListImports", &p->caller);
		struct answer a;

		if (!name.n)
			continue;
		hit_param(p, &h, "ExportName", name);
		(void)hit(p, &h, &a);
		if (answer_ok(&a) && xml_find(xml_deep(a.xml, "Imports"), "member"))
			proof_skip(p, &m, S("another stack imports it; to try it would be to begin deleting this one"));
	}
}

/* --- the template that was given --- */
/* Properties that are not the same, by name; absent: none. */
static struct str differences(struct prove *p, const struct json *want, const struct json *got)
{
	struct arena *a = &p->arena;
	struct str out = STR_NONE;

	for (int side = 0; side < 2; side++) {
		const struct json *x = side ? got : want, *y = side ? want : got;

		for (size_t i = 0; json_is(x, JSON_OBJECT) && i < x->n; i++) {
			const struct json *other = json_get(y, x->members[i].key);

			if (side ? !other : !other || !json_equal(&x->members[i].value, other))
				out = str_printf(a, "%.*s%s%.*s", STR(out.p ? out : S("")), out.p ? ", " : "", STR(x->members[i].key));
		}
	}
	return out;
}

void attack_template(struct prove *p)
{
	const struct str as_given = S("as in the template that was given");
	struct stack *s = p->stack;
	struct promise m = { "template", STR_NONE, S("the template that was given"), NULL };

	for (size_t i = 0; s->deployed && i < s->tpl->n_resources; i++) {
		const struct declared *t = stack_find(s, s->tpl->resources[i].id);
		const struct declared *d = stack_find(s->deployed, s->tpl->resources[i].id);
		struct str other = STR_NONE;

		if (!template_active(&s->ctx, i) || (t && declared_is(t, "AWS::CDK::Metadata")))
			continue;
		m.text = str_printf(&p->arena, "%.*s is what was asked for", STR(s->tpl->resources[i].id));
		if (t && d)
			other = differences(p, t->props, d->props);
		(void)proof_equal(p, &m, S("its properties, as deployed"), as_given,
				  !t || !d  ? S("it was not deployed")
				  : other.p ? str_printf(&p->arena, "other: %.*s", STR(other))
					    : as_given);
	}
	for (size_t i = 0; s->deployed && i < s->deployed->n; i++) {
		const struct declared *d = &s->deployed->v[i];

		m.text = str_printf(&p->arena, "%.*s is what was asked for", STR(d->id));
		if (!stack_find(s, d->id) && !declared_is(d, "AWS::CDK::Metadata"))
			(void)proof_equal(p, &m, S("its properties, as deployed"), S("no such resource"), d->type);
	}
}

void attack_keep(struct prove *p)
{
	protection(p);
	retained(p);
	imported(p);
}

/* --- the trail --- */
static struct proof *denied_call(struct prove *p, struct str request_id)
{
	for (size_t i = 0; request_id.n && i < p->n_proofs; i++)
		if (p->proofs[i].request_id.p && str_eq(p->proofs[i].request_id, request_id) &&
		    str_eq(p->proofs[i].region, p->stack->region))
			return &p->proofs[i];
	return NULL;
}

/* One event of the history: is it a denied call of ours? Adds who decided, where the trail knows. */
static size_t recorded(struct prove *p, const struct json *event)
{
	struct json *rec;
	struct str text = json_get_str(event, "CloudTrailEvent"), by;
	struct proof *f;

	if (json_parse(&p->arena, text, &rec, NULL) < 0 || !json_get_str(rec, "errorCode").n)
		return 0;
	f = denied_call(p, json_get_str(rec, "requestID"));
	if (!f || !str_eq(json_get_str(rec, "eventName"), f->event))
		return 0;
	f->request_id = STR_NONE; /* counted once */
	by = json_get_str(json_getz(rec, "additionalEventData"), "decidedBy");
	if (by.n)
		f->decided = str_printf(&p->arena, "%.*s: %.*s", STR(f->decided), STR(by));
	return 1;
}

static size_t look_up(struct prove *p, struct str user, const struct promise *m)
{
	struct arena *a = &p->arena;
	struct str next = STR_NONE;
	size_t found = 0;

	for (int page = 0; page < TRAIL_PAGES_MAX; page++) {
		struct json *q = json_new(a, JSON_OBJECT), *attr = json_object(a, "AttributeKey", S("Username")),
			    *attrs = json_new(a, JSON_ARRAY), *r;
		const struct json *list;

		json_set_str(a, attr, "AttributeValue", user);
		json_push(a, attrs, attr);
		json_set(a, q, S("LookupAttributes"), attrs);
		json_set_int(a, q, "StartTime", p->started_ms / 1000);
		json_set_str(a, q, "NextToken", next);
		r = call_json(p, "cloudtrail", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents", p->stack->region, q);
		if (!r) {
			(void)proof_add(p, m, VERDICT_UNTRIED, S("LookupEvents"), S("an answer"), p->trouble);
			return found;
		}
		list = json_getz(r, "Events");
		for (size_t i = 0; i < list_len(list); i++)
			found += recorded(p, list_at(list, i));
		next = json_get_str(r, "NextToken");
		if (!next.n)
			break;
	}
	return found;
}

void attack_trail(struct prove *p)
{
	static const enum actor who[] = { ACTOR_NOBODY, ACTOR_NEIGHBOUR, ACTOR_KEYLESS };
	struct promise m = { "trail", S("every denied call is in the trail"), S("CloudTrail's event history"), NULL };
	size_t expected = 0, found = 0;
	struct arena *a = &p->arena;

	for (size_t i = 0; i < p->n_proofs; i++)
		if (p->proofs[i].request_id.n && str_eq(p->proofs[i].region, p->stack->region)) {
			if (p->proofs[i].event.n)
				expected++;
			else
				p->proofs[i].request_id = STR_NONE; /* unsigned: in nobody's account */
		}
	if (expected == 0)
		return;
	for (size_t i = 0; i < ELEMENTS(who); i++)
		found += look_up(p, p->actors[who[i]].name, &m);
	for (size_t i = 0; i < p->n_undo; i++)
		if (p->undo[i].kind == UNDO_ROLE)
			found += look_up(p, p->undo[i].a, &m); /* the copies' sessions have their names */
	(void)proof_equal(p, &m, S("denied management calls in LookupEvents, with their error codes"), str_printf(a, "%zu", expected),
			  str_printf(a, "%zu", found));
}
