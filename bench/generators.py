"""What makes load, on the generator's core, and what each of them says: how many, how fast, what went wrong."""

import json
import os
import re
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from contestants import DOOR, DOOR_TLS, LOAD

GENERATOR_CORE, PROXY_CORE = 0, (os.cpu_count() or 1) - 1


@dataclass
class Wrk:
    """HTTP/1.1, a connection for each `-c`."""

    path: str = "/"
    connections: int = 64
    headers: tuple[str, ...] = ()
    tls: bool = False
    # Each request to the next of so many hosts.
    hosts: int = 0

    def run(self, seconds: float) -> dict:
        scheme, port = ("https", DOOR_TLS) if self.tls else ("http", DOOR)
        command = ["wrk", "-t1", f"-c{self.connections}", f"-d{max(1, round(seconds))}s", "--latency"]
        for header in (() if self.hosts else ("Host: localhost",)) + self.headers:
            command += ["-H", header]
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            if self.hosts:
                script.write(HOSTS_IN_TURN.replace("COUNT", str(self.hosts)).replace("PATH", self.path))
                script.flush()
                command += ["-s", script.name]
            text = run([*command, f"{scheme}://localhost:{port}{self.path}"])
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        return {
            "count": int(re.search(r"(\d+) requests in", text)[1]),
            # Anchored, because the line of the standard deviation has percentages as well.
            "p50_ms": milliseconds(re.search(r"^\s+50%\s+(\S+)", text, re.M)[1]),
            "p99_ms": milliseconds(re.search(r"^\s+99%\s+(\S+)", text, re.M)[1]),
            "errors": sum(map(int, errors.groups() if errors else ())) + (int(wrong[1]) if wrong else 0),
            "took": in_seconds(re.search(r"requests in ([\d.]+)(m?)s", text)),
        }


# Written once each, so that a request costs the generator no more than without.
HOSTS_IN_TURN = """
local requests, at = {}, 0
init = function()
    for number = 0, COUNT - 1 do
        -- A step that has no factor with the count: all hosts, and no two neighbours after each other.
        requests[number + 1] = wrk.format("GET", "PATH", {Host = "r" .. (number * 7919 % COUNT) .. ".localhost"})
    end
end
request = function()
    at = at % COUNT + 1
    return requests[at]
end
"""


@dataclass
class H2load:
    """HTTP/2 over TLS: many requests at once on each connection."""

    connections: int
    streams: int
    path: str = "/"

    def run(self, seconds: float) -> dict:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            command = ["h2load", f"-c{self.connections}", f"-m{self.streams}", "-t1", f"-D{max(1, round(seconds))}"]
            text = run([*command, f"--log-file={log}", f"https://localhost:{DOOR_TLS}{self.path}"])
            # Start in microseconds since the epoch, status, microseconds.
            lines = [line.split() for line in log.read_text().splitlines()]
        if "Application protocol: h2" not in text:
            raise RuntimeError(f"it was not HTTP/2 that was spoken:\n{text}")
        times = sorted(int(line[2]) for line in lines if line[1] == "200")
        starts = [int(line[0]) for line in lines]
        return {
            "count": len(times),
            "p50_ms": statistics.median(times) / 1000,
            "p99_ms": times[len(times) * 99 // 100] / 1000,
            "errors": len(lines) - len(times),
            "took": max((max(starts) - min(starts)) / 1e6, 0.1),
        }


@dataclass
class Handshakes:
    """A TLS 1.3 connection per request: from the beginning, or by a ticket of the one before."""

    kind: str
    connections: int = 32

    def run(self, seconds: float) -> dict:
        words = ["handshakes", self.kind, f"127.0.0.1:{DOOR_TLS}", str(self.connections), str(seconds)]
        found = json.loads(run([str(LOAD), *words]))
        wrong = found["full"] if self.kind == "resumed" else found["resumed"]
        # The first one of each connection cannot be resumed.
        if wrong > self.connections:
            raise RuntimeError(f"{wrong} handshakes were not {self.kind}: {found}")
        # All that was done counts as work of the door, these few included.
        return {**found, "count": found["full"] + found["resumed"], "took": seconds}


@dataclass
class Sockets:
    """WebSockets with one message under way on each."""

    connections: int = 64

    def run(self, seconds: float) -> dict:
        words = ["sockets", f"127.0.0.1:{DOOR}", str(self.connections), str(seconds)]
        return {**json.loads(run([str(LOAD), *words])), "took": seconds}


def run(command: list[str]) -> str:
    answer = subprocess.run(["taskset", "-c", str(GENERATOR_CORE), *command], capture_output=True, text=True)
    if answer.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` failed:\n{answer.stderr}{answer.stdout}")
    return answer.stdout


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit]


def in_seconds(found: re.Match) -> float:
    return float(found[1]) * (60 if found[2] else 1)
