/* SPDX-License-Identifier: MIT */
/*
 * Finding HTTP/2 frames among any bytes. What is decided of the first bytes stays so, whatever follows; frames that were built
 * are found; a limit on their size holds. The first byte of the input says how large frames may be.
 */
#include <stdlib.h>

#include "proto/h2frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) ((x) ? (void)0 : abort())

/* A copy of the first `n` bytes, of its exact size. */
static enum h2_chain chain(const uint8_t *p, size_t n, uint32_t max)
{
	uint8_t *copy = malloc(n ? n : 1);
	enum h2_chain found;

	memcpy(copy, p, n);
	found = h2frame_chain(slice_of(copy, n), false, max);
	free(copy);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t max = size ? 1u << (data[0] % 25) : 0;
	enum h2_chain was = H2_CHAIN_MORE;

	for (size_t n = 1; n <= size; n++) {
		enum h2_chain now = chain(data + 1, n - 1, max);

		CHECK(was == H2_CHAIN_MORE || now == was);
		CHECK(now != H2_CHAIN_YES || (h2frame_plausible(data + 1, max) && h2frame_read(data + 1).length <= max));
		CHECK(now == H2_CHAIN_NO || n - 1 < H2_HEADER || h2frame_plausible(data + 1, max));
		was = now;
	}
	return 0;
}
