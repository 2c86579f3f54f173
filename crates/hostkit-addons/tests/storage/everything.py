"""Everything that programs do with boto3: any assertion that fails is a fault of the server."""

import datetime
import hashlib
import io
import os
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint = os.environ["S3_ENDPOINT"]


def client(**settings):
    config = Config(signature_version="s3v4", retries={"max_attempts": 1}, **settings)
    return boto3.client("s3", endpoint_url=endpoint, config=config)


s3 = client(s3={"addressing_style": "path"})


def refused(code, act, **arguments):
    try:
        act(**arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code or str(code) == found, (found, error)
        return error.response
    raise AssertionError(f"{act} should be refused with {code}")


def text(key, **arguments):
    return s3.get_object(Bucket="shop", Key=key, **arguments)["Body"].read()


# Buckets.
assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["shop", "small"]
s3.head_bucket(Bucket="shop")
refused("404", s3.head_bucket, Bucket="other")
refused("NoSuchBucket", s3.get_object, Bucket="other", Key="a")
assert s3.get_bucket_location(Bucket="shop")["LocationConstraint"] == "local"
assert "Status" not in s3.get_bucket_versioning(Bucket="shop")
refused("NotImplemented", s3.put_bucket_versioning, Bucket="shop", VersioningConfiguration={"Status": "Enabled"})
refused("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket="shop", CreateBucketConfiguration={"LocationConstraint": "local"})
refused("AccessDenied", s3.create_bucket, Bucket="another", CreateBucketConfiguration={"LocationConstraint": "local"})

# Objects and what is said of them.
put = s3.put_object(
    Bucket="shop",
    Key="dir",
    Body=b"hello",
    ContentType="text/plain",
    CacheControl="max-age=60",
    ContentDisposition='attachment; filename="a.txt"',
    ContentLanguage="de",
    ContentEncoding="identity",
    Expires=datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc),
    Metadata={"colour": "red"},
    Tagging="kind=note&year=2030",
)
assert put["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"', put
assert put["ChecksumCRC32"], put
head = s3.head_object(Bucket="shop", Key="dir", ChecksumMode="ENABLED")
assert head["ContentLength"] == 5 and head["ContentType"] == "text/plain" and head["Metadata"] == {"colour": "red"}
assert head["CacheControl"] == "max-age=60" and head["ContentLanguage"] == "de"
assert head["ContentDisposition"] == 'attachment; filename="a.txt"' and head["ContentEncoding"] == "identity"
assert head["Expires"].year == 2030 and head["ChecksumCRC32"] == put["ChecksumCRC32"]
got = s3.get_object(Bucket="shop", Key="dir")
assert got["Body"].read() == b"hello" and got["TagCount"] == 2 and got["ETag"] == put["ETag"]
refused("NoSuchKey", s3.get_object, Bucket="shop", Key="none")
refused("404", s3.head_object, Bucket="shop", Key="none")
s3.put_object(Bucket="shop", Key="empty", Body=b"")
assert text("empty") == b"" and s3.head_object(Bucket="shop", Key="empty")["ContentType"] == "binary/octet-stream"

# Keys of every kind; each is only itself.
keys = ["dir/x", "../small/x", "..", "/", "//a//", "a b+c%20", "ä/ö", "\U0001f600", "k" * 1024, "folder/", "%2e%2e", "a?b#c&d"]
for key in keys:
    s3.put_object(Bucket="shop", Key=key, Body=key.encode())
for key in keys:
    assert text(key) == key.encode(), key
assert text("dir") == b"hello"
listed = [one["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="shop", PaginationConfig={"PageSize": 2}) for one in page["Contents"]]
assert listed == sorted([*keys, "dir", "empty"], key=str.encode), listed
assert "Contents" not in s3.list_objects_v2(Bucket="small")
refused("KeyTooLongError", s3.put_object, Bucket="shop", Key="k" * 1025, Body=b"")

# Lists.
found = s3.list_objects_v2(Bucket="shop", Prefix="dir", Delimiter="/")
assert [one["Key"] for one in found["Contents"]] == ["dir"] and found["CommonPrefixes"] == [{"Prefix": "dir/"}]
assert s3.list_objects_v2(Bucket="shop", StartAfter="k", MaxKeys=1)["Contents"][0]["Key"] == "k" * 1024
old = s3.list_objects(Bucket="shop", Delimiter="/", MaxKeys=3)
assert old["IsTruncated"] and old["NextMarker"]
pages = list(s3.get_paginator("list_objects").paginate(Bucket="shop", Delimiter="/", PaginationConfig={"PageSize": 3}))
names = [one.get("Key") or one.get("Prefix") for page in pages for one in page.get("Contents", []) + page.get("CommonPrefixes", [])]
assert len(names) == len(set(names)) and {"dir", "dir/", "../", "/"} <= set(names), names
refused("InvalidArgument", s3.list_objects_v2, Bucket="shop", ContinuationToken="made up")

# Ranges and conditions.
ranged = s3.get_object(Bucket="shop", Key="dir", Range="bytes=1-3")
assert ranged["Body"].read() == b"ell" and ranged["ContentRange"] == "bytes 1-3/5"
assert ranged["ResponseMetadata"]["HTTPStatusCode"] == 206
assert text("dir", Range="bytes=-2") == b"lo" and text("dir", Range="bytes=3-") == b"lo"
refused("InvalidRange", s3.get_object, Bucket="shop", Key="dir", Range="bytes=9-")
refused("304", s3.get_object, Bucket="shop", Key="dir", IfNoneMatch=put["ETag"])
refused("PreconditionFailed", s3.get_object, Bucket="shop", Key="dir", IfMatch='"other"')
refused("304", s3.get_object, Bucket="shop", Key="dir", IfModifiedSince=head["LastModified"])
refused("PreconditionFailed", s3.put_object, Bucket="shop", Key="dir", Body=b"", IfNoneMatch="*")
refused("PreconditionFailed", s3.put_object, Bucket="shop", Key="dir", Body=b"", IfMatch='"other"')
refused("NoSuchKey", s3.put_object, Bucket="shop", Key="none", Body=b"", IfMatch='"other"')
s3.put_object(Bucket="shop", Key="dir", Body=b"again", IfMatch=put["ETag"], Metadata={"colour": "blue"})
s3.put_object(Bucket="shop", Key="new", Body=b"new", IfNoneMatch="*")

# Checksums: of the client's choice, behind the bytes, and of a stream whose end nobody knew.
for algorithm in ["CRC32", "SHA1", "SHA256"]:
    s3.put_object(Bucket="shop", Key="sum", Body=b"hello", ChecksumAlgorithm=algorithm)
    found = s3.head_object(Bucket="shop", Key="sum", ChecksumMode="ENABLED")
    assert found[f"Checksum{algorithm}"] and found["ChecksumType"] == "FULL_OBJECT", found
refused("BadDigest", s3.put_object, Bucket="shop", Key="sum", Body=b"hello", ChecksumSHA256="a" * 43 + "=")
refused("BadDigest", s3.put_object, Bucket="shop", Key="sum", Body=b"hello", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
refused("InvalidDigest", s3.put_object, Bucket="shop", Key="sum", Body=b"hello", ContentMD5="short")
assert text("sum") == b"hello"
s3.put_object(Bucket="shop", Key="stream", Body=io.BytesIO(b"x" * 3_000_000))
assert text("stream") == b"x" * 3_000_000

# Copies.
s3.copy_object(Bucket="shop", Key="copy", CopySource={"Bucket": "shop", "Key": "dir"})
assert text("copy") == b"again" and s3.head_object(Bucket="shop", Key="copy")["Metadata"] == {"colour": "blue"}
s3.copy_object(Bucket="shop", Key="copy", CopySource={"Bucket": "shop", "Key": "dir"}, MetadataDirective="REPLACE", Metadata={"a": "b"})
assert s3.head_object(Bucket="shop", Key="copy")["Metadata"] == {"a": "b"}
s3.copy_object(Bucket="shop", Key="copy2", CopySource={"Bucket": "shop", "Key": "a b+c%20"})
assert text("copy2") == b"a b+c%20"
refused("InvalidRequest", s3.copy_object, Bucket="shop", Key="dir", CopySource={"Bucket": "shop", "Key": "dir"})
refused("PreconditionFailed", s3.copy_object, Bucket="shop", Key="copy", CopySource={"Bucket": "shop", "Key": "dir"}, CopySourceIfMatch='"other"')
refused("NoSuchBucket", s3.copy_object, Bucket="shop", Key="copy", CopySource={"Bucket": "other", "Key": "dir"})
refused("NoSuchKey", s3.copy_object, Bucket="shop", Key="copy", CopySource={"Bucket": "small", "Key": "../shop/dir"})

# Tags.
s3.put_object_tagging(Bucket="shop", Key="dir", Tagging={"TagSet": [{"Key": "kind", "Value": "log"}]})
assert s3.get_object_tagging(Bucket="shop", Key="dir")["TagSet"] == [{"Key": "kind", "Value": "log"}]
s3.delete_object_tagging(Bucket="shop", Key="dir")
assert s3.get_object_tagging(Bucket="shop", Key="dir")["TagSet"] == []
eleven = [{"Key": str(number), "Value": ""} for number in range(11)]
refused("InvalidTag", s3.put_object_tagging, Bucket="shop", Key="dir", Tagging={"TagSet": eleven})

# In parts: by hand, and as the transfer manager does it.
part = b"p" * (5 << 20)
upload = s3.create_multipart_upload(Bucket="shop", Key="big", ContentType="image/png", Metadata={"m": "1"}, Tagging="a=b")["UploadId"]
first = s3.upload_part(Bucket="shop", Key="big", UploadId=upload, PartNumber=1, Body=part)
second = s3.upload_part_copy(Bucket="shop", Key="big", UploadId=upload, PartNumber=2, CopySource={"Bucket": "shop", "Key": "dir"}, CopySourceRange="bytes=1-4")
assert [one["PartNumber"] for one in s3.list_parts(Bucket="shop", Key="big", UploadId=upload)["Parts"]] == [1, 2]
assert s3.list_multipart_uploads(Bucket="shop")["Uploads"][0]["Key"] == "big"
parts = [{"PartNumber": 1, "ETag": first["ETag"]}, {"PartNumber": 2, "ETag": second["CopyPartResult"]["ETag"]}]
wrong = [parts[0], {"PartNumber": 3, "ETag": parts[1]["ETag"]}]
refused("InvalidPart", s3.complete_multipart_upload, Bucket="shop", Key="big", UploadId=upload, MultipartUpload={"Parts": wrong})
refused("InvalidPartOrder", s3.complete_multipart_upload, Bucket="shop", Key="big", UploadId=upload, MultipartUpload={"Parts": parts[::-1]})
refused("NoSuchUpload", s3.complete_multipart_upload, Bucket="shop", Key="other", UploadId=upload, MultipartUpload={"Parts": parts})
for _ in range(2):
    done = s3.complete_multipart_upload(Bucket="shop", Key="big", UploadId=upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
    assert done["ETag"].endswith('-2"'), done
assert text("big") == part + b"gain"
assert text("big", Range=f"bytes={len(part) - 2}-{len(part) + 1}") == b"ppga"
second_part = s3.get_object(Bucket="shop", Key="big", PartNumber=2)
assert second_part["Body"].read() == b"gain" and second_part["PartsCount"] == 2
assert s3.head_object(Bucket="shop", Key="big")["ContentType"] == "image/png"
small = s3.create_multipart_upload(Bucket="shop", Key="tiny")["UploadId"]
tiny = [{"PartNumber": n, "ETag": s3.upload_part(Bucket="shop", Key="tiny", UploadId=small, PartNumber=n, Body=b"t")["ETag"]} for n in (1, 2)]
refused("EntityTooSmall", s3.complete_multipart_upload, Bucket="shop", Key="tiny", UploadId=small, MultipartUpload={"Parts": tiny})
s3.abort_multipart_upload(Bucket="shop", Key="tiny", UploadId=small)
refused("NoSuchUpload", s3.upload_part, Bucket="shop", Key="tiny", UploadId=small, PartNumber=1, Body=b"t")
for algorithm, kind in [("CRC32", "FULL_OBJECT"), ("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE")]:
    upload = s3.create_multipart_upload(Bucket="shop", Key="sums", ChecksumAlgorithm=algorithm, ChecksumType=kind)["UploadId"]
    sent = [s3.upload_part(Bucket="shop", Key="sums", UploadId=upload, PartNumber=n, Body=body, ChecksumAlgorithm=algorithm) for n, body in ((1, part), (2, b"end"))]
    parts = [{"PartNumber": n, "ETag": one["ETag"], f"Checksum{algorithm}": one[f"Checksum{algorithm}"]} for n, one in enumerate(sent, 1)]
    done = s3.complete_multipart_upload(Bucket="shop", Key="sums", UploadId=upload, MultipartUpload={"Parts": parts})
    assert done["ChecksumType"] == kind and done[f"Checksum{algorithm}"].endswith("-2") == (kind == "COMPOSITE"), done
    s3.get_object(Bucket="shop", Key="sums", ChecksumMode="ENABLED")["Body"].read()
data = os.urandom(17 << 20)
settings = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
s3.upload_fileobj(io.BytesIO(data), "shop", "transfer", Config=settings)
back = io.BytesIO()
s3.download_fileobj("shop", "transfer", back, Config=settings)
assert back.getvalue() == data

# Who reads, reads to the end what was there at the beginning, whatever becomes of it meanwhile.
reading = s3.get_object(Bucket="shop", Key="transfer")["Body"]
begin = reading.read(1000)
s3.put_object(Bucket="shop", Key="transfer", Body=b"another one")
s3.delete_object(Bucket="shop", Key="transfer")
assert begin + reading.read() == data

# A quota.
s3.put_object(Bucket="small", Key="a", Body=b"x" * 600_000)
refused("QuotaExceeded", s3.put_object, Bucket="small", Key="b", Body=b"x" * 600_000)
refused("QuotaExceeded", s3.copy_object, Bucket="small", Key="b", CopySource={"Bucket": "small", "Key": "a"})
s3.put_object(Bucket="small", Key="a", Body=b"x" * 900_000)

# What is asked for and not there is refused, not forgotten.
refused("AccessControlListNotSupported", s3.put_object, Bucket="shop", Key="a", Body=b"", ACL="public-read")
refused("NotImplemented", s3.put_object, Bucket="shop", Key="a", Body=b"", ServerSideEncryption="aws:kms")
s3.put_object(Bucket="shop", Key="a", Body=b"", ACL="private")

# Signed URLs.
def fetch(url, **settings):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **settings)) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read(), answer.headers


for style in ["path", "virtual"]:
    by = client(s3={"addressing_style": style})
    if style == "virtual":
        by = boto3.client(
            "s3",
            endpoint_url=endpoint.replace("127.0.0.1", "s3.localhost"),
            config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
        )
        url = by.generate_presigned_url("get_object", Params={"Bucket": "shop", "Key": "dir/x"})
        assert "//shop.s3.localhost" in url, url
        host = url.split("/")[2]
        url = url.replace(host, endpoint.split("/")[2])
        assert fetch(url, headers={"Host": host})[:2] == (200, b"dir/x")
        continue
    url = by.generate_presigned_url("get_object", Params={"Bucket": "shop", "Key": "ä/ö", "ResponseContentType": "text/css", "ResponseContentDisposition": "inline"})
    status, body, headers = fetch(url)
    assert (status, body) == (200, "ä/ö".encode()) and headers["content-type"] == "text/css" and headers["content-disposition"] == "inline"
    url = by.generate_presigned_url("put_object", Params={"Bucket": "shop", "Key": "signed", "ContentType": "text/html", "Metadata": {"x": "y"}})
    assert fetch(url, data=b"sent", method="PUT", headers={"Content-Type": "text/html", "x-amz-meta-x": "y"})[0] == 200
    assert text("signed") == b"sent" and s3.head_object(Bucket="shop", Key="signed")["Metadata"] == {"x": "y"}
    url = by.generate_presigned_url("delete_object", Params={"Bucket": "shop", "Key": "signed"})
    assert fetch(url, method="DELETE")[0] == 204

# Public objects, and pages of elsewhere.
s3.put_object(Bucket="shop", Key="public/a", Body=b"for all")
assert fetch(f"{endpoint}/shop/public/a")[:2] == (200, b"for all")
# Another host name is none of a bucket's.
assert fetch(f"{endpoint}/shop/public/a", headers={"Host": "localhost:9000"})[:2] == (200, b"for all")
for path in ["shop/dir", "shop", "", "shop/public/a?response-content-type=text/html", "other/public/a"]:
    assert fetch(f"{endpoint}/{path}")[0] == 403, path
# Such a key is no path: it is the name of nothing.
assert fetch(f"{endpoint}/shop/public/../dir")[0] == 404
assert fetch(f"{endpoint}/shop/public/a", method="DELETE")[0] == 403
refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket="shop")
rule = {"AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}
s3.put_bucket_cors(Bucket="shop", CORSConfiguration={"CORSRules": [rule]})
assert s3.get_bucket_cors(Bucket="shop")["CORSRules"] == [rule]
page = {"Origin": "https://a.example.com"}
question = {**page, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
status, _, headers = fetch(f"{endpoint}/shop/public/a", method="OPTIONS", headers=question)
assert status == 200 and headers["access-control-allow-origin"] == page["Origin"] and headers["access-control-max-age"] == "60"
assert fetch(f"{endpoint}/shop/public/a", headers=page)[2]["access-control-expose-headers"] == "ETag"
assert "access-control-allow-origin" not in fetch(f"{endpoint}/shop/public/a", headers={"Origin": "https://evil.com"})[2]
assert fetch(f"{endpoint}/shop/a", method="OPTIONS", headers={**question, "Origin": "https://evil.com"})[0] == 403
s3.delete_bucket_cors(Bucket="shop")
assert fetch(f"{endpoint}/shop/a", method="OPTIONS", headers=question)[0] == 403

# Rules by which objects expire.
refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket="shop")
rules = [
    {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}},
    {"ID": "both", "Status": "Disabled", "Filter": {"And": {"Prefix": "a", "Tags": [{"Key": "k", "Value": "v"}]}}, "Expiration": {"Days": 9}},
    {"ID": "uploads", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
]
s3.put_bucket_lifecycle_configuration(Bucket="shop", LifecycleConfiguration={"Rules": rules})
assert s3.get_bucket_lifecycle_configuration(Bucket="shop")["Rules"] == rules
glacier = [{"ID": "cold", "Status": "Enabled", "Filter": {"Prefix": ""}, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}]
refused("NotImplemented", s3.put_bucket_lifecycle_configuration, Bucket="shop", LifecycleConfiguration={"Rules": glacier})
s3.delete_bucket_lifecycle(Bucket="shop")

# The end of everything.
s3.delete_object(Bucket="shop", Key="dir")
s3.delete_object(Bucket="shop", Key="dir")
refused("PreconditionFailed", s3.delete_object, Bucket="shop", Key="dir/x", IfMatch='"other"')
for page in s3.get_paginator("list_objects_v2").paginate(Bucket="shop"):
    gone = s3.delete_objects(Bucket="shop", Delete={"Objects": [{"Key": one["Key"]} for one in page["Contents"]]})
    assert len(gone["Deleted"]) == len(page["Contents"]) and "Errors" not in gone
assert "Contents" not in s3.list_objects_v2(Bucket="shop")
s3.delete_object(Bucket="small", Key="a")
left = [name for folder, _, names in os.walk(os.environ["S3_FOLDER"] + "/objects/contents") for name in names]
assert not left, left
print("all done")
