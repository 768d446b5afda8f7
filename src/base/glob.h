/* SPDX-License-Identifier: Apache-2.0 */
/* glob.h - AWS wildcards: '*' any run of bytes, '?' exactly one byte. Linear in practice, never exponential. */
#pragma once
#include "base/str.h"

bool glob_match(struct str pattern, struct str s);
bool glob_match_ci(struct str pattern, struct str s); /* ASCII case folded */
