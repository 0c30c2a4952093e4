/* SPDX-License-Identifier: MIT */
/*
 * Another one's TCX program: tcx OBJECT INTERFACE in|out first|last
 * Attaches the object's program, says "there", and stays until it is killed. Linked with -lbpf.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TCX_INGRESS 46
#define TCX_EGRESS  47
#define BEFORE      (1U << 3)
#define AFTER       (1U << 4)

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	struct bpf_object *object;
	int way, link;

	if (argc != 5)
		return 2;
	way = strcmp(argv[3], "in") == 0 ? TCX_INGRESS : TCX_EGRESS;
	opts.flags = strcmp(argv[4], "first") == 0 ? BEFORE : AFTER;
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object) < 0)
		return 3;
	link = bpf_link_create(bpf_program__fd(bpf_object__next_program(object, NULL)), (int)if_nametoindex(argv[2]),
			       (enum bpf_attach_type)way, &opts);
	if (link < 0)
		return 4;
	puts("there");
	fflush(stdout);
	return pause();
}
