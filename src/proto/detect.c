/* SPDX-License-Identifier: MIT */
#include "proto/detect.h"

/* A TLS record (RFC 8446 section 5.1) with a handshake in it, of a believable length. */
static bool is_tls(struct slice d)
{
	return d.n >= 6 && d.p[0] == 0x16 && d.p[1] == 0x03 && d.p[2] <= 0x04 && (d.p[3] << 8 | d.p[4]) <= 16384 + 256 &&
	       (d.p[5] == 1 || d.p[5] == 2);
}

/* May these bytes, too few to tell, become what `refuse` knows? */
static bool is_begun(struct slice d)
{
	return d.n && (slice_starts(SLICE("SSH-2.0-"), d) || (d.n < 6 && slice_starts(SLICE("\x16\x03"), slice_first(d, 2))));
}

static const char *refuse(struct slice d)
{
	if (is_tls(d))
		return "tls";
	if (slice_starts(d, SLICE("SSH-2.0-")))
		return "ssh";
	return NULL;
}

enum verdict detect(struct conn *c, unsigned side, struct slice data, bool first, bool cut)
{
	enum verdict best = first && !cut && is_begun(data) ? VERDICT_MORE : VERDICT_NO;

	if (first && refuse(data)) {
		c->verdict = refuse(data);
		return VERDICT_NO;
	}
	for (const struct proto *const *p = protos; *p; p++) {
		int from_client = -1;
		enum verdict v = (*p)->probe(c, data, first, cut, &from_client);

		if (v == VERDICT_YES) {
			c->proto = *p;
			if (from_client >= 0)
				c->client = (int8_t)(from_client ? side : !side);
			else if (c->client < 0)
				c->client = (int8_t)c->guess;
			return v;
		}
		if (v > best)
			best = v;
	}
	return best;
}
