#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""midjoin.py PERISCO CAPTURE...: joined in the middle, or with a hole, nothing wrong is said.

Of each capture (pcap, Ethernet, IPv4 addresses 10.0.0.x) these variants are replayed, in one go: all from a packet on, and all
but a packet, for each packet there is. Which one it is is told by the address, 10.HIGH.LOW.x, and each comes later than the one
before. The first is the whole capture. A field of a stream that is known in another is to be known, and the same, in the whole.
"""
import collections
import json
import struct
import subprocess
import sys

ADDRESSES = 14 + 12  # in an Ethernet frame: of the IPv4 source, the destination behind it


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    packets, at = [], 24
    while at < len(data):
        seconds, part, captured, wire = struct.unpack_from(order + "IIII", data, at)
        packets.append((seconds, part, wire, data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    return order, data[:24], packets


def variants(packets):
    yield "whole", packets
    for i in range(1, len(packets)):
        yield f"from packet {i + 1} on", packets[i:]
    for i in range(len(packets)):
        yield f"without packet {i + 1}", packets[:i] + packets[i + 1 :]


def capture(path):
    """All variants in one capture, and their names."""
    order, header, packets = read(path)
    out, names, span = bytearray(header), [], packets[-1][0] - packets[0][0] + 10
    for number, (name, some) in enumerate(variants(packets)):
        names.append(name)
        for seconds, part, wire, frame in some:
            frame = bytearray(frame)
            for at in (ADDRESSES, ADDRESSES + 4):
                assert frame[at : at + 3] == b"\x0a\0\0", "an address is not 10.0.0.x"
                frame[at + 1 : at + 3] = struct.pack(">H", number)
            out += struct.pack(order + "IIII", seconds + number * span, part, len(frame), wire) + frame
    return out, names


def known(record):
    """All that the record says of the stream, as pairs of name and value."""
    l7 = record["l7"]
    for side in ("request", "response"):
        message = l7.get(side, {}).get("Record", {}).get("Http", {})
        for name in ("method", "url", "authority", "scheme", "code"):
            if name in message:
                yield side + " " + name, message[name]
        for part in ("headers", "trailers"):
            for field in message.get(part, []):
                yield f"{side} {part} {field['key']}", field["value"]
    for name, value in l7.get("grpc", {}).items():
        yield "grpc " + name, str(value)
    for name in ("pushed", "reset_code"):
        if name in l7:
            yield name, l7[name]
    for interim in l7.get("interim", []):
        yield "interim", interim["code"]


def unknown(record):
    return sum(
        record["l7"].get(side, {}).get("Record", {}).get("Http", {}).get("unknown_headers", 0)
        for side in ("request", "response")
    )


def streams(perisco, packets):
    """The records of each variant: lists of them by connection and stream."""
    run = subprocess.run(
        [perisco, "replay", "-q", "-o", "json", "--show-secrets", "-"], input=packets, capture_output=True, check=True
    )
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in run.stdout.splitlines():
        record = json.loads(line)
        if "stream_id" not in record.get("l7", {}):
            continue
        ends, ports = record["ip"], record["l4"]["Protocol"]["TCP"]
        _, high, low, client = ends["client"].split(".")
        key = client, ports["client_port"], ends["server"].split(".")[3], ports["server_port"], record["l7"]["stream_id"]
        found[int(high) * 256 + int(low)][key].append(record)
    return found


def wrong(record, whole):
    """What is known and should not be: held against each record of the stream, the best one counts."""
    fields = collections.Counter(known(record))
    return min((sorted((fields - collections.Counter(known(w))).items()) for w in whole), key=len, default=["no such stream"])


def main():
    total = collections.Counter()
    for path in sys.argv[2:]:
        packets, names = capture(path)
        found = streams(sys.argv[1], packets)
        whole = found.pop(0, {})
        for number, keys in found.items():
            for key, records in keys.items():
                for record in records:
                    bad = wrong(record, whole.get(key, []))
                    total["wrong"] += len(bad)
                    total["known"] += len(list(known(record)))
                    total["unknown"] += unknown(record)
                    total["records"] += 1
                    if bad:
                        print(f"{path.rsplit('/', 1)[-1]} {names[number]}, stream {key[-1]}: {bad}")
    share = 100 * total["unknown"] / max(1, total["known"] + total["unknown"])
    print(f"{total['records']} records, {total['known']} fields known, {share:.1f} % unknown, {total['wrong']} wrong")
    return total["wrong"] != 0 or total["known"] == 0


sys.exit(main())
