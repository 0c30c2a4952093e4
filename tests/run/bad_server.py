#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Servers that nobody should trust, on ports of 127.0.0.1 that are printed: each kind of WORDS gets one.

bad_server.py WORD...    mute: accepts and never reads; reset: breaks each connection; babble: reads, and answers what means
                         nothing; liar: answers bulk requests with too few results
"""
import itertools
import json
import socket
import struct
import sys
import threading
import time

BABBLE = b"\x00\x00\x00\x10 \x1b[31m HTTP/9.9 -1 what\r\n\r\n" * 10
LIE = json.dumps({"errors": False, "items": [{"create": {"status": 201}}] * 3}).encode()


def mute(connection):
    time.sleep(1000)


def reset(connection):
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def babble(connection):
    while connection.recv(65536):
        connection.sendall(BABBLE)


def liar(connection):
    rest = b""
    while got := connection.recv(65536):
        head, end, body = (rest + got).partition(b"\r\n\r\n")
        length = next((int(l.split(b":")[1]) for l in head.split(b"\r\n") if l.lower().startswith(b"content-length")), 0)
        rest += got
        if end and len(body) >= length:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(LIE), LIE))
            rest = b""


def converse(how, connection):
    try:
        how(connection)
    except OSError:
        pass
    connection.close()


def serve(how, server):
    for _ in itertools.count():
        connection, _ = server.accept()
        threading.Thread(target=converse, args=(how, connection), daemon=True).start()


servers = [(globals()[word], socket.create_server(("127.0.0.1", 0))) for word in sys.argv[1:]]
print(*[server.getsockname()[1] for _, server in servers], flush=True)
for how, server in servers:
    threading.Thread(target=serve, args=(how, server), daemon=True).start()
time.sleep(1000)
