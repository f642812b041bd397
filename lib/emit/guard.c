#include "emit/guard.h"

#include <stdlib.h>

static uint32_t slot_count(uint32_t limit)
{
	uint32_t slots = 16;
	while (slots / 2 <= limit && slots < UINT32_C(1) << 31)
		slots *= 2;
	return slots;
}

int guard_init(struct guard *guard, uint32_t limit)
{
	const uint32_t slots = slot_count(limit);
	*guard = (struct guard){.mask = slots - 1, .limit = limit};
	guard->slots = calloc(slots, sizeof(*guard->slots));
	return guard->slots ? 0 : -1;
}

void guard_fini(struct guard *guard)
{
	free(guard->slots);
	*guard = (struct guard){0};
}

size_t guard_memory(uint32_t limit)
{
	return slot_count(limit) * sizeof(uint64_t);
}
