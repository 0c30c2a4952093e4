/* SPDX-License-Identifier: MIT */
/* Gates in this kernel: it takes them, and they say what libpcap says. Skipped without the right to load programs. */
#include "gate_cases.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

#include "capture/tc_gate.h"

#define TOO_SHORT 53 /* the kernel wants whole IP headers of what it shall run a program on */
#define BEHIND    7  /* what the programs return that gates lead to */

static int load(const struct ebpf *e, enum view_of of)
{
	LIBBPF_OPTS(bpf_prog_load_opts, xdp, .expected_attach_type = BPF_XDP, .prog_flags = BPF_F_XDP_HAS_FRAGS);

	if (of == VIEW_XDP)
		return bpf_prog_load(BPF_PROG_TYPE_XDP, "test", "Dual MIT/GPL", e->insns, e->n, &xdp);
	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "test", "Dual MIT/GPL", e->insns, e->n, NULL);
}

static int run(int fd, const uint8_t *p, size_t n)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p, .data_size_in = (__u32)n);

	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	return (int)opts.retval;
}

static bool takes(struct filter *f, bool ethernet, const uint8_t *p, size_t n)
{
	const struct packet pkt = {
		.wire_len = (uint32_t)n,
		.link = ethernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW,
		.dir = DIRECTION_IN,
		.data = slice_of(p, n),
	};

	return filter_match(f, &pkt);
}

static void compare(const char *expression, enum view_of of)
{
	const bool ethernet = of != VIEW_IP;
	struct filter *f = filter_of(expression);
	struct ebpf e = {0};
	bool asks_length;
	int fd;

	translate(f, of, DIRECTION_IN, &e, &asks_length);
	fd = load(&e, of);
	if (fd < 0)
		fail_msg("'%s' does not load: %s", expression, strerror(-fd));
	for (unsigned i = 0; build_packet(i % 25) && i < 100; i++) {
		const uint8_t *p = front() + (ethernet ? 0 : 14);
		size_t n = build.n - (ethernet ? 0 : 14);
		bool take, pass;

		if (n <= TOO_SHORT)
			continue;
		if (i >= 25) {
			spoil(front(), build.n);
			n -= dice() % (n - TOO_SHORT);
		}
		take = takes(f, ethernet, p, n);
		pass = run(fd, p, n);
		if (pass != take && !(pass && asks_length))
			fail_msg("'%s': %d in the kernel, packet %u of %zu bytes", expression, pass, i, n);
	}
	close(fd);
	ebpf_release(&e);
	filter_free(f);
}

static void test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < EXPRESSIONS; i++) {
		compare(expressions[i], VIEW_ETHERNET);
		compare(expressions[i], VIEW_IP);
		compare(expressions[i], VIEW_XDP);
	}
}

/* Many alternatives: the verifier has to come to an end, and jumps to reach theirs. */
static void test_long(void **state)
{
	static char expression[100000];
	size_t n = (size_t)snprintf(expression, sizeof expression, "tcp port 80 and (host 10.0.0.1");

	(void)state;
	for (unsigned i = 0; i < 1500; i++)
		n += (size_t)snprintf(expression + n, sizeof expression - n, " or host 10.%u.%u.%u", i / 100, i % 100, i % 7);
	snprintf(expression + n, sizeof expression - n, ")");
	compare(expression, VIEW_ETHERNET);
}

/* A descriptor or a negative errno. */
static int load_behind(enum view_of of)
{
	struct ebpf e = {0};
	int fd;

	ebpf_exit(&e, BEHIND);
	fd = load(&e, of);
	ebpf_release(&e);
	return fd;
}

/* What matches goes to the program behind, all else is counted; without a program behind nothing happens. */
static void test_gate(void **state)
{
	int behind = load_behind(VIEW_ETHERNET);
	const struct hook_programs programs = {{{behind, behind}, {behind, behind}}, {0, 0}};
	struct filter *f = filter_of("tcp port 80");
	struct gate g;
	char error[128] = "";

	(void)state;
	assert_int_equal(gate_init(&g, f, &programs, error, sizeof error), 0);
	for (enum way way = 0; way < WAYS; way++) {
		build_packet(0);
		assert_int_equal(run(g.programs.fd[0][way], front(), build.n), BEHIND);
		assert_int_equal(run(g.programs.fd[1][way], front() + 14, build.n - 14), BEHIND);
		assert_int_equal(gate_refused(&g), 4 * way);
		assert_int_equal(run(g.programs.fd[1][way], front(), build.n), -1);
		build_packet(4);
		assert_int_equal(run(g.programs.fd[0][way], front(), build.n), -1);
		assert_int_equal(run(g.programs.fd[0][way], front(), build.n), -1);
		assert_int_equal(run(g.programs.fd[1][way], front() + 14, build.n - 14), -1);
		assert_int_equal(gate_refused(&g), 4 * way + 4);
	}
	for (__u32 way = 0; way < WAYS; way++)
		assert_int_equal(bpf_map_delete_elem(g.progs_fd, &way), 0);
	build_packet(0);
	assert_int_equal(run(g.programs.fd[0][WAY_IN], front(), build.n), -1);
	assert_int_equal(gate_refused(&g), 8);
	gate_stop(&g);
	build_packet(4);
	assert_int_equal(run(g.programs.fd[0][WAY_IN], front(), build.n), -1);
	assert_int_equal(gate_refused(&g), 8);
	gate_release(&g);
	gate_release(&g);
	filter_free(f);
	close(behind);
}

/* The same at XDP, by a program that takes fragments; both say that the packet passes. */
static void test_xdp(void **state)
{
	int tc = load_behind(VIEW_ETHERNET), xdp = load_behind(VIEW_XDP);
	const struct hook_programs programs = {{{tc, tc}, {tc, tc}}, {xdp, 0}};
	struct filter *f = filter_of("tcp port 80");
	struct gate g;
	char error[128] = "";

	(void)state;
	if (xdp < 0)
		skip(); /* before Linux 5.18 */
	assert_int_equal(gate_init(&g, f, &programs, error, sizeof error), 0);
	build_packet(0);
	assert_int_equal(run(g.programs.xdp[MODE_NATIVE], front(), build.n), BEHIND);
	assert_int_equal(gate_refused(&g), 0);
	build_packet(4);
	assert_int_equal(run(g.programs.xdp[MODE_NATIVE], front(), build.n), XDP_PASS);
	assert_int_equal(gate_refused(&g), 1);
	assert_int_equal(bpf_map_delete_elem(g.xdp_progs_fd[MODE_NATIVE], &(__u32){0}), 0);
	build_packet(0);
	assert_int_equal(run(g.programs.xdp[MODE_NATIVE], front(), build.n), XDP_PASS);
	gate_release(&g);
	filter_free(f);
	close(tc);
	close(xdp);
}

/* In and out differ where the expression does; a link type that it does not speak of passes nothing. */
static void test_ways(void **state)
{
	int behind = load_behind(VIEW_ETHERNET);
	const struct hook_programs programs = {{{behind, behind}, {behind, behind}}, {0, 0}};
	struct filter *f = filter_of("inbound and ether src 02:00:00:00:00:02");
	char error[128] = "";
	struct gate g;

	(void)state;
	assert_int_equal(gate_init(&g, f, &programs, error, sizeof error), 0);
	build_packet(0);
	assert_int_equal(run(g.programs.fd[0][WAY_IN], front(), build.n), BEHIND);
	assert_int_equal(run(g.programs.fd[0][WAY_OUT], front(), build.n), -1);
	assert_int_equal(run(g.programs.fd[1][WAY_IN], front() + 14, build.n - 14), -1);
	gate_release(&g);
	filter_free(f);
	close(behind);
}

static void test_complaints(void **state)
{
	int behind = load_behind(VIEW_ETHERNET);
	const struct hook_programs programs = {{{behind, behind}, {behind, behind}}, {0, 0}}, none = {{{-1, -1}, {-1, -1}}, {0, 0}};
	struct filter *f = filter_of("ip6 protochain 6");
	char error[128] = "";
	struct gate g;

	(void)state;
	assert_int_equal(gate_init(&g, f, &programs, error, sizeof error), -EINVAL);
	assert_non_null(strstr(error, "loops"));
	assert_int_equal(gate_refused(&g), 0);
	gate_release(&g);
	assert_int_equal(gate_init(&g, f, &none, error, sizeof error), -EBADF);
	assert_non_null(strstr(error, "refused a map"));
	gate_release(&g);
	filter_free(f);
	close(behind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts), cmocka_unit_test(test_long),       cmocka_unit_test(test_gate),
		cmocka_unit_test(test_ways),     cmocka_unit_test(test_complaints), cmocka_unit_test(test_xdp),
	};
	int fd = load_behind(VIEW_ETHERNET);

	if (fd == -EPERM) {
		printf("no right to load BPF programs\n");
		return 77;
	}
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
