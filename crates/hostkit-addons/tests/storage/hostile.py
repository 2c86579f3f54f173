"""Requests that nobody honest sends. Every one is refused, nothing of what was there is changed, the server goes on."""

import base64
import os
import sys
import zlib

pid = sys.argv[1]


def memory():
    """The most that the server ever had, in KiB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def refused(code, answer, status=None):
    found, text = answer
    assert found >= 400 and code.encode() in text, (code, found, text)
    assert status is None or found == status, (found, text)


def chunk(body, date, before, secret=SECRET):
    empty = hashlib.sha256(b"").hexdigest()
    scope = f"{date[:8]}/local/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{before}\n{empty}\n{hashlib.sha256(body).hexdigest()}"
    found = signature(date, text, secret)
    return found, f"{len(body):x};chunk-signature={found}\r\n".encode() + body + b"\r\n"


def streamed(path, bodies, declared=None, secret=SECRET):
    declared = sum(map(len, bodies)) if declared is None else declared
    more = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(declared)}
    headers = signed("PUT", path, payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD", headers=more)
    before, all_chunks = headers["authorization"].rpartition("=")[2], b""
    for body in bodies:
        before, bytes_of = chunk(body, headers["x-amz-date"], before, secret)
        all_chunks += bytes_of
    headers["content-length"] = str(len(all_chunks))
    return send("PUT", path, headers, all_chunks)


def trailed(path, chunks, declared, trailer="x-amz-checksum-crc32"):
    more = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(declared), "x-amz-trailer": trailer}
    headers = signed("PUT", path, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers=more)
    headers["content-length"] = str(len(chunks))
    return send("PUT", path, headers, chunks)


def crc(body):
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big"))


kept, there = b"what was there", "/shop/there"
assert put(there, kept)[0] == 200
# First that all of this works where nobody lies.
assert streamed("/shop/streamed", [b"a" * 70_000, b"b", b""])[0] == 200
assert trailed("/shop/trailed", b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + crc(b"hello") + b"\r\n\r\n", 5)[0] == 200
assert send("PUT", presigned("PUT", "/shop/signed"), {"host": address, "content-length": 2}, b"ok")[0] == 200

# Signatures.
refused("SignatureDoesNotMatch", put(there, b"x", secret="another-secret-of-16-bytes"), 403)
refused("InvalidAccessKeyId", put(there, b"x", access="SOMEBODY"), 403)
refused("RequestTimeTooSkewed", put(there, b"x", skew=-16 * 60), 403)
refused("RequestTimeTooSkewed", put(there, b"x", skew=16 * 60), 403)
assert put("/shop/late", b"x", skew=-14 * 60)[0] == 200
refused("AccessDenied", send("PUT", there, {"host": address, "content-length": 1}, b"x"), 403)
refused("AccessDenied", send("GET", there, {"host": address}), 403)
twice = signed("GET", there)
refused("", send("GET", there, {**twice, "Authorization": twice["authorization"]}))
refused("InvalidRequest", send("GET", there, {"host": address, "authorization": f"AWS {ACCESS}:AAAAAAAAAAAAAAAAAAAAAAAAAAA="}), 400)
refused("InvalidRequest", send("GET", f"{there}?AWSAccessKeyId={ACCESS}&Signature=AAAA&Expires=9999999999", {"host": address}), 400)
moved = signed("PUT", there)
refused("SignatureDoesNotMatch", send("PUT", "/shop/elsewhere", {**moved, "content-length": 1}, b"x"), 403)
refused("SignatureDoesNotMatch", send("DELETE", there, moved), 403)
for header in ["x-amz-copy-source: /shop/there", "x-amz-meta-a: b", "x-amz-tagging: a=b"]:
    name, value = header.split(": ")
    refused("AccessDenied", send("PUT", "/shop/elsewhere", {**signed("PUT", "/shop/elsewhere"), name: value, "content-length": 0}), 403)

# Signed URLs.
get_url = presigned("GET", there)
assert send("GET", get_url, {"host": address})[0] == 200
refused("SignatureDoesNotMatch", send("GET", get_url.replace("/there?", "/signed?"), {"host": address}), 403)
refused("SignatureDoesNotMatch", send("GET", get_url.replace("/there?", "/there/../signed?"), {"host": address}), 403)
refused("SignatureDoesNotMatch", send("GET", get_url.replace("Expires=60", "Expires=61"), {"host": address}), 403)
refused("SignatureDoesNotMatch", send("DELETE", get_url, {"host": address}), 403)
refused("SignatureDoesNotMatch", send("GET", get_url + "&response-content-type=text/html", {"host": address}), 403)
refused("SignatureDoesNotMatch", send("GET", presigned("GET", there, secret="another-secret-of-16-bytes"), {"host": address}), 403)
refused("expired", send("GET", presigned("GET", there, skew=-61), {"host": address}), 403)
refused("RequestTimeTooSkewed", send("GET", presigned("GET", there, skew=16 * 60), {"host": address}), 403)
refused("AuthorizationQueryParametersError", send("GET", presigned("GET", there, seconds=604_801), {"host": address}), 400)
put_url = presigned("PUT", "/shop/elsewhere")
refused("AccessDenied", send("PUT", put_url, {"host": address, "x-amz-copy-source": "/shop/there", "content-length": 0}), 403)

# Bodies that are not what was announced.
# Who hangs up hears nothing, or that it was too little.
assert put(there, b"x", length=1000)[0] in (0, 400)
assert put(there, b"x" * 3_000_000, length=4_000_000)[0] in (0, 400)
refused("IncompleteBody", put(there, b"lie", payload=hashlib.sha256(b"lia").hexdigest()), 400)
refused("", put(there, b"lie", payload="nonsense"))
refused("IncompleteBody", streamed(there, [b"a" * 9000, b"b", b""], declared=9000), 400)
refused("IncompleteBody", streamed(there, [b"a" * 9000, b""], declared=9001), 400)
refused("IncompleteBody", streamed(there, [b"a" * 9000, b"b"], declared=9002), 400)
refused("IncompleteBody", streamed(there, [b"a" * 9000, b""], secret="another-secret-of-16-bytes"), 400)
refused("BadDigest", trailed(there, b"3\r\nlie\r\n0\r\nx-amz-checksum-crc32:" + crc(b"lia") + b"\r\n\r\n", 3), 400)
refused("BadDigest", trailed(there, b"3\r\nlie\r\n0\r\n\r\n", 3), 400)
refused("BadDigest", trailed(there, b"3\r\nlie\r\n", 3), 400)
refused("BadDigest", trailed(there, b"3\r\nlie\r\n0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n", 3), 400)
for bad in [b"g\r\nlie\r\n0\r\n\r\n", b"-3\r\nlie\r\n0\r\n\r\n", b"3\r\nli", b"3" * 2000, b"\r\n\r\n", b"ffffffffffffffff\r\nlie", b"0\r\n" + b"a:b\r\n" * 50_000]:
    refused("", trailed(there, bad, 3))

# Who waits with a body and is refused may send it or the next request: nobody can tell which, so the connection ends.
def answers(headers, body, more):
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        lines = ["PUT /shop/k?partNumber=1&uploadId=none HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        heard = connection.recv(65536)
        try:
            connection.sendall(more)
            while found := connection.recv(65536):
                heard += found
        except (BrokenPipeError, ConnectionResetError):
            pass
        return heard


hidden = f"GET /-/ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n".encode()
unread = {**signed("PUT", "/shop/k", query="partNumber=1&uploadId=none"), "content-length": len(hidden)}
heard = answers({**unread, "expect": "100-continue"}, b"", hidden)
assert heard.count(b"HTTP/1.1 ") == 1 and b"connection: close" in heard, heard
# Who does not wait goes on with the same connection: the body is thrown away.
heard = answers({**unread, "content-length": 1}, b"x", hidden)
assert heard.count(b"HTTP/1.1 ") == 2 and heard.endswith(b"ready\n"), heard

# What would fill the memory: a chunk of 4 GiB that is held until its signature is there, XML without end.
flood = [b"x" * (1 << 20)] * 200
more = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(1 << 32), "x-amz-trailer": "x-amz-checksum-crc32"}
headers = signed("PUT", there, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers=more)
send("PUT", there, {**headers, "content-length": str((1 << 32) + 100)}, b"fffffff0\r\n", flood)
xml = b"<Delete>" + b"<Object><Key>k</Key></Object>" * 5_000_000
refused("", send("POST", "/shop?delete=", {**signed("POST", "/shop", query="delete="), "content-length": len(xml)}, xml))
assert memory() < 250_000, f"{memory()} KiB"


def ask(method, path, query, body):
    return send(method, f"{path}?{query}", {**signed(method, path, query=query), "content-length": len(body)}, body)


bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'
for bad in [b"", b"<", b"<Delete/>", b"<Delete>" * 100_000, bomb, b"\xff\xfe", b"<Delete><Object><Key>k</Key></Object></Wrong>"]:
    refused("", ask("POST", "/shop", "delete=", bad))
too_many = b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>"
refused("MalformedXML", ask("POST", "/shop", "delete=", too_many), 400)
for bad in [b"", b"<CompleteMultipartUpload/>", b"<CompleteMultipartUpload><Part><PartNumber>0</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"]:
    refused("", ask("POST", "/shop/k", "uploadId=none", bad))
refused("NoSuchUpload", ask("PUT", "/shop/k", "partNumber=1&uploadId=..%2F..", b"x"), 404)
refused("InvalidArgument", ask("PUT", "/shop/k", "partNumber=10001&uploadId=x", b"x"), 400)
for query in ["list-type=2&max-keys=-1", "list-type=2&max-keys=x", "list-type=2&continuation-token=%27%20OR%201", "list-type=2&encoding-type=x"]:
    refused("", get("/shop", query))

# Keys and buckets that are none.
for path in ["/shop/%ff", "/shop/%00", "/shop/a%00b", "/shop/" + "k" * 1025, "/" + "b" * 64 + "/k", "/..%2f..%2fetc/passwd", "/sh_op/k"]:
    refused("", put(path, b"x"))
refused("NoSuchBucket", put("/other/k", b"x"), 404)
form = b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--x--\r\n'
refused("NotImplemented", send("POST", "/shop", {"host": address, "content-type": "multipart/form-data; boundary=x", "content-length": len(form)}, form), 501)

# Nothing of all this left anything, and the server goes on.
assert get(there)[1].endswith(kept)
status, text = get("/shop", "list-type=2")
assert [one.split(b"<")[0].decode() for one in text.split(b"<Key>")[1:]] == ["late", "signed", "streamed", "there", "trailed"], text
files = [name for _, _, names in os.walk(os.environ["S3_FOLDER"] + "/objects/contents") for name in names]
assert len(files) == 5, files
print("all done")
