/* SPDX-License-Identifier: MIT */
#include "capture/afpacket_ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/afpacket_code.h"

#define RING_SIZE  ((size_t)64 << 20)
#define BLOCK_MAX  ((size_t)1 << 20)   /* BIG TCP: a packet must fit in a block, 8 * 65535 bytes at most */
#define BLOCK_MIN  ((size_t)128 << 10) /* a packet of 64 KiB */
#define BLOCKS_MIN 4
#define TAG        4 /* bytes of a VLAN tag */
#define MACS       12 /* bytes in front of it */

static int set(int fd, int option, int value)
{
	return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int make_ring(struct frames *f, size_t size)
{
	struct tpacket_req3 req = {.tp_retire_blk_tov = FRAMES_RETIRE_MS, .tp_frame_size = 2048};

	f->block_size = size / BLOCKS_MIN < BLOCK_MIN ? BLOCK_MIN : size / BLOCKS_MIN;
	if (f->block_size > BLOCK_MAX)
		f->block_size = BLOCK_MAX;
	f->blocks = (unsigned)(size / f->block_size < BLOCKS_MIN ? BLOCKS_MIN : size / f->block_size);
	f->map_n = f->block_size * f->blocks;
	req.tp_block_size = (unsigned)f->block_size;
	req.tp_block_nr = f->blocks;
	req.tp_frame_nr = (unsigned)(f->map_n / req.tp_frame_size);
	if (setsockopt(f->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return -errno;
	f->map = mmap(NULL, f->map_n, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	if (f->map != MAP_FAILED)
		return 0;
	f->map = NULL;
	return -errno;
}

static int explain(int err, size_t size, char *error, size_t n)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		snprintf(error, n, "cannot open a packet socket: operation not permitted; "
			 "run as root or give CAP_NET_RAW");
		return -EPERM;
	case -ENOMEM:
		snprintf(error, n, "cannot make a packet ring: out of memory; try a smaller ring than %zu KiB",
			 size >> 10);
		return err;
	case -EAFNOSUPPORT:
	case -ENOPROTOOPT:
	case -EINVAL:
		snprintf(error, n, "cannot open a packet socket with a ring: this kernel lacks it (CONFIG_PACKET)");
		return -EOPNOTSUPP;
	default:
		snprintf(error, n, "cannot open a packet socket: %s", strerror(-err));
		return err;
	}
}

int frames_open(struct frames *f, size_t size, char *error, size_t n)
{
	int err;

	memset(f, 0, sizeof(*f));
	if (!size)
		size = RING_SIZE;
	f->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = f->fd < 0 ? -errno : set(f->fd, PACKET_VERSION, TPACKET_V3);
	if (!err)
		err = set(f->fd, PACKET_RESERVE, TAG); /* room to put a tag back */
	if (!err)
		err = make_ring(f, size);
	return err ? explain(err, size, error, n) : 0;
}

void frames_release(struct frames *f)
{
	if (f->map)
		munmap(f->map, f->map_n);
	if (f->fd >= 0)
		close(f->fd);
	f->map = NULL;
	f->fd = -1;
}

int frames_filter(struct frames *f, const struct code *code)
{
	const struct sock_fprog prog = {.len = code->n, .filter = (struct sock_filter *)code->insn};

	return setsockopt(f->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

int frames_start(struct frames *f)
{
	const struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	return bind(f->fd, (const struct sockaddr *)&all, sizeof(all)) < 0 ? -errno : 0;
}

/* --- reading --- */

static struct tpacket_hdr_v1 *block_of(const struct frames *f)
{
	return &((struct tpacket_block_desc *)(f->map + f->at * f->block_size))->hdr.bh1;
}

static bool block_is_ours(const struct frames *f)
{
	return __atomic_load_n(&block_of(f)->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

/* Begins with the next block, if it is there; gives back the one that was read. */
static bool next_block(struct frames *f)
{
	struct tpacket_hdr_v1 *block = block_of(f);

	if (f->reading) {
		__atomic_store_n(&block->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		f->at = (f->at + 1) % f->blocks;
		f->reading = false;
	}
	if (!block_is_ours(f))
		return false;
	block = block_of(f);
	f->reading = true;
	f->left = block->num_pkts;
	f->next = (struct tpacket3_hdr *)(f->map + f->at * f->block_size + block->offset_to_first_pkt);
	return true;
}

/* Moves the MAC addresses forward, and puts the tag behind them, where it was on the wire. */
static uint8_t *put_tag_back(uint8_t *mac, const struct tpacket3_hdr *h)
{
	uint16_t tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : ETH_P_8021Q;
	uint16_t tag[2] = {htons(tpid), htons((uint16_t)h->hv1.tp_vlan_tci)};

	memmove(mac - TAG, mac, MACS);
	memcpy(mac - TAG + MACS, tag, TAG);
	return mac - TAG;
}

static void read_frame(struct tpacket3_hdr *h, struct frame *ret)
{
	const struct sockaddr_ll *from = (void *)((uint8_t *)h + TPACKET_ALIGN(sizeof(*h)));
	uint8_t *mac = (uint8_t *)h + h->tp_mac;
	uint32_t link_n = h->tp_net > h->tp_mac ? h->tp_net - h->tp_mac : 0, n = h->tp_snaplen;

	*ret = (struct frame){
		.ts_ns = h->tp_sec * 1000000000ULL + h->tp_nsec,
		.ifindex = (uint32_t)from->sll_ifindex,
		.wire_len = h->tp_len,
		.protocol = ntohs(from->sll_protocol),
		.out = from->sll_pkttype == PACKET_OUTGOING,
		.l3 = slice_of(mac + link_n, n > link_n ? n - link_n : 0),
	};
	if (h->tp_status & TP_STATUS_VLAN_VALID && n >= MACS) {
		ret->l2 = slice_of(put_tag_back(mac, h), n + TAG);
		ret->wire_len += TAG;
	} else {
		ret->l2 = slice_of(mac, n);
	}
}

bool frames_next(struct frames *f, struct frame *ret)
{
	while (!f->left)
		if (!next_block(f))
			return false;
	read_frame(f->next, ret);
	f->left--;
	f->next = (struct tpacket3_hdr *)((uint8_t *)f->next + f->next->tp_next_offset);
	return true;
}

/*
 * The count of the block that the kernel fills can be read before it is ours. Of a block that was handed back it is
 * what it was, until the kernel takes it up, which it does before long.
 */
bool frames_empty(const struct frames *f)
{
	return !f->reading && !block_is_ours(f) && !__atomic_load_n(&block_of(f)->num_pkts, __ATOMIC_RELAXED);
}

uint64_t frames_lost(struct frames *f)
{
	struct tpacket_stats_v3 stats;
	socklen_t n = sizeof(stats);

	return getsockopt(f->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &n) < 0 ? 0 : stats.tp_drops;
}
