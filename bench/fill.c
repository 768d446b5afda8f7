/* SPDX-License-Identifier: Apache-2.0 */
/* fill.c - puts many records into a cloud's stores at once, for bench/run: KMS keys, IAM roles and objects (their records,
 * not their bodies) by number, as their services would have stored them. The cloud in DIR must exist, have the bucket
 * many-objects, and be down.
 *
 * bench_fill DIR N */
#include "cloud/cloud.h"
#include "svc/iam/iam_int.h"
#include "svc/kms/kms_int.h"
#include "svc/s3/s3_int.h"
#include "svc/services.h"
#include <stdio.h>

#define BATCH 20000

struct fill {
	struct cloud *cloud;
	struct region *region;
	uint64_t from, to;
};

static struct str root_policy(struct arena *a, struct str account)
{
	return str_printf(a,
			  "{\"Version\":\"2012-10-17\",\"Id\":\"key-default-1\",\"Statement\":[{\"Sid\":\"Enable IAM User "
			  "Permissions\",\"Effect\":\"Allow\","
			  "\"Principal\":{\"AWS\":\"arn:aws:iam::%.*s:root\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}",
			  STR(account));
}

static int put_key(struct fill *f, struct store_txn *t, struct arena *a, uint64_t i)
{
	struct str account = cloud_account(f->cloud), id = str_printf(a, "%08llx-0000-4000-8000-000000000000", (unsigned long long)i);
	struct kms_rec_key k = {
		.id = id,
		.arn = str_printf(a, "arn:aws:kms:%.*s:%.*s:key/%.*s", STR(f->region->name), STR(account), STR(id)),
		.account = account,
		.state = S("Enabled"),
		.description = S(""),
		.created = OPT_TIME(clock_now_ms()),
		.policy = root_policy(a, account),
	};
	int r = kms_version_add(f->cloud, a, &k, "CREATED", clock_now_ms());

	return r < 0 ? r : kms_key_put(t, &k);
}

static int put_role(struct fill *f, struct store_txn *t, struct arena *a, uint64_t i)
{
	struct str account = cloud_account(f->cloud), name = str_printf(a, "role-%07llu", (unsigned long long)i),
		   id = str_printf(a, "AROA%017llu", (unsigned long long)i);
	struct iam_rec_entity e = {
		.name = name,
		.path = S("/"),
		.id = id,
		.arn = str_printf(a, "arn:aws:iam::%.*s:role/%.*s", STR(account), STR(name)),
		.created = OPT_TIME(clock_now_ms()),
		.max_session_s = OPT_INT(3600),
		.trust = S("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ec2.amazonaws."
			   "com\"},"
			   "\"Action\":\"sts:AssumeRole\"}]}"),
	};
	struct keybuf k;
	int r;

	iam_key_of(&k, account, "iam.id", id, STR_NONE);
	r = store_put(t, key_view(&k), str_printf(a, "%c%.*s", iam_letter(IAM_ROLE), STR(name)));
	iam_key_of(&k, account, "iam.role", name, STR_NONE);
	return r < 0 ? r : record_put(t, &iam_records, IAM_REC_ENTITY, &k, &e);
}

static int put_object(struct fill *f, struct store_txn *t, struct arena *a, const struct s3_rec_bucket *bucket, uint64_t i)
{
	struct s3_change change = { .txn = t, .arena = a, .now_ms = clock_now_ms() };
	struct s3_rec_object o = {
		.size = OPT_INT(4096),
		.etag = S("0123456789abcdef0123456789abcdef"),
		.modified = OPT_TIME(clock_now_ms() / 1000 * 1000),
		.owner = cloud_account(f->cloud),
		.content_type = S("binary/octet-stream"),
		.storage_class = S("STANDARD"),
		.sse = S("AES256"),
	};

	return s3_object_insert(&change, bucket, str_printf(a, "o/%07llu", (unsigned long long)i), &o);
}

/* Keys and objects of the region. */
static int put_regional(struct store_txn *t, void *arg)
{
	struct fill *f = arg;
	struct arena a = { 0 }, kept = { 0 };
	struct s3_rec_bucket bucket;
	int r = s3_bucket_read(t, &kept, S("many-objects"), &bucket);

	for (uint64_t i = f->from; i < f->to && r == 0; i++) {
		arena_reset(&a);
		r = put_key(f, t, &a, i);
		if (r == 0)
			r = put_object(f, t, &a, &bucket, i);
	}
	arena_done(&kept);
	arena_done(&a);
	return r;
}

static int put_roles(struct store_txn *t, void *arg)
{
	struct fill *f = arg;
	struct arena a = { 0 };
	int r = 0;

	for (uint64_t i = f->from; i < f->to && r == 0; i++) {
		arena_reset(&a);
		r = put_role(f, t, &a, i);
	}
	arena_done(&a);
	return r;
}

int main(int argc, char **argv)
{
	static const char *const regions[] = { "us-east-1", NULL };
	struct cloud_opts o = { .data_dir = argc > 1 ? argv[1] : "", .regions = regions, .no_sync = true };
	struct fill f;
	uint64_t n;
	int r;

	if (argc != 3 || str_to_u64(str_c(argv[2]), &n) < 0 || n == 0 || n > 10000000) {
		fprintf(stderr, "usage: bench_fill DIR N\n");
		return 2;
	}
	r = cloud_open(&o, services, &f.cloud);
	if (r < 0) {
		fprintf(stderr, "bench_fill: %s: %s\n", argv[1], strerror(-r));
		return 1;
	}
	f.region = cloud_region(f.cloud, S("us-east-1"));
	for (f.from = 0; f.from < n && r == 0; f.from += BATCH) {
		f.to = f.from + BATCH < n ? f.from + BATCH : n;
		r = store_write(f.region->store, put_regional, &f);
		if (r == 0)
			r = store_write(cloud_global(f.cloud), put_roles, &f);
	}
	cloud_close(f.cloud);
	if (r < 0)
		fprintf(stderr, "bench_fill: %s\n", strerror(-r));
	return r < 0;
}
