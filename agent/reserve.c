#include "reserve.h"

#include <event2/event.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_SIZE = 1024, /* a connection, its buffers, a request, a header: each takes one */
	BLOCK_COUNT = 256,
};

static struct {
	alignas(max_align_t) char bytes[BLOCK_COUNT][BLOCK_SIZE];
	bool is_taken[BLOCK_COUNT];
} reserve;

static bool is_reserved(const void *block)
{
	return (uintptr_t)block - (uintptr_t)reserve.bytes < sizeof reserve.bytes;
}

static void *reserve_take(size_t size)
{
	if (size > BLOCK_SIZE)
		return NULL;
	for (size_t i = 0; i < BLOCK_COUNT; i++) {
		if (!reserve.is_taken[i]) {
			reserve.is_taken[i] = true;
			return reserve.bytes[i];
		}
	}
	return NULL;
}

static void reserve_give(const void *block)
{
	reserve.is_taken[((uintptr_t)block - (uintptr_t)reserve.bytes) / BLOCK_SIZE] = false;
}

static void *reserve_malloc(size_t size)
{
	void *block = malloc(size);

	return block != NULL ? block : reserve_take(size);
}

static void reserve_free(void *block)
{
	if (is_reserved(block))
		reserve_give(block);
	else
		free(block);
}

static void *reserve_realloc(void *block, size_t size)
{
	void *grown;

	if (block == NULL)
		return reserve_malloc(size);
	if (!is_reserved(block))
		return realloc(block, size);
	if (size <= BLOCK_SIZE)
		return block;
	grown = malloc(size);
	if (grown == NULL)
		return NULL;
	memcpy(grown, block, BLOCK_SIZE);
	reserve_give(block);
	return grown;
}

void reserve_install(void)
{
	event_set_mem_functions(reserve_malloc, reserve_realloc, reserve_free);
}
