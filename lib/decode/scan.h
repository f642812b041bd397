/* bytes -> lines, and where a JSON reader has to look. One pass over whole lines, 64 bytes at a time.
 *
 *     {"event":"a.b","note":"say \"hi\""}\n{"event":…
 *      ^     ^ ^   ^ ^    ^ ^    ^ ^ ^ ^ ^ marks: quotes, backslashes, control bytes; the newline is one of them
 *                                        ^ the end of a line
 *
 * Vector loads touch up to SCAN_PAD bytes behind the text; the caller's buffer has them. */
#ifndef STATSIDECAR_DECODE_SCAN_H
#define STATSIDECAR_DECODE_SCAN_H

#include <stdint.h>

enum {
	/* Lines are indexed together up to so many bytes: what the index takes stays in the nearest cache, and little is indexed
	 * again where an output that blocks stops between two lines. */
	SCAN_WINDOW = 8 * 1024,
	/* Marks that stand behind the last one, each at the text's end: a reader may look that far without asking. */
	SCAN_SENTINELS = 4,
	/* Marks are written in groups: so many more than there are may be touched. */
	SCAN_GROUP = 64,
};

struct scan_line {
	uint32_t end;  /* offset of its newline */
	uint32_t mark; /* the index of its newline's mark */
};

/* Offsets count from the text's first byte. */
struct scan {
	uint32_t *marks;         /* room for the longest text + SCAN_GROUP + SCAN_SENTINELS, owned */
	struct scan_line *lines; /* room for SCAN_WINDOW lines, owned */
	uint32_t line_count;
	void (*index)(struct scan *scan, const char *text, uint32_t len);
};

/* text_max: the length of the longest text. -1 without memory. */
int scan_init(struct scan *scan, uint32_t text_max) __attribute__((warn_unused_result));
void scan_fini(struct scan *scan);
/* Bytes that a scan takes. */
uint32_t scan_memory(uint32_t text_max);

/* How much of text, which ends with a newline, is to be indexed at once: whole lines. 0 where the first one is longer than
 * text_max. */
uint32_t scan_window(const char *text, uint32_t len, uint32_t text_max);

/* Finds marks and lines. The text ends with a newline, and is one line or no longer than SCAN_WINDOW. */
static inline void scan_index(struct scan *scan, const char *text, uint32_t len)
{
	scan->index(scan, text, len);
}

/* The ways of doing it, of which scan_init() takes the first that this machine can do; all give the same. */
struct scan_way {
	const char *name;
	int (*is_possible)(void);
	void (*index)(struct scan *scan, const char *text, uint32_t len);
};

extern const struct scan_way scan_ways[];
extern const uint32_t scan_way_count;

#endif
