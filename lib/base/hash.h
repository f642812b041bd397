/* Keyed 64-bit hashing (SipHash-1-3, Aumasson and Bernstein, https://www.aumasson.jp/siphash/): who does not know the key
 * cannot make texts collide. */
#ifndef STATSIDECAR_BASE_HASH_H
#define STATSIDECAR_BASE_HASH_H

#include <stdint.h>

#include "base/span.h"

struct hash_key {
	uint64_t k0, k1;
};

uint64_t hash_span(const struct hash_key *key, struct span text);

#endif
