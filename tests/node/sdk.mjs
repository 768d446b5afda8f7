// SPDX-License-Identifier: Apache-2.0
// The AWS SDK for JavaScript, configured by nothing but the environment. Prints one JSON object of what it saw.
import { STSClient, GetCallerIdentityCommand, AssumeRoleCommand } from "@aws-sdk/client-sts";
import { KMSClient, CreateKeyCommand, EncryptCommand, DecryptCommand, ScheduleKeyDeletionCommand } from "@aws-sdk/client-kms";
import { S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand, ListObjectsV2Command, DeleteObjectCommand, DeleteBucketCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { Readable } from "node:stream";

const out = {};
const sts = new STSClient({});
out.identity = (await sts.send(new GetCallerIdentityCommand({}))).Arn;
const kms = new KMSClient({});
const key = (await kms.send(new CreateKeyCommand({}))).KeyMetadata.KeyId;
const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId: key, Plaintext: Buffer.from("from javascript") }));
out.plain = Buffer.from((await kms.send(new DecryptCommand({ CiphertextBlob }))).Plaintext).toString();
try {
  await kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: { a: "b" } }));
} catch (e) {
  out.tampered = e.name;
}
await kms.send(new ScheduleKeyDeletionCommand({ KeyId: key, PendingWindowInDays: 7 }));

const s3 = new S3Client({ forcePathStyle: true });
const Bucket = process.argv[2], Key = "a key/with ünicode+plus";
await s3.send(new CreateBucketCommand({ Bucket }));
await s3.send(new PutObjectCommand({ Bucket, Key, Body: "body", Metadata: { who: "js" } }));
const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
out.body = await got.Body.transformToString();
out.metadata = got.Metadata;
// A stream of known length: sent in aws-chunked form with a trailing checksum.
const big = Buffer.alloc(3 << 20, "x");
await s3.send(new PutObjectCommand({ Bucket, Key: "stream", Body: Readable.from([big]), ContentLength: big.length }));
out.size = (await s3.send(new HeadObjectCommand({ Bucket, Key: "stream" }))).ContentLength;
out.keys = (await s3.send(new ListObjectsV2Command({ Bucket }))).Contents.map((o) => o.Key);
try {
  await s3.send(new GetObjectCommand({ Bucket, Key: "none" }));
} catch (e) {
  out.missing = e.name;
}
for (const k of out.keys) await s3.send(new DeleteObjectCommand({ Bucket, Key: k }));
await s3.send(new DeleteBucketCommand({ Bucket }));
console.log(JSON.stringify(out));
