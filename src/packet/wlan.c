/* SPDX-License-Identifier: MIT */
/* IEEE 802.11 data frames in the clear. */
#include "packet/walk.h"

#define TYPE_MASK    0x0c /* of the first byte */
#define TYPE_DATA    0x08
#define SUBTYPE_NULL 0x40
#define SUBTYPE_QOS  0x80

#define FLAG_TO_DS     0x01 /* of the second */
#define FLAG_FROM_DS   0x02
#define FLAG_MORE      0x04
#define FLAG_PROTECTED 0x40
#define FLAG_ORDER     0x80

#define QOS_AMSDU 0x80

/*
 * Encrypted and fragmented frames are not looked into. Of an A-MSDU, which is several Ethernet frames in one, the first
 * frame is taken.
 */
enum layer walk_wlan(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 24), *qos;

	if (!h)
		return LAYER_MALFORMED;
	if ((h[0] & TYPE_MASK) != TYPE_DATA || (h[0] & SUBTYPE_NULL) || (h[1] & (FLAG_MORE | FLAG_PROTECTED)) ||
	    (h[22] & 0x0f))
		return LAYER_NOT_TCP;
	if ((h[1] & FLAG_TO_DS) && (h[1] & FLAG_FROM_DS) && !cursor_take(&w->c, 6))
		return LAYER_MALFORMED;
	if (!(h[0] & SUBTYPE_QOS))
		return LAYER_LLC;
	qos = cursor_take(&w->c, h[1] & FLAG_ORDER ? 6 : 2);
	if (!qos)
		return LAYER_MALFORMED;
	return qos[0] & QOS_AMSDU ? LAYER_ETHERNET : LAYER_LLC;
}
