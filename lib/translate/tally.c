#include "translate/tally.h"

#include <stdlib.h>

#define SECOND INT64_C(1000000000)

enum { BUCKETS = 2 * TALLY_MAX };

/* How long a window for rates lasts, and after which silence there is no rate any more. */
static const int64_t window_ns = 5 * SECOND;
static const int64_t silence_ns = 10 * SECOND;

struct tally {
	struct hash_key key;
	struct tally_entry entries[TALLY_MAX + 1]; /* [0] is the list's head: older is the newest, newer the oldest */
	uint16_t buckets[BUCKETS];
	uint16_t used;
	uint64_t evicted;
};

struct tally *tally_new(const struct hash_key *key)
{
	struct tally *tally = calloc(1, sizeof(*tally));
	if (tally)
		tally->key = *key;
	return tally;
}

void tally_free(struct tally *tally)
{
	free(tally);
}

size_t tally_memory(void)
{
	return sizeof(struct tally);
}

static uint16_t *bucket_of(struct tally *tally, uint64_t hash)
{
	return &tally->buckets[(hash >> 32) % BUCKETS];
}

static void unlink_entry(struct tally *tally, const struct tally_entry *entry)
{
	tally->entries[entry->newer].older = entry->older;
	tally->entries[entry->older].newer = entry->newer;
}

static void link_newest(struct tally *tally, struct tally_entry *entry)
{
	const uint16_t place = (uint16_t)(entry - tally->entries);
	entry->newer = 0;
	entry->older = tally->entries[0].older;
	tally->entries[entry->older].newer = place;
	tally->entries[0].older = place;
}

static void leave_bucket(struct tally *tally, const struct tally_entry *entry)
{
	uint16_t *link = bucket_of(tally, entry->hash);
	while (&tally->entries[*link] != entry)
		link = &tally->entries[*link].next;
	*link = entry->next;
}

/* A free place, else that of the identifier that was not seen for the longest time. */
static struct tally_entry *make_room(struct tally *tally)
{
	struct tally_entry *entry;
	if (tally->used < TALLY_MAX)
		return &tally->entries[++tally->used];
	entry = &tally->entries[tally->entries[0].newer];
	unlink_entry(tally, entry);
	leave_bucket(tally, entry);
	tally->evicted++;
	return entry;
}

static struct tally_entry *enter(struct tally *tally, struct span event, uint64_t hash, int64_t now_ns)
{
	struct tally_entry *entry = make_room(tally);
	uint16_t *bucket = bucket_of(tally, hash);
	*entry = (struct tally_entry){
		.serial = entry->serial + 1,
		.hash = hash,
		.next = *bucket,
		.windows = {{now_ns, 0}, {now_ns, 0}},
	};
	*bucket = (uint16_t)(entry - tally->entries);
	event = span_cut(event, IDENTIFIER_MAX);
	entry->event_len = (uint8_t)event.len;
	memcpy(entry->event, event.at, event.len);
	link_newest(tally, entry);
	return entry;
}

static struct tally_entry *find(struct tally *tally, struct span event, uint64_t hash)
{
	for (uint16_t at = *bucket_of(tally, hash); at; at = tally->entries[at].next) {
		struct tally_entry *entry = &tally->entries[at];
		if (entry->hash == hash && span_equal((struct span){entry->event, entry->event_len}, event))
			return entry;
	}
	return NULL;
}

static void keep_line(struct tally_entry *entry, struct span line, int64_t now_ns)
{
	const struct span kept = span_cut(line, TALLY_LINE_MAX);
	if (kept.len)
		memcpy(entry->line, kept.at, kept.len);
	entry->line_len = (uint16_t)kept.len;
	entry->line_is_cut = kept.len < line.len;
	entry->line_ns = now_ns;
}

struct tally_entry *tally_touch(struct tally *tally, struct span event, bool is_known, int64_t now_ns, struct span line)
{
	const uint64_t hash = hash_span(&tally->key, event);
	struct tally_entry *entry = find(tally, event, hash);
	if (!entry) {
		entry = enter(tally, event, hash, now_ns);
	} else if (tally->entries[0].older != entry - tally->entries) {
		unlink_entry(tally, entry);
		link_newest(tally, entry);
	}
	entry->seen_ns = now_ns;
	entry->is_known = is_known;
	if (entry->count == 0 || now_ns - entry->line_ns >= SECOND)
		keep_line(entry, line, now_ns);
	if (now_ns - entry->windows[1].begin_ns >= window_ns) {
		entry->windows[0] = entry->windows[1];
		entry->windows[1] = (struct tally_window){now_ns, entry->count};
	}
	return entry;
}

const struct tally_entry *tally_next(const struct tally *tally, const struct tally_entry *entry)
{
	const uint16_t at = entry ? entry->older : tally->entries[0].older;
	return at ? &tally->entries[at] : NULL;
}

uint64_t tally_evicted(const struct tally *tally)
{
	return tally->evicted;
}

double tally_rate(const struct tally_entry *entry, int64_t now_ns)
{
	const struct tally_window *from = &entry->windows[now_ns - entry->windows[1].begin_ns >= window_ns];
	const int64_t elapsed_ns = now_ns - from->begin_ns;
	if (now_ns - entry->seen_ns >= silence_ns)
		return 0;
	return (double)(entry->count - from->count) * (double)SECOND / (double)(elapsed_ns > SECOND ? elapsed_ns : SECOND);
}
