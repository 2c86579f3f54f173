"""A client that lies as told: its own signatures (version 4), its own bodies, byte for byte."""

import datetime
import hashlib
import hmac
import os
import socket
import urllib.parse

address = os.environ["S3_ENDPOINT"].removeprefix("http://")
ACCESS, SECRET = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def now(seconds=0):
    time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return time.strftime("%Y%m%dT%H%M%SZ")


def signature(date, text, secret=SECRET):
    key = mac(mac(mac(mac(("AWS4" + secret).encode(), date[:8]), "local"), "s3"), "aws4_request")
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def to_sign(date, canonical):
    scope = f"{date[:8]}/local/s3/aws4_request"
    return f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def canonical_query(query):
    pairs = sorted(tuple(one.partition("=")[::2]) for one in query.split("&") if one)
    return "&".join(f"{name}={value}" for name, value in pairs)


def signed(method, path, query="", payload="UNSIGNED-PAYLOAD", headers=None, access=ACCESS, secret=SECRET, skew=0):
    """Headers of a request, with their signature."""
    date = now(skew)
    headers = {"host": address, "x-amz-date": date, "x-amz-content-sha256": payload, **(headers or {})}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"{method}\n{path}\n{canonical_query(query)}\n{lines}\n{names}\n{payload}"
    found = signature(date, to_sign(date, canonical), secret)
    credential = f"{access}/{date[:8]}/local/s3/aws4_request"
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={found}"
    return headers


def presigned(method, path, seconds=60, skew=0, secret=SECRET):
    date = now(skew)
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{ACCESS}/{date[:8]}/local/s3/aws4_request",
        "X-Amz-Date": date,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    text = canonical_query(urllib.parse.urlencode(query, quote_via=urllib.parse.quote, safe=""))
    canonical = f"{method}\n{path}\n{text}\nhost:{address}\n\nhost\nUNSIGNED-PAYLOAD"
    return f"{path}?{text}&X-Amz-Signature={signature(date, to_sign(date, canonical), secret)}"


def send(method, target, headers, body=b"", more=(), is_cut=False):
    """Sends exactly this, hangs up if it is to be cut, reads to the end of the connection. Returns (status, answer)."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "connection: close"]
        try:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
            for one in more:
                connection.sendall(one)
            if is_cut:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
    return (int(answer.split(b" ", 2)[1]) if answer else 0), answer


def put(path, body, payload="UNSIGNED-PAYLOAD", length=None, more_headers=None, **settings):
    headers = signed("PUT", path, payload=payload, headers=more_headers, **settings)
    headers["content-length"] = str(len(body) if length is None else length)
    return send("PUT", path, headers, body, is_cut=length is not None)


def get(path, query="", **settings):
    headers = signed("GET", path, query=query, **settings)
    return send("GET", path + (f"?{query}" if query else ""), headers)
