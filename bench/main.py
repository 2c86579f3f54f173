"""Runs the parts that were asked for and writes bench/results.md from the newest figures of every part.

usage: script/bench [deploy] [proxy] [memory] [--repeats N]
"""

import argparse
import json
import os
from pathlib import Path

import deploy
import machine
import memory
import proxy

HERE = Path(__file__).resolve().parent
# A load average above this says that something else is running.
CALM = 0.7
PARTS = {"deploy": deploy, "proxy": proxy, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(prog="script/bench", description="Measures HostKit into bench/results.md.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without an argument")
    parser.add_argument("--repeats", type=int, default=5, help="how often each figure is taken (5)")
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part `{unknown[0]}`; there are {', '.join(PARTS)}")

    out = HERE / "out"
    out.mkdir(exist_ok=True)
    for part in arguments.parts or PARTS:
        print(f"== {part}", flush=True)
        load = os.getloadavg()[0]
        if load > CALM:
            print(f"   the machine is busy (load average {load:.1f}): figures will be worse than they could be")
        figures = PARTS[part].measure(arguments.repeats)
        figures["load"] = load
        figures["machine"] = machine.description()
        (out / f"{part}.json").write_text(json.dumps(figures, indent=1))
        write(out)
    print(f"written: {HERE / 'results.md'}")


def write(out: Path) -> None:
    """Parts that were not run this time keep their figures, with the machine they were taken on."""
    lines = ["# Figures", "", "Written by `script/bench`; not to be edited by hand.", ""]
    machines = []
    for part, module in PARTS.items():
        file = out / f"{part}.json"
        if not file.exists():
            continue
        figures = json.loads(file.read_text())
        if figures["machine"] not in machines:
            machines.append(figures["machine"])
            lines += [*(f"- {line}" for line in figures["machine"]), ""]
        report = module.report(figures)
        if figures["load"] > CALM:
            report[2:2] = [f"Taken on a busy machine (load average {figures['load']:.1f} at the start).", ""]
        lines += [*report, ""]
    (HERE / "results.md").write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
