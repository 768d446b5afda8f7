/* SPDX-License-Identifier: Apache-2.0 */
/* The filter pattern language, on the examples of the CloudWatch Logs User Guide and on what they leave open. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "../../test.h"
#include "base/util.h"
#include "svc/logs/pattern.h"
#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena arena, scratch;

static bool matches(const char *pattern, struct str message)
{
	struct logs_pattern *p;
	struct str error;
	bool r;

	if (logs_pattern_compile(&arena, str_c(pattern), &p, &error) < 0) {
		print_error("%s: %.*s\n", pattern, STR(error));
		fail();
	}
	r = logs_pattern_matches(p, message, &scratch);
	arena_reset(&arena);
	return r;
}

struct row {
	const char *pattern, *message;
	bool holds;
};

static void check(const struct row *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (matches(t[i].pattern, str_c(t[i].message)) != t[i].holds) {
			print_error("%s\n  on %s\n  should%s match\n", t[i].pattern, t[i].message, t[i].holds ? "" : " not");
			fail();
		}
}

#define E400 "[ERROR 400] BAD REQUEST"
#define E401 "[ERROR 401] UNAUTHORIZED REQUEST"
#define E419 "[ERROR 419] MISSING ARGUMENTS"
#define E420 "[ERROR 420] INVALID ARGUMENTS"
#define E500 "[ERROR 500] INTERNAL SERVER ERROR"

static void terms(void **state)
{
	static const struct row t[] = {
		{ "ERROR", E400, true },
		{ "ERROR", E401, true },
		{ "ERROR", E419, true },
		{ "ERROR", "[INFO] all is well", false },
		{ "error", E400, false },
		{ "ERROR ARGUMENTS", E419, true },
		{ "ERROR ARGUMENTS", E420, true },
		{ "ERROR ARGUMENTS", E400, false },
		{ "ERROR ARGUMENTS", E401, false },
		{ "?ERROR ?ARGUMENTS", E400, true },
		{ "?ERROR ?ARGUMENTS", "only ARGUMENTS", true },
		{ "?ERROR ?ARGUMENTS", "[INFO] REQUEST FAILED", false },
		{ "?ERROR ?ARGUMENTS REQUEST", "[INFO] REQUEST FAILED", true },
		{ "?ERROR ?ARGUMENTS REQUEST", "[WARN] UNAUTHORIZED REQUEST", true },
		{ "?ERROR ?ARGUMENTS REQUEST", "[ERROR] 400 BAD REQUEST", true },
		{ "?ERROR ?ARGUMENTS REQUEST", "ERROR ARGUMENTS", false },
		{ "?ERROR -ARGUMENTS", "neither", true },
		{ "\"INTERNAL SERVER ERROR\"", E500, true },
		{ "\"INTERNAL SERVER ERROR\"", "INTERNAL ERROR of a SERVER", false },
		{ "ERROR -ARGUMENTS", E400, true },
		{ "ERROR -ARGUMENTS", E401, true },
		{ "ERROR -ARGUMENTS", E419, false },
		{ "-\"BAD REQUEST\"", E400, false },
		{ "-\"BAD REQUEST\"", E401, true },
		{ "?\"BAD REQUEST\" ?MISSING", E419, true },
		{ "\" \"", "anything", true },
		{ "\"\"", "", true },
		{ "", "anything", true },
		{ "  ", "anything", true },
		{ "\"say \\\"hi\\\"\"", "they say \"hi\" to you", true },
		{ "Fehler_\xc3\xbc", "ein Fehler_\xc3\xbc hier", true },
	};

	check(t, ELEMENTS(t));
}

static void regexes(void **state)
{
	static const struct row t[] = {
		{ "%AUTHORIZED%", E401, true },
		{ "%AUTHORIZED%", "[SUCCESS 200] AUTHORIZED REQUEST", true },
		{ "%AUTHORIZED%", E400, false },
		{ "%^[hc]at%", "hat on", true },
		{ "%^[hc]at%", "cat", true },
		{ "%^[hc]at%", "a cat", false },
		{ "%[hc]at$%", "a cat", true },
		{ "%[hc]at$%", "cats", false },
		{ "%colou?r%", "the color", true },
		{ "%colou?r%", "the colour", true },
		{ "%colou?r%", "the colouur", false },
		{ "%^[abcx-z]$%", "y", true },
		{ "%^[abcx-z]$%", "d", false },
		{ "%^a{3,5}$%", "aa", false },
		{ "%^a{3,5}$%", "aaa", true },
		{ "%^a{3,5}$%", "aaaaa", true },
		{ "%^a{3,5}$%", "aaaaaa", false },
		{ "%^a{3, 5}$%", "aaaa", true },
		{ "%^a{2,}$%", "a", false },
		{ "%^a{2,}$%", "aaaaaaaaaa", true },
		{ "%^a{,2}b%", "b", true },
		{ "%^a{,2}b%", "aab", true },
		{ "%^a{,2}b%", "aaab", false },
		{ "%^a{2}$%", "aa", true },
		{ "%^a{0}b$%", "b", true },
		{ "%gray|grey%", "so grey", true },
		{ "%^starting|^initializing|^shutting down%", "initializing ...", true },
		{ "%^starting|^initializing|^shutting down%", "shutting down", true },
		{ "%^starting|^initializing|^shutting down%", "skipping initializing ...", false },
		{ "%abcc|ab[^c]$%", "abcc ...", true },
		{ "%abcc|ab[^c]$%", "aba", true },
		{ "%abcc|ab[^c]$%", "aac ...", false },
		{ "%\\[.\\]%", "[a]", true },
		{ "%\\[.\\]%", "[]]", true },
		{ "%\\[.\\]%", "[]", false },
		{ "%10\\.10\\.0\\.1%", "from 10.10.0.1", true },
		{ "%10\\.10\\.0\\.1%", "10010,051", false },
		{ "%10.10.0.1%", "10010,051", true },
		{ "%ab*c%", "ac", true },
		{ "%ab*c%", "abbbc", true },
		{ "%^ab[0-9]*$%", "ab129", true },
		{ "%^ab[0-9]*$%", "ab12x", false },
		{ "%ab+c%", "ac", false },
		{ "%ab+c%", "abbbc", true },
		{ "%^.at$%", " at", true },
		{ "%^.at$%", "at", false },
		{ "%^\\d\\D$%", "4x", true },
		{ "%^\\d\\D$%", "44", false },
		{ "%^\\s\\S$%", "\tx", true },
		{ "%^\\s\\S$%", "x\n", false },
		{ "%^\\w+$%", "a_9", true },
		{ "%^\\w+$%", "a-9", false },
		{ "%\\W%", "a-9", true },
		{ "%\\x3A%", "a:b", true },
		{ "%\\x28%", "f(x)", true },
		{ "%\\x28%", "fx", false },
		{ "%^a.c$%",
		  "a\xc3\xa9"
		  "c",
		  true },
		{ "%^a..c$%",
		  "a\xc3\xa9"
		  "c",
		  false },
		{ "%^[]a]+$%", "]a]", true },
		{ "%^[a-]+$%", "a-a", true },
		{ "%^[^]]$%", "]", false },
		{ "%^$%", "", true },
		{ "%^$%", "x", false },
		{ "%^a*$%", "", true },
	};

	check(t, ELEMENTS(t));
}

static const char *const event =
	"{\"eventType\":\"UpdateTrail\",\"sourceIPAddress\":\"111.111.111.111\",\"arrayKey\":[\"value\",\"another value\"],"
	"\"objectList\":[{\"name\":\"a\",\"id\":1},{\"name\":\"b\",\"id\":2}],\"SomeObject\":null,\"cluster.name\":\"c\","
	"\"bandwidth\":80,\"neg\":-2.5,\"big\":1000,\"code\":404,\"yes\":true,\"no\":false,\"detail-type\":\"Shop\"}";
static const char *const object =
	"{\"user\":{\"id\":1,\"email\":\"John.Stiles@example.com\"},\"users\":[{\"id\":2,\"email\":\"John.Doe@example.com\"},"
	"{\"id\":3,\"email\":\"Jane.Doe@example.com\"}],\"actions\":[\"GET\",\"PUT\",\"DELETE\"],\"coordinates\":[[0,1,2],[4,5,6],[7,8,9]]"
	"}";

static void json_conditions(void **state)
{
	const struct row t[] = {
		{ "{ $.eventType = \"UpdateTrail\" }", event, true },
		{ "{ $.eventType = UpdateTrail }", event, true },
		{ "{ $.eventType = \"updatetrail\" }", event, false },
		{ "{$.eventType=\"Update*\"}", event, true },
		{ "{ $.eventType = \"*Trail\" }", event, true },
		{ "{ $.eventType = \"*date*rai*\" }", event, true },
		{ "{ $.eventType = \"Upd?teTrail\" }", event, false },
		{ "{ $.eventType != \"UpdateTrail\" }", event, false },
		{ "{ $.sourceIPAddress != 123.123.* }", event, true },
		{ "{ $.sourceIPAddress != 111.111.* }", event, false },
		{ "{ $.arrayKey[0] = \"value\" }", event, true },
		{ "{ $.arrayKey[1] = \"value\" }", event, false },
		{ "{ $.arrayKey[2] = \"value\" }", event, false },
		{ "{ $.arrayKey = \"value\" }", event, false },
		{ "{ $.eventType = %Trail% }", event, true },
		{ "{ $.eventType = %^Trail% }", event, false },
		{ "{ $.arrayKey[*] = %val.{2}% }", event, true },
		{ "{ $.* = %111\\.111\\.111\\.1[0-9]{1,2}% }", event, true },
		{ "{ $.* = \"nowhere\" }", event, false },
		{ "{ $.['cluster.name'] = \"c\" }", event, true },
		{ "{ $['cluster.name'] = \"c\" }", event, true },
		{ "{ $.cluster.name = \"c\" }", event, false },
		{ "{ $.detail-type = \"Shop\" }", event, true },
		{ "{ $.SomeObject IS NULL }", event, true },
		{ "{ $.eventType IS NULL }", event, false },
		{ "{ $.absent IS NULL }", event, false },
		{ "{ $.yes IS TRUE }", event, true },
		{ "{ $.no IS TRUE }", event, false },
		{ "{ $.no IS FALSE }", event, true },
		{ "{ $.SomeOtherObject NOT EXISTS }", event, true },
		{ "{ $.eventType NOT EXISTS }", event, false },
		{ "{ $.SomeObject NOT EXISTS }", event, false },
		{ "{ $.code = \"*\" }", event, true },
		{ "{ $.absent != \"x\" }", event, false },
		{ "{ $.bandwidth > 75 }", event, true },
		{ "{ $.bandwidth < 50 }", event, false },
		{ "{ $.bandwidth >= 80 }", event, true },
		{ "{ $.bandwidth <= 79.9 }", event, false },
		{ "{ $.neg < -2 }", event, true },
		{ "{ $.eventType > 1 }", event, false },
		{ "{ $.code = 404}", event, true },
		{ "{ $.code != 500 }", event, true },
		{ "{ $.code != 404 }", event, false },
		{ "{ $.code = 4* }", event, true },
		{ "{ $.code = 5* }", event, false },
		{ "{ $.big = 1e+3 }", event, true },
		{ "{ $.big != 1e-3 }", event, true },
		{ "{ $.objectList[*].id = 2 }", event, true },
		{ "{ $.objectList[*].id = 3 }", event, false },
		{ "{ ($.user.id = 1) && ($.users[0].email = \"John.Doe@example.com\") }", object, true },
		{ "{ $.user.email = \"John.Stiles@example.com\" || $.coordinates[0][1] = \"nonmatch\" && $.actions[2] = \"nonmatch\" }",
		  object, true },
		{ "{ ($.user.email = \"John.Stiles@example.com\" || $.coordinates[0][1] = \"nonmatch\") && $.actions[2] = \"nonmatch\" }",
		  object, false },
		{ "{ ($.user.id = 2 && $.users[0].email = \"nonmatch\") || $.actions[2] = \"GET\" }", object, false },
		{ "{ $.coordinates[1][2] = 6 }", object, true },
		{ "{ $.eventType = \"UpdateTrail\" }", "eventType=UpdateTrail", false },
		{ "{ $.a = 1 }", "{\"a\":1} and more", false },
		{ "{ $.a = 1 }", "  {\"a\":1}\n", true },
		{ "{ $.a NOT EXISTS }", "no JSON", false },
		{ "{ ($.errorCode = \"*UnauthorizedOperation\") || ($.errorCode = \"AccessDenied*\") }",
		  "{\"errorCode\":\"Client.UnauthorizedOperation\"}", true },
		{ "{ $.userIdentity.type = \"Root\" && $.userIdentity.invokedBy NOT EXISTS && $.eventType != \"AwsServiceEvent\" }",
		  "{\"userIdentity\":{\"type\":\"Root\"},\"eventType\":\"AwsApiCall\"}", true },
		{ "{ $.userIdentity.type = \"Root\" && $.userIdentity.invokedBy NOT EXISTS && $.eventType != \"AwsServiceEvent\" }",
		  "{\"userIdentity\":{\"type\":\"Root\",\"invokedBy\":\"x\"},\"eventType\":\"AwsApiCall\"}", false },
	};

	check(t, ELEMENTS(t));
}

#define ACCESS "127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 404 1534"
#define L1 "INFO 09/25/2014 12:00:00 GET /service/resource/67 1200"
#define L2 "INFO 09/25/2014 12:00:01 POST /service/resource/67/part/111 1310"
#define L3 "WARNING 09/25/2014 12:00:02 Invalid user request"
#define L4 "ERROR 09/25/2014 12:00:02 Failed to process request"

static void fields(void **state)
{
	static const struct row t[] = {
		{ "[ip=%127\\.0\\.0\\.[1-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", ACCESS, true },
		{ "[ip=%127\\.0\\.1\\.[1-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", ACCESS, false },
		{ "[..., request =*.html*, status_code = 4*, bytes]", ACCESS, true },
		{ "[..., request =*.html*, status_code = 5*, bytes]", ACCESS, false },
		{ "[ip, user, username, timestamp, request =*.html*, status_code = 404 || status_code = 410, bytes]", ACCESS, true },
		{ "[ip, user, username, timestamp, request =*.html*, status_code = 409 || status_code = 410, bytes]", ACCESS, false },
		{ "[ip, user, username, timestamp, request, status_code, bytes > 1000]", ACCESS, true },
		{ "[ip, user, username, timestamp, request, status_code, bytes > 1534]", ACCESS, false },
		{ "[ip, user, username, timestamp = \"10/Oct/2000:13:25:15 -0700\", ...]", ACCESS, true },
		{ "[ip, ..., bytes >= 1534]", ACCESS, true },
		{ "[ip, user, username, timestamp, request, status_code, bytes, more]", ACCESS, false },
		{ "[(ip = 127.* || ip = 10.*) && ip != 127.0.0.2, ...]", ACCESS, true },
		{ "[...]", "", true },
		{ "[w1]", "", false },
		{ "[w1=ERROR, w2]", L1, false },
		{ "[w1=ERROR, w2]", L3, false },
		{ "[w1=ERROR, w2]", L4, true },
		{ "[w1=ERROR || w1=WARNING, w2]", L3, true },
		{ "[w1=ERROR || w1=WARNING, w2]", L4, true },
		{ "[w1=ERROR || w1=WARNING, w2]", L1, false },
		{ "[w1!=ERROR && w1!=WARNING, w2]", L1, true },
		{ "[w1!=ERROR && w1!=WARNING, w2]", L2, true },
		{ "[w1!=ERROR && w1!=WARNING, w2]", L3, false },
		{ "[logLevel, date, time, method, url=%/service/resource/[0-9]+$%, response_time]", L1, true },
		{ "[logLevel, date, time, method, url=%/service/resource/[0-9]+$%, response_time]", L2, false },
		{ "[logLevel, date, time, method, url=%/service/resource/[0-9]+/part/[0-9]+$%, response_time]", L2, true },
		{ "[logLevel, date, time, method, url=%/service/resource/[0-9]+/part/[0-9]+$%, response_time]", L1, false },
	};

	check(t, ELEMENTS(t));
}

static void not_patterns(void **state)
{
	static const char *const bad[] = {
		"ERROR:",
		"a/b",
		"\"open",
		"-",
		"?",
		"-\" \"",
		"{ }",
		"{ $.a }",
		"{ a = 1 }",
		"{ $.a == 1 }",
		"{ $.a = }",
		"{ $.a = 1 } x",
		"{ $.a = 1",
		"{ ($.a = 1 }",
		"{ $.a > \"x\" }",
		"{ $.a > x }",
		"{ $.a IS NOT NULL }",
		"{ $.a EXISTS }",
		"{ $.a[x] = 1 }",
		"{ $.a[1 = 1 }",
		"{ $.a[*].b[*] = 1 }",
		"{ $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.d[*] = 1 }",
		"{ $.a = %a% || $.b = %b% || $.c = %c% }",
		"{ $.a = 1 & $.b = 2 }",
		"[a",
		"[a, ..., b, ...]",
		"[]",
		"[a, , b]",
		"[a = 1 || b = 2]",
		"[a] x",
		"%open",
		"%%",
		"%a% %b%",
		"%something!%",
		"%(a)%",
		"%a**%",
		"%[a%",
		"%a{5,3}%",
		"%a{}%",
		"%a{99999}%",
		"%*a%",
		"%a\\b%",
		"%\\x4%",
		"%\\xff%",
		"%\xc3\xa9%",
		"%a^b%",
		"%[z-a]%",
		"%(a+)+%",
		"%a|%",
		"%[abcdefghij]{1000}[abcdefghij]{1000}%",
	};
	struct logs_pattern *p;
	struct str error;

	for (size_t i = 0; i < ELEMENTS(bad); i++) {
		error = STR_NONE;
		if (logs_pattern_compile(&arena, str_c(bad[i]), &p, &error) != -EINVAL || !error.n) {
			print_error("\"%s\" was taken\n", bad[i]);
			fail();
		}
	}
	arena_reset(&arena);
}

static struct str nested(int depth)
{
	struct buf b;
	struct str s;

	buf_init(&b, 1 << 20);
	buf_str(&b, S("{ "));
	for (int i = 0; i < depth; i++)
		buf_c(&b, '(');
	buf_str(&b, S("$.a = 1"));
	for (int i = 0; i < depth; i++)
		buf_c(&b, ')');
	buf_str(&b, S(" }"));
	s = str_dup(&arena, buf_view(&b));
	buf_done(&b);
	return s;
}

/* What takes other matchers forever is done in time that grows with message times pattern. */
static void bombs(void **state)
{
	struct logs_pattern *p;
	struct str error;
	size_t n = 256 << 10;
	char *message = malloc(n);
	int64_t before;

	assert_int_equal(logs_pattern_compile(&arena, nested(PATTERN_DEPTH_MAX), &p, &error), 0);
	assert_true(logs_pattern_matches(p, S("{\"a\":1}"), &scratch));
	assert_int_equal(logs_pattern_compile(&arena, nested(PATTERN_DEPTH_MAX + 1), &p, &error), -EINVAL);
	assert_int_equal(logs_pattern_compile(&arena, nested(400), &p, &error), -EINVAL);
	memset(message, 'a', n);
	before = clock_mono_ms();
	assert_false(matches("%a*a*a*a*a*a*a*a*a*a*a*a*b%", str_of(message, n)));
	assert_false(matches("%a{1,500}b%", str_of(message, n)));
	assert_false(matches("{ $.a = \"*a*a*a*a*a*a*a*a*b\" }",
			     S("{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}")));
	memset(message, '[', n);
	assert_false(matches("{ $.a = 1 }", str_of(message, n)));
	assert_true(matches("[w1 = \"[[*\", w2]", S("[[ x")));
	assert_true(matches("[a, ..., b = 1]", S("x \0\0 \0 1"))); /* a NUL is a character like others */
	assert_false(matches("[a]", S(" \t")));
	assert_true(matches("[a]", S("\0")));
	assert_true(clock_mono_ms() - before < 20000); /* sanitizers and a busy machine included; a backtracking matcher needs years */
	free(message);
	arena_reset(&arena);
}

static void extracted(void **state)
{
	struct logs_pattern *p;
	struct str_map m;
	struct str error;

	assert_int_equal(logs_pattern_compile(&arena, S("[ip, ..., request, status_code = 4*, bytes]"), &p, &error), 0);
	logs_pattern_extract(p, S(ACCESS), &arena, &m);
	assert_int_equal(m.n, 4);
	assert_str(str_map_get(&m, S("$ip")), "127.0.0.1");
	assert_str(str_map_get(&m, S("$request")), "GET /index.html HTTP/1.0");
	assert_str(str_map_get(&m, S("$bytes")), "1534");
	assert_int_equal(
		logs_pattern_compile(&arena, S("{ $.eventType = \"U*\" && $.objectList[1].id = 2 && $.SomeObject IS NULL }"), &p, &error),
		0);
	logs_pattern_extract(p, str_c(event), &arena, &m);
	assert_str(str_map_get(&m, S("$.eventType")), "UpdateTrail");
	assert_str(str_map_get(&m, S("$.objectList[1].id")), "2");
	assert_str(str_map_get(&m, S("$.SomeObject")), "null");
	assert_int_equal(logs_pattern_compile(&arena, S("ERROR"), &p, &error), 0);
	logs_pattern_extract(p, S("ERROR"), &arena, &m);
	assert_int_equal(m.n, 0);
	assert_false(logs_pattern_has_regex(p));
	assert_int_equal(logs_pattern_compile(&arena, S("%a%"), &p, &error), 0);
	assert_true(logs_pattern_has_regex(p));
	arena_reset(&arena);
}

static uint32_t seed = 1;

static uint32_t dice(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 16) % n;
}

static void random_regex(struct buf *b)
{
	static const char *const atoms[] = { "a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", "\\d", "\\w", "\\S", "1", "\\x61", "[^b-c1]" };
	static const char *const repeats[] = { "", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}" };
	uint32_t alternatives = 1 + dice(3);

	for (uint32_t i = 0; i < alternatives; i++) {
		if (i)
			buf_c(b, '|');
		if (dice(3) == 0)
			buf_c(b, '^');
		for (uint32_t n = 1 + dice(5); n > 0; n--) {
			buf_str(b, str_c(atoms[dice(ELEMENTS(atoms))]));
			buf_str(b, str_c(repeats[dice(ELEMENTS(repeats))]));
		}
		if (dice(3) == 0)
			buf_c(b, '$');
	}
}

/* Expressions and texts at random: both matchers say the same. */
static void same_as_pcre2(void **state)
{
	struct buf b;

	buf_init(&b, 4096);
	for (int round = 0; round < 3000; round++) {
		struct pattern_regex *x;
		pcre2_match_data *m;
		pcre2_code *code;
		PCRE2_SIZE at;
		int error;

		buf_clear(&b);
		random_regex(&b);
		assert_int_equal(pattern_regex_compile(&arena, buf_view(&b), &x), 0);
		code = pcre2_compile((PCRE2_SPTR)b.p, b.n, PCRE2_DOLLAR_ENDONLY, &error, &at, NULL);
		assert_non_null(code);
		m = pcre2_match_data_create_from_pattern(code, NULL);
		for (int t = 0; t < 20; t++) {
			char text[12];
			size_t n = dice(sizeof text + 1);

			for (size_t i = 0; i < n; i++)
				text[i] = "aaabbc1 \n"[dice(9)];
			if (pattern_regex_matches(x, str_of(text, n)) != (pcre2_match(code, (PCRE2_SPTR)text, n, 0, 0, m, NULL) >= 0)) {
				print_error("%.*s\n  on \"%.*s\"\n", (int)b.n, b.p, (int)n, text);
				fail();
			}
		}
		pcre2_match_data_free(m);
		pcre2_code_free(code);
		arena_reset(&arena);
	}
	buf_done(&b);
}

static int done(void **state)
{
	arena_done(&arena);
	arena_done(&scratch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terms),     cmocka_unit_test(regexes),       cmocka_unit_test(json_conditions),
		cmocka_unit_test(fields),    cmocka_unit_test(not_patterns),  cmocka_unit_test(bombs),
		cmocka_unit_test(extracted), cmocka_unit_test(same_as_pcre2),
	};

	return cmocka_run_group_tests(tests, NULL, done);
}
