/* SPDX-License-Identifier: Apache-2.0 */
/* zipwrite.h - an archive with one stored file, for code that a template has inline. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct str zip_write_one(struct arena *a, struct str name, struct str content);
