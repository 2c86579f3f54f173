"""Runs the parts that were asked for and writes bench/results.md from the newest figures of every part.

usage: script/bench [deploy] [front-door] [memory] [data] [storage] [backups] [--repeats N] [--seconds S] [--only ROW…]
"""

import argparse
import json
import os
import re
import time
from pathlib import Path

import backups
import data
import deploy
import front_door
import machine
import memory
import storage

HERE = Path(__file__).resolve().parent
# A load average above this says that something else is running.
CALM = 0.7
# How long to wait for that: what built the binaries is still in the average.
PATIENCE = 240
PARTS = {"deploy": deploy, "front-door": front_door, "memory": memory, "data": data, "storage": storage, "backups": backups}


def main() -> None:
    parser = argparse.ArgumentParser(prog="script/bench", description="Measures HostKit into bench/results.md.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without an argument")
    parser.add_argument("--repeats", type=int, help="how often each figure is taken (5)")
    parser.add_argument("--seconds", type=float, help=f"how long a run of the front door takes ({front_door.SECONDS})")
    parser.add_argument(
        "--only",
        action="append",
        metavar="ROW",
        help=f"rows of the front door that begin so: {', '.join(front_door.keys())}; the others keep their figures",
    )
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part `{unknown[0]}`; there are {', '.join(PARTS)}")
    for row in arguments.only or []:
        if not any(key.startswith(row) for key in front_door.keys()):
            parser.error(f"there is no row `{row}`; there are {', '.join(front_door.keys())}")

    out = HERE / "out"
    out.mkdir(exist_ok=True)
    for part in arguments.parts or PARTS:
        print(f"== {part}", flush=True)
        load = calm_down()
        if load > CALM:
            print(f"   the machine is busy (load average {load:.1f}): figures will be worse than they could be")
        figures = PARTS[part].measure(arguments)
        figures["load"] = load
        figures["machine"] = machine.description()
        (out / f"{part}.json").write_text(json.dumps(figures, indent=1))
        write(out)
    print(f"written: {HERE / 'results.md'}")


def calm_down() -> float:
    """The load average, once it is low or does not become so."""
    began = time.monotonic()
    while (load := os.getloadavg()[0]) > CALM and time.monotonic() - began < PATIENCE:
        time.sleep(1)
    return load


def write(out: Path) -> None:
    """Parts that were not run this time keep their figures, with the machine they were taken on."""
    results = HERE / "results.md"
    before = sections(results.read_text() if results.exists() else "")
    lines = ["# Figures", "", "Written by `script/bench`; not to be edited by hand.", ""]
    for part, module in PARTS.items():
        file = out / f"{part}.json"
        if file.exists():
            figures = json.loads(file.read_text())
            report = module.report(figures)
            busy = f", busy with other things (load average {figures['load']:.1f} at the start)"
            taken = f"Taken on: {'; '.join(figures['machine'])}{busy if figures['load'] > CALM else ''}."
            report[2:2] = [taken, ""]
        else:
            # Taken elsewhere, or by somebody else.
            report = next((text for title, text in before.items() if title.startswith(module.TITLE)), [])
        lines += [*report, ""]
    results.write_text("\n".join(lines).rstrip() + "\n")


def sections(text: str) -> dict[str, list[str]]:
    """The parts of what was written before, by their titles."""
    found = {}
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        found[section.splitlines()[0]] = f"## {section}".rstrip().splitlines()
    return found


if __name__ == "__main__":
    main()
