"""Requests at a steady rate while something else is measured, in a process of its own.

usage: load.py PORT HOST RATE        runs until its standard input closes, then prints one JSON line
"""

import asyncio
import json
import subprocess
import sys
import time


class Load:
    """`with Load(port, host, 100) as load: …`, then `load.result`."""

    def __init__(self, port: int, host: str, rate: int) -> None:
        self.arguments = [sys.executable, __file__, str(port), host, str(rate)]

    def __enter__(self) -> "Load":
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        output, _ = self.process.communicate(timeout=60)
        self.result = json.loads(output)


async def one(port: int, host: str, due: float, result: dict) -> None:
    """A connection of its own for each request, so that no answer depends on the one before."""
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    try:
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            answer = await reader.read(-1)
            writer.close()
        problem = "" if answer.startswith(b"HTTP/1.1 200 ") else answer.partition(b"\r\n")[0].decode() or "no answer"
    except (OSError, TimeoutError) as error:
        problem = repr(error)
    result["sent"] += 1
    result["failed"] += bool(problem)
    result["first_failure"] = result["first_failure"] or problem
    result["slowest_ms"] = max(result["slowest_ms"], (time.perf_counter() - due) * 1000)


async def steady(port: int, host: str, rate: int) -> dict:
    result = {"sent": 0, "failed": 0, "slowest_ms": 0.0, "first_failure": ""}
    end = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    began, tasks = time.perf_counter(), []
    while not end.done():
        # Time counts from when the request was due, so that a stalled door cannot hide behind a stalled sender.
        due = began + len(tasks) / rate
        await asyncio.sleep(max(0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(port, host, due, result)))
    await asyncio.gather(*tasks)
    return result


if __name__ == "__main__":
    print(json.dumps(asyncio.run(steady(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))
