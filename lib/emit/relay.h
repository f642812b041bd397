/* The tags of a StatsD line that is relayed: any key, any value, counted against limits.tag_values like the others. The first
 * RELAY_KEYS keys have a guard each; of further keys every value is `__other__`. */
#ifndef STATSIDECAR_EMIT_RELAY_H
#define STATSIDECAR_EMIT_RELAY_H

#include "base/hash.h"
#include "emit/guard.h"

enum { RELAY_KEYS = 32 };

struct relay {
	uint64_t keys[RELAY_KEYS]; /* hashes */
	struct guard guards[RELAY_KEYS];
	uint32_t count;
};

/* -1 without memory. */
int relay_init(struct relay *relay, uint32_t limit) __attribute__((warn_unused_result));
void relay_fini(struct relay *relay);
size_t relay_memory(uint32_t limit);

/* Whether this value of this key may be sent, both with SCAN_PAD bytes behind them; *guard is the key's, NULL where it has none. */
bool relay_admits(struct relay *relay, const struct hash_key *hash, struct span key, struct span value, struct guard **guard);

#endif
