/* SPDX-License-Identifier: MIT */
/* The HTTP/2 decoder alone: the frame walk, HPACK, streams and gRPC, of both sides. */
#include "decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_decoder(&proto_http2, data, size);
}
