/* Metric lines -> datagrams, in one buffer without a second copy. A datagram is a cut: a stretch of the buffer whose
 * lines are separated by newlines; a newline always stands right behind it too, so that a stream can send cut + 1.
 *
 *     name:1|c \n name:2|c \n name:3|c \n …
 *     ^ cut 0 (len 17)        ^ cut 1 (open: still taking lines)
 *
 * The owner sends the cuts from `first` on, tells each one's fate with packer_take(), and gives a flush callback that the
 * packer calls when it has no room. What cannot be placed even then is refused, and the caller counts it. */
#ifndef STATSIDECAR_EMIT_PACKER_H
#define STATSIDECAR_EMIT_PACKER_H

#include <stdint.h>

#include "base/bounds.h"
#include "base/inline.h"
#include "base/span.h"

enum {
	PACKER_SIZE = 192 * 1024,
	PACKER_CUTS = 64,
};

struct cut {
	uint32_t at;
	uint32_t len;     /* without the newline behind it */
	uint32_t metrics; /* lines, a negative gauge's pair counted as one */
};

struct packer {
	char *buffer; /* PACKER_SIZE + RENDER_MAX + SCAN_PAD bytes, owned */
	uint32_t used;
	uint32_t max_datagram;
	uint32_t first; /* first cut that is not taken */
	uint32_t count; /* cuts, the open one included: first <= count <= PACKER_CUTS */
	uint32_t keep;  /* cuts that may wait before a flush is asked for: PACKER_CUTS, or 1 for an output that blocks */
	struct cut cuts[PACKER_CUTS];
	/* Sends what it can from packer->first on. */
	void (*flush)(struct packer *packer, void *context);
	void *context;
};

int packer_init(struct packer *packer, uint32_t max_datagram) __attribute__((warn_unused_result));
void packer_fini(struct packer *packer);

/* The slow parts of the two below. */
char *packer_make_room(struct packer *packer);
void packer_open_cut(struct packer *packer, size_t len);

static inline bool packer_has_room(const struct packer *packer)
{
	return packer->used <= PACKER_SIZE && packer->count < PACKER_CUTS;
}

/* Room for RENDER_MAX bytes, flushing where it must; NULL where the output holds too much already. */
static inline char *packer_reserve(struct packer *packer)
{
	return likely(packer_has_room(packer)) ? packer->buffer + packer->used : packer_make_room(packer);
}

/* The len bytes just rendered at the reserved place become one metric: in the open datagram, else in a new one.
 * len <= LINE_OUT_MAX. The line stands right behind the newline that ends the open datagram: whether it belongs to that one or
 * begins another, no byte moves. */
static inline void packer_commit(struct packer *packer, size_t len)
{
	struct cut *open = packer->cuts + packer->count;
	packer->buffer[packer->used + len] = '\n';
	if (likely(packer->first < packer->count && open[-1].len + 1 + len <= packer->max_datagram)) {
		open[-1].len += 1 + (uint32_t)len;
		open[-1].metrics++;
	} else {
		packer_open_cut(packer, len);
	}
	packer->used += (uint32_t)len + 1;
}

/* Metrics that wait. */
uint32_t packer_pending(const struct packer *packer);

/* The cut at packer->first is done with: sent or dropped. The buffer is reused once none is left. */
void packer_take(struct packer *packer);

static inline bool packer_empty(const struct packer *packer)
{
	return packer->first == packer->count;
}

#endif
