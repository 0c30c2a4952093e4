/* SPDX-License-Identifier: MIT */
/*
 * Lines to a stream socket: tcp://HOST:PORT or unix:///PATH. A record is delivered when the other side's kernel has it; when
 * the connection breaks, those that it had not taken are sent again on the next one.
 */
#ifndef PERISCO_SINK_SOCKET_H
#define PERISCO_SINK_SOCKET_H

#include "sink/courier.h"
#include "sink/spec.h"

/* Looks at the address; whether somebody is there is seen later. 0, or a negative errno with a line in `error`. */
int socket_open(struct carrier *ret, struct spec *spec, char *error, size_t n);

#endif
