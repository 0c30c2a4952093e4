#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""live_bench.py HOST WORK PERISCO [LOAD...]: what sniffers on HOST cost its pods' traffic, for scripts/live-bench.

Machines are noisy: sniffers take turns, in another order each round, and what counts are ratios within a round, to the
mean of its two runs without a sniffer. The ratio of these two is the noise. CPU is that of all who take part: client,
server, sniffer and ksoftirqd, to the nanosecond; BPF programs run in the time of who sends.
"""
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time

HOST, WORK, PERISCO = sys.argv[1:4]
ROUNDS = int(os.environ.get("LIVE_ROUNDS", 5))
SECONDS = int(os.environ.get("LIVE_SECONDS", 2))
RATE = int(os.environ.get("LIVE_RATE", 6000))
CPUS = os.environ["LIVE_CPUS"]
SETTLE = 0.4  # seconds that a sniffer has after a load to write what it saw

# --- what the kernel counts ---


def cpu_of(pid):
    """Seconds that a process ran, threads that are gone included."""
    return time.clock_gettime(~pid << 3 | 2)  # MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of <linux/posix-timers.h>


def softirq_is_apart():
    """Is the time of soft interrupts taken from the process that they interrupt? It is then in /proc/stat alone."""
    config = f"/boot/config-{os.uname().release}"
    return os.path.exists(config) and "CONFIG_IRQ_TIME_ACCOUNTING=y" in open(config).read()


def machine():
    """Seconds that all CPUs were idle, and in interrupts."""
    n = [int(word) / os.sysconf("SC_CLK_TCK") for word in open("/proc/stat").readline().split()[1:]]
    return n[3] + n[4], n[5] + n[6]


def wire_bytes():
    files = [f"/sys/class/net/{HOST}-b/statistics/{way}_bytes" for way in ("rx", "tx")]
    return sum(map(int, subprocess.check_output(["ip", "netns", "exec", HOST, "cat", *files]).split()))


def pid_file(name):
    return int(open(f"{WORK}/{name}.pid").read())


KSOFTIRQD = [int(pid) for pid in subprocess.check_output(["pgrep", "^ksoftirqd/"]).split()]
SOFTIRQ_APART = softirq_is_apart()

# --- loads: a command that does an amount of work, and what it says it did ---


class Load:
    """`command` does an amount of work; `start` is that of the first run, which tells how much can be done in a second.
    `told` finds work and seconds in the client's output, and the client's CPU if that is not its whole life's."""

    def __init__(self, server, unit, start, command, told):
        self.server, self.unit, self.start = server, unit, start
        self.command, self.told = command, told


def wrk(out):
    work, wall = re.search(r"(\d+) requests in ([\d.]+)s", out).groups()
    return int(work), float(wall), None


def h2load(out):
    wall = re.search(r"finished in ([\d.]+)(m?s)", out)
    work = int(re.search(r"(\d+) succeeded", out)[1])
    return work, float(wall[1]) / (1000 if wall[2] == "ms" else 1), None


def curl(out):
    files = [line.split() for line in out.splitlines()]
    return sum(int(size) for size, _ in files) / 1e9, sum(float(wall) for _, wall in files), None


def grpc(out):
    work, wall, cpu = out.split()
    return int(work), float(wall), float(cpu)


URL = "http://10.77.2.2"
CLIENTS = 16
DOWNLOAD = 0.1  # GB


def wrk_command(_):
    return ["wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", f"{URL}/hello"]


def rate_command(_):
    return ["h2load", "--h1", "-t1", f"-c{CLIENTS}", f"--rps={RATE // CLIENTS}", f"-n{RATE * SECONDS}", f"{URL}/hello"]


def large_command(gb):
    urls = f"{URL}/large?[1-{max(1, round(gb / DOWNLOAD))}]"
    return ["curl", "-sf", "-o", "/dev/null", "-w", "%{size_download} %{time_total}\n", urls]


def h2_command(n):
    return ["h2load", "-t1", "-c8", "-m32", f"-n{n:.0f}", f"{URL}:8080/hello"]


def grpc_command(n):
    return ["/usr/bin/python3", "tests/live/grpc_calls.py", "load", "10.77.2.2:50051", f"{n:.0f}"]


LOADS = {
    "small": Load("nginx", "request", 1, wrk_command, wrk),
    "rate": Load("nginx", "request", 1, rate_command, h2load),
    "large": Load("nginx", "GB", 0.5, large_command, curl),
    "h2": Load("nghttpd", "request", 20000, h2_command, h2load),
    "grpc": Load("grpc", "call", 1000, grpc_command, grpc),
}


def exchanges(load, work):
    return round(work / DOWNLOAD) if load.unit == "GB" else work


# --- sniffers ---


class Sniffer:
    def __init__(self, command, begun):
        self.command, self.begun = command, begun


NOTHING, AGAIN, TCPDUMP96, PERISCO_WATCH = "nothing", "again", "tcpdump -s96", "perisco"
SNIFFERS = {
    NOTHING: None,
    AGAIN: None,
    "tcpdump": Sniffer(["tcpdump", "-i", f"{HOST}-b", "-s0", "-w", "/dev/null"], "listening"),
    TCPDUMP96: Sniffer(["tcpdump", "-i", f"{HOST}-b", "-s96", "-w", "/dev/null"], "listening"),
    PERISCO_WATCH: Sniffer([PERISCO, "watch", "-v", "-o", "json"], "watching"),
}


def begin(sniffer):
    with open(f"{WORK}/seen", "w") as seen, open(f"{WORK}/said", "w") as said:
        process = subprocess.Popen(["ip", "netns", "exec", HOST, *sniffer.command], stdout=seen, stderr=said)
    for _ in range(200):
        if sniffer.begun in open(f"{WORK}/said").read():
            return process
        time.sleep(0.05)
    process.kill()
    raise SystemExit(f"live-bench: {sniffer.command[0]} does not begin: {open(f'{WORK}/said').read()}")


def end(process):
    process.send_signal(signal.SIGINT)
    if process.wait(30):
        raise SystemExit(f"live-bench: {process.args[4]} failed: {open(f'{WORK}/said').read()}")
    return open(f"{WORK}/said").read()


def number(pattern, text):
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


class Run:
    """One load under one sniffer."""

    def __init__(self, load, amount, sniffer):
        self.lost, self.problem, self.found, self.copied, self.own = 0, None, None, None, 0.0
        process = begin(sniffer) if sniffer else None
        parts = KSOFTIRQD + [pid_file(load.server)] + ([process.pid] if process else [])
        before, own, wire = sum(map(cpu_of, parts)), cpu_of(process.pid) if process else 0, wire_bytes()
        idle, irq = machine()
        began = time.monotonic()
        out, client = self.client(load.command(amount))
        wall, after = time.monotonic() - began, machine()
        time.sleep(SETTLE)
        self.work, self.seconds, told = load.told(out)
        self.cpu = sum(map(cpu_of, parts)) - before + (client if told is None else told)
        if SOFTIRQ_APART:
            self.cpu += after[1] - irq
        self.idle = (after[0] - idle) / wall
        self.others = os.cpu_count() - self.idle - self.cpu / wall
        self.wire = wire_bytes() - wire
        if process:
            self.own = cpu_of(process.pid) - own
            said = end(process)
            if sniffer is SNIFFERS[PERISCO_WATCH]:
                self.perisco(said, exchanges(load, self.work))
            else:
                self.lost = number(r"(\d+) packets? dropped by kernel", said)

    @staticmethod
    def client(command):
        bounded = ["ip", "netns", "exec", f"{HOST}-a", "timeout", "60", "taskset", "-c", CPUS, *command]
        process = subprocess.Popen(bounded, stdout=subprocess.PIPE, text=True)
        out = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"live-bench: '{' '.join(command)}' failed: {out}")
        return out, used.ru_utime + used.ru_stime

    def perisco(self, said, wanted):
        """What its summary and its records tell."""
        counters = {help: int(n) for n, help in re.findall(r"^ *(\d+)  (.+)$", said, re.M)}
        self.copied = counters["bytes of these packets on the wire"] / self.wire  # packets left out are none of these
        lost = [number(rf"(\d+) {of}", said) for of in ("packets in the ring", "bytes of their payload")]
        told = [0, 0]
        self.found = 0
        for line in open(f"{WORK}/seen"):
            if '"loss":' in line:
                told = [n + number(rf'"{of}":(\d+)', line) for n, of in zip(told, ("packets", "bytes"))]
            elif '"missing":' not in line:
                self.found += 1
        self.lost, self.found = lost[0], self.found / wanted
        if told != lost:
            self.problem = f"{told} packets and bytes lost by its records, {lost} by its summary"
        elif self.found < 1 and "\n0 lost\n" in said:
            self.problem = f"only {self.found:.6f} of the exchanges are whole, and nothing is said to be lost"


# --- the report ---


class Spread:
    def __init__(self, values):
        self.median = statistics.median(values)
        quartiles = statistics.quantiles(values, method="inclusive") if len(values) > 1 else [self.median] * 3
        self.low, self.high = quartiles[0], quartiles[2]

    def __str__(self):
        return f"{self.median:.3f} ({self.low:.3f}-{self.high:.3f})"


def cost(run):
    return run.cpu / run.work


def own(run):
    return run.own / run.work


def speed(run):
    return run.work / run.seconds


def speed_alone(run):
    """What the CPUs of client and server could do if the sniffer, and others, had their own."""
    return run.work / (run.cpu - run.own)


class Report:
    """`rounds`: for each, a run by name."""

    def __init__(self, load, rounds):
        self.load, self.rounds = load, rounds

    def all(self, name, of):
        return [of(runs[name]) for runs in self.rounds]

    def median(self, name, of):
        return statistics.median(self.all(name, of))

    def ratio(self, name, of, to=None):
        """To the run `to` of the same round, or to those with nothing."""

        def base(runs):
            if name == AGAIN:
                return of(runs[NOTHING])
            return of(runs[to]) if to else (of(runs[NOTHING]) + of(runs[AGAIN])) / 2

        return Spread([of(runs[name]) / base(runs) for runs in self.rounds])

    def noise(self, of):
        """How sure a median of so many ratios is: about a standard error."""
        away = [abs(of(runs[AGAIN]) / of(runs[NOTHING]) - 1) for runs in self.rounds]
        return 2 * statistics.median(away) / len(away) ** 0.5

    def row(self, name):
        """Its cells, by column."""
        scale = 1 if self.load.unit == "GB" else 1e6
        cells = {"cpu": f"{self.median(name, cost) * scale:.3g}", "speed": f"{self.median(name, speed):.4g}"}
        if name != NOTHING:
            cells.update(cpu_nothing=self.ratio(name, cost), speed_nothing=self.ratio(name, speed))
        if SNIFFERS[name]:
            cells.update(own=f"{self.median(name, own) * scale:.3g}", lost=max(self.all(name, lambda run: run.lost)))
        if name == PERISCO_WATCH:
            cells.update(cpu_tcpdump=self.ratio(name, cost, TCPDUMP96),
                         copied=f"{self.median(name, lambda run: run.copied):.2%}",
                         found=f"{min(self.all(name, lambda run: run.found)):.2%}")
        return cells

    def table(self):
        unit = self.load.unit
        time_unit = "s" if unit == "GB" else "us"
        columns = {"cpu": (9, "all CPU", f"{time_unit}/{unit}"), "cpu_nothing": (20, "x nothing", ""),
                   "cpu_tcpdump": (20, "x tcpdump -s96", ""), "speed": (10, f"{unit}s/s", ""),
                   "speed_nothing": (20, "x nothing", ""), "own": (9, "own CPU", f"{time_unit}/{unit}"),
                   "lost": (7, "lost", "packets"), "copied": (7, "copied", "of wire"), "found": (7, "found", "of all")}
        rows = [("", {key: column[line] for key, column in columns.items()}) for line in (1, 2)]
        for name, cells in rows + [(name, self.row(name)) for name in SNIFFERS]:
            line = (f"{str(cells.get(key, '')):>{column[0]}}" for key, column in columns.items())
            print(f"{name:12} {' '.join(line)}".rstrip())

    def verdicts(self):
        if self.load.unit == "GB":
            nothing, tcpdump = (self.ratio(PERISCO_WATCH, cost, to) for to in (None, TCPDUMP96))
            verdict("all CPU at most 1.05 x nothing", nothing.median - 1.05, nothing, self.noise(cost))
            verdict("all CPU at most that with tcpdump -s96", tcpdump.median - 1, tcpdump, self.noise(cost))
            copied = Spread(self.all(PERISCO_WATCH, lambda run: run.copied))
            verdict("bytes copied at most 0.02 of the wire's", copied.median - 0.02, copied, 0)
        else:
            free = self.median(NOTHING, lambda run: run.idle) > 0.5
            what, of = ("throughput", speed) if free else ("no CPU was free: work by the load's own CPU", speed_alone)
            ratio = self.ratio(PERISCO_WATCH, of)
            verdict(f"{what} at least 0.95 x nothing", 0.95 - ratio.median, ratio, self.noise(of))
        lost = max(self.all(PERISCO_WATCH, lambda run: run.lost))
        problems = list(filter(None, self.all(PERISCO_WATCH, lambda run: run.problem)))
        for problem in problems or [f"at most {lost} packets lost, and told" if lost else "nothing lost"]:
            print(f"  {'BROKEN' if problems else 'met'}: {problem}")
        return not problems


def verdict(what, over, spread, noise):
    """`over`: by how much the target is missed; what is less than the noise proves nothing."""
    word = "met" if over <= 0 else "within the noise" if over <= noise else "missed"
    print(f"  {word}: {what}: {spread}, noise {noise:.3f}")


def measure(load, order):
    first = Run(load, load.start, None)
    amount = first.work / first.seconds * SECONDS
    rounds = []
    for _ in range(ROUNDS):
        names = list(SNIFFERS)
        order.shuffle(names)
        rounds.append({name: Run(load, amount, SNIFFERS[name]) for name in names})
    return Report(load, rounds)


def main():
    chosen = sys.argv[4:] or list(LOADS)
    for name in chosen:
        if name not in LOADS:
            raise SystemExit(f"live-bench: '{name}' is none of {', '.join(LOADS)}")
    order = random.Random(int(os.environ.get("LIVE_SEED", 1)))
    print(f"{ROUNDS} rounds of {SECONDS} s, clients and servers on CPU {CPUS}; "
          "medians with quartiles; the most that was lost, the least that was found")
    good = True
    for name in chosen:
        report = measure(LOADS[name], order)
        idle, others = (report.median(NOTHING, of) for of in (lambda run: run.idle, lambda run: run.others))
        print(f"\n{name}: with nothing, {idle:.1f} CPUs are idle, and others take {max(0, others):.1f}")
        report.table()
        good &= report.verdicts()
        sys.stdout.flush()
    sys.exit(not good)


main()
