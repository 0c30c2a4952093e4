/* SPDX-License-Identifier: MIT */
/* Frames of HTTP/2 (RFC 9113), header blocks (RFC 7541) and gRPC messages, as scripts say them. */
#ifndef PERISCO_TOOLS_H2_H
#define PERISCO_TOOLS_H2_H

#include "words.h"

/* Appends to the message what the line says: the preface, or a frame. See the help of pcap-make; what makes no sense ends it. */
void h2_line(struct talk *t, char *p);

#endif
