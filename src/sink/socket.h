/* SPDX-License-Identifier: MIT */
/*
 * Lines to a stream socket: tcp://HOST:PORT or unix:///PATH. A record is delivered when the other side's kernel has it (TCP), or
 * when the other side has read it (Unix); when the connection breaks, those of which that is not known are sent again on the next
 * one. The end of what the broken one brought may be the beginning of a line.
 */
#ifndef PERISCO_SINK_SOCKET_H
#define PERISCO_SINK_SOCKET_H

#include "sink/courier.h"
#include "sink/spec.h"

/* Looks at the address; whether somebody is there is seen later. 0, or a negative errno with a line in `error`. */
int socket_open(struct carrier *ret, struct spec *spec, char *error, size_t n);

#endif
