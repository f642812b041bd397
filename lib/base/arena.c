#define _GNU_SOURCE 1 /* vasprintf */
#include "base/arena.h"

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
};

void arena_exhausted(void)
{
	fputs("statsidecar: out of memory\n", stderr);
	exit(EX_OSERR);
}

struct arena *arena_new(void)
{
	struct arena *arena = calloc(1, sizeof(*arena));
	if (!arena)
		arena_exhausted();
	arena->size = sizeof(*arena);
	return arena;
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
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
	return chunk_take(chunk, size);
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
