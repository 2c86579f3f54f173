// What programs do with the SDK of AWS for JavaScript: anything that throws is a fault of the server.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import {
  CompleteMultipartUploadCommand, CopyObjectCommand, CreateMultipartUploadCommand, DeleteObjectsCommand, GetObjectCommand,
  HeadObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client, UploadPartCommand, paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const s3 = new S3Client({ endpoint: process.env.S3_ENDPOINT, region: "local", forcePathStyle: true, maxAttempts: 1 });
const Bucket = "shop";
const bytes = async (Key, more = {}) =>
  Buffer.from(await (await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body.transformToByteArray());
const refused = async (name, command) =>
  assert.rejects(s3.send(command), (error) => {
    assert.equal(error.name, name, `${error}`);
    return true;
  });

// Objects, with the checksums that the SDK adds by itself.
for (const Key of ["dir", "dir/x", "../small/x", "ä b+c", "/", "..", "😀"]) {
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key, ContentType: "text/plain", Metadata: { colour: "red" } }));
  assert.equal((await bytes(Key)).toString(), Key);
}
const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "dir", ChecksumMode: "ENABLED" }));
assert.equal(head.ContentType, "text/plain");
assert.deepEqual(head.Metadata, { colour: "red" });
assert.ok(head.ChecksumCRC32);
await refused("NoSuchKey", new GetObjectCommand({ Bucket, Key: "none" }));
await refused("NoSuchBucket", new GetObjectCommand({ Bucket: "other", Key: "dir" }));
await refused("PreconditionFailed", new PutObjectCommand({ Bucket, Key: "dir", Body: "", IfNoneMatch: "*" }));
assert.equal((await bytes("dir", { Range: "bytes=1-" })).toString(), "ir");

// A stream, which is sent in chunks with a checksum behind them.
const Body = Readable.from([Buffer.alloc(300_000, "a"), Buffer.alloc(300_000, "b")]);
await s3.send(new PutObjectCommand({ Bucket, Key: "stream", Body, ContentLength: 600_000 }));
assert.equal((await bytes("stream")).length, 600_000);

// In parts, by the library and by hand.
const big = Buffer.alloc(12 << 20, "0123456789");
await new Upload({ client: s3, params: { Bucket, Key: "big", Body: Readable.from([big]) }, partSize: 5 << 20 }).done();
assert.ok(big.equals(await bytes("big")));
const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: "hand", ChecksumAlgorithm: "CRC64NVME" }));
const Parts = [];
for (const [PartNumber, Body] of [[1, big.subarray(0, 5 << 20)], [2, Buffer.from("end")]]) {
  const part = await s3.send(new UploadPartCommand({ Bucket, Key: "hand", UploadId, PartNumber, Body, ChecksumAlgorithm: "CRC32C" }));
  Parts.push({ PartNumber, ETag: part.ETag });
}
await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: "hand", UploadId, MultipartUpload: { Parts } }));
assert.equal((await bytes("hand")).subarray(-3).toString(), "end");
await s3.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/${encodeURIComponent("ä b+c")}` }));
assert.equal((await bytes("copy")).toString(), "ä b+c");

// Lists.
const keys = [];
for await (const page of paginateListObjectsV2({ client: s3, pageSize: 3 }, { Bucket })) keys.push(...page.Contents.map((one) => one.Key));
assert.equal(keys.length, 11);
const folders = await s3.send(new ListObjectsV2Command({ Bucket, Delimiter: "/" }));
assert.deepEqual(folders.CommonPrefixes.map((one) => one.Prefix), ["../", "/", "dir/"]);

// Signed URLs. The metadata is moved into the query, where the signature covers it.
const put = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: "signed", Metadata: { from: "page" } }), { expiresIn: 60 });
const plain = new S3Client({ endpoint: process.env.S3_ENDPOINT, region: "auto", forcePathStyle: true, requestChecksumCalculation: "WHEN_REQUIRED" });
for (const url of [put, await getSignedUrl(plain, new PutObjectCommand({ Bucket, Key: "signed", Metadata: { from: "page" } }))]) {
  const answer = await fetch(url, { method: "PUT", body: "by a page" });
  assert.equal(answer.status, 200, await answer.text());
}
assert.deepEqual((await s3.send(new HeadObjectCommand({ Bucket, Key: "signed" }))).Metadata, { from: "page" });
// Who signs a checksum lets nothing else be put.
const ChecksumSHA256 = createHash("sha256").update("only this").digest("base64");
const only = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: "only", ChecksumSHA256 }), { expiresIn: 60 });
assert.equal((await fetch(only, { method: "PUT", body: "something else" })).status, 400);
assert.equal((await fetch(only, { method: "PUT", body: "only this" })).status, 200);
const get = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "signed" }), { expiresIn: 60 });
assert.equal(await (await fetch(get)).text(), "by a page");
assert.equal((await fetch(get.replace("/signed?", "/dir?"))).status, 403);

// Buckets as host names.
const host = process.env.S3_ENDPOINT.replace("127.0.0.1", "s3.localhost");
const named = new S3Client({ endpoint: host, region: "local" });
assert.ok((await getSignedUrl(named, new GetObjectCommand({ Bucket, Key: "dir" }))).startsWith(host.replace("//", "//shop.")));

const gone = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }));
assert.equal(gone.Deleted.length, 11);
console.log("all done");
