/* SPDX-License-Identifier: Apache-2.0 */
/* Documents as trees, their canonical form, and signed responses. The canonical forms are what libxml2 writes. */
#include "../test.h"
#include "base/util.h"
#include "sample.h"
#include "saml/internal.h"
#include <errno.h>
#include <stdlib.h>

static struct str canonical(struct arena *a, const char *text, const char *inside, const char *prefix)
{
	struct str prefixes[] = { str_c(prefix), S("absent") }, ret;
	struct str_list l = { prefixes, prefix ? 2 : 0 };
	const struct saml_node *n;
	struct saml_node *root;

	assert_int_equal(saml_parse(a, str_c(text), &root), 0);
	n = inside ? saml_only(root, "urn:o", inside) : root;
	assert_non_null(n);
	assert_int_equal(saml_c14n(a, n, NULL, &l, &ret), 0);
	return ret;
}

static void test_canonical_forms(void **state)
{
	static const char part[] =
		"<o:out xmlns:o=\"urn:o\" xmlns:x=\"urn:x\" xmlns=\"urn:d\" xmlns:y=\"urn:y\"><o:in y:k=\"1\"><in2/></o:in></o:out>";
	struct arena a = { 0 };

	assert_str(canonical(&a,
			     "<a xmlns=\"urn:a\" xmlns:b=\"urn:b\" b:y=\"2\" x=\"1&#10;&quot;&lt;\"><b:c xmlns:b=\"urn:b2\"/><d xmlns=\"\" "
			     "xml:lang=\"en\">t&#13;&gt;<![CDATA[<&]]></d><!-- c --></a>",
			     NULL, NULL),
		   "<a xmlns=\"urn:a\" xmlns:b=\"urn:b\" x=\"1&#xA;&quot;&lt;\" b:y=\"2\"><b:c xmlns:b=\"urn:b2\"></b:c><d xmlns=\"\" "
		   "xml:lang=\"en\">t&#xD;&gt;&lt;&amp;</d></a>");
	assert_str(
		canonical(&a,
			  "<p:a xmlns:p=\"urn:p\" xmlns:q=\"urn:q\" xmlns:unused=\"urn:u\"><q:b q:z=\"1\" p:y=\"2\" a=\"3\"/><q:b/><c><q:d "
			  "xmlns:q=\"urn:q2\"/></c></p:a>",
			  NULL, NULL),
		"<p:a xmlns:p=\"urn:p\"><q:b xmlns:q=\"urn:q\" a=\"3\" p:y=\"2\" q:z=\"1\"></q:b><q:b xmlns:q=\"urn:q\"></q:b><c><q:d "
		"xmlns:q=\"urn:q2\"></q:d></c></p:a>");
	assert_str(canonical(&a, "<a  z = 'x' b='\"'\n>\r\n &#x9;<b/></a >", NULL, NULL), "<a b=\"&quot;\" z=\"x\">\n \t<b></b></a>");
	assert_str(canonical(&a, part, "in", NULL),
		   "<o:in xmlns:o=\"urn:o\" xmlns:y=\"urn:y\" y:k=\"1\"><in2 xmlns=\"urn:d\"></in2></o:in>");
	assert_str(canonical(&a, part, "in", "x"),
		   "<o:in xmlns:o=\"urn:o\" xmlns:x=\"urn:x\" xmlns:y=\"urn:y\" y:k=\"1\"><in2 xmlns=\"urn:d\"></in2></o:in>");
	assert_str(canonical(&a, part, "in", ""), "<o:in xmlns=\"urn:d\" xmlns:o=\"urn:o\" xmlns:y=\"urn:y\" y:k=\"1\"><in2></in2></o:in>");
	arena_done(&a);
}

static void test_text_is_whole(void **state)
{
	struct arena a = { 0 };
	struct saml_node *n;

	assert_int_equal(saml_parse(&a, S("<a>one<!-- x -->&amp;<![CDATA[two]]></a>"), &n), 0);
	assert_str(saml_text(n), "one&two");
	assert_int_equal(saml_parse(&a, S("<a/>"), &n), 0);
	assert_str(saml_text(n), "");
	assert_int_equal(saml_parse(&a, S("<a>one<b/></a>"), &n), 0);
	assert_str(saml_text(n), NULL);
	assert_str(saml_text(NULL), NULL);
	arena_done(&a);
}

static struct str repeat(struct arena *a, const char *piece, size_t n)
{
	struct str s = str_c(piece), *v = arena_array(a, struct str, n);

	for (size_t i = 0; i < n; i++)
		v[i] = s;
	return str_join(a, v, n, S(""));
}

static int parse(struct arena *a, struct str text)
{
	struct saml_node *n;

	return saml_parse(a, text, &n);
}

static void test_what_no_document_may_have(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"<a>",
		"<a/><b/>",
		"<!DOCTYPE a><a/>",
		"<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
		"<?php x?><a/>",
		"<a><?x y?></a>",
		"<a>&e;</a>",
		"<x:a/>",
		"<a x:y='1'/>",
		"<a y='1' y='2'/>",
		"<a xmlns:p='urn:p' xmlns:q='urn:p' p:y='1' q:y='2'/>",
		"<a xmlns:p=''/>",
		"<a>\x01</a>",
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < ELEMENTS(bad); i++)
		assert_int_equal(parse(&a, str_c(bad[i])), -EINVAL);
	arena_done(&a);
}

static void test_limits(void **state)
{
	struct arena a = { 0 };
	struct str around[] = { repeat(&a, "<a>", SAML_DEPTH_MAX), repeat(&a, "</a>", SAML_DEPTH_MAX) }, text, ret;
	struct str_list none = { 0 };
	struct saml_node *n;

	assert_int_equal(parse(&a, str_join(&a, around, 2, S(""))), 0);
	assert_int_equal(parse(&a, str_join(&a, around, 2, S("<a></a>"))), -EINVAL);
	assert_int_equal(parse(&a, str_printf(&a, "<a>%.*s</a>", STR(repeat(&a, "<b/>", SAML_NODES_MAX - 1)))), 0);
	assert_int_equal(parse(&a, str_printf(&a, "<a>%.*s</a>", STR(repeat(&a, "<b/>", SAML_NODES_MAX)))), -EINVAL);
	text = S("<a");
	for (int i = 0; i <= SAML_NODE_ATTRIBUTES_MAX; i++)
		text = str_printf(&a, "%.*s a%d=''", STR(text), i);
	assert_int_equal(parse(&a, str_printf(&a, "%.*s/>", STR(text))), -EINVAL);
	text = S("<a");
	for (int i = 0; i <= SAML_NODE_NAMESPACES_MAX; i++)
		text = str_printf(&a, "%.*s xmlns:a%d='urn:x'", STR(text), i);
	assert_int_equal(parse(&a, str_printf(&a, "%.*s/>", STR(text))), -EINVAL);
	/* a small document with a large canonical form */
	text = str_printf(&a, "<a xmlns:n='%.*s'>%.*s</a>", STR(repeat(&a, "u", 2000)), STR(repeat(&a, "<n:b/>", 1000)));
	assert_int_equal(saml_parse(&a, text, &n), 0);
	assert_int_equal(saml_c14n(&a, n, NULL, &none, &ret), -E2BIG);
	arena_done(&a);
}

/* --- responses --- */

static struct str_list certificates(struct arena *a)
{
	struct str_list l = { arena_array(a, struct str, 1), 1 };

	assert_int_equal(saml_base64(a, S(SAMPLE_CERTIFICATE), &l.v[0]), 0);
	assert_int_equal(saml_certificate_check(l.v[0]), 0);
	return l;
}

static void assert_alice(struct arena *a, const struct saml_assertion *s)
{
	struct str_list roles = saml_values(a, s, S("https://aws.amazon.com/SAML/Attributes/Role"));

	assert_str(s->subject, "alice");
	assert_str(s->issuer, "https://idp.example.test/saml");
	assert_str(s->format, "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");
	assert_str(s->recipient, "https://signin.aws.amazon.com/saml");
	assert_int_equal(s->n_audiences, 1);
	assert_int_equal(s->audiences[0].n, 1);
	assert_str(s->audiences[0].v[0], "urn:amazon:webservices");
	assert_int_equal(s->confirm_before_ms - s->issued_ms, 240 * 1000);
	assert_int_equal(s->valid_before.ms - s->valid_from.ms, 300 * 1000);
	assert_int_equal(s->n_attributes, 3);
	assert_int_equal(roles.n, 1);
	assert_str(roles.v[0], "arn:aws:iam::123456789012:role/sso,arn:aws:iam::123456789012:saml-provider/corp");
	assert_str(saml_values(a, s, S("https://aws.amazon.com/SAML/Attributes/PrincipalTag:team")).v[0], "blue & green");
}

static void test_responses(void **state)
{
	static const char *const samples[] = { SAMPLE_ASSERTION, SAMPLE_RESPONSE, SAMPLE_BOTH };
	struct arena a = { 0 };
	struct str_list certs = certificates(&a), none = { 0 };
	struct saml_assertion s;

	for (size_t i = 0; i < ELEMENTS(samples); i++) {
		assert_int_equal(saml_response_read(&a, str_c(samples[i]), &certs, &s), 0);
		assert_alice(&a, &s);
		assert_int_equal(saml_response_read(&a, str_c(samples[i]), &none, &s), -EBADMSG);
	}
	arena_done(&a);
}

/* Whatever one byte is changed to, what is read is what was signed, or nothing. */
static void test_every_byte(void **state)
{
	static const char *const samples[] = { SAMPLE_ASSERTION, SAMPLE_RESPONSE };
	struct arena keep = { 0 };
	struct str_list certs = certificates(&keep);
	size_t refused = 0, same = 0;

	for (size_t i = 0; i < ELEMENTS(samples); i++) {
		char *text = xstrdup(samples[i]);
		size_t n = strlen(text);

		for (size_t at = 0; at < n; at++) {
			static const char to[] = { ' ', '<', 'a', '\0' };
			struct arena a = { 0 };
			struct saml_assertion s;

			text[at] = to[at % sizeof to];
			if (saml_response_read(&a, str_of(text, n), &certs, &s) == 0) {
				assert_alice(&a, &s);
				same++;
			} else {
				refused++;
			}
			text[at] = samples[i][at];
			arena_done(&a);
		}
		free(text);
	}
	assert_true(refused > 5000);
	assert_true(same > 50); /* in what is not signed, or does not matter */
	arena_done(&keep);
}

static void test_unsigned_and_not_a_response(void **state)
{
	static const char body[] = "<s:Status><s:StatusCode Value='urn:oasis:names:tc:SAML:2.0:status:%s'/></s:Status>%s</s:Response>";
	static const char head[] = "<s:Response xmlns:s='" NS_PROTOCOL "' xmlns:a='" NS_ASSERTION "' ID='r' Version='2.0'>";
	static const struct {
		const char *status, *rest;
		int r;
	} cases[] = {
		{ "Success", "<a:Assertion ID='x' Version='2.0'/>", -ENOKEY },
		{ "Success", "", -EINVAL },
		{ "Success", "<a:Assertion ID='x'/><a:Assertion ID='y'/>", -EINVAL },
		{ "Success", "<s:Extensions><a:Assertion ID='x'/></s:Extensions>", -EINVAL },
		{ "Success", "<Assertion ID='x'/>", -EINVAL },
		{ "Success", "<a:Assertion ID='r' Version='2.0'/>", -EINVAL },
		{ "Success", "<a:Assertion ID='x' Version='2.0'/><b xml:id='x'/>", -EINVAL },
		{ "Success", "<a:EncryptedAssertion/>", -EOPNOTSUPP },
		{ "Responder", "<a:Assertion ID='x' Version='2.0'/>", -EACCES },
	};
	struct arena a = { 0 };
	struct str_list certs = certificates(&a);
	struct saml_assertion s;

	for (size_t i = 0; i < ELEMENTS(cases); i++) {
		struct str rest = str_printf(&a, body, cases[i].status, cases[i].rest);

		assert_int_equal(saml_response_read(&a, str_printf(&a, "%s%.*s", head, STR(rest)), &certs, &s), cases[i].r);
	}
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canonical_forms),
		cmocka_unit_test(test_text_is_whole),
		cmocka_unit_test(test_what_no_document_may_have),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_unsigned_and_not_a_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
