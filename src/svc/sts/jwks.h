/* SPDX-License-Identifier: Apache-2.0 */
/* jwks.h - the keys of OpenID Connect providers: fetched from where the provider says they are, and kept for a while.
 *
 * A provider is asked for its configuration (ISSUER/.well-known/openid-configuration), then for the key set named there; both over
 * TLS only, from a server that the system's authorities vouch for or that has one of the provider's thumbprints. One fetch at a
 * time is under way for a provider, whoever waits. Keys are kept as long as the answer's Cache-Control allows, within bounds; an unknown
 * key id lets the set be fetched again, but not more often than every JWKS_AGAIN_MS, as anybody may send tokens. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#define JWKS_KEEP_MIN_MS (60 * 1000)
#define JWKS_KEEP_USUAL_MS (3600 * 1000)
#define JWKS_KEEP_MAX_MS (24 * 3600 * 1000)
#define JWKS_AGAIN_MS (2 * 1000)
#define JWKS_FAILED_MS (2 * 1000) /* what could not be had is not asked for again at once */

struct jwks_source {
	struct str account, issuer; /* issuer: the URL, "https://..." */
	struct str_list thumbprints;
};
/* jwks_get: 0 with the set's text (memory of a); -EAGAIN: it must be fetched, see jwks_wait; other negative: fetching it just failed
 * (-EKEYREJECTED: certificate; -EBADMSG: what came is no configuration or no key set; -ETIMEDOUT ...). kid: the key that is needed, or
 * absent. */
int jwks_get(struct arena *a, const struct jwks_source *s, struct str kid, struct str *ret);
/* jwks_wait: fetches the set, and calls done once when it has come or not, on any thread, perhaps before it returns. done then asks
 * jwks_get. Negative: nothing was begun and done is not called. */
int jwks_wait(const struct jwks_source *s, void (*done)(void *arg), void *arg);
void jwks_close(void); /* whoever waits is told now; what is kept stays */
