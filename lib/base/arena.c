#define _GNU_SOURCE 1 /* vasprintf */
#include "base/arena.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/bounds.h"

enum {
	CHUNK_SIZE = 32 * 1024, /* a small configuration takes one or two */
	BIG_SIZE = 4 * 1024,    /* from here on a block gets a chunk of its own: at most an eighth of a chunk is lost */
	CACHE_LINE = 64,
	SMALL_ALIGN = 16,
};

/* The chunk's bytes stand behind it. The first of the list is the one that still gives; those behind are full. */
struct chunk {
	struct chunk *next;
	char *at;
	char *end;
};

struct arena {
	struct chunk *chunks;
	size_t size;
	/* Among those of the attempt: a ring. */
	struct arena *next;
	struct arena *last;
};

/* There is one thread, and one configuration is built at a time. */
static struct {
	bool is_under_way;
	jmp_buf escape;
	struct arena made; /* head of the ring */
	struct arena_guard *guards;
} attempt;

static void attempt_release(void)
{
	while (attempt.guards) {
		struct arena_guard *guard = attempt.guards;
		attempt.guards = guard->below;
		guard->release(guard->what);
	}
	while (attempt.made.next != &attempt.made)
		arena_free(attempt.made.next); /* NOLINT(clang-analyzer-unix.Malloc): takes itself out of the ring */
}

/* What has become of it outlives it. */
static void attempt_end(void)
{
	attempt.is_under_way = false;
	for (struct arena *arena = attempt.made.next, *next; arena != &attempt.made; arena = next) {
		next = arena->next;
		arena->next = arena->last = arena;
	}
}

bool arena_attempt(void (*build)(void *context), void *context)
{
	assert(!attempt.is_under_way);
	attempt.is_under_way = true;
	attempt.made.next = attempt.made.last = &attempt.made;
	attempt.guards = NULL;
	if (setjmp(attempt.escape)) {
		attempt_release();
		attempt_end();
		return false;
	}
	build(context);
	assert(!attempt.guards);
	attempt_end();
	return true;
}

void arena_keep(struct arena *arena)
{
	arena->next->last = arena->last;
	arena->last->next = arena->next;
	arena->next = arena->last = arena;
}

void arena_guard(struct arena_guard *guard, void (*release)(void *what), void *what)
{
	*guard = (struct arena_guard){release, what, attempt.guards};
	attempt.guards = guard;
}

void arena_unguard(struct arena_guard *guard)
{
	assert(attempt.guards == guard);
	attempt.guards = guard->below;
}

void arena_exhausted(void)
{
	if (attempt.is_under_way) {
		attempt_release();
		longjmp(attempt.escape, 1);
	}
	fputs("statsidecar: out of memory\n", stderr);
	exit(EX_OSERR);
}

struct arena *arena_new(void)
{
	struct arena *arena = calloc(1, sizeof(*arena));
	if (!arena)
		arena_exhausted();
	arena->size = sizeof(*arena);
	arena->next = arena->last = arena;
	if (attempt.is_under_way) {
		arena->next = attempt.made.next;
		arena->last = &attempt.made;
		arena->next->last = arena;
		attempt.made.next = arena;
	}
	return arena;
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	arena_keep(arena);
	for (struct chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(arena);
}

/* A chunk from which at least size bytes can be taken, whatever their alignment. */
static struct chunk *chunk_new(struct arena *arena, size_t size)
{
	/* Behind the end there are bytes that may be read. */
	size_t overhead = sizeof(struct chunk) + CACHE_LINE + SCAN_PAD;
	size_t total = size + overhead;
	struct chunk *chunk = size <= SIZE_MAX - overhead ? calloc(1, total) : NULL;
	if (!chunk)
		arena_exhausted();
	chunk->at = (char *)chunk + sizeof(*chunk);
	chunk->end = (char *)chunk + total - SCAN_PAD;
	arena->size += total;
	return chunk;
}

/* NULL where the chunk has too little left. */
static void *chunk_take(struct chunk *chunk, size_t size)
{
	size_t align = size >= CACHE_LINE ? CACHE_LINE : SMALL_ALIGN;
	size_t gap = -(uintptr_t)chunk->at & (align - 1);
	size_t left = (size_t)(chunk->end - chunk->at);
	if (gap > left || size > left - gap)
		return NULL;
	char *block = chunk->at + gap;
	chunk->at = block + size;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct chunk *first = arena->chunks;
	void *block = first ? chunk_take(first, size) : NULL;
	if (block)
		return block;

	bool is_big = size >= BIG_SIZE;
	struct chunk *chunk = chunk_new(arena, is_big ? size : CHUNK_SIZE);
	/* A big block's chunk is full at once: it goes behind the one that still gives. */
	if (is_big && first) {
		chunk->next = first->next;
		first->next = chunk;
	} else {
		chunk->next = first;
		arena->chunks = chunk;
	}
	block = chunk_take(chunk, size);
	assert(block);
	return block;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total))
		arena_exhausted();
	return arena_alloc(arena, total);
}

struct span arena_copy(struct arena *arena, struct span text)
{
	char *copy = arena_alloc(arena, text.len + 1);
	if (text.len > 0)
		memcpy(copy, text.at, text.len);
	return (struct span){copy, text.len};
}

struct span arena_printf(struct arena *arena, const char *format, ...)
{
	char *printed;
	va_list args;
	va_start(args, format);
	int len = vasprintf(&printed, format, args);
	va_end(args);
	if (len < 0)
		arena_exhausted();
	struct span text = arena_copy(arena, (struct span){printed, (size_t)len});
	free(printed);
	return text;
}

size_t arena_size(const struct arena *arena)
{
	return arena->size;
}
