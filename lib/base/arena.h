/* An arena hands out memory that is freed all at once: what one configuration is built of lives and dies with it.
 * Never used between a line's arrival and its datagram. Running out of memory ends the program: a message on
 * standard error and exit status 71 (EX_OSERR), because no configuration can be half built. */
#ifndef STATSIDECAR_BASE_ARENA_H
#define STATSIDECAR_BASE_ARENA_H

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

/* What running out of memory does, for others that build up a configuration with memory of their own. */
_Noreturn void arena_exhausted(void);

#endif
