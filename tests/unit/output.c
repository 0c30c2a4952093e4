/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../file_limit.h"
#include "../jsonread.h"
#include "../sample.h"
#include "../still_clock.h"
#include "base/clock.h"
#include "output/output.h"

static struct sample s;
static const struct view view;
static void say(const char *line);
static const struct outputs_config config = {.view = &view, .say = say};
static struct outputs *o;
static char dir[] = "/tmp/perisco-output-XXXXXX", path[2][64], spec[128], error[256], said[1024];

/* Any thread may have something to say. */
static void say(const char *line)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", line);
	pthread_mutex_unlock(&lock);
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path[0], sizeof(path[0]), "%s/a", dir);
	snprintf(path[1], sizeof(path[1]), "%s/b", dir);
	sample_exchange(&s);
	o = outputs_new(&config);
	error[0] = said[0] = 0;
	stands_ms = 0;
	return o ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	outputs_close(o);
	sample_release(&s);
	unlink(path[0]);
	unlink(path[1]);
	return rmdir(dir);
}

static int add(const char *format, const char *where)
{
	snprintf(spec, sizeof(spec), "%s:%s", format, where);
	return outputs_add(o, spec, error, sizeof(error));
}

/* The content of a file, which is freed by the caller. */
static struct slice content(const char *name)
{
	FILE *f = fopen(name, "r");
	uint8_t *p;
	size_t n;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	n = (size_t)ftell(f);
	rewind(f);
	p = malloc(n + 1);
	assert_non_null(p);
	assert_int_equal(fread(p, 1, n, f), n);
	fclose(f);
	return slice_of(p, n);
}

/* Counts the lines of a JSON file; all of them are whole. */
static size_t count_lines(const char *name)
{
	struct slice all = content(name), s1 = all;
	size_t lines = 0;

	for (; s1.n; lines++) {
		const uint8_t *end = memchr(s1.p, '\n', s1.n);
		size_t n;

		assert_non_null(end);
		n = (size_t)(end + 1 - s1.p);
		assert_true(json_is_line(slice_first(s1, n)));
		s1 = slice_from(s1, n);
	}
	free((void *)all.p);
	return lines;
}

static void test_files(void **state)
{
	(void)state;
	assert_int_equal(add("json", path[0]), 0);
	assert_int_equal(add("json", path[1]), 0);
	for (int i = 0; i < 3000; i++)
		assert_int_equal(outputs_write(o, &s.r), 0);
	assert_int_equal(outputs_close(o), 0);
	o = NULL;
	assert_int_equal(count_lines(path[0]), 3000);
	assert_int_equal(count_lines(path[1]), 3000);
}

static void test_two_formats(void **state)
{
	struct slice text;

	(void)state;
	assert_int_equal(add("text", path[0]), 0);
	assert_int_equal(add("json", path[1]), 0);
	assert_int_equal(outputs_add(o, "null", error, sizeof(error)), 0);
	assert_int_equal(outputs_write(o, &s.r), 0);
	assert_int_equal(outputs_flush(o), 0);
	assert_int_equal(count_lines(path[1]), 1);
	text = content(path[0]);
	assert_non_null(memmem(text.p, text.n, "GET /index.html  200  1.2ms  4.3kB\n", 35));
	free((void *)text.p);
}

static void test_flush(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(add("json", path[0]), 0);
	assert_int_equal(outputs_write(o, &s.r), 0);
	assert_int_equal(stat(path[0], &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(outputs_flush(o), 0);
	assert_int_equal(count_lines(path[0]), 1);
	assert_int_equal(outputs_flush(o), 0);
	assert_int_equal(count_lines(path[0]), 1);
}

/* Somebody who watches sees each record at once. */
static void test_terminal(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	struct pollfd some = {.fd = master, .events = POLLIN};
	char line[256] = "";
	ssize_t n = 1;

	(void)state;
	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	assert_int_equal(add("text", ptsname(master)), 0);
	assert_int_equal(outputs_write(o, &s.r), 0);
	while (n > 0 && !strchr(line, '\n') && poll(&some, 1, 10000) == 1) /* a terminal passes it on in pieces */
		n = read(master, line + strlen(line), sizeof(line) - 1 - strlen(line));
	assert_non_null(strstr(line, "GET\x1b[0m /index.html  \x1b[32m200\x1b[0m  1.2ms  4.3kB\r\n"));
	close(master);
}

static void test_file_is_emptied(void **state)
{
	FILE *f = fopen(path[0], "w");

	(void)state;
	assert_non_null(f);
	fputs("old", f);
	fclose(f);
	assert_int_equal(add("json", path[0]), 0);
	assert_int_equal(outputs_flush(o), 0);
	assert_int_equal(count_lines(path[0]), 0);
}

static void expect_refused(const char *what, int want, const char *line)
{
	assert_int_equal(outputs_add(o, what, error, sizeof(error)), want);
	assert_string_equal(error, line);
}

static void test_bad_specs(void **state)
{
	(void)state;
	expect_refused("xml", -EINVAL, "unknown output format 'xml': use text, json or null");
	expect_refused("", -EINVAL, "unknown output format '': use text, json or null");
	expect_refused(":x", -EINVAL, "unknown output format '': use text, json or null");
	expect_refused("jso:x", -EINVAL, "unknown output format 'jso': use text, json or null");
	expect_refused("null:x", -EINVAL, "output format 'null' takes no path: it writes nothing");
	expect_refused("json:/nonexistent/x", -ENOENT,
		       "cannot open /nonexistent/x for writing: No such file or directory");
	expect_refused("json:/", -EISDIR, "cannot open / for writing: Is a directory");
	assert_int_equal(outputs_write(o, &s.r), 0);
}

static void test_no_two_in_one_file(void **state)
{
	(void)state;
	assert_int_equal(add("json", path[0]), 0);
	assert_int_equal(add("text", path[0]), -EINVAL);
	assert_non_null(strstr(error, "two outputs cannot both write to"));
	assert_int_equal(symlink(path[0], path[1]), 0);
	assert_int_equal(add("json", path[1]), -EINVAL);
	assert_int_equal(outputs_add(o, "json", error, sizeof(error)), 0);
	assert_int_equal(outputs_add(o, "text:-", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "two outputs cannot both write to standard output: name another one");
}

static void test_disk_full(void **state)
{
	char want[128];

	(void)state;
	assert_int_equal(add("json", "/dev/full"), 0);
	assert_string_equal(outputs_error(o), "");
	assert_int_equal(outputs_write(o, &s.r), 0);
	assert_int_equal(outputs_flush(o), -ENOSPC);
	snprintf(want, sizeof(want), "cannot write to /dev/full: %s", strerror(ENOSPC));
	assert_string_equal(outputs_error(o), want);
	assert_int_equal(outputs_write(o, &s.r), -ENOSPC);
	assert_int_equal(outputs_close(o), -ENOSPC);
	o = NULL;
	assert_string_equal(said, "");
}

/* --- a disk that is full is no reason to end what others get --- */

static void write_records(int n, int want)
{
	for (int i = 0; i < n; i++) {
		s.r.exchange.request.target = i % 2 ? SLICE("/b") : SLICE("/a");
		assert_int_equal(outputs_write(o, &s.r), 0);
	}
	assert_int_equal(outputs_flush(o), want);
}

static uint64_t missed(size_t i)
{
	const char *name;
	uint64_t n = 0;

	assert_true(outputs_missed(o, i, &name, &n));
	return n;
}

static void test_others_go_on(void **state)
{
	(void)state;
	assert_int_equal(add("json", "/dev/full"), 0);
	assert_int_equal(add("json", path[0]), 0);
	write_records(3, 0);
	write_records(3, 0);
	assert_int_equal(missed(0), 6);
	assert_int_equal(missed(1), 0);
	assert_string_equal(outputs_error(o), "");
	assert_int_equal(outputs_close(o), -ENOSPC);
	o = NULL;
	assert_int_equal(count_lines(path[0]), 6);
	assert_string_equal(said, "cannot write to /dev/full: No space left on device; its records are dropped until that works again\n"
				  "/dev/full: 6 dropped because it could not be written\n");
}

static void test_no_others_are_left(void **state)
{
	(void)state;
	assert_int_equal(add("json", "/dev/full"), 0);
	assert_int_equal(add("json", path[0]), 0);
	write_records(3, 0);
	limit_files(0);
	write_records(1, -EFBIG);
	limit_files(RLIM_INFINITY);
	assert_non_null(strstr(outputs_error(o), path[0]));
}

static void test_the_run_has_another_use(void **state)
{
	const struct outputs_config more = {.view = &view, .say = say, .more = true};

	(void)state;
	outputs_close(o);
	o = outputs_new(&more);
	assert_non_null(o);
	assert_int_equal(add("json", "/dev/full"), 0);
	write_records(3, 0);
	assert_int_equal(outputs_close(o), -ENOSPC);
	o = NULL;
}

/* A file may not grow beyond a limit that falls into a line: that line is not left half, and when there is room again it goes on. */
static void goes_on(const char *options, bool reopen)
{
	unsigned wanted = *options ? 2 : 1; /* one of so many */
	char where[112];

	snprintf(where, sizeof(where), "%s%s", path[0], options);
	assert_int_equal(add("json", where), 0);
	assert_int_equal(add("json", "/dev/null"), 0);
	stands_ms = clock_ms();
	limit_files(100000);
	write_records(400, 0);
	limit_files(RLIM_INFINITY);
	assert_in_range(missed(0), 1, 399 / wanted);
	assert_int_equal(count_lines(path[0]), 400 / wanted - missed(0));
	write_records(10, 0); /* too early to be tried again */
	assert_int_equal(count_lines(path[0]), 410 / wanted - missed(0));
	assert_null(strstr(said, "is written again"));
	if (reopen)
		assert_int_equal(outputs_reopen(o), 0);
	else
		stands_ms += 1000;
	write_records(40, 0);
	assert_int_equal(count_lines(path[0]), 450 / wanted - missed(0));
	assert_non_null(strstr(said, "is written again\n"));
	assert_int_equal(outputs_close(o), -EFBIG);
	o = NULL;
}

static void test_goes_on(void **state)
{
	(void)state;
	goes_on("", false);
}

static void test_goes_on_at_once(void **state)
{
	(void)state;
	goes_on("", true);
}

static void test_goes_on_with_some(void **state)
{
	(void)state;
	goes_on("?path=/a*", true);
}

/* The name leads nowhere when the file is to be rotated, and somewhere again later. */
static void test_no_directory(void **state)
{
	char in[64], moved[64], where[112];

	(void)state;
	snprintf(in, sizeof(in), "%s/d", dir);
	snprintf(moved, sizeof(moved), "%s/e", dir);
	snprintf(where, sizeof(where), "%s/x?size=2k&keep=0", in);
	assert_int_equal(mkdir(in, 0700), 0);
	assert_int_equal(add("json", where), 0);
	assert_int_equal(add("json", path[0]), 0);
	assert_int_equal(rename(in, moved), 0);
	write_records(100, 0);
	assert_in_range(missed(0), 80, 99);
	assert_int_equal(rename(moved, in), 0);
	assert_int_equal(outputs_reopen(o), 0);
	write_records(1, 0);
	assert_in_range(missed(0), 80, 99);
	assert_int_equal(outputs_close(o), -ENOENT);
	o = NULL;
	assert_int_equal(count_lines(path[0]), 101);
	snprintf(where, sizeof(where), "%s/x", in);
	assert_in_range(count_lines(where), 1, 20);
	unlink(where);
	assert_int_equal(rmdir(in), 0);
}

/* A reader who goes ends it for all. */
static void test_reader_goes(void **state)
{
	int reader;

	(void)state;
	assert_int_equal(mkfifo(path[1], 0600), 0);
	reader = open(path[1], O_RDONLY | O_NONBLOCK);
	assert_int_equal(add("json", "/dev/full"), 0);
	assert_int_equal(add("json", path[0]), 0);
	assert_int_equal(add("json", path[1]), 0);
	write_records(1, 0);
	close(reader);
	write_records(1, -EPIPE);
	assert_int_equal(outputs_close(o), -ENOSPC); /* something was missed all the same */
	o = NULL;
}

/* At the end each record for another host gets its fate, which may be asked for until the outputs are closed, and is what is told. */
static void test_end(void **state)
{
	static const struct outputs_config patient = {.view = &view, .say = say, .patience_ms = 200};
	struct courier_counts n;
	const char *name;

	(void)state;
	outputs_close(o);
	o = outputs_new(&patient);
	assert_int_equal(outputs_add(o, "tcp://127.0.0.1:1", error, sizeof(error)), 0);
	assert_int_equal(outputs_add(o, "json:/dev/full", error, sizeof(error)), 0);
	write_records(7, 0);
	assert_true(outputs_count(o, 0, &name, &n));
	assert_int_equal(n.waiting, 7);
	outputs_end(o);
	assert_true(outputs_count(o, 0, &name, &n));
	assert_string_equal(name, "tcp://127.0.0.1:1");
	assert_int_equal(n.accepted, 7);
	assert_int_equal(n.dropped_exit, 7);
	assert_int_equal(n.waiting + n.queue_bytes, 0);
	assert_int_equal(missed(0), 7);
	assert_null(strstr(said, " delivered"));
	assert_int_equal(outputs_close(o), -EREMOTEIO);
	o = NULL;
	assert_non_null(strstr(said, "tcp://127.0.0.1:1: 0 delivered, "));
	assert_non_null(strstr(said, " 7 dropped at the end\n"));
	assert_non_null(strstr(said, "/dev/full: 7 dropped because it could not be written\n"));
}

/* A child that runs the outputs with a pipe as standard output, non-blocking if asked for; *reader is its other end. */
static pid_t child_writes(int records, bool nonblocking, int *reader)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (nonblocking)
			fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
		if (outputs_add(o, "json", error, sizeof(error)) < 0)
			_exit(255);
		for (int i = 0; i < records; i++)
			if (outputs_write(o, &s.r) < 0)
				break;
		_exit(-outputs_close(o));
	}
	close(fds[1]);
	*reader = fds[0];
	return pid;
}

static void test_slow_reader(void **state)
{
	const struct timespec pause = {0, 20000000};
	int reader, status, out = open(path[0], O_WRONLY | O_CREAT, 0600);
	pid_t pid = child_writes(3000, true, &reader);
	char block[40000];
	ssize_t n;

	(void)state;
	nanosleep(&pause, NULL);
	while ((n = read(reader, block, sizeof(block))) > 0)
		assert_int_equal(write(out, block, (size_t)n), n);
	close(reader);
	close(out);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(count_lines(path[0]), 3000);
}

static void test_reader_gone(void **state)
{
	int reader, status;
	pid_t pid = child_writes(3000, false, &reader);

	(void)state;
	close(reader);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EPIPE);
}

#define THREADS 4

static void *write_many(void *mine)
{
	for (int i = 0; i < 3000; i++)
		if (outputs_write(mine, &s.r) < 0)
			return NULL;
	return mine;
}

/* Each of several threads writes all of its lines, and no line is torn by another one's. */
static void test_threads(void **state)
{
	struct outputs *mine[THREADS];
	pthread_t thread[THREADS];
	struct slice text;
	const uint8_t *line;
	void *well;

	(void)state;
	assert_int_equal(add("json", path[0]), 0);
	assert_int_equal(add("text", path[1]), 0);
	for (int i = 0; i < THREADS; i++) {
		mine[i] = outputs_share(o);
		assert_non_null(mine[i]);
		assert_int_equal(pthread_create(&thread[i], NULL, write_many, mine[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(thread[i], &well), 0);
		assert_non_null(well);
		assert_int_equal(outputs_close(mine[i]), 0);
	}
	assert_int_equal(outputs_close(o), 0);
	o = NULL;
	assert_int_equal(count_lines(path[0]), THREADS * 3000);
	text = content(path[1]);
	line = memchr(text.p, '\n', text.n);
	assert_int_equal(text.n, THREADS * 3000 * (size_t)(line + 1 - text.p));
	for (size_t at = 0; at < text.n; at += (size_t)(line + 1 - text.p))
		assert_memory_equal(text.p + at, text.p, (size_t)(line + 1 - text.p));
	free((void *)text.p);
}

/* What one of them failed at all are told of. */
static void test_failed_for_all(void **state)
{
	struct outputs *mine;

	(void)state;
	assert_int_equal(add("json", "/dev/full"), 0);
	mine = outputs_share(o);
	assert_non_null(mine);
	assert_int_equal(outputs_write(mine, &s.r), 0);
	assert_int_equal(outputs_flush(mine), -ENOSPC);
	assert_int_equal(outputs_write(o, &s.r), -ENOSPC);
	assert_non_null(strstr(outputs_error(o), "/dev/full"));
	assert_int_equal(outputs_close(mine), -ENOSPC);
}

/* Columns are as wide as the widest value of any thread's, once it was written. */
static void test_columns_meet(void **state)
{
	struct outputs *mine;
	struct slice text;
	const uint8_t *line, *at, *first;

	(void)state;
	assert_int_equal(add("text", path[0]), 0);
	mine = outputs_share(o);
	assert_non_null(mine);
	s.r.exchange.request.target = SLICE("/a/target/that/is/much/longer");
	assert_int_equal(outputs_write(mine, &s.r), 0);
	assert_int_equal(outputs_flush(mine), 0);
	s.r.exchange.request.target = SLICE("/");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(outputs_write(o, &s.r), 0);
		assert_int_equal(outputs_flush(o), 0);
	}
	assert_int_equal(outputs_close(mine), 0);
	text = content(path[0]);
	line = memrchr(text.p, '\n', text.n - 1);
	at = memmem(line + 1, text.n - (size_t)(line + 1 - text.p), "  200  ", 7);
	first = memmem(text.p, text.n, "  200  ", 7);
	assert_int_equal(at - (line + 1), first - text.p);
	free((void *)text.p);
}

static void test_help(void **state)
{
	char help[512], little[16];

	(void)state;
	outputs_help(help, sizeof(help));
	assert_non_null(strstr(help, "text   "));
	assert_non_null(strstr(help, "\njson   "));
	assert_non_null(strstr(help, "\nnull   "));
	outputs_help(little, sizeof(little));
	assert_int_equal(strlen(little), sizeof(little) - 1);
	assert_int_equal(outputs_close(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
		TEST(files),     TEST(two_formats),           TEST(flush),     TEST(file_is_emptied), TEST(bad_specs),
		TEST(disk_full), TEST(no_two_in_one_file),    TEST(help),      TEST(slow_reader),
		TEST(reader_gone), TEST(terminal),          TEST(threads),   TEST(failed_for_all), TEST(columns_meet),
		TEST(others_go_on), TEST(no_others_are_left), TEST(the_run_has_another_use), TEST(goes_on),
		TEST(goes_on_at_once), TEST(goes_on_with_some), TEST(no_directory), TEST(reader_goes), TEST(end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
