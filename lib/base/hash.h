/* Keyed 64-bit hashing (SipHash-1-3, Aumasson and Bernstein, https://www.aumasson.jp/siphash/): who does not know the key
 * cannot make texts collide. */
#ifndef STATSIDECAR_BASE_HASH_H
#define STATSIDECAR_BASE_HASH_H

#include <stdint.h>

#include "base/span.h"
#include "base/word.h"

struct hash_key {
	uint64_t k0, k1;
};

uint64_t hash_span(const struct hash_key *key, struct span text);

/* For tables that only cost time when texts collide: a multiplication for each eight bytes, keyed too. Never 0. */
static inline uint64_t hash_quick(const struct hash_key *key, struct span text)
{
	uint64_t hash = key->k0 ^ text.len;
	uint64_t word = 0;
	size_t at = 0;
	for (; at + 8 <= text.len; at += 8) {
		memcpy(&word, text.at + at, 8);
		const unsigned __int128 product = (unsigned __int128)(hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
		hash = (uint64_t)product ^ (uint64_t)(product >> 64) ^ key->k1;
	}
	word = at < text.len ? word_load_short(text.at + at, text.len - at) : 0;
	const unsigned __int128 product = (unsigned __int128)(hash ^ word) * UINT64_C(0xD6E8FEB86659FD93);
	hash = (uint64_t)product ^ (uint64_t)(product >> 64);
	return hash | 1;
}

#endif
