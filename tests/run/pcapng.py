#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pcapng.py FILE.pcapng RECORDS.json: each packet has comments for the exchanges that it has bytes of, and for no others.

tshark reads packets and comments; where messages begin and end is found here, in connections of which nothing is missing.
A packet that brings only the begin of a first line, or of a frame's header, cannot know yet whose it is.
"""
import collections
import json
import re
import subprocess
import sys


def packets(path):
    fields = ("frame.number", "tcp.stream", "tcp.srcport", "tcp.seq_raw", "tcp.flags.syn", "tcp.payload", "frame.comment")
    out = subprocess.run(["tshark", "-n", "-o", "tcp.desegment_tcp_streams:false", "-r", path, "-Y", "tcp", "-T", "fields"]
                         + [w for f in fields for w in ("-e", f)], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        number, stream, port, seq, syn, payload, comment = line.split("\t")
        flow = re.findall(r"flow_id=(\w+)", comment)
        told = {int(n) for n in re.findall(r"exchange=(\d+)", comment)}
        yield number, stream, port, int(seq), syn in ("1", "True"), bytes.fromhex(payload), flow[0], told


def content(head, data, at, method):
    """Where the message whose head ends at `at` ends."""
    status = re.match(rb"HTTP/1.\d (\d+)", head)
    if status and (method == b"HEAD" or status[1][:1] == b"1" or status[1] in (b"204", b"304")):
        return at
    length = re.search(rb"\r\nContent-Length: *(\d+)", head, re.I)
    if length:
        return at + int(length[1])
    if re.search(rb"\r\nTransfer-Encoding: *chunked", head, re.I):
        while True:
            end = data.index(b"\r\n", at)
            size = int(data[at:end].split(b";")[0], 16)
            at = end + 2 + size + 2
            if not size:
                return at if data[at - 2:at] == b"\r\n" else data.index(b"\r\n\r\n", at - 2) + 4
    return len(data) if status else at


def http1(data, methods):
    """(from, to, known from, exchange) of each message; a request's method is put into `methods`, a response takes its own."""
    at, n = 0, 1
    while at < len(data):
        end = data.index(b"\r\n\r\n", at) + 4
        head = data[at:end]
        response = head.startswith(b"HTTP/")
        if not response:
            methods[n] = head.split(b" ")[0]
        to = content(head, data, end, methods.get(n))
        yield at, to, data.index(b"\n", at) + 1, n
        n += not re.match(rb"HTTP/1.\d 1\d\d", head)
        at = to


def http2(data, numbers):
    at = 24 if data.startswith(b"PRI") else 0
    while at + 9 <= len(data):
        n, kind = int.from_bytes(data[at:at + 3], "big"), data[at + 3]
        flags, stream = data[at + 4], int.from_bytes(data[at + 5:at + 9], "big")
        if kind == 5:
            lead = at + 9 + (1 if flags & 8 else 0)
            numbers["frames"] = stream = int.from_bytes(data[lead:lead + 4], "big")
        if kind == 9 and "frames" in numbers:
            stream = numbers["frames"]
        elif kind != 5:
            numbers.pop("frames", None)
        if kind in (0, 1, 3, 5, 9) and stream in numbers:
            yield at, at + 9 + n, at + 9, numbers[stream]
        at += 9 + n


def main(path, records):
    numbers = collections.defaultdict(dict)
    for line in open(records):
        r = json.loads(line)
        if "exchange" in r:
            numbers[r["flow_id"]][r["l7"].get("stream_id", -r["exchange"])] = r["exchange"]
    sides, order, wrong, said = collections.defaultdict(dict), [], 0, 0
    for number, stream, port, seq, syn, payload, flow, told in packets(path):
        side = sides[stream].setdefault(port, {"data": b"", "seq": None, "flow": flow})
        if syn or side["seq"] is None:
            side["seq"] = seq + syn
        at = (seq + syn - side["seq"]) % 2**32
        fresh = b""
        if at + len(payload) > len(side["data"]) and at <= len(side["data"]):
            fresh = payload[len(side["data"]) - at:]
        begin = len(side["data"])
        side["data"] += fresh
        order.append((number, stream, port, begin, len(side["data"]), told))
    for stream, pair in sides.items():
        methods = {}
        for side in sorted(pair.values(), key=lambda s: s["data"].startswith(b"HTTP/")):
            h2 = any(s["data"].startswith(b"PRI * HTTP/2") for s in pair.values())
            side["spans"] = list(http2(side["data"], numbers[side["flow"]]) if h2 else http1(side["data"], methods))
    for number, stream, port, begin, end, told in order:
        expect = {x for a, b, known, x in sides[stream][port]["spans"] if begin < end and a < end and b > begin and end >= known}
        said += len(expect)
        if told != expect:
            print(f"packet {number}: comments of {sorted(told)}, bytes of {sorted(expect)}")
            wrong += 1
    return 1 if wrong or not said else 0


sys.exit(main(*sys.argv[1:]))
