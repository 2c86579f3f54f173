"""What a backup costs: a database of some size backed up and restored, beside PostgreSQL's own tools with zstd."""

import os
import statistics
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from data import PGBENCH, psql
from installation import Installation

TITLE = "Backups"
# pgbench's unit: 100,000 rows, 15 MB on the disk of the server.
SCALE = 30
PROGRAMS = PGBENCH.parent


def measure(arguments) -> dict:
    repeats = arguments.repeats or 3
    with Installation() as host:
        host.run("project", "create", "shop", "--with-db")
        url = host.run("db", "url", "shop", "--direct").strip()
        server = Server(url, host.folder)
        server.run("pgbench", "--initialize", "--quiet", f"--scale={SCALE}")
        size = int(psql(url, "SELECT pg_database_size(current_database())"))
        runs = [once(host, server) for _ in range(repeats)]
        stored = sum(file.stat().st_size for file in (host.data / "backups").rglob("postgres")) / repeats
        dumped = server.dump.stat().st_size
    rows = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    return {"rows": rows, "size": size, "stored": stored, "dumped": dumped, "repeats": repeats}


class Server:
    """The database as a program of the project reaches it, with PostgreSQL's own tools."""

    def __init__(self, url: str, folder: Path):
        parts = urlsplit(url)
        self.where = ["-h", parts.hostname, "-p", str(parts.port), "-U", parts.username]
        self.database = parts.path[1:]
        self.environment = {**os.environ, "PGPASSWORD": parts.password or ""}
        self.dump = folder / "shop.dump.zst"

    def run(self, program: str, *arguments: str) -> None:
        command = [PROGRAMS / program, *arguments, *self.where, self.database]
        subprocess.run(command, env=self.environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def piped(self, first: list, second: list, **where) -> None:
        with subprocess.Popen(first, env=self.environment, stdout=subprocess.PIPE) as reader:
            subprocess.run(second, env=self.environment, stdin=reader.stdout, check=True, **where)
        if reader.returncode != 0:
            raise RuntimeError(f"`{first[0]}` ended with {reader.returncode}")


def once(host: Installation, server: Server) -> dict:
    found = {}
    began = time.perf_counter()
    process = host.start("backup", "now", "shop")
    for line in process.stderr:
        if "postgres" in line and "read back" in line:
            found["made"] = time.perf_counter() - began
    if process.wait() != 0:
        raise RuntimeError("`hostkit backup now` failed")
    found["proven"] = time.perf_counter() - began

    began = time.perf_counter()
    dump = [PROGRAMS / "pg_dump", "--format=custom", "--compress=0", *server.where, server.database]
    with open(server.dump, "wb") as file:
        server.piped(dump, ["zstd", "-3", "--quiet", "--stdout"], stdout=file)
        os.fsync(file.fileno())
    subprocess.run(["zstd", "--test", "--quiet", server.dump], check=True)
    found["dump"] = time.perf_counter() - began

    began = time.perf_counter()
    host.run("backup", "restore", "shop", "--yes", "--no-backup")
    found["restore"] = time.perf_counter() - began

    host.run("db", "create", "shop", "beside")
    began = time.perf_counter()
    restore = [PROGRAMS / "pg_restore", "--no-owner", "--no-privileges", *server.where, "-d", "shop_beside"]
    server.piped(["zstd", "-d", "--quiet", "--stdout", server.dump], restore)
    found["pg_restore"] = time.perf_counter() - began
    host.run("db", "drop", "shop", "beside", "--yes", "--no-backup")
    return found


def report(figures: dict) -> list[str]:
    rows, size = figures["rows"], figures["size"]
    lines = [
        f"## {TITLE}",
        "",
        f"A database of {size / 1e6:,.0f} MB, medians of {figures['repeats']} runs; server, tools and disk share the machine. Beside it: "
        "`pg_dump | zstd -3`, brought to the disk and read by `zstd --test`, and `zstd -d | pg_restore`.",
        "",
        "| what | HostKit | PostgreSQL's tools | ratio of speed |",
        "|---|---|---|---|",
    ]

    def row(what: str, ours: float, theirs: float) -> None:
        speeds = [f"{taken:.1f} s, {size / 1e6 / taken:,.0f} MB/s" for taken in (ours, theirs)]
        lines.append(f"| {what} | {speeds[0]} | {speeds[1]} | {theirs / ours:.2f} |")

    row("made and read back (HostKit: rows counted, encrypted, at the target)", rows["made"], rows["dump"])
    row("the same, and restored for trial", rows["proven"], rows["dump"] + rows["pg_restore"])
    row("restored (HostKit: beside, read back before, counted, then swapped)", rows["restore"], rows["pg_restore"])
    lines.append(
        f"| size | {figures['stored'] / 1e6:,.1f} MB | {figures['dumped'] / 1e6:,.1f} MB | {figures['stored'] / figures['dumped']:.2f} |"
    )
    return lines
