/* SPDX-License-Identifier: Apache-2.0 */
/* texts.h - pure functions of S3: texts that clients write, and checksums of joined pieces. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

bool s3_name_valid(struct str name); /* of a bucket */
/* s3_etag_matches: list is that of If-Match: "*", or entity tags, with or without quotes, weak or not. */
bool s3_etag_matches(struct str list, struct str etag);
/* s3_parse_range reads a Range header: 0 with *ret_from and *ret_to (exclusive) set; 1: the whole object is meant, as for
 * anything S3 does not understand; -ERANGE: nothing of the object is in it. */
int s3_parse_range(struct str header, uint64_t size, uint64_t *ret_from, uint64_t *ret_to);
/* s3_copy_source_parse takes "/bucket/key?versionId=x" (URL-encoded, first slash optional) apart; -EINVAL. */
int s3_copy_source_parse(struct arena *a, struct str source, struct str *ret_bucket, struct str *ret_key, struct str *ret_version);
/* s3_crc_join gives the CRC of two pieces put together from the CRC of each and the length of the second. poly: reflected. */
uint64_t s3_crc_join(int width, uint64_t poly, uint64_t a, uint64_t b, uint64_t n);
