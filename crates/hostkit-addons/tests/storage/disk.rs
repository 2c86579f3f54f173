//! A full disk: told to the client, and nothing is broken by it.

use std::path::Path;

use hostkit_testkit::small_disk;

use crate::house::{House, went_well};

const FILL: &str = r#"
import os, sys, boto3
from botocore.config import Config
from botocore.exceptions import ClientError
s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}))
size, codes, kept = int(sys.argv[1]), set(), []
for number in range(2000):
    key, body = f"k{number}", bytes([number % 256]) * size
    try:
        s3.put_object(Bucket="shop", Key=key, Body=body)
        kept.append((key, body))
    except ClientError as error:
        codes.add((error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]))
        if len(codes) and number > len(kept) + 20:
            break
assert codes, "the disk did not get full"
assert codes <= {("InsufficientStorage", 507), ("ServiceUnavailable", 503)}, codes
for key, body in kept:
    assert s3.get_object(Bucket="shop", Key=key)["Body"].read() == body, key
listed = [one["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="shop") for one in page.get("Contents", [])]
assert set(key for key, _ in kept) <= set(listed)
for key in listed:
    body = s3.get_object(Bucket="shop", Key=key)["Body"].read()
    assert body in (bytes([int(key[1:]) % 256]) * 500000, bytes([int(key[1:]) % 256]) * 3000), f"{key} is half-written"
print(*sorted(code for code, _ in codes), len(kept))
"#;

const GO_ON: &str = r#"
import os, boto3
from botocore.config import Config
s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}))
s3.delete_object(Bucket="shop", Key="k0")
s3.delete_object(Bucket="shop", Key="k1")
s3.put_object(Bucket="shop", Key="after", Body=b"there is room again")
assert s3.get_object(Bucket="shop", Key="after")["Body"].read() == b"there is room again"
"#;

/// Runs on a disk of 16 MiB of its own.
fn on_a_small_disk(test: &str, run: fn(&Path)) {
    if small_disk::inside_own_mounts(&format!("disk::{test}")) {
        let disk = tempfile::tempdir().unwrap();
        small_disk::mount(disk.path(), 16 << 10);
        run(disk.path());
    }
}

#[test]
fn with_space_kept_free_a_full_disk_is_told_and_objects_can_still_be_removed() {
    on_a_small_disk(
        "with_space_kept_free_a_full_disk_is_told_and_objects_can_still_be_removed",
        |disk| {
            let mut house = House::in_folder(disk, 4 << 20);
            house.begin();
            let said = went_well(&house.python(FILL, &["500000"]).output().unwrap());
            assert!(said.starts_with("InsufficientStorage "), "{said}");
            went_well(&house.python(GO_ON, &[]).output().unwrap());
        },
    );
}

#[test]
fn with_nothing_kept_free_nothing_is_corrupted_either() {
    on_a_small_disk("with_nothing_kept_free_nothing_is_corrupted_either", |disk| {
        let mut house = House::in_folder(disk, 0);
        house.begin();
        for size in ["500000", "3000"] {
            println!("{}", went_well(&house.python(FILL, &[size]).output().unwrap()));
            house.kill();
            house.begin();
        }
        drop(house);
        let index = rusqlite::Connection::open(disk.join("storage/objects/index.sqlite")).unwrap();
        let verdict: String = index
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(verdict, "ok");
    });
}
