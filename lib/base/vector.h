/* Many bytes compared at once: a bit for each, that of the first byte the lowest. By vectors where every machine of the kind has
 * them, else eight at a time. */
#ifndef STATSIDECAR_BASE_VECTOR_H
#define STATSIDECAR_BASE_VECTOR_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/word.h"

/* The highest bits of a word's bytes, side by side. */
static inline uint32_t word_high_bits(uint64_t word)
{
	return (uint32_t)(((word >> 7) & WORD_OF(1)) * UINT64_C(0x0102040810204080) >> 56);
}

/* Which of eight bytes are the same. */
static inline uint32_t word_equal(const char *a, const char *b)
{
	const uint64_t difference = word_load(a) ^ word_load(b);
	return word_high_bits(~(((difference & WORD_OF(0x7f)) + WORD_OF(0x7f)) | difference));
}

/* Which of eight bytes are digits. */
static inline uint32_t word_digits(const char *at)
{
	return word_high_bits(~word_non_digits(word_load(at)));
}

#ifdef __SSE2__

/* Which of 32 bytes are the same. */
static inline uint32_t vector_equal(const char *a, const char *b)
{
	const __m128i *const left = (const __m128i *)(const void *)a;
	const __m128i *const right = (const __m128i *)(const void *)b;
	const __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(left), _mm_loadu_si128(right));
	const __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(left + 1), _mm_loadu_si128(right + 1));
	return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
}

/* Which of 32 bytes are this one. */
static inline uint32_t vector_same(const char *at, char byte)
{
	const __m128i *const text = (const __m128i *)(const void *)at;
	const __m128i wanted = _mm_set1_epi8(byte);
	const __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(text), wanted);
	const __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(text + 1), wanted);
	return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
}

/* Which of 16 bytes are digits. */
static inline uint32_t vector_digits(const char *at)
{
	const __m128i value = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)at), _mm_set1_epi8('0'));
	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value));
}

#else

static inline uint32_t vector_equal(const char *a, const char *b)
{
	return word_equal(a, b) | word_equal(a + 8, b + 8) << 8 | word_equal(a + 16, b + 16) << 16 | word_equal(a + 24, b + 24) << 24;
}

static inline uint32_t vector_same(const char *at, char byte)
{
	char wanted[32];
	memset(wanted, byte, sizeof(wanted));
	return vector_equal(at, wanted);
}

static inline uint32_t vector_digits(const char *at)
{
	return word_digits(at) | word_digits(at + 8) << 8;
}

#endif

/* Where the first such byte of a text of len bytes stands, with SCAN_PAD bytes behind it; len: nowhere. */
static inline size_t vector_find(const char *text, size_t len, char byte)
{
	for (size_t at = 0; at < len; at += 32) {
		const uint32_t found = vector_same(text + at, byte);
		if (found) {
			at += (size_t)__builtin_ctz(found);
			return at < len ? at : len;
		}
	}
	return len;
}

#endif
