/* SPDX-License-Identifier: MIT */
/* What an exchange is counted under. All but the server and gRPC's names is one of a few words. */
#ifndef PERISCO_METRICS_LABELS_H
#define PERISCO_METRICS_LABELS_H

#include "record.h"

#define LABELS_SERVICE_MAX 128u
#define LABELS_METHOD_MAX  64u
#define LABELS_STATUSES    20u

enum labels_kind { LABELS_HTTP, LABELS_GRPC };
#define LABELS_KINDS 2

/* Two are the same when their bytes are, but for those behind the names. */
struct labels {
	uint8_t addr[16];
	uint16_t port;
	uint8_t version;                   /* of IP: 4 or 6 */
	uint8_t kind;                      /* enum labels_kind */
	uint8_t method;                    /* of HTTP: see labels_http_method; else 0 */
	uint8_t status;                    /* below LABELS_STATUSES: see labels_status */
	uint8_t service_n, name_n;         /* of gRPC; else 0 */
	char service[LABELS_SERVICE_MAX];  /* so many bytes are set */
	char name[LABELS_METHOD_MAX];
};
#define LABELS_HEAD offsetof(struct labels, service)
_Static_assert(LABELS_HEAD == 24, "hashed as three words");

/*
 * The server is who was asked, behind address translation where that was seen. Method and names that are not known are "unknown";
 * methods that RFC 9110 and RFC 5789 do not have, and names that are too long or not printable, are "other".
 */
void labels_of(const struct record *r, struct labels *ret);

const char *labels_http_method(unsigned method);

/*
 * Of HTTP the class, "2xx", or "other"; of gRPC the name, "NOT_FOUND", or "other". "none": there was no response, or no status
 * in it; "unknown": perisco has not seen it. NULL for what is none of these.
 */
const char *labels_status(enum labels_kind kind, unsigned status);

#endif
