/* Texts of events -> bytes that no protocol can mistake for its own. Each reserved byte, control byte and byte of invalid
 * UTF-8 becomes one `_`; nothing else changes, so that out needs as much room as the text (and SCAN_PAD more: it is written in
 * whole vectors). */
#ifndef STATSIDECAR_EMIT_SANITISE_H
#define STATSIDECAR_EMIT_SANITISE_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "map/model.h"

enum { SANITISE_RESERVED = 6 };

/* What may not stand in a text of one use. */
struct sanitiser {
	uint8_t class[256]; /* 0: stays, 1: becomes `_`, 2: part of UTF-8 that must be checked */
	/* Bytes beside the control bytes and 127: a vector of sixteen each. */
	char reserved[SANITISE_RESERVED][16] __attribute__((aligned(16)));
	uint8_t reserved_count;
};

extern struct sanitiser const sanitise_tag_key[DIALECT_COUNT];
extern struct sanitiser const sanitise_tag_value[DIALECT_COUNT];
extern struct sanitiser const sanitise_set; /* a set's value: | : , and control bytes */

/* The length written: the text's, cut at limit bytes on a character's boundary. */
size_t sanitise(char *out, const struct sanitiser *sanitiser, struct span text, size_t limit);

#ifdef __SSE2__
/* One bit for each of the bytes that may have to be replaced. */
static inline unsigned sanitise_suspects(const struct sanitiser *sanitiser, __m128i bytes)
{
	/* Signed and one more, so that control bytes, 127 and those from 128 on are all below the blank's successor. */
	const __m128i next = _mm_add_epi8(bytes, _mm_set1_epi8(1));
	__m128i bad = _mm_cmpgt_epi8(_mm_set1_epi8(0x21), next);
	const __m128i *reserved = (const __m128i *)(const void *)sanitiser->reserved;
	bad = _mm_or_si128(bad, _mm_or_si128(_mm_cmpeq_epi8(bytes, reserved[0]), _mm_cmpeq_epi8(bytes, reserved[1])));
	for (unsigned i = 2; i < sanitiser->reserved_count; i++)
		bad = _mm_or_si128(bad, _mm_cmpeq_epi8(bytes, reserved[i]));
	return (unsigned)_mm_movemask_epi8(bad);
}
#endif

/* Writes a text of up to 32 bytes that has SCAN_PAD bytes behind it, where nothing in it is replaced, as in most; false of any
 * other. */
static inline bool sanitise_short(char *out, const struct sanitiser *sanitiser, struct span text, size_t limit)
{
#ifdef __SSE2__
	const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)text.at);
	const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(text.at + 16));
	const uint64_t suspects = sanitise_suspects(sanitiser, low) | (uint64_t)sanitise_suspects(sanitiser, high) << 16;
	_mm_storeu_si128((__m128i *)(void *)out, low);
	_mm_storeu_si128((__m128i *)(void *)(out + 16), high);
	return text.len <= 32 && text.len <= limit && (suspects & (((uint64_t)1 << text.len) - 1)) == 0;
#else
	return text.len <= 32 && sanitise(out, sanitiser, text, limit) == text.len && memcmp(out, text.at, text.len) == 0;
#endif
}

/* A metric's name: every byte outside A-Za-z0-9_.- becomes `_`. */
size_t sanitise_name(char *out, struct span text);
/* What a field puts into a name: dots become `_` too. */
size_t sanitise_name_value(char *out, struct span text);

/* A DogStatsD event's or service check's text: newlines as \n (two characters), other control bytes and invalid UTF-8 as `_`,
 * `|` stays in an event's texts, which their lengths frame; in a service check's message, and in fields behind the texts, it becomes
 * `_`, and `m:` becomes `m\:`, the `m` also where it stands at out[-1], which must be there. Writes at most limit bytes, cut on a
 * character's boundary, and leaves in text what did not fit. */
size_t sanitise_text(char *out, struct span *text, size_t limit);
size_t sanitise_message(char *out, struct span *text, size_t limit);

#endif
