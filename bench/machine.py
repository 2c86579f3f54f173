"""What the figures were measured on, and what the kernel counts per process."""

import os
import platform
import re
import subprocess
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def description() -> list[str]:
    """Cores, memory, kernel and the versions of everything that was compared."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1])
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    return [
        f"{os.cpu_count()} cores, {model[1] if model else platform.machine()}, {memory / 1048576:.0f} GB memory",
        f"{system[1] if system else platform.system()}, kernel {platform.release()}",
        ", ".join(
            version(name, arguments, pattern)
            for name, arguments, pattern in [
                ("Rust", ["rustc", "--version"], r"rustc (\S+)"),
                ("Node", ["node", "--version"], r"v(\S+)"),
                ("Python", ["python3", "--version"], r"Python (\S+)"),
                ("nginx", ["nginx", "-v"], r"nginx/(\S+)"),
                ("HAProxy", ["haproxy", "-v"], r"version (\S+)"),
                ("Caddy", ["caddy", "version"], r"v?(\d\S+)"),
                ("wrk", ["wrk", "-v"], r"wrk (?:debian/)?(\S+)"),
                ("h2load", ["h2load", "--version"], r"nghttp2/(\S+)"),
            ]
        ),
    ]


def version(name: str, arguments: list[str], pattern: str) -> str:
    try:
        answer = subprocess.run(arguments, capture_output=True, text=True, env=environment())
    except FileNotFoundError:
        return f"{name} not there"
    found = re.search(pattern, answer.stdout + answer.stderr)
    return f"{name} {found[1].rstrip(',') if found else '?'}"


def environment() -> dict[str, str]:
    """Ours, with the folders Debian puts daemons into."""
    return {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found.extend(int(child) for child in task.read_text().split())
            except OSError:
                continue
    return found


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of these processes, their ended children included."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICKS


def memory_kib(pid: int) -> tuple[int, int]:
    """Resident and proportional memory."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return tuple(int(re.search(rf"^{key}:\s*(\d+)", rollup, re.M)[1]) for key in ("Rss", "Pss"))


def pss_kib(pids: list[int]) -> int:
    """Proportional memory of these processes, but for those that ended: nginx looks through its cache in one of its own."""
    return sum(memory_kib(pid)[1] for pid in pids if Path(f"/proc/{pid}/smaps_rollup").exists())


def is_free(port: int) -> bool:
    """Whether nothing listens there: with SO_REUSEPORT a stale process silently takes half of a load."""
    table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    return not re.search(rf":{port:04X} \S+ 0A ", table)
