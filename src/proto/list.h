/* SPDX-License-Identifier: MIT */
/* One line a decoder; list.c says in which order they are asked. */
#ifndef PERISCO_PROTO_LIST_H
#define PERISCO_PROTO_LIST_H

#include "proto/proto.h"

extern const struct proto proto_http1;
extern const struct proto proto_http2;

#endif
