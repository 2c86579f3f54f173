"""What an idle installation costs: memory and processor time of each of its processes, with 1 and 50 projects."""

import time
from pathlib import Path

import machine
from installation import Installation

TITLE = "Memory"
PROJECTS = (1, 50)
WATCH_SECONDS = 10


def measure(_arguments) -> dict:
    rows = []
    with Installation() as host:
        folder = host.folder / "tiny"
        folder.mkdir()
        (folder / "package.json").write_text('{"name":"tiny","version":"1.0.0","scripts":{"start":"node server.js"}}')
        (folder / "server.js").write_text(
            "require('node:http').createServer((_, answer) => answer.end('tiny\\n'))"
            ".listen(process.env.PORT, process.env.HOST);\n"
        )
        made = 0
        for wanted in PROJECTS:
            while made < wanted:
                made += 1
                host.run("deploy", str(folder), "--project", f"tiny-{made}", "--json")
            time.sleep(10)
            rows.append({"projects": wanted, "roles": watch(host.roles())})
    return {"rows": rows, "seconds": WATCH_SECONDS}


def watch(roles: dict[str, list[int]]) -> dict:
    """By role: how many processes, their memory together, the share of one core they use."""
    before = {role: machine.cpu_seconds(pids) for role, pids in roles.items()}
    time.sleep(WATCH_SECONDS)
    found = {}
    for role, pids in sorted(roles.items()):
        # A worker of PostgreSQL may have ended meanwhile.
        pids = [pid for pid in pids if Path(f"/proc/{pid}/smaps_rollup").exists()]
        memory = [machine.memory_kib(pid) for pid in pids]
        found[role] = {
            "count": len(pids),
            "rss": sum(rss for rss, _ in memory),
            "pss": sum(pss for _, pss in memory),
            "cpu": (machine.cpu_seconds(pids) - before[role]) / WATCH_SECONDS * 100,
        }
    return found


def report(figures: dict) -> list[str]:
    lines = [
        "## Memory and processor time, idle",
        "",
        f"Each project is one small Node server. The processes of HostKit alone, 10 s after the last deploy, watched for "
        f"{figures['seconds']} s. RSS counts shared pages in every process, PSS shares them out.",
        "",
        "| projects | role | processes | RSS each | PSS each | of one core |",
        "|---|---|---|---|---|---|",
    ]
    for row in figures["rows"]:
        for role, found in row["roles"].items():
            each = [found[kind] / found["count"] / 1024 for kind in ("rss", "pss")]
            lines.append(
                f"| {row['projects']} | {role} | {found['count']} | {each[0]:.1f} MB | {each[1]:.1f} MB "
                f"| {found['cpu']:.1f} % |"
            )
    return lines
