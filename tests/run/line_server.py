#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes lines on a TCP port of 127.0.0.1 or a Unix socket, and appends whole ones to a file.

line_server.py PORT|PATH FILE [LINES]    prints the port; ends by itself after so many lines, in the middle of one
"""
import os
import socket
import sys

where, out, left = sys.argv[1], open(sys.argv[2], "ab"), int(sys.argv[3]) if len(sys.argv) > 3 else 1 << 60
if where.isdigit():
    server = socket.create_server(("127.0.0.1", int(where)))
else:
    server = socket.socket(socket.AF_UNIX)
    server.bind(where)
    server.listen()
print(server.getsockname()[1] if where.isdigit() else where, flush=True)
while True:
    connection, _ = server.accept()
    rest = b""
    while got := connection.recv(65536):
        *lines, rest = (rest + got).split(b"\n")
        for line in lines[:left]:
            out.write(line + b"\n")
        out.flush()
        left -= len(lines[:left])
        if left <= 0:
            os._exit(0)
