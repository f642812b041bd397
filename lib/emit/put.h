/* Copying into a line. */
#ifndef STATSIDECAR_EMIT_PUT_H
#define STATSIDECAR_EMIT_PUT_H

#include "base/inline.h"
#include "base/span.h"

/* Texts that hang in an arena, a plan or a buffer with SCAN_PAD bytes behind it are copied 32 bytes at a time, so that the length of
 * most does not matter; what stands behind the end is overwritten by what follows. */
static inline char *put(char *out, struct span text)
{
	memcpy(out, text.at, 32);
	for (size_t at = 32; unlikely(at < text.len); at += 32)
		memcpy(out + at, text.at + at, 32);
	return out + text.len;
}

/* Any other text. */
static inline char *put_exactly(char *out, struct span text)
{
	if (text.len)
		memcpy(out, text.at, text.len);
	return out + text.len;
}

#endif
