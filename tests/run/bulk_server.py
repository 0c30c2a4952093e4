#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What perisco's client sees of Elasticsearch: GET /, index templates and the bulk API, which fails when told to.

bulk_server.py [PORT [FILE]]  serves on 127.0.0.1 and prints the port; one bulk request at a time. FILE keeps the ids that
                           were taken, when it is killed and comes again
POST /control {...}        "status": what the next "times" bulk requests are answered with, as a whole;
                           "slow": seconds before each answer; "each": {"STATUS": N}: every Nth record gets that status the
                           first time it comes (4xx but 429: each time); "garbage": the next bulk answers are no JSON;
                           "words": what index templates are refused with; "limit": bytes of a bulk request: when more are
                           announced they are not read, and the connection is closed behind a 413
GET /report                {"ids": distinct ids, "again": created twice, "docs": taken, "bad": what was wrong, ...}
"""
import gzip
import json
import re
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

state = {"status": 0, "times": 0, "slow": 0, "each": {}, "garbage": 0, "words": "", "limit": 100 << 20}
ids, seen, types, bad, templates, indices, paths = {}, set(), {}, [], {}, {}, set()
count = {"bulks": 0, "again": 0, "refused": 0, "failed": 0, "gzip": 0, "large": 0}
lock = threading.Lock()
journal = None
if len(sys.argv) > 2:
    journal = open(sys.argv[2], "a+")
    journal.seek(0)
    ids = dict(line.rstrip("\n").split(" ", 1) for line in journal)


def learn(path, value):
    """A field has one type for ever, as in a mapping; those of messages are a list."""
    kind = type(value)
    if kind is dict:
        for key, inner in value.items():
            learn((*path, key), inner)
    elif kind is list and path[-1] in ("headers", "trailers"):
        pass
    elif kind is list:
        for inner in value:
            learn(path, inner)
    if kind is not list and types.setdefault(path, kind) is not kind:
        bad.append(f"{path} is {kind} and {types[path]}")
    if kind is int and value >= 1 << 63:
        bad.append(f"{path} is too large")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, value):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            count["gzip"] += 1
            body = gzip.decompress(body)
        return body

    def do_GET(self):
        if self.path == "/report":
            self.reply(200, {"ids": len(ids), "bad": bad[:5], "templates": templates, "indices": indices,
                             "where": sorted(paths), **count})
        else:
            self.reply(200, {"version": {"number": "8.12.0"}, "tagline": "You Know, for Search"})

    def do_PUT(self):
        if state["words"]:
            self.body()
            return self.reply(500, state["words"].encode())
        paths.add(self.path)
        templates[self.path] = json.loads(self.body())
        self.reply(200, {"acknowledged": True})

    def do_POST(self):
        if int(self.headers.get("Content-Length", 0)) > state["limit"]:
            count["large"] += 1
            self.close_connection = True
            return self.reply(413, {"error": "too large"})
        body = self.body()
        if self.path == "/control":
            state.update(json.loads(body))
            return self.reply(200, {})
        began = time.monotonic()
        while time.monotonic() - began < state["slow"]:  # which may change meanwhile
            time.sleep(0.05)
        with lock:
            self.answer(body)

    def answer(self, body):
        count["bulks"] += 1
        if state["times"] > 0:
            state["times"] -= 1
            count["failed"] += 1
            return self.reply(state["status"], {"error": "as told"})
        if state["garbage"] > 0:
            state["garbage"] -= 1
            return self.reply(200, b'{"took":1,"items":[{"cre')
        self.bulk(body)

    def bulk(self, body):
        paths.add(self.path.split("?")[0])
        where = re.search(r"([^/]+)/_bulk", self.path)
        lines = body.split(b"\n")
        if lines.pop() != b"":
            bad.append("no line feed at the end")
        items = []
        for action, doc in zip(lines[::2], lines[1::2]):
            items.append({"create": self.create(where, json.loads(action)["create"], doc)})
        if journal:
            journal.flush()
        self.reply(200, {"errors": any(i["create"]["status"] > 299 for i in items), "items": items})

    def create(self, where, action, line):
        index = action["_index"] if "_index" in action else where.group(1)
        doc, name, same = json.loads(line), f"{index}/{action['_id']}", str(zlib.crc32(line))
        if len(ids) < 5000:
            learn((), doc)
        if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$", doc.get("@timestamp", "")):
            bad.append("no @timestamp: " + line[:80].decode())
        first = name not in seen
        seen.add(name)
        number = int(name.rsplit("-", 1)[1], 16)
        for status, each in state["each"].items():
            status = int(status)
            if number % each == 0 and (first or status // 100 == 4 and status != 429):
                count["refused"] += status // 100 == 4 and status != 429
                return {"status": status, "error": {"type": "as_told", "reason": "as told"}}
        if name in ids:
            count["again"] += 1
            if ids[name] != same:
                bad.append("the same id, and another record: " + name)
            return {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "there already"}}
        ids[name] = same
        if journal:
            journal.write(f"{name} {same}\n")
        indices[index] = indices.get(index, 0) + 1
        return {"status": 201}


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
