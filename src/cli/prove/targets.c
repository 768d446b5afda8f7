/* SPDX-License-Identifier: Apache-2.0 */
/* targets.c - what the stack declares: its template, evaluated with the parameters it was deployed with against the
 * physical ids it got. Nothing is read from the resources themselves here: what they have become is what gets attacked. */
#include "cli/prove/prove.h"
#include <errno.h>

#define PAGES_MAX 20

/* --- small readers of properties --- */
const struct json *prop_get(const struct json *props, const char *path)
{
	struct str rest = str_c(path), one;

	while (props && str_next(&rest, '.', &one))
		props = json_get(props, one);
	return props;
}

struct str prop_str(const struct json *props, const char *path)
{
	return json_scalar(prop_get(props, path));
}

size_t list_len(const struct json *j)
{
	return !j ? 0 : json_is(j, JSON_ARRAY) ? j->n : 1;
}

const struct json *list_at(const struct json *j, size_t i)
{
	return json_is(j, JSON_ARRAY) ? &j->items[i] : j;
}

bool declared_is(const struct declared *t, const char *type)
{
	return str_is(t->type, type);
}

struct str declared_waived(const struct declared *t, const char *family)
{
	return t ? json_get_str(t->waived, family) : STR_NONE;
}

struct declared *stack_find(struct stack *s, struct str id)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i].id, id))
			return &s->v[i];
	return NULL;
}

struct declared *stack_physical(struct stack *s, const char *type, struct str physical)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_is(s->v[i].type, type) && physical.p &&
		    (str_eq(s->v[i].physical, physical) || (s->v[i].arn.p && str_eq(s->v[i].arn, physical))))
			return &s->v[i];
	return NULL;
}

/* --- what the template asks of the world --- */
struct bound {
	struct prove *p;
	struct stack *s;
};

static struct declared *by_index(struct stack *s, size_t resource)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].index == resource)
			return &s->v[i];
	return NULL;
}

static struct str arn_of(struct prove *p, const struct stack *s, const struct declared *t)
{
	struct arena *a = &p->arena;
	struct str part = s->partition, id = t->physical, path;

	if (!id.p)
		return STR_NONE;
	if (str_starts(id, S("arn:")))
		return id;
	if (declared_is(t, "AWS::S3::Bucket"))
		return str_printf(a, "arn:%.*s:s3:::%.*s", STR(part), STR(id));
	if (declared_is(t, "AWS::KMS::Key"))
		return str_printf(a, "arn:%.*s:kms:%.*s:%.*s:key/%.*s", STR(part), STR(s->region), STR(s->account), STR(id));
	if (declared_is(t, "AWS::SSM::Parameter"))
		return str_printf(a, "arn:%.*s:ssm:%.*s:%.*s:parameter%s%.*s", STR(part), STR(s->region), STR(s->account),
				  id.p[0] == '/' ? "" : "/", STR(id));
	if (declared_is(t, "AWS::ECR::Repository"))
		return str_printf(a, "arn:%.*s:ecr:%.*s:%.*s:repository/%.*s", STR(part), STR(s->region), STR(s->account), STR(id));
	if (declared_is(t, "AWS::Logs::LogGroup"))
		return str_printf(a, "arn:%.*s:logs:%.*s:%.*s:log-group:%.*s:*", STR(part), STR(s->region), STR(s->account), STR(id));
	if (declared_is(t, "AWS::Lambda::Function"))
		return str_printf(a, "arn:%.*s:lambda:%.*s:%.*s:function:%.*s", STR(part), STR(s->region), STR(s->account), STR(id));
	if (declared_is(t, "AWS::IAM::Role") || declared_is(t, "AWS::IAM::User")) {
		path = prop_str(t->props ? t->props : s->tpl->resources[t->index].properties, "Path");
		return str_printf(a, "arn:%.*s:iam::%.*s:%s%.*s%.*s", STR(part), STR(s->account),
				  declared_is(t, "AWS::IAM::Role") ? "role" : "user", STR(path.p ? path : S("/")), STR(id));
	}
	if (str_starts(t->type, S("AWS::EC2::"))) {
		static const char *const kinds[][2] = { { "AWS::EC2::VPC", "vpc" },
							{ "AWS::EC2::Subnet", "subnet" },
							{ "AWS::EC2::SecurityGroup", "security-group" } };

		for (size_t i = 0; i < ELEMENTS(kinds); i++)
			if (declared_is(t, kinds[i][0]))
				return str_printf(a, "arn:%.*s:ec2:%.*s:%.*s:%s/%.*s", STR(part), STR(s->region), STR(s->account),
						  kinds[i][1], STR(id));
	}
	return STR_NONE;
}

static int answer_ref(void *user, size_t resource, struct str *ret)
{
	struct bound *b = user;
	struct declared *t = by_index(b->s, resource);

	if ((!t || !t->physical.p) && !b->s->deployed)
		return -ENOENT;
	/* A resource that is not there has a name that nothing has, as in answer_getatt. */
	*ret = t && t->physical.p ? t->physical : str_printf(&b->p->arena, "unknown:%zu", resource);
	return 0;
}

/* The default group of a network: an id that no template says, asked for as physical ids are. */
static struct str default_group(struct prove *p, const struct stack *s, struct str vpc)
{
	struct hit h = hit_query(p, "ec2", s->region, "DescribeSecurityGroups", &p->caller);
	struct answer a;

	hit_param(p, &h, "Filter.1.Name", S("vpc-id"));
	hit_param(p, &h, "Filter.1.Value.1", vpc.p ? vpc : S(""));
	hit_param(p, &h, "Filter.2.Name", S("group-name"));
	hit_param(p, &h, "Filter.2.Value.1", S("default"));
	return call_hit(p, &h, "EC2 DescribeSecurityGroups", &a) == 0 ? xml_text(xml_deep(a.xml, "securityGroupInfo"), "item/groupId")
								      : STR_NONE;
}

/* An attribute that cannot be known here gets a name that nothing has: a promise that hangs on it fails to be found, it is
 * never taken for another. */
static int answer_getatt(void *user, size_t resource, struct str attribute, struct json **ret)
{
	struct bound *b = user;
	struct arena *a = &b->p->arena;
	struct declared *t = by_index(b->s, resource);
	struct json *own = NULL, *property;
	struct str s = STR_NONE;

	if (!t && b->s->deployed) {
		*ret = json_new_str(a, str_printf(a, "unknown:%zu.%.*s", resource, STR(attribute)));
		return 0;
	}
	if (!t)
		return -ENOENT;
	property = json_get(b->s->tpl->resources[resource].properties, attribute);
	if (str_is(attribute, "Arn"))
		s = arn_of(b->p, b->s, t);
	else if (str_is(attribute, "DefaultSecurityGroup"))
		s = default_group(b->p, b->s, t->physical);
	else if (str_is(attribute, "RootResourceId"))
		s = json_get_str(call_rest(b->p, "apigateway", b->s->region, "GET",
					   str_printf(a, "/restapis/%.*s", STR(t->physical.p ? t->physical : S(""))), NULL),
				 "rootResourceId");
	else if (str_ends(attribute, S("Id")) && !str_is(attribute, "RoleId") && !str_is(attribute, "OwnerId") &&
		 !str_is(attribute, "VpcId"))
		s = t->physical;
	else if (property && template_eval(&b->s->ctx, property, &own) == 0 && own) {
		*ret = own;
		return 0;
	}
	*ret = json_new_str(a, s.p ? s : str_printf(a, "unknown:%.*s.%.*s", STR(t->id), STR(attribute)));
	return 0;
}

static int answer_import(void *user, struct str name, struct str *ret)
{
	struct bound *b = user;
	struct str next = STR_NONE;

	for (int i = 0; i < PAGES_MAX; i++) {
		struct hit h = hit_query(b->p, "cloudformation", b->s->region, "ListExports", &b->p->caller);
		struct answer a;

		if (next.p)
			hit_param(b->p, &h, "NextToken", next);
		if (call_hit(b->p, &h, "CloudFormation ListExports", &a) < 0)
			return -EIO;
		for (struct xml_node *m = xml_deep(a.xml, "Exports") ? xml_deep(a.xml, "Exports")->children : NULL; m; m = m->next)
			if (str_eq(xml_text(m, "Name"), name)) {
				*ret = xml_text(m, "Value");
				return 0;
			}
		next = xml_text(xml_deep(a.xml, "ListExportsResult"), "NextToken");
		if (!next.n)
			break;
	}
	return -ENOENT;
}

static int answer_zones(void *user, struct str region, struct str_list *ret)
{
	struct bound *b = user;

	/* Which zone a subnet is in is no promise that is tried. */
	ret->v = arena_array(&b->p->arena, struct str, 6);
	for (ret->n = 0; ret->n < 6; ret->n++)
		ret->v[ret->n] = str_printf(&b->p->arena, "%.*s%c", STR(region), (char)('a' + ret->n));
	return 0;
}

static const struct template_calls calls = { .ref = answer_ref, .getatt = answer_getatt, .import = answer_import, .zones = answer_zones };

/* --- reading the stack --- */
/* Values as CloudFormation has them: they were checked when the stack was deployed, and hidden ones come as asterisks. */
static void bind_parameters(struct prove *p, struct stack *s)
{
	struct arena *a = &p->arena;
	struct template_value *v = arena_array(a, struct template_value, s->tpl->n_parameters + 1);
	struct xml_node *list = xml_deep(s->described, "Parameters");

	for (size_t i = 0; i < s->tpl->n_parameters; i++) {
		const struct template_parameter *q = &s->tpl->parameters[i];

		v[i].text = q->dflt.p ? q->dflt : S("");
		for (struct xml_node *m = list ? list->children : NULL; m; m = m->next)
			if (str_eq(xml_text(m, "ParameterKey"), q->name)) {
				v[i].text = xml_text(m, "ParameterValue").p ? xml_text(m, "ParameterValue") : S("");
				v[i].resolved = xml_text(m, "ResolvedValue");
			}
		if (!v[i].resolved.p)
			v[i].resolved = v[i].text;
		if (q->list) {
			struct json *arr = json_new(a, JSON_ARRAY);
			struct str rest = v[i].resolved, one;

			while (v[i].resolved.n && str_next(&rest, ',', &one))
				json_push(a, arr, json_new_str(a, str_trim(one)));
			v[i].json = arr;
		} else
			v[i].json = json_new_str(a, v[i].resolved);
	}
	s->ctx.values = v;
}

static int read_resources(struct prove *p, struct stack *s)
{
	struct str next = STR_NONE;

	for (int page = 0; page < PAGES_MAX; page++) {
		struct hit h = hit_query(p, "cloudformation", s->region, "ListStackResources", &p->caller);
		struct xml_node *list;
		struct answer a;

		hit_param(p, &h, "StackName", s->name);
		if (next.p)
			hit_param(p, &h, "NextToken", next);
		if (call_hit(p, &h, "CloudFormation ListStackResources", &a) < 0)
			return -EIO;
		list = xml_deep(a.xml, "StackResourceSummaries");
		for (struct xml_node *m = list ? list->children : NULL; m; m = m->next) {
			struct declared t = { .id = xml_text(m, "LogicalResourceId"),
					      .type = xml_text(m, "ResourceType"),
					      .physical = xml_text(m, "PhysicalResourceId") };

			if (template_find(s->tpl, t.id, &t.index) != TEMPLATE_RESOURCE ||
			    str_starts(xml_text(m, "ResourceStatus"), S("DELETE_COMPLETE")))
				continue;
			vec_push(&p->arena, s->v, s->n, s->cap) = t;
		}
		next = xml_text(xml_deep(a.xml, "ListStackResourcesResult"), "NextToken");
		if (!next.n)
			break;
	}
	return 0;
}

static int evaluate(struct prove *p, struct stack *s)
{
	for (size_t i = 0; i < s->n; i++)
		s->v[i].arn = arn_of(p, s, &s->v[i]);
	for (size_t i = 0; i < s->n; i++) {
		struct declared *t = &s->v[i];
		struct json *props, *meta = NULL;
		int r = template_eval_resource(&s->ctx, t->index, &props);

		if (r < 0) {
			p->trouble = str_printf(&p->arena, "%.*s of the template of %.*s: %.*s", STR(t->id), STR(s->name),
						STR(s->ctx.err.p ? s->ctx.err : S("?")));
			return -EIO;
		}
		t->props = props;
		if (template_eval_attribute(&s->ctx, t->index, "Metadata", &meta) >= 0)
			t->waived = json_getz(json_getz(meta, "Cloudkeep::Prove"), "Waive");
		t->arn = arn_of(p, s, t);
	}
	return 0;
}

static int read_template(struct prove *p, struct stack *s)
{
	struct hit h = hit_query(p, "cloudformation", s->region, "GetTemplate", &p->caller);
	struct xml_node *body;
	struct answer a;
	struct str err = STR_NONE;
	int r;

	hit_param(p, &h, "StackName", s->name);
	hit_param(p, &h, "TemplateStage", S("Processed"));
	if (call_hit(p, &h, "CloudFormation GetTemplate", &a) < 0)
		return -EIO;
	body = xml_deep(a.xml, "TemplateBody");
	r = body ? template_parse(&p->arena, body->text, NULL, &s->tpl, &err) : -EBADMSG;
	if (r < 0) {
		p->trouble = str_printf(&p->arena, "the template of %.*s cannot be read: %.*s", STR(s->name),
					STR(err.p ? err : S("it did not come")));
		return -EIO;
	}
	return 0;
}

int stack_open(struct prove *p, struct stack *s)
{
	struct bound *b = arena_new(&p->arena, struct bound);

	*b = (struct bound){ p, s };
	s->ctx = (struct template_ctx){ .arena = &p->arena, .tpl = s->tpl, .calls = &calls, .user = b };
	s->ctx.env = (struct template_env){ .account = s->account,
					    .region = s->region,
					    .partition = s->partition,
					    .url_suffix = S("amazonaws.com"),
					    .stack_id = s->id,
					    .stack_name = s->name };
	bind_parameters(p, s);
	if (template_begin(&s->ctx) < 0) {
		p->trouble = str_printf(&p->arena, "the template of %.*s: %.*s", STR(s->name), STR(s->ctx.err));
		return -EIO;
	}
	return evaluate(p, s);
}

/* The same stack as another template has it. */
static int expected_stack(struct prove *p, struct stack *deployed, struct stack **ret)
{
	struct stack *s = arena_dup(&p->arena, deployed, sizeof *deployed);
	struct str err = STR_NONE;

	s->deployed = deployed;
	s->v = NULL;
	s->n = s->cap = 0;
	if (template_parse(&p->arena, p->expected, NULL, &s->tpl, &err) < 0) {
		p->trouble = str_printf(&p->arena, "the template that was given cannot be read: %.*s", STR(err.p ? err : S("?")));
		return -EIO;
	}
	for (size_t i = 0; i < deployed->n; i++) {
		struct declared t = { .id = deployed->v[i].id, .type = deployed->v[i].type, .physical = deployed->v[i].physical };

		if (template_find(s->tpl, t.id, &t.index) == TEMPLATE_RESOURCE)
			vec_push(&p->arena, s->v, s->n, s->cap) = t;
	}
	*ret = s;
	return stack_open(p, s);
}

int stack_read(struct prove *p, struct str region, struct stack **ret)
{
	struct stack *s = arena_new(&p->arena, struct stack);
	struct hit h = hit_query(p, "cloudformation", region, "DescribeStacks", &p->caller);
	struct xml_node *m;
	struct answer a;
	struct str rest, f[6];

	hit_param(p, &h, "StackName", p->stack_name);
	if (call_hit(p, &h, "CloudFormation DescribeStacks", &a) < 0)
		return a.status == 400 && str_find(a.message.p ? a.message : S(""), S("does not exist")) >= 0 ? -ENOENT : -EIO;
	m = xml_find(xml_deep(a.xml, "Stacks"), "member");
	*s = (struct stack){ .name = xml_text(m, "StackName"), .id = xml_text(m, "StackId"), .region = region, .described = m };
	rest = s->id;
	for (size_t i = 0; i < ELEMENTS(f); i++)
		if (!m || !str_next(&rest, ':', &f[i])) {
			p->trouble = S("CloudFormation DescribeStacks: the answer has no stack");
			return -EIO;
		}
	s->partition = f[1];
	s->account = f[4];
	s->protected = str_is(xml_text(m, "EnableTerminationProtection"), "true");
	if (str_ends(xml_text(m, "StackStatus"), S("IN_PROGRESS")) || str_starts(xml_text(m, "StackStatus"), S("DELETE")) ||
	    str_ends(xml_text(m, "StackStatus"), S("FAILED")) || str_is(xml_text(m, "StackStatus"), "ROLLBACK_COMPLETE")) {
		p->trouble = str_printf(&p->arena, "the stack %.*s is %.*s in %.*s: deploy it first", STR(s->name),
					STR(xml_text(m, "StackStatus")), STR(region));
		return -EIO;
	}
	if (read_template(p, s) < 0)
		return -EIO;
	if (read_resources(p, s) < 0 || stack_open(p, s) < 0)
		return -EIO;
	*ret = s;
	return p->expected.p ? expected_stack(p, s, ret) : 0;
}
