/* SPDX-License-Identifier: Apache-2.0 */
/* Texts into trees: the types of YAML 1.1, short forms, and everything that is refused. */
#include "common.h"

static struct str tree(const char *text)
{
	struct json *j;
	bool yaml;
	struct str err = STR_NONE;

	return template_read(&test_arena, str_c(text), &j, &yaml, &err) < 0 ? err : json_text(&test_arena, j);
}

static void scalars(void **state)
{
	static const struct {
		const char *yaml, *json;
	} v[] = {
		{ "yes", "true" },
		{ "Off", "false" },
		{ "y", "\"y\"" },
		{ "12", "12" },
		{ "-12", "-12" },
		{ "+12", "12" },
		{ "1_000", "1000" },
		{ "0x1F", "31" },
		{ "0b101", "5" },
		{ "0123", "83" },
		{ "0129", "\"0129\"" },
		{ "012345678901", "\"012345678901\"" },
		{ "123456789012", "123456789012" },
		{ "1:30", "90" },
		{ "1:99", "\"1:99\"" },
		{ "22:22", "1342" },
		{ "1.50", "1.50" },
		{ ".5", "0.5" },
		{ "1.", "1.0" },
		{ "1.5e+3", "1.5e+3" },
		{ "1e3", "\"1e3\"" },
		{ ".inf", "\".inf\"" },
		{ "2012-10-17", "\"2012-10-17\"" },
		{ "'12'", "\"12\"" },
		{ "\"yes\"", "\"yes\"" },
		{ "!!str 12", "\"12\"" },
		{ "! 12", "\"12\"" },
		{ "10.0.0.0/16", "\"10.0.0.0/16\"" },
		{ "99999999999999999999999", "99999999999999999999999" },
		{ "0xfffffffffffffffff", "\"0xfffffffffffffffff\"" },
		{ "00.5", "0.5" },
		{ "-.5", "\"-.5\"" },
		{ "-0", "0" },
		{ "1__", "1" },
	};

	for (size_t i = 0; i < ELEMENTS(v); i++) {
		assert_str(tree(str_z(&test_arena, str_printf(&test_arena, "A: %s\n", v[i].yaml))),
			   str_z(&test_arena, str_printf(&test_arena, "{\"A\":%s}", v[i].json)));
	}
}

static void short_forms(void **state)
{
	assert_str(tree("A: !Ref X"), "{\"A\":{\"Ref\":\"X\"}}");
	assert_str(tree("A: !Ref 12"), "{\"A\":{\"Ref\":\"12\"}}");
	assert_str(tree("A: !Condition X"), "{\"A\":{\"Condition\":\"X\"}}");
	assert_str(tree("A: !GetAtt X.Y.Z"), "{\"A\":{\"Fn::GetAtt\":[\"X\",\"Y.Z\"]}}");
	assert_str(tree("A: !GetAtt [X, Y]"), "{\"A\":{\"Fn::GetAtt\":[\"X\",\"Y\"]}}");
	assert_str(tree("A: !Sub '${X}'"), "{\"A\":{\"Fn::Sub\":\"${X}\"}}");
	assert_str(tree("A: !Sub\n  - a\n  - {b: !Ref C}"), "{\"A\":{\"Fn::Sub\":[\"a\",{\"b\":{\"Ref\":\"C\"}}]}}");
	assert_str(tree("A: !If [C, !Ref D, !Ref 'AWS::NoValue']"),
		   "{\"A\":{\"Fn::If\":[\"C\",{\"Ref\":\"D\"},{\"Ref\":\"AWS::NoValue\"}]}}");
	assert_str(tree("A: !Join ['', [a, !GetAZs '']]"), "{\"A\":{\"Fn::Join\":[\"\",[\"a\",{\"Fn::GetAZs\":\"\"}]]}}");
	assert_str(tree("A:\n  - !Not [!Equals [a, b]]\n  - !Base64 |\n    x\n"),
		   "{\"A\":[{\"Fn::Not\":[{\"Fn::Equals\":[\"a\",\"b\"]}]},{\"Fn::Base64\":\"x\\n\"}]}");
	assert_str(tree("A: !FindInMap [M, !Ref 'AWS::Region', k]\nB: !ImportValue e\nC: !Select [0, !Split [',', x]]\nD: !Cidr [a, 1, 2]\n"
			"E: !And [!Condition a, !Or [b]]\nF: !Transform {Name: x}\nG: !Length [1]\nH: !ToJsonString {a: 1}\n"),
		   "{\"A\":{\"Fn::FindInMap\":[\"M\",{\"Ref\":\"AWS::Region\"},\"k\"]},\"B\":{\"Fn::ImportValue\":\"e\"},\"C\":{\"Fn::"
		   "Select\":[0,{\"Fn::"
		   "Split\":[\",\",\"x\"]}]},\"D\":{\"Fn::Cidr\":[\"a\",1,2]},\"E\":{\"Fn::And\":[{\"Condition\":\"a\"},{\"Fn::Or\":[\"b\"]"
		   "}]},\"F\":{"
		   "\"Fn::Transform\":{\"Name\":\"x\"}},\"G\":{\"Fn::Length\":[1]},\"H\":{\"Fn::ToJsonString\":{\"a\":1}}}");
}

static void tags_and_lines(void **state)
{
	struct json *j;
	bool yaml;
	struct str err;

	assert_int_equal(template_read(&test_arena, S("A: 1\nB:\n  C: !Ref X\n"), &j, &yaml, &err), 0);
	assert_true(yaml);
	assert_string_equal(json_getz(json_getz(j, "B"), "C")->tag, "!Ref");
	assert_int_equal(json_getz(json_getz(j, "B"), "C")->line, 3);
	assert_int_equal(template_read(&test_arena, S(" {\"A\": \n {\"Ref\": \"X\"}}"), &j, &yaml, &err), 0);
	assert_false(yaml);
	assert_null(json_getz(j, "A")->tag);
	assert_int_equal(json_getz(j, "A")->line, 2);
}

static void order_kept(void **state)
{
	assert_str(tree("z: 1\na: 2\nm: {q: 1, b: 2}\n"), "{\"z\":1,\"a\":2,\"m\":{\"q\":1,\"b\":2}}");
}

static void refused(void **state)
{
	assert_str(tree("{\"A\": }"), "Template format error: JSON not well-formed. (line 1, column 7)");
	assert_str(tree("{\"A\": 1,\n \"B\" 2}"), "Template format error: JSON not well-formed. (line 2, column 6)");
	assert_str(tree("A: [1\nB: 2\n"), "Template format error: YAML not well-formed. (line 2, column 2)");
	assert_str(tree("A: !Foo x\n"), "Template format error: YAML not well-formed. (line 1, column 4)");
	assert_str(tree("A: !!binary aGk=\n"), "Template format error: YAML not well-formed. (line 1, column 4)");
	assert_str(tree("A: &x 1\nB: *x\n"), "Template error: YAML aliases are not allowed in CloudFormation templates");
	assert_str(tree("A: &x 1\n"), "{\"A\":1}");
	assert_str(tree("A:\n  <<: {b: 1}\n"), "Template format error: YAML not well-formed. (line 2, column 3)");
	assert_str(tree("A: 1\n---\nB: 2\n"), "Template format error: YAML not well-formed. (line 2, column 1)");
	assert_str(tree(""), "Template format error: unsupported structure.");
	assert_str(tree("just text"), "Template format error: unsupported structure.");
	assert_str(tree("[1]"), "Template format error: unsupported structure.");
	assert_str(tree("A:\n  {Fn::Sub: x}: 1\n"), "Template format error: [/A] map keys must be strings; received a map instead");
	assert_str(tree("A:\n- 1\n- {B: {[c]: 1}}\n"), "Template format error: [/A/1/B] map keys must be strings; received a list instead");
	assert_str(tree("A:\n  !Ref x : 1\n"), "Template format error: [/A] map keys must be strings; received a map instead");
	assert_str(tree("A:\n  ? [a]\n  : 1\n"), "Template format error: [/A] map keys must be strings; received a list instead");
	assert_str(tree("A: \xff\n"), "Template format error: YAML not well-formed. (line 1, column 1)");
}

static void duplicates(void **state)
{
	assert_str(tree("{\"A\":1,\n\"B\":{\"x\":1,\"y\":2,\"x\":3}}"),
		   "Template format error: JSON not well-formed. Duplicate key 'x' (line 2, column 19)");
	assert_str(tree("A: 1\nB: 1\nA: 2\n"), "Template format error: YAML not well-formed. Duplicate key 'A' (line 3, column 1)");
}

static void nulls(void **state)
{
	assert_str(tree("{\"Resources\":{\"A\":[1,null]}}"), "[/Resources/A/1] 'null' values are not allowed in templates");
	assert_str(tree("Resources:\n  A:\n    Properties:\n"), "[/Resources/A/Properties] 'null' values are not allowed in templates");
	assert_str(tree("A: ~\n"), "[/A] 'null' values are not allowed in templates");
}

static char *repeat(const char *s, size_t n, const char *head)
{
	struct buf b;
	char *z;

	buf_init(&b, 2 << 20);
	buf_str(&b, str_c(head));
	for (size_t i = 0; i < n; i++)
		buf_str(&b, str_c(s));
	z = xmalloc(b.n + 1);
	memcpy(z, b.p, b.n);
	z[b.n] = 0;
	buf_done(&b);
	return z;
}

/* Each of these is an attack: it has to end at once, refused. */
static void bombs(void **state)
{
	char *flow = repeat("[", 900000, "A: "), *maps = repeat("{a: ", 200000, "A: "), *json = repeat("[", 900000, "{\"A\":"),
	     *block = repeat("- ", 400000, ""), *subs = repeat("${!", 300000, "A: "), *big = repeat("x", 1000001, ""), *keys;
	struct buf b;

	assert_str(tree(flow), "Template format error: the template is nested deeper than 64 levels. (line 1, column 67)");
	assert_str(tree(maps), "Template format error: the template is nested deeper than 64 levels. (line 1, column 256)");
	assert_true(str_starts(tree(json), S("Template format error: JSON not well-formed.")));
	assert_true(str_starts(tree(block), S("Template format error: the template is nested deeper")));
	assert_true(str_starts(tree(subs), S("{\"A\":\"${!${!")));
	assert_str(tree(big), "Template may not exceed 1000000 bytes in size.");
	buf_init(&b, 2 << 20);
	buf_c(&b, '{');
	for (int i = 0; i < 60000; i++)
		buf_printf(&b, "\"k%d\":1,", 60000 - i);
	buf_printf(&b, "\"k1\":1}");
	buf_c(&b, 0);
	keys = b.p;
	assert_true(str_starts(tree(keys), S("Template format error: JSON not well-formed. Duplicate key 'k1'")));
	buf_done(&b);
	free(flow);
	free(maps);
	free(json);
	free(block);
	free(subs);
	free(big);
}

static void depth_edge(void **state)
{
	char open[512], *p = open;

	/* 64 open containers are read, in both languages; the 65th isn't. */
	p += snprintf(p, 64, "{\"A\":");
	memset(p, '[', 63);
	p[63] = '1';
	memset(p + 64, ']', 63);
	p[127] = '}';
	p[128] = 0;
	assert_true(str_starts(tree(open), S("{\"A\":[[[")));
	memset(p, '[', 64);
	p[64] = '1';
	memset(p + 65, ']', 64);
	p[129] = '}';
	p[130] = 0;
	assert_true(str_starts(tree(open), S("Template format error: the template is nested deeper")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(scalars), T(short_forms), T(tags_and_lines), T(order_kept), T(refused), T(duplicates), T(nulls), T(bombs), T(depth_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
