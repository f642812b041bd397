/* Keyed 64-bit hashing (SipHash-1-3, Aumasson and Bernstein, https://www.aumasson.jp/siphash/): who does not know the key
 * cannot make texts collide. */
#ifndef STATSIDECAR_BASE_HASH_H
#define STATSIDECAR_BASE_HASH_H

#include <stdint.h>

#include "base/inline.h"
#include "base/span.h"

struct hash_key {
	uint64_t k0, k1;
};

uint64_t hash_span(const struct hash_key *key, struct span text);

/* Both halves of a product, on top of each other (Wang Yi, https://github.com/wangyi-fudan/wyhash). */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Eight bytes of a text, those behind its end cleared by the same bytes of a mask. Loaded one by one: as arrays compilers take them
 * through memory. */
static inline uint64_t hash_word(const char *at, const unsigned char *mask)
{
	uint64_t word, kept;
	memcpy(&word, at, 8);
	memcpy(&kept, mask, 8);
	return word & kept;
}

/* For tables that only cost time when texts collide: three multiplications up to 32 bytes, keyed too. No branch depends on the
 * length, which is another one with nearly every text: behind the text 32 bytes (of SCAN_PAD) are read. Never 0. */
static inline uint64_t hash_padded(const struct hash_key *key, struct span text)
{
	static const unsigned char masks[64] = {[0 ... 31] = 0xff};
	uint64_t hash = key->k0 ^ text.len;
	for (; unlikely(text.len > 32); text = span_skip(text, 16))
		hash = hash_fold(hash ^ hash_word(text.at, masks), key->k1 ^ hash_word(text.at + 8, masks));
	const unsigned char *const mask = masks + 32 - text.len;
	const uint64_t low = hash_fold(hash ^ hash_word(text.at, mask), key->k1 ^ hash_word(text.at + 8, mask + 8));
	const uint64_t high = hash_fold(key->k1 ^ hash_word(text.at + 16, mask + 16), hash ^ hash_word(text.at + 24, mask + 24));
	return hash_fold(low ^ UINT64_C(0x9E3779B97F4A7C15), high ^ UINT64_C(0xD6E8FEB86659FD93)) | 1;
}

#endif
