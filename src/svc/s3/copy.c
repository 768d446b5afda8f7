/* SPDX-License-Identifier: Apache-2.0 */
/* copy.c - objects are copied inside the cloud.
 *
 * Bodies never change once written, so a copy of a whole body is one more reference to its file: the file's key is opened
 * with the source's rights and wrapped again under the target's key. Nothing is read and nothing is held in memory. */
#include "svc/s3/s3_int.h"
#include <errno.h>

int s3_copy_source_parse(struct arena *a, struct str source, struct str *ret_bucket, struct str *ret_key, struct str *ret_version)
{
	struct str path = source, text;
	ptrdiff_t at = str_find(source, S("?versionId="));

	*ret_version = STR_NONE;
	if (at >= 0) {
		path = str_of(source.p, (size_t)at);
		if (uri_decode(a, str_skip(source, (size_t)at + 11), false, ret_version) < 0)
			return -EINVAL;
	}
	if (uri_decode(a, path, false, &text) < 0)
		return -EINVAL;
	if (text.n && *text.p == '/')
		text = str_skip(text, 1);
	if (!str_cut(text, '/', ret_bucket, ret_key) || !ret_bucket->n || !ret_key->n || str_starts(text, S("arn:")))
		return -EINVAL;
	return 0;
}
