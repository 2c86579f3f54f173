"""How long a change takes from the command's start to the first answer with it, under 100 requests a second."""

import json
import statistics
import time
import tomllib

from installation import Installation
from load import Load

APPS = ["static", "procfile", "express", "fastapi", "next"]
TITLE = "Deploys"
RATE = 100
FILES = 5000


def measure(arguments) -> dict:
    repeats = arguments.repeats or 5
    with Installation() as host:
        rows = []
        for app in APPS:
            rows += rows_of(host, app, repeats)
            print(f"   {app}: done", flush=True)
        return {"rows": rows, "upload": upload(host, repeats), "repeats": repeats, "rate": RATE}


def rows_of(host: Installation, app: str, repeats: int) -> list[dict]:
    folder = host.copy_of(app)
    change = tomllib.loads((folder / "expect.toml").read_text())["change"]
    file = folder / change["file"]
    original = file.read_text()
    began = time.perf_counter()
    host.run("deploy", str(folder), "--project", app, "--json")
    rows = [{"app": app, "what": "first deploy, nothing cached", "seen": [time.perf_counter() - began]}]

    changes = new_row(app, "one-line change")
    word = change["from"]
    for number in range(repeats):
        # The full stop keeps `turn 1` from being taken for `turn 10`.
        word = f"{change['from']} turn {number}."
        file.write_text(original.replace(change["from"], word))
        act(host, app, ["deploy", str(folder), "--project", app, "--json"], shows(word), changes)
    rows.append(changes)

    if app == "next":
        same = new_row(app, "deploy without a change, so without a build")
        for _ in range(repeats):
            act(host, app, ["deploy", str(folder), "--project", app, "--json"], other_release(host, app), same)
        rows.append(same)

    back = new_row(app, "rollback")
    for _ in range(repeats):
        act(host, app, ["rollback", "--project", app, "--json"], other_release(host, app), back)
    rows.append(back)
    return rows


def new_row(app: str, what: str) -> dict:
    return {"app": app, "what": what, "seen": [], "done": [], "steps": [], "sent": 0, "failed": 0, "slowest_ms": []}


def shows(word: str):
    return lambda answer: answer.status == 200 and word in answer.body


def other_release(host: Installation, app: str):
    before = host.ask(app).release
    return lambda answer: answer.status == 200 and answer.release not in ("", before)


def act(host: Installation, project: str, arguments: list[str], seen, row: dict) -> None:
    """Runs one command under load and adds what was seen to the row."""
    with Load(host.port, f"{project}.localhost", RATE) as load:
        began = time.perf_counter()
        process = host.start(*arguments)
        visible = host.seconds_until(began, project, seen, lambda: process.poll() in (None, 0))
        output, talk = process.communicate()
        row["done"].append(time.perf_counter() - began)
    if process.returncode != 0 or visible is None:
        raise RuntimeError(f"`hostkit {' '.join(arguments)}` did not show its change:\n{talk}\n{output}")
    row["seen"].append(visible)
    row["steps"].append(steps_of(json.loads(output)))
    row["sent"] += load.result["sent"]
    row["failed"] += load.result["failed"]
    if load.result["failed"]:
        print(f"   {project}: {load.result['failed']} requests failed: {load.result['first_failure']}", flush=True)
    row["slowest_ms"].append(load.result["slowest_ms"])


def steps_of(document: dict) -> dict[str, int]:
    """Milliseconds by step of a deployment as `--json` prints it; the upload goes before them."""
    upload = {"upload": document["upload"]["milliseconds"]} if document.get("upload") else {}
    return upload | {step["name"]: step.get("milliseconds") or 0 for step in document["deployment"]["steps"]}


def upload(host: Installation, repeats: int) -> dict:
    """A project of 5,000 files with one of them changed: until it is seen; the upload has a column of its own."""
    folder = host.folder / "many"
    for number in range(FILES):
        file = folder / f"part-{number // 100:02}" / f"page-{number:04}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"<p>page {number}</p>\n" * 20)
    index = folder / "index.html"
    index.write_text("<p>turn first</p>\n")
    host.run("deploy", str(folder), "--project", "many", "--json")
    # Files written a moment ago are hashed again, as git does; the measurement is about the ones that rest.
    time.sleep(3)
    host.run("deploy", str(folder), "--project", "many", "--json")
    row = new_row("many", f"{FILES + 1:,} files, one changed")
    for number in range(repeats):
        index.write_text(f"<p>turn {number}.</p>\n")
        act(host, "many", ["deploy", str(folder), "--project", "many", "--json"], shows(f"turn {number}."), row)
    return row


def report(figures: dict) -> list[str]:
    lines = [
        "## Deploys",
        "",
        f"Seconds from the start of the command to the first answer with the new content (asked every 2 ms), median "
        f"[min-max] of {figures['repeats']}, with {figures['rate']} requests/s running, a connection each. "
        "*Boot* is the app's own start: the steps `start` and `check` (a worker, which no request can ask, is watched "
        "for a second in it). The command ends later than the content is seen: new instances are watched, old ones "
        "drained.",
        "",
        "| app | what | seen | of it boot | without boot | command done | requests failed | slowest ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = [*figures["rows"], figures["upload"]]
    for row in rows:
        if "steps" not in row:
            lines.append(f"| {row['app']} | {row['what']} | {row['seen'][0]:.1f} | | | | | |")
            continue
        boots = [(steps.get("start", 0) + steps.get("check", 0)) / 1000 for steps in row["steps"]]
        rest = [max(0.0, seen - boot) for seen, boot in zip(row["seen"], boots)]
        lines.append(
            f"| {row['app']} | {row['what']} | {spread(row['seen'])} | {statistics.median(boots):.2f} "
            f"| {statistics.median(rest):.2f} | {statistics.median(row['done']):.2f} "
            f"| {row['failed']} of {row['sent']} | {max(row['slowest_ms']):.0f} |"
        )
    lines += ["", "Where the time goes, milliseconds per step (median):", ""]
    names = list(dict.fromkeys(name for row in rows for steps in row.get("steps", []) for name in steps))
    lines += [f"| app | what | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for row in rows:
        if row.get("steps"):
            cells = [medians(row["steps"], name) for name in names]
            lines.append(f"| {row['app']} | {row['what']} | {' | '.join(cells)} |")
    return lines


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f}-{max(values):.2f}]"


def medians(steps: list[dict], name: str) -> str:
    values = [step[name] for step in steps if name in step]
    return f"{statistics.median(values):.0f}" if values else ""
