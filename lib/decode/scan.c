#include "decode/scan.h"

#include <string.h>

#if defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#elif defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

/* One bit a byte of a block of 64. */
struct block {
	uint64_t marks;
	uint64_t newlines;
};

#if defined(__AVX512BW__) && defined(__AVX512VL__)

static inline struct block block_scan(const char *at)
{
	const __m512i bytes = _mm512_loadu_si512((const void *)at);
	struct block block;
	block.newlines = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\n'));
	block.marks = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')) |
	              _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')) |
	              _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20));
	return block;
}

#elif defined(__AVX2__)

static inline struct block block_half(const char *at)
{
	const __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
	const __m256i control = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, _mm256_set1_epi8(0x1f)), _mm256_set1_epi8(0x1f));
	const __m256i quotes = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"')),
	                                       _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\')));
	const __m256i newlines = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\n'));
	return (struct block){(uint32_t)_mm256_movemask_epi8(_mm256_or_si256(control, quotes)),
	                      (uint32_t)_mm256_movemask_epi8(newlines)};
}

static inline struct block block_scan(const char *at)
{
	const struct block low = block_half(at);
	const struct block high = block_half(at + 32);
	return (struct block){low.marks | high.marks << 32, low.newlines | high.newlines << 32};
}

#elif defined(__SSE2__)

static inline struct block block_quarter(const char *at)
{
	const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
	const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(0x1f)), _mm_set1_epi8(0x1f));
	const __m128i quotes =
		_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
	const __m128i newlines = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'));
	return (struct block){(uint32_t)_mm_movemask_epi8(_mm_or_si128(control, quotes)), (uint32_t)_mm_movemask_epi8(newlines)};
}

static inline struct block block_scan(const char *at)
{
	const struct block a = block_quarter(at);
	const struct block b = block_quarter(at + 16);
	const struct block c = block_quarter(at + 32);
	const struct block d = block_quarter(at + 48);
	return (struct block){a.marks | b.marks << 16 | c.marks << 32 | d.marks << 48,
	                      a.newlines | b.newlines << 16 | c.newlines << 32 | d.newlines << 48};
}

#else

static inline struct block block_scan(const char *at)
{
	struct block block = {0, 0};
	for (unsigned i = 0; i < 64; i++) {
		const unsigned char c = (unsigned char)at[i];
		block.marks |= (uint64_t)(c < 0x20 || c == '"' || c == '\\') << i;
		block.newlines |= (uint64_t)(c == '\n') << i;
	}
	return block;
}

#endif

uint32_t scan_line(const char *line, uint32_t *marks)
{
	uint32_t base = 0;
	uint32_t end;
	for (;; base += 64) {
		const struct block block = block_scan(line + base);
		/* Bits before the newline; all of them where there is none. */
		const uint64_t before = block.newlines ? (block.newlines & -block.newlines) - 1 : ~(uint64_t)0;
		for (uint64_t bits = block.marks & before; bits; bits &= bits - 1)
			*marks++ = base + (uint32_t)__builtin_ctzll(bits);
		if (block.newlines) {
			end = base + (uint32_t)__builtin_ctzll(block.newlines);
			break;
		}
	}
	for (int i = 0; i < SCAN_SENTINELS; i++)
		marks[i] = end;
	return end;
}
