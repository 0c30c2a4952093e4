/* SPDX-License-Identifier: MIT */
/* Keys of connections: their hash, which nobody foresees who does not know the seed, and whether two are the same. */
#ifndef PERISCO_PACKET_KEY_H
#define PERISCO_PACKET_KEY_H

#include "packet/packet.h"

struct key_seed {
	uint64_t half[2];
};

/* A multiplication whose two halves are folded: each input bit reaches each output bit. */
static inline uint64_t key_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline struct key_seed key_seed(uint64_t seed)
{
	return (struct key_seed){{key_mix(seed ^ 0x9e3779b97f4a7c15u, 0xc2b2ae3d27d4eb4fu),
				  key_mix(seed ^ 0x165667b19e3779f9u, 0xd6e8feb86659fd93u)}};
}

/* One of the five words of a key. */
static inline uint64_t key_word(const struct flow_key *key, unsigned i)
{
	uint64_t w;

	memcpy(&w, (const uint8_t *)key + i * sizeof(w), sizeof(w));
	return w;
}

/* Both factors are masked by what nobody can know, or one could be made 0. Of an IPv4 address all is in the second word. */
static inline uint64_t key_hash(const struct flow_key *key, const struct key_seed *seed)
{
	uint64_t h = key_mix(key_word(key, 1) ^ seed->half[0], key_word(key, 3) ^ seed->half[1]);

	if (key->version != 4)
		h = key_mix(h ^ key_word(key, 0), key_word(key, 2) ^ seed->half[1]);
	return key_mix(h ^ key_word(key, 4), seed->half[0]);
}

static inline bool key_eq(const struct flow_key *a, const struct flow_key *b)
{
	return !((key_word(a, 0) ^ key_word(b, 0)) | (key_word(a, 1) ^ key_word(b, 1)) | (key_word(a, 2) ^ key_word(b, 2)) |
		 (key_word(a, 3) ^ key_word(b, 3)) | (key_word(a, 4) ^ key_word(b, 4)));
}

#endif
