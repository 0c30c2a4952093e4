# SPDX-License-Identifier: MIT
"""A server whose answers have bodies of every kind, for elide.sh. The path says which: /length/N is N bytes with their
Content-Length, /chunks/N/SIZE N chunks, /short/N claims twice as much and closes, /reset/N claims it and resets, /close/N ends
with the connection, /tls/N says N bytes that are no HTTP."""
import socket
import struct
import sys
import threading

BLOCK = bytes(65536)


def send_zeros(s, n):
    while n > 0:
        n -= s.send(BLOCK[:n])


def drain(f, n):
    while n > 0:
        got = f.read(min(n, 1 << 16))
        if not got:
            return
        n -= len(got)


def answer(s, f, path):
    """False: the connection is over."""
    kind, n, *more = path.strip("/").split("/")
    n = int(n)
    if kind == "length":
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n)
        send_zeros(s, n)
        return True
    if kind == "chunks":
        s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(n):
            s.sendall(b"%x\r\n" % int(more[0]))
            send_zeros(s, int(more[0]))
            s.sendall(b"\r\n")
        s.sendall(b"0\r\nX-Sum: 1\r\n\r\n")
        return True
    if kind == "close":
        s.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        send_zeros(s, n)
        return False
    if kind in ("short", "reset"):
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * n))
        send_zeros(s, n)
        if kind == "reset":
            f.read(1)  # the client has it all
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    s.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    return True


def serve(s):
    f = s.makefile("rb")
    while True:
        line = f.readline()
        if not line or not line.split():
            break
        if line.startswith(b"NOISE "):
            send_zeros(s, int(line.split()[1]))
            continue
        length = 0
        for field in iter(f.readline, b"\r\n"):
            if field.lower().startswith(b"content-length:"):
                length = int(field.split(b":")[1])
        drain(f, length)
        if not answer(s, f, line.split()[1].decode()):
            break
    f.close()
    s.close()


listener = socket.create_server(("", int(sys.argv[1])))
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
