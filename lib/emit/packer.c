#include "emit/packer.h"

#include <stdlib.h>

int packer_init(struct packer *packer, uint32_t max_datagram)
{
	*packer = (struct packer){.max_datagram = max_datagram, .keep = PACKER_CUTS};
	packer->buffer = calloc(1, PACKER_SIZE + RENDER_MAX + SCAN_PAD);
	return packer->buffer ? 0 : -1;
}

void packer_fini(struct packer *packer)
{
	free(packer->buffer);
	*packer = (struct packer){0};
}

/* Moves what waits to the front. An output that is always one datagram behind never comes to the point where none is left
 * and the buffer is free as a whole. */
static void close_up(struct packer *packer)
{
	const uint32_t from = packer_empty(packer) ? packer->used : packer->cuts[packer->first].at;
	memmove(packer->buffer, packer->buffer + from, packer->used - from);
	packer->used -= from;
	packer->count -= packer->first;
	for (uint32_t i = 0; i < packer->count; i++) {
		packer->cuts[i] = packer->cuts[packer->first + i];
		packer->cuts[i].at -= from;
	}
	packer->first = 0;
}

char *packer_make_room(struct packer *packer)
{
	packer->flush(packer, packer->context);
	close_up(packer);
	return packer_has_room(packer) ? packer->buffer + packer->used : NULL;
}

/* Begins a datagram with the line at `used`. An output that waits is flushed first; what that took has made the buffer free
 * from the front, where the line then belongs. */
void packer_open_cut(struct packer *packer, size_t len)
{
	const uint32_t at = packer->used;
	if (packer->count - packer->first >= packer->keep) {
		packer->flush(packer, packer->context);
		if (packer->used != at)
			memmove(packer->buffer + packer->used, packer->buffer + at, len + 1);
	}
	packer->cuts[packer->count++] = (struct cut){packer->used, (uint32_t)len, 1};
}

uint32_t packer_pending(const struct packer *packer)
{
	uint32_t metrics = 0;
	for (uint32_t i = packer->first; i < packer->count; i++)
		metrics += packer->cuts[i].metrics;
	return metrics;
}

void packer_take(struct packer *packer)
{
	if (++packer->first == packer->count) {
		packer->first = packer->count = 0;
		packer->used = 0;
	}
}
