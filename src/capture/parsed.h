/* SPDX-License-Identifier: MIT */
/* What the parsers of capture formats say of the bytes in front of them. They read memory only, and never beyond `in`. */
#ifndef PERISCO_CAPTURE_PARSED_H
#define PERISCO_CAPTURE_PARSED_H

#include "packet/packet.h"

/* The largest packet or block that is kept in memory; anything that claims more is broken. */
#define RECORD_MAX ((size_t)64 << 20)

enum parsed {
	PARSED_PACKET, /* a packet; the bytes to be used up are told */
	PARSED_OTHER,  /* no packet; the bytes to be used up are told, and may be more than there are: skip them */
	PARSED_MORE,   /* too few bytes; how many there must be is told, at most RECORD_MAX */
	PARSED_BROKEN, /* nothing can be read from here on; the parser's `why` says why */
};

#endif
