#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ports.py N    prints N ports of 127.0.0.1, which nobody gets by chance as long as it runs: who asks for one by its number listens
there, goes and comes again, and nobody answers in between"""
import signal
import socket
import sys

held = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in held:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # it is bound, and does not listen: one more of the kind may
    one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in held], flush=True)
signal.pause()
