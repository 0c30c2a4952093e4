/* SPDX-License-Identifier: MIT */
/* The words for the vocabulary of record.h, the same in every format; NULL for what needs no word, or is none of it. */
#ifndef PERISCO_OUTPUT_NAMES_H
#define PERISCO_OUTPUT_NAMES_H

#include <stdint.h>

const char *name_of_ended(unsigned ended);     /* NULL for ENDED_WELL */
const char *name_of_part(unsigned part);
const char *name_of_cause(unsigned cause);
const char *name_of_detail(unsigned detail);   /* "whole", "heads", "lines", "counts" */
const char *name_of_vantage(unsigned vantage); /* NULL for VANTAGE_UNKNOWN */
const char *name_of_turned(unsigned turned);   /* NULL for TURNED_NOT */
const char *name_of_grpc_status(int status);   /* "OK", "CANCELLED", ... */
const char *name_of_grpc_kind(unsigned kind);
const char *name_of_tunnel(unsigned tunnel);   /* NULL for TUNNEL_NONE */
const char *name_of_reset(uint32_t code);      /* of RFC 9113 section 7: "NO_ERROR", "PROTOCOL_ERROR", ... */
const char *name_of_role(int role);            /* "client", "server"; NULL for -1 */

#endif
