/* An arena hands out memory that is freed all at once: what one configuration is built of lives and dies with it.
 * Never used between a line's arrival and its datagram. Running out of memory ends the program: a message on
 * standard error and exit status 71 (EX_OSERR), because no configuration can be half built; or it ends what
 * arena_attempt() has begun, and nothing is left of that. */
#ifndef STATSIDECAR_BASE_ARENA_H
#define STATSIDECAR_BASE_ARENA_H

#include <stdbool.h>

#include "base/span.h"

struct arena;

struct arena *arena_new(void);
/* Frees everything that the arena gave; NULL is allowed. */
void arena_free(struct arena *arena);

/* Of all that an arena gives, SCAN_PAD bytes behind the end may be read: its texts can be copied in whole vectors.
 *
 * Zeroed, aligned to 64 bytes where size is 64 or more, else to 16. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));
/* An array of count zeroed items; count * size is checked for overflow. */
void *arena_array(struct arena *arena, size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* A copy, terminated by a NUL that is not counted. */
struct span arena_copy(struct arena *arena, struct span text);
struct span arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes taken from the system so far. */
size_t arena_size(const struct arena *arena);

/* Calls build(context). False where memory ran out in the middle: what was still to be done is not, every arena made meanwhile is
 * freed, and what is guarded is released. Attempts do not nest. */
bool arena_attempt(void (*build)(void *context), void *context);

/* It lives on where the attempt in which it is made ends in the middle. */
void arena_keep(struct arena *arena);

/* What else an attempt that ends in the middle has to release: from arena_guard() to arena_unguard(), in a frame that builds. */
struct arena_guard {
	void (*release)(void *what);
	void *what;
	struct arena_guard *below;
};
void arena_guard(struct arena_guard *guard, void (*release)(void *what), void *what);
void arena_unguard(struct arena_guard *guard);

/* What running out of memory does, for others that build up a configuration with memory of their own. */
_Noreturn void arena_exhausted(void);

#endif
