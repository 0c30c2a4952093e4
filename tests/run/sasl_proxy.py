#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A lock before Kafka's mock cluster, which knows no passwords: sasl_proxy.py BROKERS FILE

Listens once for each of BROKERS (127.0.0.1:PORT,...) and prints these addresses in the same form. Who speaks SASL (PLAIN,
SCRAM-SHA-256 or -512; KIP-43, KIP-152, RFC 5802) as user "sniffer" with the password that FILE has at that moment is let
through, and finds the addresses of the brokers replaced by those here.
"""
import base64
import hashlib
import hmac
import os
import socket
import struct
import sys
import threading

HANDSHAKE, VERSIONS, AUTHENTICATE = 17, 18, 36
UNSUPPORTED_VERSION, UNSUPPORTED_MECHANISM, AUTHENTICATION_FAILED = 35, 33, 58
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
ITERATIONS = 4096


class Refused(Exception):
    pass


def read(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read_frame(sock):
    return read(sock, struct.unpack(">i", read(sock, 4))[0])


def write_frame(sock, data):
    sock.sendall(struct.pack(">i", len(data)) + data)


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def password():
    with open(sys.argv[2], encoding="ascii") as file:
        return file.read().strip()


def plain(token):
    _, user, given = token.decode().split("\0")
    if user != "sniffer" or given != password():
        raise Refused
    yield b""


def scram(token, name):
    def mac(key, text):
        return hmac.new(key, text, name).digest()

    first = token.split(b",", 2)[2]
    fields = dict(field.split(b"=", 1) for field in first.split(b","))
    ours, salt = base64.b64encode(os.urandom(18)), os.urandom(16)
    offer = b"r=%s%s,s=%s,i=%d" % (fields[b"r"], ours, base64.b64encode(salt), ITERATIONS)
    last, proof = (yield offer).rsplit(b",p=", 1)
    # Kafka looks at the end only, and needs to: librdkafka before 2.6.1 says its own part twice.
    nonce = dict(field.split(b"=", 1) for field in last.split(b","))[b"r"]
    secret = hashlib.pbkdf2_hmac(name, password().encode(), salt, ITERATIONS)
    key, all_said = mac(secret, b"Client Key"), b",".join((first, offer, last))
    signature = mac(hashlib.new(name, key).digest(), all_said)
    wanted = bytes(a ^ b for a, b in zip(key, signature))
    if fields[b"n"] != b"sniffer" or not nonce.endswith(ours) or base64.b64decode(proof) != wanted:
        raise Refused
    yield b"v=" + base64.b64encode(mac(mac(secret, b"Server Key"), all_said))


def authenticate(sock, versions):
    """Until the client is let in; `versions` is what a broker answers to ApiVersions, version 0."""
    mechanism, talk = None, None
    while True:
        frame = read_frame(sock)
        key, version, correlation, client = struct.unpack(">hhih", frame[:10])
        body, answer = frame[10 + max(client, 0):], struct.pack(">i", correlation)
        if key == VERSIONS and version:
            answer += struct.pack(">hihhh", UNSUPPORTED_VERSION, 1, VERSIONS, 0, 0)
        elif key == VERSIONS:
            n = struct.unpack(">i", versions[2:6])[0]
            answer += versions[:2] + struct.pack(">i", n + 2) + versions[6:]
            answer += struct.pack(">hhhhhh", HANDSHAKE, 0, 1, AUTHENTICATE, 0, 0)
        elif key == HANDSHAKE:
            mechanism = body[2:].decode()
            answer += struct.pack(">hi", 0 if mechanism in MECHANISMS else UNSUPPORTED_MECHANISM, len(MECHANISMS))
            answer += b"".join(map(string, MECHANISMS))
        elif key == AUTHENTICATE and mechanism:
            try:
                if talk:
                    said = talk.send(body[4:])
                else:
                    talk = plain(body[4:]) if mechanism == "PLAIN" else scram(body[4:], mechanism[6:].replace("-", ""))
                    said = next(talk)
            except Refused:
                write_frame(sock, answer + struct.pack(">h", AUTHENTICATION_FAILED) +
                            string("Authentication failed: no such user, or another password") + struct.pack(">i", 0))
                raise
            answer += struct.pack(">hhi", 0, -1, len(said)) + said
            if mechanism == "PLAIN" or said.startswith(b"v="):
                write_frame(sock, answer)
                return
        else:
            raise Refused
        write_frame(sock, answer)


def pass_on(source, sink, change):
    try:
        while True:
            write_frame(sink, change(read_frame(source)))
    except (OSError, EOFError):
        pass
    for sock in source, sink:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def rename(frame):
    """Only the port of an address differs, which is 4 bytes wherever it stands."""
    for broker, here in ports.items():
        frame = frame.replace(b"127.0.0.1" + struct.pack(">i", broker), b"127.0.0.1" + struct.pack(">i", here))
    return frame


def meet(sock, broker):
    with sock, socket.create_connection(("127.0.0.1", broker)) as behind:
        try:
            write_frame(behind, struct.pack(">hhih", VERSIONS, 0, 0, -1))
            authenticate(sock, read_frame(behind)[4:])
        except (OSError, EOFError, Refused):
            return
        back = threading.Thread(target=pass_on, args=(behind, sock, rename))
        back.start()
        pass_on(sock, behind, bytes)
        back.join()


def listen(server, broker):
    while True:
        threading.Thread(target=meet, args=(server.accept()[0], broker), daemon=True).start()


brokers = [int(address.rsplit(":", 1)[1]) for address in sys.argv[1].split(",")]
servers = [socket.create_server(("127.0.0.1", 0)) for _ in brokers]
ports = {broker: server.getsockname()[1] for broker, server in zip(brokers, servers)}
for server, broker in zip(servers, brokers):
    threading.Thread(target=listen, args=(server, broker), daemon=True).start()
print(",".join(f"127.0.0.1:{port}" for port in ports.values()), flush=True)
threading.Event().wait()
