"""The front door against nginx and HAProxy: requests per processor second of the proxy, interleaved runs.

The proxy has core 1 for itself, load generator and upstream share core 0; so the figure is what a request
costs the proxy, whoever is the bottleneck.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import contestants
import machine
from contestants import Running

SECONDS = int(os.environ.get("HOSTKIT_BENCH_SECONDS", "8"))
GENERATOR_CORE, PROXY_CORE = 0, (os.cpu_count() or 1) - 1


@dataclass
class Row:
    """One kind of load and who takes it."""

    name: str
    unit: str
    entrants: list[tuple[str, object, bool]]
    wrk: list[str] | None = None
    path: str = "/"


NGINX = ("nginx", contestants.start_nginx, False)
NGINX_LOG = ("nginx, log on", contestants.start_nginx, True)
HAPROXY = ("HAProxy", contestants.start_haproxy, False)
HOSTKIT = ("HostKit", contestants.start_hostkit, False)
HOSTKIT_LOG = ("HostKit, log on", contestants.start_hostkit, True)
HOSTKIT_SOCKETS = ("HostKit", contestants.start_hostkit_sockets, False)

ROWS = [
    Row("1 KB, keep-alive, 64 connections", "requests", [NGINX, NGINX_LOG, HAPROXY, HOSTKIT, HOSTKIT_LOG], ["-c64"]),
    Row(
        "1 KB, a connection per request, 64 at once",
        "requests",
        [NGINX, HAPROXY, HOSTKIT, HOSTKIT_LOG],
        ["-c64", "-H", "Connection: close"],
    ),
    Row("10 MB, 8 connections", "requests", [NGINX, HAPROXY, HOSTKIT, HOSTKIT_LOG], ["-c8"], "/10m"),
    Row("WebSocket round trips, 64 connections, 64 bytes", "round trips", [NGINX, HAPROXY, HOSTKIT_SOCKETS]),
]


def measure(repeats: int) -> dict:
    figures = []
    with tempfile.TemporaryDirectory(prefix="hostkit-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with Running(folder) as background:
            contestants.upstream(background, GENERATOR_CORE)
            for row in ROWS:
                runs: dict[str, list[dict]] = {entrant: [] for entrant, _, _ in row.entrants}
                # Interleaved: a slow phase of the machine hits everybody alike.
                for _ in range(repeats):
                    for entrant, start, log in row.entrants:
                        with Running(folder) as running:
                            runs[entrant].append(one_run(row, start(running, PROXY_CORE, log)))
                        print(f"   {row.name}: {entrant}: {runs[entrant][-1]['per_cpu_second']:.0f}", flush=True)
                figures.append({"row": row.name, "unit": row.unit, "runs": runs})
    return {"rows": figures, "repeats": repeats, "seconds": SECONDS}


def one_run(row: Row, proxy: subprocess.Popen) -> dict:
    generate(row, 1)
    pids = machine.tree(proxy.pid)
    cpu = machine.cpu_seconds(pids)
    result = generate(row, SECONDS)
    cpu = machine.cpu_seconds(pids) - cpu
    memory = sum(machine.memory_kib(pid)[1] for pid in pids)
    return {
        **result,
        "per_second": result["count"] / SECONDS,
        "per_cpu_second": result["count"] / max(cpu, 0.01),
        "busy": min(1.0, cpu / SECONDS),
        "pss_kib": memory,
    }


def generate(row: Row, seconds: int) -> dict:
    if row.wrk is None:
        client = str(Path(__file__).parent / "sockets.py")
        command = [sys.executable, client, "load", str(contestants.DOOR_SOCKETS), "64", str(seconds)]
        return {**json.loads(run(command)), "errors": 0}
    url = f"http://127.0.0.1:{contestants.DOOR}{row.path}"
    return read_wrk(run(["wrk", "-t1", f"-d{seconds}s", "--latency", "-H", "Host: localhost", *row.wrk, url]))


def run(command: list[str]) -> str:
    answer = subprocess.run(["taskset", "-c", str(GENERATOR_CORE), *command], capture_output=True, text=True)
    if answer.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` failed:\n{answer.stderr}{answer.stdout}")
    return answer.stdout


def read_wrk(text: str) -> dict:
    """Anchored, because the line of the standard deviation has percentages as well."""
    socket_errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = sum(int(count) for count in socket_errors.groups()) if socket_errors else 0
    return {
        "count": int(re.search(r"(\d+) requests in", text)[1]),
        "p50_ms": milliseconds(re.search(r"^\s+50%\s+(\S+)", text, re.M)[1]),
        "p99_ms": milliseconds(re.search(r"^\s+99%\s+(\S+)", text, re.M)[1]),
        "errors": errors + (int(wrong[1]) if wrong else 0),
    }


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def report(figures: dict) -> list[str]:
    lines = [
        "## Front door against nginx and HAProxy",
        "",
        f"Medians of {figures['repeats']} interleaved runs of {figures['seconds']} s. Proxy alone on one core, load "
        "generator and upstream together on another. The figure is requests per processor second of the proxy; its "
        "ratio is to nginx of the same row with the same setting of the log. *Busy*: how much of its core the proxy "
        "used; below 95 % the generator was the limit and requests/s say nothing. Differences under 5 % prove nothing.",
        "",
        "| load | proxy | per CPU second [spread] | ratio | requests/s | busy | p50 ms | p99 ms | errors | PSS |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in figures["rows"]:
        for entrant, runs in row["runs"].items():
            rates = [one["per_cpu_second"] for one in runs]
            middle = {key: statistics.median(one[key] for one in runs) for key in runs[0]}
            spread = (max(rates) - min(rates)) / statistics.median(rates) * 100
            lines.append(
                f"| {row['row']} | {entrant} | {middle['per_cpu_second']:,.0f} [{spread:.0f} %] "
                f"| {ratio(row['runs'], entrant)} | {middle['per_second']:,.0f} | {middle['busy'] * 100:.0f} % "
                f"| {middle['p50_ms']:.2f} | {middle['p99_ms']:.2f} | {sum(one['errors'] for one in runs)} "
                f"| {middle['pss_kib'] / 1024:.0f} MB |"
            )
    return lines


def ratio(runs: dict[str, list[dict]], entrant: str) -> str:
    """To nginx with the log alike; rows that have no such nginx compare with the plain one."""
    alike = "nginx, log on" if entrant.endswith("log on") and "nginx, log on" in runs else "nginx"
    rates = [statistics.median(one["per_cpu_second"] for one in runs[name]) for name in (entrant, alike)]
    return f"{rates[0] / rates[1]:.2f}"


if __name__ == "__main__":
    sys.exit("usage: script/bench proxy")
