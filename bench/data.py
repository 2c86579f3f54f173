"""What managed data cost: 200 projects with a Redis and a database each, and what stands between a program and its data."""

import json
import os
import socket
import statistics
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import memory
from installation import Installation

TITLE = "Managed data"
PROJECTS = int(os.environ.get("HOSTKIT_BENCH_PROJECTS", "200"))
SECONDS = 5
# With what PgBouncer holds open meanwhile, within the 25 connections of a project.
CLIENTS = (1, 12)
PGBENCH = max(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
# What the children of a server are named by.
SERVERS = ("redis-server", "postgres", "pgbouncer")


def measure(arguments) -> dict:
    repeats, seconds = arguments.repeats or 3, int(arguments.seconds or SECONDS)
    with Installation() as host:
        crowd = many(host)
        page = host.folder / "page"
        page.mkdir()
        (page / "index.html").write_text("a page")
        host.run("deploy", str(page), "--project", "tenant-1")
        ways = [between(host.variables("tenant-1"), seconds) for _ in range(repeats)]
    rows = {way: {key: statistics.median(run[way][key] for run in ways) for key in ways[0][way]} for way in ways[0]}
    return {"crowd": crowd, "ways": rows, "repeats": repeats, "seconds": seconds}


def many(host: Installation) -> dict:
    """Projects are made, asked, and asked again after everything was started anew."""
    took, before = [], available()
    for number in range(1, PROJECTS + 1):
        began = time.perf_counter()
        host.run("project", "create", f"tenant-{number}", "--with-redis", "--with-db")
        took.append(time.perf_counter() - began)
    found = {"first": took[0], "create": statistics.median(took), "slowest": max(took[1:], default=0)}
    time.sleep(10)
    found["programs"] = memory.watch(programs(host))
    found["available"] = before - available()
    everybody = [
        {"DATABASE_URL": host.run("db", "url", name).strip(), "REDIS_URL": host.run("redis", "url", name).strip()}
        for name in (f"tenant-{number}" for number in range(1, PROJECTS + 1))
    ]
    began = time.perf_counter()
    found["answered"] = sum(answers(variables) for variables in everybody)
    found["asking"] = time.perf_counter() - began
    host.run("down")
    began = time.perf_counter()
    host.run("up", "--detach", "--http-port", str(host.port))
    for variables in everybody:
        while not answers(variables):
            if time.perf_counter() - began > 300:
                raise RuntimeError("not all answer after a new start")
            time.sleep(0.1)
    found["start"] = time.perf_counter() - began
    return found


def available() -> int:
    """Memory of the machine that is to be had, in KiB."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))


def programs(host: Installation) -> dict[str, list[int]]:
    """The process ids of this installation by program: its own roles, and the servers it keeps."""
    found = dict(host.roles())
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "comm").read_text().strip()
            place = os.readlink(folder / "cwd")
        except OSError:
            continue
        if name in SERVERS and place.startswith(str(host.data)):
            found.setdefault(name, []).append(int(folder.name))
    return found


def answers(variables: dict[str, str]) -> bool:
    """Whether a project's Redis takes a value and gives it back, and its database answers through PgBouncer."""
    try:
        with Redis(variables["REDIS_URL"]) as redis:
            kept = redis.ask("SET", "bench", "kept") == b"+OK" and redis.ask("GET", "bench") == b"$4"
    except OSError:
        return False
    return kept and psql(variables["DATABASE_URL"], "SELECT 6 * 7") == "42"


class Redis:
    """One connection, and the first line of each answer."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=10)
        self.lines = self.socket.makefile("rb")
        self.ask("AUTH", parts.username or "default", parts.password or "")

    def __enter__(self) -> "Redis":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, *words: str) -> bytes:
        request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        self.socket.sendall(request.encode())
        answer = self.lines.readline().strip()
        if answer.startswith(b"$") and answer != b"$-1":
            self.lines.readline()
        return answer


def psql(url: str, statement: str) -> str:
    parts = urlsplit(url)
    asked = subprocess.run(
        ["psql", "-h", parts.hostname, "-p", str(parts.port), "-U", parts.username, "-At", "-c", statement, parts.path[1:]],
        env={**os.environ, "PGPASSWORD": parts.password or ""},
        capture_output=True,
        text=True,
    )
    return asked.stdout.strip()


def between(variables: dict[str, str], seconds: int) -> dict:
    """Operations a second, direct and through what stands before the server."""
    found = {}
    pgbench(variables["DIRECT_URL"], "--initialize", "--quiet", "--scale=5")
    for clients in CLIENTS:
        for way, url in (("direct", variables["DIRECT_URL"]), ("pooled", variables["DATABASE_URL"])):
            found.setdefault(f"read {clients}", {})[way] = pgbench(url, *run(clients, seconds), "--select-only")
            found.setdefault(f"write {clients}", {})[way] = pgbench(url, *run(clients, seconds))
    with Redis(variables["REDIS_URL"]) as redis:
        redis.ask("SET", "value", "x" * 100)
    for clients in CLIENTS:
        found[f"get {clients}"] = {
            "direct": benchmark(variables["REDIS_URL"], clients, seconds),
            "rest": wrk(variables, clients, seconds),
        }
    return found


def run(clients: int, seconds: int) -> list[str]:
    return [f"--client={clients}", "--jobs=1", f"--time={seconds}", "--no-vacuum"]


def pgbench(url: str, *arguments: str) -> float:
    parts = urlsplit(url)
    where = ["-h", parts.hostname, "-p", str(parts.port), "-U", parts.username, parts.path[1:]]
    ran = subprocess.run(
        [PGBENCH, *arguments, *where],
        env={**os.environ, "PGPASSWORD": parts.password or ""},
        capture_output=True,
        text=True,
    )
    if ran.returncode != 0:
        raise RuntimeError(f"pgbench ended with {ran.returncode}: {ran.stderr}")
    return next((float(line.split()[2]) for line in ran.stdout.splitlines() if line.startswith("tps")), 0.0)


def benchmark(url: str, clients: int, seconds: int) -> float:
    """GETs a second. `redis-benchmark` counts requests and not time, so it is asked for so many as take about so long."""
    parts = urlsplit(url)
    where = ["-h", parts.hostname, "-p", str(parts.port), "--user", parts.username, "-a", parts.password]

    def gets(count: int) -> float:
        ran = subprocess.run(
            ["redis-benchmark", *where, "-c", str(clients), "-n", str(count), "--csv", "GET", "value"],
            capture_output=True,
            text=True,
            check=True,
        )
        return float(ran.stdout.strip().splitlines()[-1].split(",")[1].strip('"'))

    return gets(int(gets(20_000) * seconds))


def wrk(variables: dict[str, str], clients: int, seconds: int) -> float:
    """GETs a second over REST."""
    ran = subprocess.run(
        [
            *("wrk", "-t1", f"-c{clients}", f"-d{seconds}s"),
            *("-H", f"Authorization: Bearer {variables['UPSTASH_REDIS_REST_TOKEN']}"),
            f"{variables['UPSTASH_REDIS_REST_URL']}/get/value",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    if "Non-2xx" in ran.stdout:
        raise RuntimeError(f"REST answered with errors: {ran.stdout}")
    return next(float(line.split()[1]) for line in ran.stdout.splitlines() if line.startswith("Requests/sec"))


ROWS = {
    "read": ("one row of PostgreSQL read by its key (`pgbench --select-only`)", "pooled", "through PgBouncer"),
    "write": ("a transaction of PostgreSQL with seven statements (`pgbench`)", "pooled", "through PgBouncer"),
    "get": ("a value of 100 bytes of Redis", "rest", "over REST"),
}


def report(figures: dict) -> list[str]:
    crowd = figures["crowd"]
    lines = [
        f"## {TITLE}",
        "",
        f"{PROJECTS} projects with a Redis and a database each in one installation. All {crowd['answered']} took a value, gave it back and answered "
        f"a query, asked one after the other in {crowd['asking']:.1f} s. Adding both to a project took {crowd['create']:.2f} s (median; the first, "
        f"which starts the servers of all, {crowd['first']:.1f} s; the slowest after it {crowd['slowest']:.1f} s). After `hostkit down` and `hostkit up` all answered "
        f"within {crowd['start']:.1f} s. The machine had {crowd['available'] / 1024:.0f} MB less memory to give afterwards, "
        f"{crowd['available'] / 1024 / PROJECTS:.1f} MB for each project.",
        "",
        "| program | processes | PSS of all | of it for each project | of one core, idle |",
        "|---|---|---|---|---|",
    ]
    for program, found in crowd["programs"].items():
        whole = found["pss"] / 1024
        lines.append(
            f"| {program} | {found['count']} | {whole:.1f} MB | {whole / PROJECTS:.2f} MB | {found['cpu']:.1f} % |"
        )
    lines += [
        "",
        f"What stands between a program and its data, in operations a second (median of {figures['repeats']} runs of {figures['seconds']} s, beside the other "
        "projects, who are idle; clients, what is between, and server share the two cores):",
        "",
        "| operation | clients | direct | between | ratio |",
        "|---|---|---|---|---|",
    ]
    for key, found in figures["ways"].items():
        kind, clients = key.split()
        title, way, between_them = ROWS[kind]
        lines.append(
            f"| {title} | {clients} | {found['direct']:.0f} | {between_them} {found[way]:.0f} | {found[way] / found['direct']:.2f} |"
        )
    return lines
