#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes lines on a TCP port of 127.0.0.1 or a Unix socket, and appends whole ones to a file.

line_server.py PORT|PATH FILE [LINES [politely]]    prints the port; ends by itself after so many lines or some more, in the middle of
                                                    one, and politely only when it has read all that the other side sends
"""
import errno
import os
import socket
import sys
import time

where, out, left = sys.argv[1], open(sys.argv[2], "ab"), int(sys.argv[3]) if len(sys.argv) > 3 else 1 << 60
politely = len(sys.argv) > 4


def listen(port):
    """Who looks for somebody at the port may have it for a moment."""
    while True:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            time.sleep(0.01)


if where.isdigit():
    server = listen(int(where))
else:
    if os.path.exists(where):
        os.unlink(where)
    server = socket.socket(socket.AF_UNIX)
    server.bind(where)
    server.listen()
print(server.getsockname()[1] if where.isdigit() else where, flush=True)
while True:
    connection, _ = server.accept()
    rest = b""
    while got := connection.recv(65536):
        *lines, rest = (rest + got).split(b"\n")
        out.write(b"".join(line + b"\n" for line in lines))  # what was read counts as delivered
        out.flush()
        if left <= len(lines):
            server.close()
            if not politely:
                os._exit(0)
            connection.shutdown(socket.SHUT_WR)
            while got := connection.recv(65536):
                *lines, rest = (rest + got).split(b"\n")
                out.write(b"".join(line + b"\n" for line in lines))
            out.flush()
            os._exit(0)
        left -= len(lines)
