/* SPDX-License-Identifier: MIT */
/* The HTTP/1 decoder alone. */
#include "decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_decoder(&proto_http1, data, size);
}
