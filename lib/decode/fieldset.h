/* The places of a payload that a configuration names, as a trie of keys. A place is a location: the index of an event's
 * value and presence bit. What is not in the set is validated by the decoders, but not kept.
 *
 *     fields a, order.total, data.a      root -- a (1)
 *                                             -- order (2) -- total (3)
 *                                             -- data (4) -- a (5)
 *
 * Built once, then sealed and immutable. Location 0 is the root and takes what nobody asked for. */
#ifndef STATSIDECAR_DECODE_FIELDSET_H
#define STATSIDECAR_DECODE_FIELDSET_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bounds.h"

enum { FIELDSET_NONE = 0 };

struct fieldset_node {
	uint64_t head; /* the key's first eight bytes, zero-filled */
	uint64_t tail; /* its last eight; its head where it has fewer */
	const char *key;
	uint32_t key_len;
	uint16_t parent;
	uint16_t child_count;
	uint16_t *table;    /* location by hash, FIELDSET_NONE where empty; NULL without children */
	uint8_t table_shift; /* 64 - log2 of its size */
	uint32_t index;     /* the key as an array's index, or UINT32_MAX */
	bool has_index_children;
	uint16_t *below; /* all locations of the subtree */
	uint16_t below_count;
};

/* Where a StatsD line's own fields go; FIELDSET_NONE: nobody asks for it. */
struct fieldset_statsd {
	uint16_t value, type, rate;
};

struct fieldset {
	struct fieldset_node *nodes;
	uint32_t count; /* locations, the root included */
	struct fieldset_statsd statsd;
};

/* An empty set in arena; fieldset_add() returns the location of the keys' path, or FIELDSET_NONE where LOCATIONS_MAX is
 * reached. Keys are borrowed. */
void fieldset_init(struct fieldset *set, struct arena *arena);
uint16_t fieldset_add(struct fieldset *set, const struct span *keys, size_t count);
/* Builds the tables; afterwards nothing may be added. */
void fieldset_seal(struct fieldset *set, struct arena *arena);

static inline uint64_t fieldset_load(const char *at)
{
	uint64_t word;
	memcpy(&word, at, 8);
	return word;
}

/* The first len < 8 bytes of a loaded word, the others zero. */
static inline uint64_t fieldset_first(uint64_t word, uint32_t len)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return word & (((uint64_t)1 << (8 * len)) - 1);
#else
	return len == 0 ? 0 : word & (~(uint64_t)0 << (64 - 8 * len));
#endif
}

static inline uint64_t fieldset_hash(uint64_t head, uint64_t tail, uint32_t len)
{
	return (head ^ (tail << 23 | tail >> 41) ^ len) * UINT64_C(0x9E3779B97F4A7C15);
}

/* The child of node that has this key, or FIELDSET_NONE. Reads up to 8 bytes from key on, whatever len. */
static inline uint16_t fieldset_child(const struct fieldset *set, const struct fieldset_node *node, const char *key, uint32_t len)
{
	uint64_t head = fieldset_load(key);
	uint64_t tail;
	if (len >= 8)
		tail = fieldset_load(key + len - 8);
	else
		tail = head = fieldset_first(head, len);
	const unsigned shift = node->table_shift;
	uint64_t slot = fieldset_hash(head, tail, len) >> shift;
	const uint64_t mask = ~(uint64_t)0 >> shift;
	for (;; slot = (slot + 1) & mask) {
		const uint16_t location = node->table[slot];
		if (location == FIELDSET_NONE)
			return FIELDSET_NONE;
		const struct fieldset_node *child = &set->nodes[location];
		if (child->head == head && child->tail == tail && child->key_len == len &&
		    (len <= 16 || memcmp(child->key, key, len) == 0))
			return location;
	}
}

/* The child that stands for element index of an array, or FIELDSET_NONE. */
uint16_t fieldset_element(const struct fieldset *set, const struct fieldset_node *node, uint32_t index);

#endif
