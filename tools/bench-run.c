/* SPDX-License-Identifier: MIT */
/*
 * bench-run B ROUNDS: measures the programs of build directory B on the captures in B/bench, and prints a table. Programs
 * take turns, because machines are noisy: what counts are ratios within a round, of which the median and the range are shown.
 * The status tells whether all programs found the same and memory is as promised; time is only shown.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS_MAX = 99, MIB = 1 << 20 };
enum { CONNECTIONS = 100000, CONNECTION_MAX = 1024, BASE_MAX = 16 * MIB, GROWTH_MAX = MIB / 2 };

static bool broken; /* a promise */

/* --- one run --- */

/* What a program said of itself on stderr, and what it took. */
struct result {
	uint64_t exchanges, packets, calls;
	double cpu;    /* seconds, of user and system */
	uint64_t peak; /* bytes of memory at most */
};

static __attribute__((noreturn)) void die(const char *what)
{
	fprintf(stderr, "bench-run: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Lines like "12 packets, 3 connections". */
static void parse(struct result *r, FILE *said)
{
	char line[1024], word[32];
	uint64_t n;

	while (fgets(line, sizeof line, said)) {
		if (sscanf(line, "%" SCNu64 " %31[a-z]", &n, word) != 2)
			continue;
		if (strncmp(word, "exchange", 8) == 0)
			r->exchanges = n;
		else if (strncmp(word, "packet", 6) == 0)
			r->packets = n;
		else if (strncmp(word, "call", 4) == 0)
			r->calls = n;
	}
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Runs a command of the shell in the build directory. */
static __attribute__((format(printf, 1, 2))) struct result measure(const char *format, ...)
{
	char command[4096], *argv[] = {"sh", "-c", command, NULL};
	struct result r = {0};
	posix_spawn_file_actions_t actions;
	struct rusage used;
	int said[2], status;
	va_list ap;
	FILE *in;
	pid_t pid;

	va_start(ap, format);
	vsnprintf(command, sizeof command, format, ap);
	va_end(ap);
	if (pipe2(said, O_CLOEXEC) < 0)
		die("pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, said[1], STDERR_FILENO);
	errno = posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ);
	if (errno)
		die("sh");
	posix_spawn_file_actions_destroy(&actions);
	close(said[1]);
	in = fdopen(said[0], "r");
	parse(&r, in);
	fclose(in);
	if (wait4(pid, &status, 0, &used) < 0 || status != 0)
		die(command);
	r.cpu = seconds(used.ru_utime) + seconds(used.ru_stime);
	r.peak = (uint64_t)used.ru_maxrss * 1024;
	return r;
}

/* --- one capture --- */

#define RECORDS "bench/records.json"

static const struct program {
	const char *name, *command, *heap; /* heap: how to count its calls for memory, or NULL */
} programs[] = {
	{"libpcap loop", "./bench-floor libpcap", NULL},
	{"llhttp alone", "./bench-floor llhttp", NULL},
	{"-o null", "./perisco replay -o null", "./bench-heap null"},
	{"-o json", "./perisco replay -o json", "./bench-heap json"},
	{"json file", "./perisco replay -o json:" RECORDS, NULL},
};
enum { LIBPCAP, LLHTTP, PERISCO, JSON_FILE = 4, PROGRAMS };

struct range {
	double least, median, most;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct range range_of(const double *v, unsigned n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, v, n * sizeof *v);
	qsort(sorted, n, sizeof *v, compare);
	return (struct range){sorted[0], sorted[n / 2], sorted[n - 1]};
}

/* How much more a program took than another one, round by round. */
static struct range ratio(struct result (*r)[PROGRAMS], unsigned n, unsigned program, unsigned to)
{
	double v[ROUNDS_MAX];

	for (unsigned i = 0; i < n; i++)
		v[i] = r[i][program].cpu / r[i][to].cpu;
	return range_of(v, n);
}

static struct range cpu(struct result (*r)[PROGRAMS], unsigned n, unsigned program)
{
	double v[ROUNDS_MAX];

	for (unsigned i = 0; i < n; i++)
		v[i] = r[i][program].cpu;
	return range_of(v, n);
}

static void complain(const char *kind, const char *what, double is, double should)
{
	printf("%s: %.10g %s instead of %.10g\n", kind, is, what, should);
	broken = true;
}

static double megabytes(const char *kind)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof path, "bench/%s.pcap", kind);
	if (stat(path, &st) < 0)
		die(path);
	return (double)st.st_size / 1e6;
}

static void show(const char *kind, struct result (*r)[PROGRAMS], unsigned n, unsigned program)
{
	const struct result *one = &r[0][program];
	double s = cpu(r, n, program).median;
	struct range x = ratio(r, n, program, LLHTTP);

	printf("%-10s %-12s %6.0f %6.0f ", program ? "" : kind, programs[program].name, s * 1e3, megabytes(kind) / s);
	if (one->exchanges)
		printf("%12.0f", (double)one->exchanges / s);
	else
		printf("%12s", "-");
	printf(" %10.0f %10.2f %9.2f  %4.2f..%4.2f %9.1f", s * 1e9 / (double)one->packets, ratio(r, n, program, LIBPCAP).median,
	       x.median, x.least, x.most, (double)one->peak / MIB);
}

static void show_heap(const char *kind, const struct program *p)
{
	struct result r = {0};

	if (p->heap) {
		r = measure("exec %s bench/%s.pcap", p->heap, kind);
		printf(" %13.4g", (double)r.calls / (double)r.packets);
	}
	puts("");
	if (r.calls)
		complain(kind, "calls for memory in the steady state", (double)r.calls, 0);
}

/* Returns what records in a file cost, in what it takes to find them. */
static struct range capture(const char *kind, unsigned n)
{
	static struct result r[ROUNDS_MAX][PROGRAMS];

	for (unsigned i = 0; i < n; i++)
		for (unsigned p = 0; p < PROGRAMS; p++, unlink(RECORDS))
			r[i][p] = measure("exec %s bench/%s.pcap", programs[p].command, kind);
	for (unsigned p = 0; p < PROGRAMS; p++) {
		show(kind, r, n, p);
		show_heap(kind, &programs[p]);
		if (p >= PERISCO && r[0][p].exchanges != r[0][LLHTTP].exchanges)
			complain(kind, "exchanges", (double)r[0][p].exchanges, (double)r[0][LLHTTP].exchanges);
	}
	fflush(stdout);
	return ratio(r, n, JSON_FILE, PERISCO);
}

/* --- memory --- */

static void memory(void)
{
	struct result open = measure("exec ./perisco replay -o null bench/open.pcap");
	struct result once = measure("./bench-make small 100 - | ./perisco replay -o null -");
	struct result more = measure("./bench-make small 1000 - | ./perisco replay -o null -");
	double all = BASE_MAX + (double)CONNECTION_MAX * CONNECTIONS;

	printf("\n%d open connections: %.1f MiB, %.0f bytes each. Small, 100 MB of it: %.1f MiB; 1 GB: %.1f MiB.\n", CONNECTIONS,
	       (double)open.peak / MIB, ((double)open.peak - (double)once.peak) / CONNECTIONS, (double)once.peak / MIB,
	       (double)more.peak / MIB);
	if ((double)open.peak > all)
		complain("open", "bytes of memory", (double)open.peak, all);
	if (more.peak > once.peak + GROWTH_MAX)
		complain("small, 1 GB", "bytes of memory", (double)more.peak, (double)once.peak);
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = {"small", "pipelined", "short", "large"};
	struct range json[sizeof kinds / sizeof *kinds];
	unsigned rounds = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		return fputs("usage: bench-run B ROUNDS\n", stderr), 2;
	if (chdir(argv[1]) < 0)
		die(argv[1]);
	puts("capture    program      CPU ms   MB/s  exchanges/s  ns/packet  x libpcap  x llhttp       range  peak MiB  "
	     "calls/packet");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		json[i] = capture(kinds[i], rounds);
	printf("\nJSON to a file, x -o null (small: at most 2):");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		printf("%s %s %.2f (%.2f..%.2f)", i ? "," : "", kinds[i], json[i].median, json[i].least, json[i].most);
	puts(".");
	memory();
	return broken;
}
