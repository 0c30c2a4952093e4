#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""grpc_calls.py serve ADDRESS | call ADDRESS | load ADDRESS CALLS: gRPC without generated code; messages are bytes as they are.

The client counts what it did, a line for each kind of call: how many, method, status, messages of the request and bytes in
them, the same of the response; "-": that is not known to it.
"""
import collections
import concurrent.futures
import os
import sys
import time

import grpc

LARGE = 4 << 20
OPTIONS = [("grpc.max_receive_message_length", 2 * LARGE), ("grpc.max_send_message_length", 2 * LARGE)]


# --- the server: what a call does stands in its first message ---


waiting = set()  # messages of calls that wait, or did


def obey(word, context):
    """Fails or waits if the message says so; else nothing."""
    if word.startswith(b"fail "):
        context.abort(list(grpc.StatusCode)[int(word.split()[1])], "failed: 100 % wanted, \u00fcber\nall")
    if word.startswith(b"wait"):
        waiting.add(word)
        while context.is_active():
            time.sleep(0.01)


def one(request, context):
    if request.startswith(b"came "):
        return b"%d" % (request[5:] in waiting)
    obey(request, context)
    return request


def server_stream(request, context):
    for i in range(int(request.split()[0])):
        yield b"x" * i
    obey(request.partition(b" ")[2], context)


def client_stream(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def both(requests, context):
    for request in requests:
        obey(request, context)
        yield request


def serve(address):
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=32)
    server = grpc.server(pool, options=OPTIONS, compression=grpc.Compression.NoCompression)
    handlers = {
        "One": grpc.unary_unary_rpc_method_handler(one),
        "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
        "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
        "Both": grpc.stream_stream_rpc_method_handler(both),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Calls", handlers),))
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


# --- the client ---


class Client:
    def __init__(self, address):
        channel = grpc.insecure_channel(address, options=OPTIONS)
        grpc.channel_ready_future(channel).result(60)
        self.one = channel.unary_unary("/test.Calls/One")
        self.missing = channel.unary_unary("/test.Calls/None")
        self.server_stream = channel.unary_stream("/test.Calls/ServerStream")
        self.client_stream = channel.stream_unary("/test.Calls/ClientStream")
        self.both = channel.stream_stream("/test.Calls/Both")
        self.counts = collections.Counter()

    def count(self, method, status, sent, received):
        size = [[len(messages), sum(map(len, messages))] for messages in (sent, received)]
        self.counts[method, status.name, *size[0], *size[1]] += 1

    def unary(self, message):
        answer, call = self.one.with_call(message)
        self.count("One", call.code(), [message], [answer])
        return answer

    def at_once(self, message, times):
        for call in [self.one.future(message) for _ in range(times)]:
            self.count("One", call.code(), [message], [call.result()])

    def fails(self, method, stub, message, **options):
        try:
            stub(message, **options)
        except grpc.RpcError as error:
            self.count(method, error.code(), [message], [])
        else:
            raise SystemExit("a call that should fail does not")

    def run(self):
        for i in range(200):
            self.unary(b"u" * (i % 20))
        self.unary(b"l" * LARGE)
        self.at_once(b"at once", 500)
        self.at_once(b"l" * (LARGE // 16), 20)
        for i in (0, 1, 2, 30):
            self.count("ServerStream", grpc.StatusCode.OK, [b"%d" % i], list(self.server_stream(b"%d" % i)))
            messages = [b"c" * k for k in range(i)]
            self.count("ClientStream", grpc.StatusCode.OK, messages, [self.client_stream(iter(messages))])
            self.count("Both", grpc.StatusCode.OK, messages, list(self.both(iter(messages))))
        for number in range(1, 17):
            self.fails("One", self.one, b"fail %d" % number)
        self.fails("None", self.missing, b"x")
        self.stream_fails()
        self.deadline()
        self.cancel()

    def stream_fails(self):
        received = []
        try:
            for message in self.server_stream(b"3 fail 14"):
                received.append(message)
        except grpc.RpcError as error:
            self.count("ServerStream", error.code(), [b"3 fail 14"], received)

    def deadline(self):
        """All at once, and long: a call that is sent late was given less time, as far as the wire says."""
        for call in [self.one.future(b"wait", timeout=3) for _ in range(5)]:
            if not call.exception():
                raise SystemExit("a call that should not end in time does")
            self.count("One", call.code(), [b"wait"], [])

    def cancel(self):
        for i in range(5):
            word = b"wait %d.%d" % (os.getpid(), i)
            call = self.one.future(word)
            while not call.done() and self.unary(b"came " + word) != b"1":
                time.sleep(0.01)
            call.cancel()
            self.count("One", grpc.StatusCode.CANCELLED, [word], [])

    def load(self, calls, window=16):
        """Small calls, some at once; the result says how many, and the seconds and seconds of CPU they took."""
        began, cpu = time.monotonic(), time.process_time()
        for done in range(0, calls, window):
            self.at_once(b"load", min(window, calls - done))
        return calls, time.monotonic() - began, time.process_time() - cpu

    def compressed(self):
        """What a message takes on the wire is not known here."""
        for i in range(1, 6):
            _, call = self.one.with_call(b"z" * 1000 * i, compression=grpc.Compression.Gzip)
            self.counts["One", call.code().name, 1, "-", 1, 1000 * i] += 1


def main():
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    client = Client(sys.argv[2])
    if sys.argv[1] == "load":
        print(*client.load(int(sys.argv[3])))
        return
    client.run()
    client.compressed()
    for call, n in client.counts.items():
        print(n, *call)


main()
