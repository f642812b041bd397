/* The cardinality guard: a bounded set of texts, told apart by 64-bit fingerprints. Nothing leaves it; a text that comes when
 * it is full is not admitted. */
#ifndef STATSIDECAR_EMIT_GUARD_H
#define STATSIDECAR_EMIT_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guard {
	uint64_t *slots; /* a power of two, at most half full; 0: empty */
	uint32_t mask;
	uint32_t count;
	uint32_t limit;
	bool is_reported; /* the first refusal has been told */
};

/* -1 without memory. A limit of 0 admits nothing. */
int guard_init(struct guard *guard, uint32_t limit) __attribute__((warn_unused_result));
void guard_fini(struct guard *guard);
/* Bytes that a guard of this limit takes. */
size_t guard_memory(uint32_t limit);

/* Whether the text with this hash is in the set, or there was room for it. */
static inline bool guard_admits(struct guard *guard, uint64_t hash)
{
	hash |= hash == 0;
	uint32_t slot = (uint32_t)(hash >> 32) & guard->mask;
	while (guard->slots[slot] != 0) {
		if (guard->slots[slot] == hash)
			return true;
		slot = (slot + 1) & guard->mask;
	}
	if (guard->count >= guard->limit)
		return false;
	guard->slots[slot] = hash;
	guard->count++;
	return true;
}

#endif
