"""Answers calls of every kind; bytes are the messages, so that nothing has to be generated."""

import os
import signal
from concurrent import futures

import grpc

VERSION = b"VERSION"


def unary(request, context):
    metadata = dict(context.invocation_metadata())
    context.set_trailing_metadata((("x-seen", metadata.get("x-asked", "")),))
    return VERSION + b" " + request


def counts(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def total(requests, context):
    return b"%d" % sum(int(request) for request in requests)


def talk(requests, context):
    for request in requests:
        yield request


def denied(request, context):
    context.abort(grpc.StatusCode.PERMISSION_DENIED, "not for you")


def overdue(request, context):
    while context.is_active():
        yield b"still"
        import time

        time.sleep(0.05)


handlers = grpc.method_handlers_generic_handler(
    "shop.Calls",
    {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Counts": grpc.unary_stream_rpc_method_handler(counts),
        "Total": grpc.stream_unary_rpc_method_handler(total),
        "Talk": grpc.stream_stream_rpc_method_handler(talk),
        "Denied": grpc.unary_unary_rpc_method_handler(denied),
        "Overdue": grpc.unary_stream_rpc_method_handler(overdue),
    },
)
server = grpc.server(futures.ThreadPoolExecutor(max_workers=64))
server.add_generic_rpc_handlers((handlers,))
server.add_insecure_port(f"{os.environ['HOST']}:{os.environ['PORT']}")
server.start()
signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=5))
server.wait_for_termination()
