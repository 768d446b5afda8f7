/* SPDX-License-Identifier: Apache-2.0 */
/* versions.c - published versions, which never change, and aliases. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

/* Two versions are the same when all that counts of them is. */
static bool same(const struct lambda_rec_version *a, const struct lambda_rec_version *b)
{
	struct lambda_rec_version x[2] = { *a, *b };
	struct buf out[2];
	bool equal;

	for (int i = 0; i < 2; i++) {
		x[i].version = (struct opt_int){ 0 };
		x[i].modified = (struct opt_time){ 0 };
		x[i].revision = x[i].description = STR_NONE;
		x[i].code_file = STR_NONE; /* the digest tells */
		buf_init(&out[i], 1 << 20);
		(void)record_encode(&lambda_records, LAMBDA_REC_VERSION, &x[i], &out[i]);
	}
	equal = str_eq(buf_view(&out[0]), buf_view(&out[1]));
	buf_done(&out[0]);
	buf_done(&out[1]);
	return equal;
}

int lambda_publish(struct call *c, struct lambda_rec_function *f, struct lambda_rec_version *v, struct str description)
{
	struct lambda_rec_version last;
	int r = -ENOENT;

	if (f->next_version.v > 1)
		r = lambda_version_read(c->txn, c->arena, f->account, f->name, f->next_version.v - 1, &last);
	if (r == 0 && same(&last, v)) {
		*v = last;
		return 0;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	v->version = OPT_INT(f->next_version.v++);
	v->revision = random_uuid(c->arena);
	v->description = description.p ? description : v->description;
	r = lambda_file_use(c, v->code_file, v->code_bytes.v, 1);
	if (r == 0)
		r = lambda_layers_use(c, NULL, v);
	return r < 0 ? r : lambda_version_put(c->txn, f->account, v);
}
