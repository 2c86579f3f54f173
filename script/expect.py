#!/usr/bin/env python3
"""Asks a sample app through the front door what its expect.toml says, and compares.

usage: script/expect.py APP_FOLDER PROJECT FRONT_DOOR_URL
"""

import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path


def ask(url: str, host: str) -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, f"no answer: {error}"


def problem(expected: dict, url: str, host: str) -> str | None:
    """What is wrong with one answer; `eventually` waits for what takes a moment."""
    patience = time.monotonic() + (15 if expected.get("eventually") else 0)
    while True:
        status, body = ask(url + expected["path"], host)
        wrong = None
        if status != expected.get("status", 200):
            wrong = f"answered {status}, not {expected.get('status', 200)}: {body[:200]}"
        for text in expected.get("contains", []):
            if text not in body:
                wrong = f"`{text}` is not in: {body[:200]}"
        if wrong is None or time.monotonic() > patience:
            return wrong
        time.sleep(0.2)


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 64
    folder, project, url = Path(sys.argv[1]), sys.argv[2], sys.argv[3].rstrip("/")
    host = f"{project}.localhost"
    expectation = tomllib.loads((folder / "expect.toml").read_text())
    failed = 0
    for expected in expectation["request"]:
        wrong = problem(expected, url, host)
        failed += wrong is not None
        outcome = "as expected" if wrong is None else f"WRONG: {wrong}"
        print(f"   {host}{expected['path']}  {outcome}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
