/* SPDX-License-Identifier: MIT */
#include "output/names.h"

#include "record.h"

#define LOOK_UP(names, i) ((i) < sizeof(names) / sizeof((names)[0]) ? (names)[i] : NULL)

const char *name_of_ended(unsigned ended)
{
	static const char *const names[] = {
		[ENDED_CLOSED] = "closed",
		[ENDED_RESET] = "reset",
		[ENDED_TIMEOUT] = "timeout",
		[ENDED_OPEN] = "open",
		[ENDED_EVICTED] = "evicted",
		[ENDED_REPLACED] = "replaced",
		[ENDED_LOST] = "lost",
		[ENDED_GOAWAY] = "goaway",
		[ENDED_BUDGET] = "budget",
	};

	return LOOK_UP(names, ended);
}

const char *name_of_part(unsigned part)
{
	static const char *const names[] = {
		[PART_START_LINE] = "start_line",
		[PART_HEADERS] = "headers",
		[PART_BODY] = "body",
		[PART_TRAILERS] = "trailers",
	};

	return LOOK_UP(names, part);
}

const char *name_of_cause(unsigned cause)
{
	static const char *const names[] = {
		[CAUSE_NETWORK] = "network",
		[CAUSE_RING] = "ring",
		[CAUSE_SNAPLEN] = "snaplen",
		[CAUSE_ELIDED] = "elided",
		[CAUSE_MEMORY] = "memory",
		[CAUSE_GRAMMAR] = "grammar",
	};

	return LOOK_UP(names, cause);
}

const char *name_of_detail(unsigned detail)
{
	static const char *const names[DETAILS] = {
		[DETAIL_WHOLE] = "whole",
		[DETAIL_HEADS] = "heads",
		[DETAIL_LINES] = "lines",
		[DETAIL_COUNTS] = "counts",
	};

	return LOOK_UP(names, detail);
}

const char *name_of_vantage(unsigned vantage)
{
	static const char *const names[] = {
		[VANTAGE_CLIENT] = "client",
		[VANTAGE_SERVER] = "server",
		[VANTAGE_BOTH] = "both",
	};

	return LOOK_UP(names, vantage);
}

const char *name_of_turned(unsigned turned)
{
	static const char *const names[] = {
		[TURNED_TUNNEL] = "tunnel",
		[TURNED_WEBSOCKET] = "websocket",
		[TURNED_H2C] = "h2c",
		[TURNED_OTHER] = "other",
	};

	return LOOK_UP(names, turned);
}

const char *name_of_tunnel(unsigned tunnel)
{
	static const char *const names[] = {
		[TUNNEL_IPIP] = "ipip",
		[TUNNEL_GRE] = "gre",
		[TUNNEL_ERSPAN] = "erspan",
		[TUNNEL_VXLAN] = "vxlan",
		[TUNNEL_GENEVE] = "geneve",
		[TUNNEL_GTPU] = "gtpu",
		[TUNNEL_TEREDO] = "teredo",
		[TUNNEL_OTHER] = "other",
	};

	return LOOK_UP(names, tunnel);
}

const char *name_of_grpc_status(int status)
{
	static const char *const names[] = {
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
		"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
		"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
	};

	return status < 0 ? NULL : LOOK_UP(names, (unsigned)status);
}

const char *name_of_grpc_kind(unsigned kind)
{
	static const char *const names[] = {
		[GRPC_UNARY] = "unary",
		[GRPC_CLIENT_STREAMING] = "client_streaming",
		[GRPC_SERVER_STREAMING] = "server_streaming",
		[GRPC_BIDI_STREAMING] = "bidi_streaming",
	};

	return LOOK_UP(names, kind);
}

const char *name_of_reset(uint32_t code)
{
	static const char *const names[] = {
		"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
		"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
		"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
	};

	return LOOK_UP(names, code);
}

const char *name_of_role(int role)
{
	static const char *const names[] = {"client", "server"};

	return role < 0 ? NULL : LOOK_UP(names, (unsigned)role);
}
