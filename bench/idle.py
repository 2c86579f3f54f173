"""What connections cost that asked once and say nothing any more."""

import subprocess
import time

import machine
from contestants import DOOR, DOOR_TLS, LOAD
from generators import GENERATOR_CORE

KINDS = {"plain": "HTTP/1.1", "tls": "HTTP/1.1 over TLS", "h2": "HTTP/2 over TLS"}
CONNECTIONS = 10_000
# At most so much each.
GOAL_KIB = 8


def watch(kind: str, door: subprocess.Popen) -> dict:
    """Memory before, with all of them, and after the last is gone."""
    # What the first requests of all need is nobody's connection.
    hold(kind, 64, lambda: None)
    pids = machine.tree(door.pid)
    before = machine.pss_kib(pids)
    found = hold(kind, CONNECTIONS, lambda: machine.pss_kib(pids))
    time.sleep(2)
    after = machine.pss_kib(pids)
    return {"before_kib": before, "with_kib": found, "after_kib": after, "each_kib": (found - before) / CONNECTIONS}


def hold(kind: str, connections: int, meanwhile):
    address = f"127.0.0.1:{DOOR if kind == 'plain' else DOOR_TLS}"
    command = ["taskset", "-c", str(GENERATOR_CORE), str(LOAD), "idle", kind, address, str(connections)]
    holding = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        if not holding.stdout.readline():
            raise RuntimeError(f"{connections} connections ({kind}) could not be opened:\n{holding.stderr.read()}")
        time.sleep(0.5)
        return meanwhile()
    finally:
        holding.communicate()


def report(figures: dict) -> list[str]:
    lines = [
        f"Memory with {CONNECTIONS:,} connections that asked once for 1 KB and are idle: PSS, without what the kernel keeps "
        f"for them. nginx takes part of it when it starts. The goal is at most {GOAL_KIB} KiB each.",
        "",
        "| connections | proxy | each | before | with them | 2 s after |",
        "|---|---|---|---|---|---|",
    ]
    for kind, name in KINDS.items():
        for entrant, found in figures.get(kind, {}).items():
            sizes = [f"{found[key] / 1024:.0f} MB" for key in ("before_kib", "with_kib", "after_kib")]
            lines.append(f"| {name} | {entrant} | {found['each_kib']:.1f} KiB | {' | '.join(sizes)} |")
    return lines
