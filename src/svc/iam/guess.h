/* SPDX-License-Identifier: Apache-2.0 */
/* guess.h - who guesses codes: so many wrong ones for one device, and it is shut out for a while, right code or not. Any thread. */
#pragma once
#include "base/str.h"

#define GUESSES_MAX 10
#define GUESSES_MS 60000
#define GUESSED_MAX 1024 /* devices at once */

/* guess_try counts a code that is about to be looked at. false: it must not be, there were too many, or too many devices are being
 * guessed at for another one to be watched. */
bool guess_try(struct str device, int64_t now_ms);
void guess_right(struct str device); /* the code was right: it doesn't count */
