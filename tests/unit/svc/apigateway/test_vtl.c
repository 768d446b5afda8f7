/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping templates: the language, what API Gateway adds to it, and what they can't do: run for ever, grow without end. */
#include "test.h"

#include <errno.h>

#include "svc/apigateway/vtl.h"

static struct arena arena;
static const char body[] =
	"{\"name\":\"Ann \\\"A\\\"\",\"age\":41,\"pi\":3.5,\"ok\":true,\"none\":null,\"tags\":[\"a\",\"b\"],"
	"\"pets\":[{\"type\":\"dog\",\"price\":249.99},{\"type\":\"cat\",\"price\":124.99},{\"type\":\"fish\",\"price\":0.99}],"
	"\"deep\":{\"x\":{\"y\":7}},\"odd key\":1}";

static int render_body(const char *text, const char *in, struct str *ret)
{
	struct vtl_run r = { .arena = &arena };
	struct vtl_input input = { .body = str_c(in) };
	struct vtl_template *t;
	struct vtl_value map = vtl_map_new(&arena), query = vtl_map_new(&arena), header = vtl_map_new(&arena),
			 context = vtl_map_new(&arena);
	struct str error;
	struct buf out;
	int e = vtl_parse(&arena, str_c(text), &t, &error);

	if (e < 0) {
		*ret = error;
		return e;
	}
	vtl_map_set(&arena, map.map, S("id"), vtl_str(S("42")));
	vtl_map_set(&arena, query.map, S("q"), vtl_str(S("x y")));
	vtl_map_set(&arena, header.map, S("X-Thing"), vtl_str(S("h")));
	input.path = map.map;
	input.querystring = query.map;
	input.header = header.map;
	vtl_define_input(&r, &input);
	vtl_map_set(&arena, context.map, S("requestId"), vtl_str(S("rid")));
	vtl_map_set(&arena, context.map, S("responseOverride"), vtl_map_new(&arena));
	vtl_define(&r, "context", context);
	buf_init(&out, VTL_OUT_BYTES_MAX);
	e = vtl_render(&r, t, &out);
	*ret = e == 0 ? str_dup(&arena, buf_view(&out)) : r.error;
	buf_done(&out);
	return e;
}

static void check(const char *text, const char *want, const char *file, int line)
{
	struct str got;
	int e = render_body(text, body, &got);

	if (e < 0)
		print_error("%s: %d\n", text, e);
	test_assert_str(got, want, file, line);
	assert_int_equal(e, 0);
}
#define T(text, want) check(text, want, __FILE__, __LINE__)

static void check_fails(const char *text, int want)
{
	struct str got;

	assert_int_equal(render_body(text, body, &got), want);
	assert_non_null(got.p);
}

static void test_text_and_references(void **state)
{
	T("", "");
	T("plain $ # text $5 #fff", "plain $ # text $5 #fff");
	T("#set($a = 'x')$a ${a}b $!a $!{a} $a.b $missing|$!missing|${missing}", "x xb x x  ||");
	T("#set($a = 1)\\$a \\\\$a \\#set", "$a \\1 #set");
	T("#[[ $a #if ]]#", " $a #if ");
	T("a## gone\nb#* gone $x *#c", "abc");
	T("#set($m = {'k': [1, 2, {'z': 'deep'}]})$m.k[2].z $m.k.get(0) $m['k'][1] $m.k[9]", "deep 1 2 ");
	T("$context.requestId.length()", "3");
	T("#set($a-b = 'v')<$a-b>", "<v>");
}

static void test_blanks(void **state)
{
	T("a\n  #set($x = 1)  \nb", "a\nb");
	T("#if(true)\nyes\n#else\nno\n#end\nend", "yes\nend");
	T("#foreach($i in [1,2])\n$i\n#end\n", "1\n2\n");
}

static void test_expressions(void **state)
{
	T("#set($x = 2 + 3 * 4)$x", "14");
	T("#set($x = (2 + 3) * 4 - 1)$x", "19");
	T("#set($x = 7 / 2)$x #set($x = 7 % 4)$x #set($x = 7.0 / 2)$x #set($x = 1 / 0)[$x]", "333.5[]");
	T("#set($x = -5)#set($y = -$x)$x $y", "-5 5");
	T("#set($x = 'a' + 1 + 'b')$x", "a1b");
	T("#set($n = 3)#set($s = \"n=$n ${n}x\")$s", "n=3 3x");
	T("#set($s = 'no $n')$s", "no $n");
	T("#set($s = \"say \"\"hi\"\"\")$s", "say \"hi\"");
	T("#if(1 == 1.0 && 'a' == 'a' && !(1 != 1) && 2 > 1 and 1 <= 1 && not false)t#end", "t");
	T("#if(1 lt 2 && 2 gt 1 && 1 ne 2 && 1 eq 1 && 1 le 1 && 2 ge 2)t#end", "t");
	T("#if($missing)y#{else}n#end #if('')y#{else}n#end #if($missing == $nothing)y#end", "n y y");
	T("#if(false)a#elseif($input.path('$.ok'))b#{else}c#end", "b");
	T("#set($r = [1..4])$r $r.size() #set($d = [3..1])$d", "[1, 2, 3, 4] 4[3, 2, 1]");
	T("#set($m = {'a': 1, \"b\": 'x'})$m", "{a=1, b=x}");
	T("#set($x = 9223372036854775807)#set($x = $x + 1)$x", "-9223372036854775808");
}

static void test_loops(void **state)
{
	T("#foreach($p in $input.path('$.pets'))$foreach.index:$p.type#if($foreach.hasNext), #end#end", "0:dog, 1:cat, 2:fish");
	T("#foreach($i in [1..5])#if($i == 3)#break#end$i#end.", "12.");
	T("#foreach($a in [1,2])#foreach($b in ['x','y'])$a$b$foreach.parent.count #end#end", "1x1 1y1 2x2 2y2 ");
	T("#foreach($v in {'a': 1, 'b': 2})$v#end", "12");
}

static void test_maps_and_lists(void **state)
{
	T("#set($m = {})#set($d = $m.put('a', 1))$!m.put('b', 2)#foreach($k in $m.keySet())$k=$m.get($k);#end$m.size() $m.containsKey('a')",
	  "a=1;b=2;2 true");
	T("#set($m = {'a': 1})#foreach($e in $m.entrySet())$e.key $e.value $e.getKey()#end", "a 1 a");
	T("#set($l = [])#set($d = $l.add('x'))#set($d = $l.addAll(['y', 'z']))$l $l.contains('y') $l.indexOf('z') $l.isEmpty() "
	  "$l.subList(1, 3)",
	  "[x, y, z] true 2 false [y, z]");
	T("#set($l = [1, 2, 3])#set($d = $l.remove(0))$l #set($d = $l.set(0, 9))$l.get(0) $l[-1]", "[2, 3]9 3");
	T("#set($m = {'a': {}})#set($m.a.b = 5)#set($m['c'] = 6)$m", "{a={b=5}, c=6}");
	T("#set($context.responseOverride.status = 418)$context.responseOverride.status", "418");
	T("#set($m = {})#set($m.self = $m)x", "x");
}

static void test_strings(void **state)
{
	T("#set($s = 'Hello')$s.length() $s.toUpperCase() $s.substring(1) $s.substring(1, 3) $s.indexOf('l') $s.lastIndexOf('l') "
	  "$s.charAt(0)",
	  "5 HELLO ello el 2 3 H");
	T("#set($s = 'a,b,,c,,')$s.split(',').size() $s.split(',')", "4 [a, b, , c]");
	T("#set($s = 'a1b22')$s.replaceAll('[0-9]+', '#') $s.replaceAll('([a-z])(\\d)', '$2$1') $s.replace('1', '-')", "a#b# 1a2b2 a-b22");
	T("#set($s = ' x ')[$s.trim()] $s.isEmpty() $s.contains('x') $s.startsWith(' x') $s.endsWith('q') $s.equals(' x ')",
	  "[x] false true true false true");
	T("#set($s = 'abc')$s.matches('[a-c]+') $s.matches('b') $s.equalsIgnoreCase('ABC') $s.concat('d')", "true false true abcd");
	T("#set($s = 'h\xC3\xA9\xF0\x9F\x98\x80x')$s.length() $s.indexOf('x') $s.substring(4)", "5 4 x");
	T("#set($s = '12')#set($i = 0)#set($n = $i.parseInt($s) + 1)$n", "13");
}

static void test_macros(void **state)
{
	T("#macro(hi $who)<$who>#end#hi('a')#hi(\"b\")", "<a><b>");
	T("#macro(pair $a, $b)${a}-$b#end#pair(1, 2) #pair([1..2] 'x')", "1-2 [1, 2]-x");
	T("#define($d)v=$v#end#set($v = 1)$d#set($v = 2) $d", "v=1 v=2");
	T("a#stop b", "a");
}

static void test_input(void **state)
{
	T("$input.params('id') $input.params('q') $input.params('x-thing') [$input.params('none')]", "42 x y h []");
	T("$input.params().path.id $input.params().querystring.get('q') $input.params().header.get('X-Thing')", "42 x y h");
	T("$input.json('$.name') $input.json('$.tags') $input.json('$.deep.x')", "\"Ann \\\"A\\\"\" [\"a\",\"b\"] {\"y\":7}");
	T("$input.json('$.none') $input.json('$.missing') $input.path('$.missing')", "null \"\" ");
	T("$input.path('$.deep') $input.path('$.tags') $input.path('$.pets[0].price') $input.path('$.age')",
	  "{x={y=7}} [\"a\",\"b\"] 249.99 41");
	T("#set($root = $input.path('$'))$root.deep.x.y $root['odd key'] $root.pets.size() $root.nothing.at.all", "7 1 3 ");
}

static void test_util(void **state)
{
	T("$util.escapeJavaScript(\"it's\") $util.escapeJavaScript($input.path('$.name'))", "it\\'s Ann \\\"A\\\"");
	T("$util.urlEncode('a b&c/~') $util.urlDecode('a+b%26')", "a+b%26c%2F%7E a b&");
	T("$util.base64Encode('hi') $util.base64Decode('aGk=')", "aGk= hi");
	T("#set($o = $util.parseJson('{\"a\":{\"b\":[1,2]}}'))$o.a.b[1] $o", "2 {a={b=[1,2]}}");
	check_fails("$util.parseJson('nope')", -EINVAL);
}

static struct str path(const char *p)
{
	struct json *root, *got = NULL;
	int r;

	assert_int_equal(json_parse(&arena, str_c(body), &root, NULL), 0);
	r = json_path(&arena, root, str_c(p), &got);
	return r < 0 ? str_printf(&arena, "%d", r) : got ? json_text(&arena, got) : S("none");
}

static void test_json_path(void **state)
{
	assert_str(path("$.deep.x.y"), "7");
	assert_str(path("deep.x"), "{\"y\":7}");
	assert_str(path("$['odd key']"), "1");
	assert_str(path("$.pets[*].type"), "[\"dog\",\"cat\",\"fish\"]");
	assert_str(path("$..y"), "[7]");
	assert_str(path("$.pets[-1].type"), "\"fish\"");
	assert_str(path("$.pets[0,2].type"), "[\"dog\",\"fish\"]");
	assert_str(path("$.pets[1:].type"), "[\"cat\",\"fish\"]");
	assert_str(path("$.pets[:1].type"), "[\"dog\"]");
	assert_str(path("$['name','age']"), "[\"Ann \\\"A\\\"\",41]");
	assert_str(path("$.pets[?(@.price > 100)].type"), "[\"dog\",\"cat\"]");
	assert_str(path("$.pets[?(@.price > 100 && @.type != 'dog')].type"), "[\"cat\"]");
	assert_str(path("$.pets[?(!(@.type == 'dog') || @.price<0.5)].type"), "[\"cat\",\"fish\"]");
	assert_str(path("$.pets[?(@.nope)]"), "[]");
	assert_str(path("$.pets.length()"), "3");
	assert_str(path("$.tags.size()"), "2");
	assert_str(path("$.nope"), "none");
	assert_str(path("$.pets["), "-22");
	assert_str(path("$.pets[?(@.x"), "-22");
	assert_str(path("$x"), "-22");
}

static void test_broken(void **state)
{
	check_fails("#if(true)", -EINVAL);
	check_fails("#end", -EINVAL);
	check_fails("#set($a)", -EINVAL);
	check_fails("#set(a = 1)", -EINVAL);
	check_fails("#foreach($i of [1])x#end", -EINVAL);
	check_fails("#set($a = 'open)", -EINVAL);
	check_fails("#* open", -EINVAL);
	check_fails("#parse('x')", -EINVAL);
	check_fails("#include('/etc/passwd')", -EINVAL);
	check_fails("#evaluate('x')", -EINVAL);
}

/* What must end: loops in loops, recursion, texts that double, expressions nested without end. */
static void test_bombs(void **state)
{
	struct buf b;

	check_fails("#foreach($i in [1..1001])x#end", -E2BIG);
	check_fails("#set($r = [1..1000])#foreach($a in $r)#foreach($b in $r)#foreach($c in $r)x#end#end#end", -E2BIG);
	check_fails("#set($l = [1..2000000000])", -E2BIG);
	check_fails("#macro(m)#m()#end#m()", -E2BIG);
	check_fails("#define($d)$d#end$d", -E2BIG);
	check_fails("#set($s = 'xxxxxxxxxxxxxxxx')#foreach($i in [1..40])#set($s = $s + $s)#end", -E2BIG);
	check_fails("#set($s = 'xxxxxxxxxxxxxxxx')#foreach($i in [1..40])#set($s = \"$s$s\")#end", -E2BIG);
	check_fails("#set($s = 'x')#foreach($i in [1..40])#set($s = $s.replace('x', 'xxxx'))#end", -E2BIG);
	check_fails("#set($s = 'x')#foreach($i in [1..40])#set($s = $s.replaceAll('x', 'xxxx'))#end", -E2BIG);
	check_fails("#set($m = {})#set($m.self = $m)$m", -E2BIG);
	check_fails("#set($l = [1])#foreach($i in [1..60])#set($d = $l.addAll($l))#end", -E2BIG);
	check_fails("#set($s = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabc')$s.matches('(a*)*(a*)*(a*)*b')", -E2BIG);
	buf_init(&b, 1 << 20);
	buf_str(&b, S("#set($x = "));
	for (int i = 0; i < 5000; i++)
		buf_c(&b, '(');
	check_fails(str_z(&arena, buf_view(&b)), -EINVAL);
	buf_clear(&b);
	for (int i = 0; i < 5000; i++)
		buf_str(&b, S("#if(true)"));
	check_fails(str_z(&arena, buf_view(&b)), -EINVAL);
	buf_clear(&b);
	for (int i = 0; i < 30000; i++) /* tried as an index each time, and none */
		buf_str(&b, S("$a["));
	struct str got;
	assert_int_equal(render_body(str_z(&arena, buf_view(&b)), body, &got), 0);
	assert_int_equal(got.n, 30000);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_references),
		cmocka_unit_test(test_blanks),
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_maps_and_lists),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_macros),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_util),
		cmocka_unit_test(test_json_path),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_bombs),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	arena_done(&arena);
	return r;
}
