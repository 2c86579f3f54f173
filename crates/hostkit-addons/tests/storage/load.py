"""Writes without pause until the server dies, and says each write that was acknowledged. Then, with what it said, checks."""

import hashlib
import json
import os
import random
import sys
import threading

import boto3
from botocore.config import Config

state_file, act = sys.argv[1:3]
config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=20, read_timeout=60)
s3 = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], config=config)
# For each key, every content that it may have: what was acknowledged last, and what was asked for since. None: absent.
state = json.load(open(state_file)) if os.path.exists(state_file) else {}
lock = threading.Lock()


def digest(body):
    return hashlib.sha256(body).hexdigest()


def attempt(key, outcome, do):
    """Does something to a key that makes it `outcome`. Raises when the server is gone."""
    with lock:
        state.setdefault(key, [None]).append(outcome)
    do()
    with lock:
        state[key] = [outcome]
        print("acknowledged", flush=True)


def multipart(key, bodies):
    upload = s3.create_multipart_upload(Bucket="shop", Key=key)["UploadId"]
    parts = [{"PartNumber": number, "ETag": s3.upload_part(Bucket="shop", Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"]} for number, body in enumerate(bodies, 1)]
    s3.complete_multipart_upload(Bucket="shop", Key=key, UploadId=upload, MultipartUpload={"Parts": parts})


def write(worker):
    choice = random.Random()
    try:
        while True:
            key = f"{worker}/{choice.randrange(8)}"
            kind = choice.random()
            if kind < 0.6:
                body = os.urandom(choice.choice([0, 10, 5_000, 300_000]))
                attempt(key, digest(body), lambda: s3.put_object(Bucket="shop", Key=key, Body=body))
            elif kind < 0.75:
                attempt(key, None, lambda: s3.delete_object(Bucket="shop", Key=key))
            elif kind < 0.9:
                source = f"{worker}/{choice.randrange(8)}"
                known = state.get(source, [None])
                if source != key and len(known) == 1 and known[0]:
                    attempt(key, known[0], lambda: s3.copy_object(Bucket="shop", Key=key, CopySource=f"shop/{source}"))
            elif worker == 0:
                bodies = [os.urandom(5 << 20), os.urandom(1000)]
                attempt(key, digest(b"".join(bodies)), lambda: multipart(key, bodies))
    except Exception as error:
        # The server died. What it was asked last may be done or not.
        print(f"ended: {type(error).__name__}", file=sys.stderr)


def check():
    there = {one["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="shop") for one in page.get("Contents", [])}
    assert there <= set(state), f"nobody wrote {there - set(state)}"
    for key, allowed in state.items():
        found = digest(s3.get_object(Bucket="shop", Key=key)["Body"].read()) if key in there else None
        assert found in allowed, f"{key} is {found}, and should be one of {allowed}"
        state[key] = [found]
    print(f"{len(there)} objects are whole")


if act == "load":
    workers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
else:
    check()
json.dump(state, open(state_file, "w"))
