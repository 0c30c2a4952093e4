/* SPDX-License-Identifier: MIT */
#include "proto/list.h"

const struct proto *const protos[] = {
	&proto_http2,
	&proto_http1,
	NULL,
};
