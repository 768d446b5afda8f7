/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers of the checksums and ciphers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/util.h"

static void test_crc(void **state)
{
	assert_int_equal(crc32_ieee(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_true(crc64_nvme(0, "123456789", 9) == 0xae8b14860a799888);
}

static void test_json(void **state)
{
	struct arena a = { 0 };
	struct json *j;

	assert_int_equal(json_parse(&a, S("{\"a\":[1,2.5,{\"b\":\"\\u00e9\\ud83d\\ude00\"}],\"c\":null}"), &j, NULL), 0);
	assert_true(str_eq(json_text(&a, j), S("{\"a\":[1,2.5,{\"b\":\"\u00e9\U0001F600\"}],\"c\":null}")));
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_crc), cmocka_unit_test(test_json) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
