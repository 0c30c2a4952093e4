/* SPDX-License-Identifier: MIT */
/* The parts of a request target (RFC 9112 section 3.2) and of a request's authority (RFC 9110 section 7.2). */
#ifndef PERISCO_OUTPUT_TARGET_H
#define PERISCO_OUTPUT_TARGET_H

#include "record.h"

/* Slices into the target; what it does not have is empty. */
struct target {
	struct slice scheme;    /* of an absolute-form */
	struct slice authority; /* of an absolute-form, without userinfo */
	struct slice path;      /* from the first '/' on, query included; "*" of an asterisk-form */
};

/* Takes a target, or any other URI reference, apart. An authority-form (CONNECT) has no part of these. */
struct target target_parse(struct slice target);

/* The path without its query. */
struct slice target_bare_path(struct slice path);

/*
 * The authority a request is for: its :authority (HTTP/2), that of an absolute-form or authority-form target without
 * userinfo, else the first Host field. Empty when not known.
 */
struct slice request_authority(const struct message *request);

/* An authority without its port; an IPv6 literal keeps its brackets. */
struct slice authority_host(struct slice authority);

#endif
