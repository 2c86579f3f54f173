"""WebSocket round trips: an echo server, and a client that keeps one message in flight on each connection.

usage: sockets.py echo PORT
       sockets.py load PORT CONNECTIONS SECONDS     prints one JSON line
"""

import asyncio
import base64
import hashlib
import json
import sys
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PAYLOAD = b"x" * 64
# A client's frame is masked; a mask of zeros leaves the payload as it is.
QUESTION = bytes([0x82, 0x80 | len(PAYLOAD)]) + bytes(4) + PAYLOAD
ANSWER = bytes([0x82, len(PAYLOAD)]) + PAYLOAD


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport, self.open, self.received = transport, False, b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.open:
            head, end, rest = self.received.partition(b"\r\n\r\n")
            if not end:
                return
            lines = (line.split(b":", 1) for line in head.split(b"\r\n")[1:])
            headers = {line[0].lower(): line[1].strip() for line in lines if len(line) == 2}
            accept = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + GUID).digest())
            self.transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            self.open, self.received = True, rest
        while len(self.received) >= len(QUESTION):
            self.transport.write(ANSWER)
            self.received = self.received[len(QUESTION) :]


class Client(asyncio.Protocol):
    """Counts a round trip for every whole answer and asks again."""

    def __init__(self, times: list[float]) -> None:
        self.times, self.open, self.received = times, False, b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.write(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.open:
            head, end, rest = self.received.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                raise RuntimeError(f"no WebSocket: {head!r}")
            self.open, self.received = True, rest
            self.ask()
        elif len(self.received) >= len(ANSWER):
            self.times.append(time.perf_counter() - self.asked)
            self.received = self.received[len(ANSWER) :]
            self.ask()

    def ask(self) -> None:
        self.asked = time.perf_counter()
        self.transport.write(QUESTION)


async def echo(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


async def load(port: int, connections: int, seconds: float) -> dict:
    times: list[float] = []
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Client(times), "127.0.0.1", port)
    await asyncio.sleep(seconds)
    ordered = sorted(times)
    if not ordered:
        raise RuntimeError("no round trip was made")
    percentile = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
    return {"count": len(ordered), "p50_ms": percentile(0.5), "p99_ms": percentile(0.99)}


if __name__ == "__main__":
    if sys.argv[1] == "echo":
        asyncio.run(echo(int(sys.argv[2])))
    else:
        print(json.dumps(asyncio.run(load(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))))
