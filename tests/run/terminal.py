# SPDX-License-Identifier: MIT
# terminal.py PERISCO DIRECTORY CAPTURE...: replays captures to terminals of several widths, and to pipes and files.
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

perisco, directory, *captures = sys.argv[1:]
COLOR = re.compile(r"\x1b\[[0-9;]+m")
failures = 0


def fail(*what):
    global failures
    failures += 1
    print(*what)


def resize(fd, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PERISCO_") and k not in ("NO_COLOR", "COLUMNS")}
    return {**env, "TERM": "xterm", "TZ": "UTC0", **more}


def start(columns, *args, **env):
    """Starts a replay on a terminal; its other end and the process."""
    ours, theirs = pty.openpty()
    resize(theirs, columns)
    p = subprocess.Popen([perisco, "replay", "-q", *args], stdin=subprocess.PIPE, stdout=theirs, env=environment(**env))
    os.close(theirs)
    return ours, p


def read_open(fd):
    """What comes until nobody has the other end any more."""
    out = b""
    while True:
        try:
            out += os.read(fd, 65536)
        except OSError:
            return out


def read_rest(fd, p):
    """What comes until p has ended. Linux may say that the other end is closed before it gives what was written last."""
    out = read_open(fd)
    p.wait()
    return out + read_open(fd)


def on_terminal(columns, *args, **env):
    fd, p = start(columns, *args, **env)
    p.stdin.close()
    out = read_rest(fd, p).decode("ascii").replace("\r\n", "\n")
    os.close(fd)
    if p.returncode != 0:
        fail(args, "ended with", p.returncode)
    return out


def piped(*args, **env):
    return subprocess.run([perisco, "replay", "-q", *args], stdout=subprocess.PIPE, env=environment(**env), check=True).stdout.decode("ascii")


def check_lines(text, columns, name):
    for line in COLOR.sub("", text).splitlines():
        if len(line) > columns or not all(" " <= c <= "~" for c in line):
            fail(f"{name}, {columns} columns, {len(line)}: {line!r}")


def statuses(text):
    return re.findall(r"  (\d{3}) +\d", COLOR.sub("", text))


def check_widths():
    for capture in captures:
        whole = piped("--flows", capture)
        if "\x1b" in whole:
            fail(capture, "has colours in a pipe")
        for columns in 60, 80, 120, 200:
            text = on_terminal(columns, "--flows", capture)
            check_lines(text, columns, capture)
            if text.count("\n") != whole.count("\n") or statuses(text) != statuses(whole):
                fail(capture, columns, "columns, other lines:", text)
            if text and not COLOR.search(text):
                fail(capture, "has no colours")


def check_colors():
    capture = next(c for c in captures if c.endswith("/continue.pcap"))
    plain = piped(capture)
    colored = piped("--color", "always", capture)
    if colored == plain or COLOR.sub("", colored) != plain or piped("--color=always", capture, NO_COLOR="1") != colored:
        fail("--color always, to a pipe:", colored)
    if on_terminal(0, capture) != colored:
        fail("a terminal of unknown width has other lines than --color always")
    for what, args, env in (
        ("NO_COLOR", [], {"NO_COLOR": "1"}),
        ("TERM=dumb", [], {"TERM": "dumb"}),
        ("no TERM", [], {"TERM": ""}),
        ("--color never", ["--color", "never"], {}),
        ("PERISCO_COLOR=never", [], {"PERISCO_COLOR": "never"}),
    ):
        if on_terminal(0, *args, capture, **env) != plain:
            fail(what, "has colours, or other lines")
        check_lines(on_terminal(80, *args, capture, **env), 80, what)
    if on_terminal(0, capture, NO_COLOR="") != colored:
        fail("an empty NO_COLOR is none")


def check_both():
    """A terminal and a file at the same time."""
    capture, path = captures[0], os.path.join(directory, "text")
    text = on_terminal(80, "-o", "text", "-o", "text:" + path, capture)
    with open(path, encoding="ascii") as file:
        if file.read() != piped(capture):
            fail("a file beside a terminal is not as a file alone")
    if text != on_terminal(80, capture):
        fail("a terminal beside a file is not as a terminal alone")


def read_line(fd):
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(fd, 1)
    return line.decode("ascii").strip("\r\n")


def check_resize():
    """One exchange after the other through a pipe, and another width for each."""
    fd, p = start(200, "-")
    for i, columns in enumerate((200, 80, 120, 60)):
        resize(fd, columns)
        with open(os.path.join(directory, f"{i}.pcap"), "rb") as file:
            p.stdin.write(file.read()[24 if i else 0 :])
        p.stdin.flush()
        line = read_line(fd)
        check_lines(line, columns, "resized")
        if ("HTTP/1.1" in line) != (columns >= 120) or (" -> " in line) != (columns >= 80):
            fail("resized to", columns, "columns:", line)
    p.stdin.close()
    if read_rest(fd, p) or p.returncode != 0:
        fail("resized: more lines, or", p.returncode)
    os.close(fd)


check_widths()
check_colors()
check_both()
check_resize()
sys.exit(failures > 0)
