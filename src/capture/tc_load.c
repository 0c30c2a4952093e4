/* SPDX-License-Identifier: MIT */
#include "capture/tc_load.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "capture.skel.h"
#include "capture_xdp.skel.h"

#define RING_SIZE ((size_t)64 << 20)
#define RING_SMALL ((size_t)8 << 20)
#define RING_MIN  ((size_t)1 << 17) /* the largest event fits */
#define RING_MAX  ((size_t)1 << 31)

/* A 64th of the memory there is. */
static size_t default_ring(void)
{
	size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE), n = RING_SIZE;

	while (n > memory / 64 && n > RING_SMALL)
		n /= 2;
	return n;
}

/* What is known of connections takes 35 MB as the programs have it; as much less as the ring is smaller by default. */
static void size_halves(struct capture_bpf *object)
{
	__u32 n = bpf_map__max_entries(object->maps.halves);

	n = (__u32)(n / (RING_SIZE / default_ring()));
	bpf_map__set_max_entries(object->maps.halves, n);
	bpf_map__set_max_entries(object->maps.begins, n);
}

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int print_warnings(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* What to do about it, and the errno that says so. */
static int explain(int err, size_t ring, char *error, size_t n)
{
	struct utsname u;

	switch (err) {
	case -EPERM:
	case -EACCES:
		snprintf(error, n, "cannot load BPF programs: operation not permitted; %s",
			 geteuid() ? "run as root or give CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
				   : "root lacks CAP_BPF, CAP_NET_ADMIN or CAP_PERFMON, or the kernel is locked down");
		return -EPERM;
	case -ENOMEM:
		snprintf(error, n, "cannot load BPF programs: out of memory; try a smaller ring than %zu KiB",
			 ring >> 10);
		return -ENOMEM;
	default:
		uname(&u);
		snprintf(error, n, "cannot load BPF programs: %s; they need Linux 5.15 or newer, and here is %s",
			 strerror(-err), u.release);
		return -EOPNOTSUPP;
	}
}

int load_init(struct load *l, size_t ring, int verbose, char *error, size_t n)
{
	int err;

	memset(l, 0, sizeof(*l));
	libbpf_set_print(verbose > 1 ? print_warnings : print_nothing);
	l->ring_size = ring ? ring : default_ring();
	if (l->ring_size & (l->ring_size - 1) || l->ring_size < RING_MIN || l->ring_size > RING_MAX) {
		snprintf(error, n, "cannot make a ring of %zu bytes: a power of two is needed, from %zu to %zu", ring,
			 RING_MIN, RING_MAX);
		return -EINVAL;
	}
	l->object = capture_bpf__open();
	if (!l->object)
		return explain(-errno, l->ring_size, error, n);
	bpf_map__set_max_entries(l->object->maps.ring, (__u32)l->ring_size);
	size_halves(l->object);
	err = capture_bpf__load(l->object);
	if (err)
		return explain(err, l->ring_size, error, n);
	l->shared = &l->object->bss->shared;
	l->prog_fd[WAY_IN] = bpf_program__fd(l->object->progs.perisco_in);
	l->prog_fd[WAY_OUT] = bpf_program__fd(l->object->progs.perisco_out);
	l->ring_fd = bpf_map__fd(l->object->maps.ring);
	l->tallies_fd = bpf_map__fd(l->object->maps.tallies);
	l->halves_fd = bpf_map__fd(l->object->maps.halves);
	return 0;
}

_Static_assert(offsetof(struct capture_bpf__bss, shared) == offsetof(struct capture_xdp_bpf__bss, shared) &&
	       sizeof(struct capture_bpf__bss) == sizeof(struct capture_xdp_bpf__bss), "the programs share their words");

static int share_maps(const struct bpf_object *of, struct bpf_object *with)
{
	struct bpf_map *map, *twin;
	int err = 0;

	bpf_object__for_each_map(map, with) {
		twin = bpf_object__find_map_by_name(of, bpf_map__name(map));
		if (!err)
			err = twin ? bpf_map__reuse_fd(map, bpf_map__fd(twin)) : -ENOENT;
	}
	return err;
}

int load_xdp(struct load *l, int ret_fd[MODES])
{
	int err;

	l->xdp = capture_xdp_bpf__open();
	err = l->xdp ? share_maps(l->object->obj, l->xdp->obj) : -errno;
	if (!err)
		err = capture_xdp_bpf__load(l->xdp);
	if (err)
		return err;
	ret_fd[MODE_NATIVE] = bpf_program__fd(l->xdp->progs.perisco_native);
	ret_fd[MODE_GENERIC] = bpf_program__fd(l->xdp->progs.perisco_generic);
	return 0;
}

void load_release(struct load *l)
{
	capture_xdp_bpf__destroy(l->xdp);
	capture_bpf__destroy(l->object);
	memset(l, 0, sizeof(*l));
}
