/* What was seen of each identifier, for whoever shows it: how often, how fast, when, what became of it, and a line that it came
 * in. Bounded: TALLY_MAX identifiers in memory that is set aside once; the least recently seen makes room for another.
 *
 * An event costs a comparison and an addition; what takes longer (finding the place, the order, the copy of a line) is done
 * once a wake-up and identifier, the copy once a second. A tally outlives translators. */
#ifndef STATSIDECAR_TRANSLATE_TALLY_H
#define STATSIDECAR_TRANSLATE_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/hash.h"
#include "base/span.h"

enum {
	TALLY_MAX = 512,
	TALLY_LINE_MAX = 400, /* bytes of a line that are kept */
};

struct tally_window {
	int64_t begin_ns;
	uint64_t count; /* then */
};

struct tally_entry {
	uint64_t count;
	int64_t seen_ns;   /* monotonic time of the wake-up in which it was last seen */
	uint32_t serial;   /* changes when another identifier takes the place */
	uint8_t outcome;   /* enum outcome, of the last event */
	bool is_known;     /* in the catalogue */
	uint8_t event_len;
	uint16_t line_len;
	bool line_is_cut;
	uint16_t newer, older, next; /* places, from 1: by time, and of the same bucket */
	uint64_t hash;
	int64_t line_ns;
	struct tally_window windows[2]; /* the last but one, and the present one */
	char event[IDENTIFIER_MAX];
	char line[TALLY_LINE_MAX];
};

/* Where an identifier's entry was last found: part of what is known of the identifier (translate/plan.h). */
struct tally_place {
	struct tally_entry *entry;
	uint32_t serial;
};

struct tally;

/* NULL without memory. */
struct tally *tally_new(const struct hash_key *key);
void tally_free(struct tally *tally);
size_t tally_memory(void);

/* The slow part of the next one. */
struct tally_entry *tally_touch(struct tally *tally, struct span event, bool is_known, int64_t now_ns, struct span line);

static inline void tally_count(struct tally *tally, struct tally_place *place, struct span event, bool is_known,
                               uint8_t outcome, int64_t now_ns, struct span line)
{
	struct tally_entry *entry = place->entry;
	if (!entry || entry->serial != place->serial || entry->seen_ns != now_ns) {
		entry = tally_touch(tally, event, is_known, now_ns, line);
		*place = (struct tally_place){entry, entry->serial};
	}
	entry->count++;
	entry->outcome = outcome;
}

/* The entries, the most recently seen first: begins with entry == NULL, ends with NULL. */
const struct tally_entry *tally_next(const struct tally *tally, const struct tally_entry *entry);
/* Entries that had to make room. */
uint64_t tally_evicted(const struct tally *tally);

/* Events a second over the last five to ten seconds. */
double tally_rate(const struct tally_entry *entry, int64_t now_ns);

#endif
