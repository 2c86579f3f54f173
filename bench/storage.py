"""What the object storage makes of a disk: objects written and read by S3, beside rclone's S3 server and files of a loop of our own."""

import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from installation import HOSTKIT

TITLE = "Object storage"
TOOLS = Path(os.environ.get("HOSTKIT_TOOLS") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hostkit-tools")
RCLONE = TOOLS / "bench-python/bin/rclone"
ACCESS, SECRET = "BENCHKEY", "a-secret-of-the-bench-0123456789"
SECONDS = 5
SMALL, LARGE = 4 << 10, 64 << 20
CONNECTIONS = (1, 16, 64)
KEYS = 2000

WRITE = """
local paths = {}
for line in io.lines(os.getenv("PATHS")) do paths[#paths + 1] = line end
local body, at = string.rep("x", tonumber(os.getenv("SIZE"))), math.random(#paths)
request = function()
  at = at % #paths + 1
  return wrk.format("PUT", paths[at], nil, body)
end
"""


def measure(arguments) -> dict:
    repeats = arguments.repeats or 3
    # Where the data folder is by default, too: a temporary folder may be memory.
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        folder = Path(folder)
        with Ours(folder) as ours, Rclone(folder) as rclone:
            runs = [once(folder, ours, rclone) for _ in range(repeats)]
    rows = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    version = subprocess.run([RCLONE, "version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return {"rows": rows, "repeats": repeats, "seconds": SECONDS, "rclone": version}


def once(folder: Path, *servers: "Server") -> dict:
    found = {}
    for connections in CONNECTIONS:
        found[f"files {connections}"] = files_written(folder, connections)
        for server in servers:
            found[f"{server.name} {connections}"] = server.wrk(connections, server.writes, WRITE)
    found["large file"] = large_file(folder / "large")
    for server in servers:
        found[f"{server.name} large"] = server.large()
        found[f"{server.name} large read"] = server.wrk(4, [server.signed("/bench/large", "GET")], None) * LARGE / 1e6
        found[f"{server.name} small read"] = server.wrk(64, [server.signed("/bench/1", "GET")], None)
    return found


def files_written(folder: Path, writers: int) -> float:
    """Files of 4 KB a second, each with its name on the disk before the next: what a write of an object is at the least."""
    ends, counts, body = time.monotonic() + SECONDS, [0] * writers, b"x" * SMALL

    def write(writer: int) -> None:
        place = folder / f"writer-{writer}"
        place.mkdir(exist_ok=True)
        names = os.open(place, os.O_RDONLY)
        while time.monotonic() < ends:
            file = os.open(place / str(counts[writer] % KEYS), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.write(file, body)
            os.fsync(file)
            os.close(file)
            os.fsync(names)
            counts[writer] += 1
        os.close(names)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return sum(counts) / SECONDS


def large_file(path: Path) -> float:
    """MB a second of one large file, to the disk."""
    body, began = b"x" * (1 << 20), time.perf_counter()
    with open(path, "wb") as file:
        for _ in range(LARGE >> 20):
            file.write(body)
        file.flush()
        os.fsync(file.fileno())
    return LARGE / 1e6 / (time.perf_counter() - began)


class Server:
    """A server with one bucket, until it is left."""

    name: str

    def __init__(self, folder: Path):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        self.folder = folder / self.name
        self.folder.mkdir()
        self.writes = [self.signed(f"/bench/{number}", "PUT") for number in range(KEYS)]

    def command(self) -> list:
        """What starts it."""
        raise NotImplementedError

    def __enter__(self) -> "Server":
        self.process = subprocess.Popen(self.command(), stderr=subprocess.DEVNULL)
        for _ in range(500):
            try:
                self.put("/bench/1", b"x" * SMALL)
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait()

    def signed(self, path: str, method: str) -> str:
        """A URL with which anybody may put or get an object for a day."""
        host, date = f"127.0.0.1:{self.port}", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = f"{date[:8]}/local/s3/aws4_request"
        query = (
            f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={ACCESS}%2F{scope.replace('/', '%2F')}"
            f"&X-Amz-Date={date}&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        )
        canonical = f"{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
        text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{SECRET}".encode()
        for part in [*scope.split("/"), text]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return f"{path}?{query}&X-Amz-Signature={key.hex()}"

    def put(self, path: str, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("PUT", self.signed(path, "PUT"), body)
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {answer.read()}")
        connection.close()

    def large(self) -> float:
        """MB a second of one large object, from one client."""
        body, began = b"x" * LARGE, time.perf_counter()
        self.put("/bench/large", body)
        return LARGE / 1e6 / (time.perf_counter() - began)

    def wrk(self, connections: int, paths: list[str], script: str | None) -> float:
        """Requests a second. Any that fails makes the figure worthless."""
        address = f"http://127.0.0.1:{self.port}"
        command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "30s"]
        environment = {**os.environ, "SIZE": str(SMALL), "PATHS": str(self.folder / "paths")}
        if script:
            (self.folder / "paths").write_text("\n".join(paths))
            (self.folder / "write.lua").write_text(script)
            command += ["-s", str(self.folder / "write.lua"), address]
        else:
            command.append(address + paths[0])
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in said or "Socket errors" in said:
            raise RuntimeError(said)
        return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])


class Ours(Server):
    name = "hostkit"

    def command(self) -> list:
        (self.folder / "storage").mkdir()
        settings = {
            "folder": str(self.folder / "storage"),
            "listen": f"127.0.0.1:{self.port}",
            "region": "local",
            "reserve": 1 << 26,
            "keys": [{"access": ACCESS, "secret": SECRET}],
            "buckets": [{"name": "bench"}],
        }
        file = self.folder / "settings.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(settings))
        return [HOSTKIT, "storage-server", file]


class Rclone(Server):
    name = "rclone"

    def command(self) -> list:
        (self.folder / "data/bench").mkdir(parents=True)
        where = ["--addr", f"127.0.0.1:{self.port}", "--config", ""]
        return [RCLONE, "serve", "s3", "--auth-key", f"{ACCESS},{SECRET}", *where, self.folder / "data"]


def report(figures: dict) -> list[str]:
    rows = figures["rows"]
    lines = [
        f"## {TITLE}",
        "",
        f"Medians of {figures['repeats']} runs of {figures['seconds']} s; clients, server and disk share the machine, every request is "
        f"signed. Beside it: `rclone serve s3` ({figures['rclone']}) over a folder, which answers before a write is on the disk, and "
        "files of the same size made by a loop in Python, each and its name brought to the disk before the next, which is the "
        "least that an acknowledged write costs.",
        "",
        "| what | HostKit | rclone | ratio | files | ratio |",
        "|---|---|---|---|---|---|",
    ]

    def row(what: str, key: str, unit: str, files: float | None) -> None:
        ours, rclone = rows[f"hostkit {key}"], rows[f"rclone {key}"]
        beside = f"{files:,.0f}{unit} | {ours / files:.2f}" if files else "|"
        lines.append(f"| {what} | {ours:,.0f}{unit} | {rclone:,.0f}{unit} | {ours / rclone:.2f} | {beside} |")

    for connections in CONNECTIONS:
        row(f"4 KB written, {connections} at a time", f"{connections}", "/s", rows[f"files {connections}"])
    row("64 MB written", "large", " MB/s", rows["large file"])
    row("4 KB read, 64 connections", "small read", "/s", None)
    row("64 MB read, 4 connections", "large read", " MB/s", None)
    return lines
