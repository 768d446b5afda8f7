/* SPDX-License-Identifier: Apache-2.0 */
/* SAML documents as strangers send them: metadata, responses, and the canonical form of whatever parses, which must be its own canonical
 * form. The key behind the certificate has signed for alice alone, and is gone: a response for somebody else would be a forgery. */
#include "../unit/saml/sample.h"
#include "saml/internal.h"
#include <stdlib.h>

static void check_canonical(struct arena *a, struct str text)
{
	static const struct str_list none;
	struct str once, twice;
	struct saml_node *n;

	if (saml_parse(a, text, &n) < 0 || saml_c14n(a, n, NULL, &none, &once) < 0)
		return;
	if (saml_parse(a, once, &n) < 0 || saml_c14n(a, n, NULL, &none, &twice) < 0 || !str_eq(once, twice))
		abort();
}

static void check_response(struct arena *a, struct str text)
{
	struct str der;
	struct str_list certificates = { &der, 1 };
	struct saml_assertion s;

	if (saml_base64(a, S(SAMPLE_CERTIFICATE), &der) < 0)
		abort();
	if (saml_response_read(a, text, &certificates, &s) == 0 && !str_is(s.subject, "alice"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = str_of((const char *)data, n);
	struct saml_metadata m;
	struct arena a = { 0 };

	check_canonical(&a, text);
	check_response(&a, text);
	(void)saml_metadata_read(&a, text, &m);
	arena_done(&a);
	return 0;
}
