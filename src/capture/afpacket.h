/* SPDX-License-Identifier: MIT */
/*
 * A packet(7) socket as a source, for where BPF programs may not be loaded: CAP_NET_RAW is all it needs. One socket and
 * one ring serve all interfaces: packets come in the order in which they passed, as from the TC hooks, nothing must be
 * attached to an interface that comes, and a filter in the kernel keeps those away that are not wanted.
 */
#ifndef PERISCO_CAPTURE_AFPACKET_H
#define PERISCO_CAPTURE_AFPACKET_H

#include "capture/live.h"

/*
 * Opens the socket, and follows the interfaces that match. As live_open. Packets come as the kernel handles them, up to
 * 64 KiB, with BIG TCP more. Packets that are not TCP and cannot hold any do not come, nor, where the kernel takes it,
 * what the filter refuses. Where packets were lost is not known, nor how many bytes.
 */
struct source *afpacket_open(const struct live_config *config, int *err, char *error, size_t n);

#endif
