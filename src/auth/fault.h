/* SPDX-License-Identifier: Apache-2.0 */
/* fault.h - refusing with a sentence, private to src/auth. */
#pragma once
#include "auth/sigv4.h"

enum sigv4_fault sigv4_refuse(struct http_request *r, struct sigv4 *s, enum sigv4_fault f, const char *fmt, ...) _printf_(4, 5);
/* sigv4_quote: a client's text, cut and made printable, for such a sentence. */
struct str sigv4_quote(struct arena *a, struct str s);
/* sigv4_s3_code fills in the error code of a fault where reading or checking has set none. */
void sigv4_s3_code(struct sigv4 *s, enum sigv4_fault f);
