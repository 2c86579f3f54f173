"""Calls what server.py offers, through the front door: `client.py ADDRESS AUTHORITY calls|load [CERTIFICATE]`."""

import json
import queue
import sys
import threading

import grpc

address, host, task = sys.argv[1:4]
if len(sys.argv) > 4:
    with open(sys.argv[4], "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    options = [("grpc.ssl_target_name_override", host.split(":")[0]), ("grpc.default_authority", host)]
    channel = grpc.secure_channel(address, credentials, options)
else:
    channel = grpc.insecure_channel(address, [("grpc.default_authority", host)])

unary = channel.unary_unary("/shop.Calls/Unary")
counts = channel.unary_stream("/shop.Calls/Counts")
total = channel.stream_unary("/shop.Calls/Total")
talk = channel.stream_stream("/shop.Calls/Talk")
denied = channel.unary_unary("/shop.Calls/Denied")
overdue = channel.unary_stream("/shop.Calls/Overdue")


def refusal(call):
    try:
        call()
    except grpc.RpcError as error:
        return [error.code().name, error.details()]
    return None


def conversation(words):
    """Says each word only after the one before came back."""
    said = queue.Queue()
    answers = talk(iter(said.get, None), timeout=60)
    for word in words:
        said.put(word)
        assert next(answers) == word
    said.put(None)
    assert list(answers) == []


def calls():
    answer, call = unary.with_call(b"hello", metadata=(("x-asked", "me"),), timeout=60)
    conversation([b"one", b"two", b"", b"x" * 1_000_000])
    late = refusal(lambda: list(overdue(b"", timeout=0.5)))
    unknown = refusal(lambda: channel.unary_unary("/shop.Calls/Nothing")(b"", timeout=60))
    return {
        "unary": answer.decode(),
        "trailer": dict(call.trailing_metadata()).get("x-seen"),
        "counts": [int(number) for number in counts(b"1000", timeout=60)] == list(range(1000)),
        "total": int(total((b"%d" % number for number in range(100)), timeout=60)),
        "denied": refusal(lambda: denied(b"", timeout=60)),
        "late": late and late[0],
        "unknown": unknown and unknown[0],
    }


def load():
    """Calls until there is nothing more to read from standard input. Says when the first call was answered."""
    begun, over, lock = threading.Event(), threading.Event(), threading.Lock()
    made, failed, versions = [0], [], set()

    def work():
        while not over.is_set():
            try:
                answer = unary(b"load", timeout=60)
                conversation([b"a", b"b", b"c"])
                with lock:
                    made[0] += 2
                    versions.add(answer.decode())
                begun.set()
            except Exception as error:
                with lock:
                    failed.append(str(error))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    begun.wait(60)
    print("begun", flush=True)
    sys.stdin.read()
    over.set()
    for worker in workers:
        worker.join()
    return {"made": made[0], "failed": failed, "versions": sorted(versions)}


print(json.dumps(calls() if task == "calls" else load()))
