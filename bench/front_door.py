"""The front door against nginx, HAProxy and Caddy: requests per processor second of the proxy, interleaved runs.

The proxy has the last core for itself, load generator and upstream share the first; so the figure is what a request costs
the proxy, whoever is the bottleneck.
"""

import http.client
import json
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import contestants
import idle
import machine
from contestants import STARTS, Running
from generators import GENERATOR_CORE, PROXY_CORE, H2load, Handshakes, Sockets, Wrk

TITLE = "Front door"
SECONDS = 3
REPEATS = 5
WARM_UP = 0.5
ROUTES = 10
MANY_ROUTES = 10_000
ALL = ("nginx", "HAProxy", "Caddy", "HostKit")
KEPT = Path(__file__).resolve().parent / "out/front-door.json"


@dataclass
class Row:
    """One kind of load and who takes it. `goals`: the ratio to reach, to whom."""

    key: str
    name: str
    generator: object
    goals: dict[str, float] = field(default_factory=dict)
    entrants: tuple[str, ...] = ALL
    routes: int = ROUTES
    # What is asked for to see that everybody does the same: path, headers, length of the answer.
    look: tuple[str, dict, int] | None = None


GZIP = {"Accept-Encoding": "gzip"}
ROWS = [
    Row("keep-alive", "1 KB, keep-alive, 64 connections", Wrk(), {"nginx": 1.05, "Caddy": 2}, look=("/", {}, 1024)),
    Row("100k", "100 KB, keep-alive, 64 connections", Wrk("/100k"), {"nginx": 1.0, "Caddy": 2}, look=("/100k", {}, 102400)),
    Row("10m", "10 MB, 8 connections", Wrk("/10m", 8), {"Caddy": 2}),
    Row(
        "connect",
        "1 KB, a connection per request, 64 at once",
        Wrk(headers=("Connection: close",)),
        {"nginx": 0.95, "Caddy": 2},
    ),
    Row("tls", "1 KB, TLS, keep-alive, 64 connections", Wrk(tls=True), {"nginx": 1.2, "Caddy": 2}),
    Row("tls-full", "TLS 1.3, full handshake and 1 KB, 32 at once", Handshakes("full"), {"nginx": 1.3, "Caddy": 2}),
    Row("tls-resumed", "TLS 1.3, resumed and 1 KB, 32 at once", Handshakes("resumed"), {"Caddy": 2}),
    Row(
        "h2",
        "1 KB, HTTP/2 over TLS, 2 connections, 100 streams each",
        H2load(2, 100),
        {"nginx": 1.0, "HAProxy": 0.8, "Caddy": 2},
    ),
    Row("sockets", "WebSocket round trips, 64 connections, 64 bytes", Sockets(), {"Caddy": 2}),
    Row(
        "static",
        "a file of 10 KB, keep-alive, 64 connections",
        Wrk("/files/10k.html"),
        {"nginx": 1.3, "Caddy": 2},
        ("nginx", "Caddy", "HostKit"),
        look=("/files/10k.html", {}, 10240),
    ),
    Row(
        "cache",
        "10 KB from the cache, keep-alive, 64 connections",
        Wrk("/cached"),
        {"nginx": 1.2},
        ("nginx", "HAProxy", "HostKit"),
        look=("/cached", {}, 10240),
    ),
    Row(
        "gzip",
        "10 KB of text, gzip on the fly, 64 connections",
        Wrk("/text", headers=("Accept-Encoding: gzip",)),
        {"Caddy": 2},
        look=("/text", GZIP, 0),
    ),
    Row("routes-10", "1 KB, 10 routes in turn, 64 connections", Wrk(hosts=10), entrants=("nginx", "HAProxy", "HostKit")),
    Row(
        "routes-10000",
        "1 KB, 10,000 routes in turn, 64 connections",
        Wrk(hosts=MANY_ROUTES),
        entrants=("nginx", "HAProxy", "HostKit"),
        routes=MANY_ROUTES,
    ),
]
IDLE = [f"idle-{kind}" for kind in idle.KINDS]


def keys() -> list[str]:
    """What `--only` takes."""
    return [row.key for row in ROWS] + IDLE


def measure(arguments) -> dict:
    """The rows that were asked for; the others keep their figures."""
    repeats, seconds = arguments.repeats or REPEATS, arguments.seconds or SECONDS
    wanted = [key for key in keys() if not arguments.only or any(key.startswith(start) for start in arguments.only)]
    figures = json.loads(KEPT.read_text()) if KEPT.exists() else {"rows": {}, "idle": {}}
    figures |= {"load": os.getloadavg()[0], "machine": machine.description()}
    with tempfile.TemporaryDirectory(prefix="hostkit-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        contestants.files_limit()
        with Running(folder) as background:
            contestants.upstream(background, GENERATOR_CORE)
            for row in (row for row in ROWS if row.key in wanted):
                figures["rows"][row.key] = {"runs": runs_of(row, folder, repeats, seconds), "seconds": seconds}
                # A run takes long: what went well stays when something later does not.
                KEPT.write_text(json.dumps(figures))
            for kind in (kind for kind in idle.KINDS if f"idle-{kind}" in wanted):
                figures["idle"][kind] = {}
                for entrant, start in STARTS.items():
                    with Running(folder) as running:
                        found = idle.watch(kind, start(running, PROXY_CORE, ROUTES))
                    print(f"   idle, {kind}: {entrant}: {found['each_kib']:.1f} KiB", flush=True)
                    figures["idle"][kind][entrant] = found
    return figures


def runs_of(row: Row, folder: Path, repeats: int, seconds: float) -> dict[str, list[dict]]:
    runs: dict[str, list[dict]] = {entrant: [] for entrant in row.entrants}
    # Interleaved: a slow phase of the machine hits everybody alike.
    for turn in range(repeats):
        for entrant in row.entrants:
            with Running(folder) as running:
                door = STARTS[entrant](running, PROXY_CORE, row.routes)
                if turn == 0 and row.look:
                    look(row, entrant)
                runs[entrant].append(one_run(row, door, seconds))
            last = runs[entrant][-1]
            print(f"   {row.name}: {entrant}: {last['per_cpu_second']:.0f} ({last['errors']} errors)", flush=True)
            for log in folder.glob("*/access.log"):
                log.unlink()
    return runs


def one_run(row: Row, door: subprocess.Popen, seconds: float) -> dict:
    row.generator.run(WARM_UP)
    pids = machine.tree(door.pid)
    cpu = machine.cpu_seconds(pids)
    result = row.generator.run(seconds)
    cpu = machine.cpu_seconds(pids) - cpu
    return {
        **result,
        "per_second": result["count"] / result["took"],
        "per_cpu_second": result["count"] / max(cpu, 0.01),
        "busy": min(1.0, cpu / result["took"]),
        "pss_kib": machine.pss_kib(pids),
    }


def look(row: Row, entrant: str) -> None:
    """Whether everybody answers the same: a door that answers something shorter would look fast."""
    path, headers, length = row.look
    seen = []
    # What is kept is kept from the second time on, and by one who has seen that it pays to.
    for _ in range(4):
        connection = http.client.HTTPConnection("localhost", contestants.DOOR)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        seen.append((answer.status, len(answer.read()), answer.headers.get("content-encoding"), answer.headers.get("x-made")))
        connection.close()
        time.sleep(0.05)
    status, found, coding, made = seen[-1]
    fine = status == 200 and (found == length if length else coding == "gzip")
    if path == "/cached":
        fine = fine and made is not None and made == seen[-2][3]
    if not fine:
        raise RuntimeError(f"{entrant} does not answer {row.key} as the others do: {seen}")
    if coding:
        print(f"   {row.name}: {entrant}: {found} bytes", flush=True)


def report(figures: dict) -> list[str]:
    rows = [(row, figures["rows"][row.key]) for row in ROWS if row.key in figures["rows"]]
    return [
        "## Front door against nginx, HAProxy and Caddy",
        "",
        "Medians of interleaved runs; the proxy alone on one core with one thread, load generator and upstream together "
        "on another. The figure is requests per processor second of the proxy. Everybody writes a line of log per "
        "request (nginx and HostKit in pieces, Caddy and HAProxy line by line; HAProxy to a file, by its standard output) and "
        "has ten routes; HostKit counts by route, passes request ids on and adds headers for visitors' safety besides. "
        "nginx has large proxy_buffers, more kept connections than requests under way, open_file_cache. *Busy*: how "
        "much of its core the proxy used; below 95 % the generator was the limit and requests/s say nothing. Differences "
        "under 5 % prove nothing. HAProxy serves no files; Caddy has no cache of "
        "answers, and was not asked for 10,000 routes, as it takes more than a minute to begin with so many.",
        "",
        *summary(rows),
        "",
        "| load | proxy | per CPU second [spread] | to nginx | requests/s | busy | p50 ms | p99 ms | errors | PSS |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(line for row, found in rows for line in lines_of(row, found)),
        *(["", *idle.report(figures["idle"])] if figures["idle"] else []),
    ]


def summary(rows: list) -> list[str]:
    lines = [
        "What HostKit makes of a processor second, as a ratio to each; in brackets the goal:",
        "",
        "| load | to nginx | to HAProxy | to Caddy | runs |",
        "|---|---|---|---|---|",
    ]
    for row, found in rows:
        cells = [cell(row, found["runs"], other) for other in ALL[:3]]
        count = len(found["runs"]["HostKit"])
        lines.append(f"| {row.name} | {' | '.join(cells)} | {count} of {found['seconds']:g} s |")
    return lines


def cell(row: Row, runs: dict, other: str) -> str:
    if other not in runs:
        return "–"
    ratio, goal = rate(runs["HostKit"]) / rate(runs[other]), row.goals.get(other)
    if goal is None:
        return f"{ratio:.2f}"
    return f"**{ratio:.2f}** [{goal:g}]" if ratio >= goal else f"{ratio:.2f} [{goal:g}, missed]"


def lines_of(row: Row, found: dict) -> list[str]:
    lines = []
    for entrant, runs in found["runs"].items():
        rates = [one["per_cpu_second"] for one in runs]
        middle = {key: statistics.median(one[key] for one in runs) for key in MIDDLES}
        spread = (max(rates) - min(rates)) / statistics.median(rates) * 100
        lines.append(
            f"| {row.name} | {entrant} | {middle['per_cpu_second']:,.0f} [{spread:.0f} %] "
            f"| {rate(runs) / rate(found['runs']['nginx']):.2f} | {middle['per_second']:,.0f} "
            f"| {middle['busy'] * 100:.0f} % | {middle['p50_ms']:.2f} | {middle['p99_ms']:.2f} "
            f"| {sum(one['errors'] for one in runs)} | {middle['pss_kib'] / 1024:.0f} MB |"
        )
    return lines


MIDDLES = ("per_cpu_second", "per_second", "busy", "p50_ms", "p99_ms", "pss_kib")


def rate(runs: list[dict]) -> float:
    return statistics.median(one["per_cpu_second"] for one in runs)
