#define _GNU_SOURCE /* memrchr */
#include "decode/scan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/inline.h"

/* One bit a byte of a block of 64. */
struct block {
	uint64_t marks;
	uint64_t newlines;
};

typedef struct block block_scan(const char *at);
/* Writes the offsets of the bits in marks from *out on. */
typedef uint32_t *block_write(uint32_t *out, uint64_t marks, uint32_t base);

/* The one loop of all ways: inlined into each, so that both functions are, too. */
INLINE void index_by(struct scan *scan, const char *text, uint32_t len, block_scan *look, block_write *write)
{
	uint32_t *out = scan->marks;
	struct scan_line *line = scan->lines;

	for (uint32_t base = 0; base < len; base += 64) {
		struct block block = look(text + base);
		if (len - base < 64) {
			const uint64_t within = ((uint64_t)1 << (len - base)) - 1;
			block.marks &= within;
			block.newlines &= within;
		}
		/* Where a line ends is another place each time: one is written in any case, and counts where there is one. */
		uint64_t bits = block.newlines;
		do {
			const uint64_t before = (bits & -bits) - 1;
			line->end = base + (uint32_t)__builtin_ctzll(bits | (uint64_t)1 << 63);
			line->mark = (uint32_t)(out - scan->marks) + (uint32_t)__builtin_popcountll(block.marks & before);
			line += bits != 0;
			bits &= bits - 1;
		} while (unlikely(bits != 0));
		out = write(out, block.marks, base);
	}
	for (int i = 0; i < SCAN_SENTINELS; i++)
		out[i] = len - 1;
	scan->line_count = (uint32_t)(line - scan->lines);
}

/* Eight at a time without looking: a count of bits that differs with every block would mislead a loop's prediction. */
INLINE uint32_t *write_eights(uint32_t *out, uint64_t marks, uint32_t base)
{
	uint32_t *const end = out + __builtin_popcountll(marks);
	while (out < end) {
		for (int i = 0; i < 8; i++) {
			out[i] = base + (marks ? (uint32_t)__builtin_ctzll(marks) : 0);
			marks &= marks - 1;
		}
		out += 8;
	}
	return end;
}

/* ---- any machine ---- */

INLINE struct block look_plainly(const char *at)
{
	struct block block = {0, 0};
	for (unsigned i = 0; i < 64; i++) {
		const unsigned char c = (unsigned char)at[i];
		block.marks |= (uint64_t)(c < 0x20 || c == '"' || c == '\\') << i;
		block.newlines |= (uint64_t)(c == '\n') << i;
	}
	return block;
}

static void index_plainly(struct scan *scan, const char *text, uint32_t len)
{
	index_by(scan, text, len, look_plainly, write_eights);
}

static int is_always_possible(void)
{
	return true;
}

#ifdef __x86_64__

/* ---- SSE2: every x86-64 ---- */

INLINE struct block look_sixteen(const char *at)
{
	const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
	const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(0x1f)), _mm_set1_epi8(0x1f));
	const __m128i quotes =
		_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
	const __m128i newlines = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'));
	return (struct block){(uint32_t)_mm_movemask_epi8(_mm_or_si128(control, quotes)), (uint32_t)_mm_movemask_epi8(newlines)};
}

INLINE struct block look_sse2(const char *at)
{
	const struct block a = look_sixteen(at);
	const struct block b = look_sixteen(at + 16);
	const struct block c = look_sixteen(at + 32);
	const struct block d = look_sixteen(at + 48);
	return (struct block){a.marks | b.marks << 16 | c.marks << 32 | d.marks << 48,
	                      a.newlines | b.newlines << 16 | c.newlines << 32 | d.newlines << 48};
}

static void index_sse2(struct scan *scan, const char *text, uint32_t len)
{
	index_by(scan, text, len, look_sse2, write_eights);
}

/* ---- AVX2 ---- */

#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

AVX2 INLINE struct block look_avx2(const char *at)
{
	const __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)at);
	const __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));
	const __m256i last = _mm256_set1_epi8(0x1f), quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\');
	const __m256i newline = _mm256_set1_epi8('\n');
	const __m256i low_marks =
		_mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(low, quote), _mm256_cmpeq_epi8(low, slash)),
	                    _mm256_cmpeq_epi8(_mm256_max_epu8(low, last), last));
	const __m256i high_marks =
		_mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(high, quote), _mm256_cmpeq_epi8(high, slash)),
	                    _mm256_cmpeq_epi8(_mm256_max_epu8(high, last), last));
	return (struct block){
		(uint32_t)_mm256_movemask_epi8(low_marks) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high_marks) << 32,
		(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, newline)) |
			(uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, newline)) << 32,
	};
}

AVX2 INLINE uint32_t *write_avx2(uint32_t *out, uint64_t marks, uint32_t base)
{
	uint32_t *const end = out + __builtin_popcountll(marks);
	while (out < end) {
		for (int i = 0; i < 8; i++) {
			out[i] = base + (uint32_t)_tzcnt_u64(marks);
			marks = _blsr_u64(marks);
		}
		out += 8;
	}
	return end;
}

AVX2 static void index_avx2(struct scan *scan, const char *text, uint32_t len)
{
	index_by(scan, text, len, look_avx2, write_avx2);
}

static int is_avx2_possible(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

/* ---- AVX-512 ---- */

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi,bmi2,lzcnt,popcnt")))

AVX512 INLINE struct block look_avx512(const char *at)
{
	const __m512i bytes = _mm512_loadu_si512((const void *)at);
	return (struct block){
		_mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')) | _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')) |
			_mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20)),
		_mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\n')),
	};
}

/* The numbers of the set bits, pushed together, then widened sixteen at a time. */
AVX512 INLINE uint32_t *write_avx512(uint32_t *out, uint64_t marks, uint32_t base)
{
	const __m512i numbers = _mm512_set_epi64(0x3f3e3d3c3b3a3938, 0x3736353433323130, 0x2f2e2d2c2b2a2928, 0x2726252423222120,
	                                         0x1f1e1d1c1b1a1918, 0x1716151413121110, 0x0f0e0d0c0b0a0908, 0x0706050403020100);
	const __m512i places = _mm512_maskz_compress_epi8(marks, numbers);
	const __m512i bases = _mm512_set1_epi32((int)base);
	const int count = __builtin_popcountll(marks);

	_mm512_storeu_si512(out, _mm512_add_epi32(bases, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(places))));
	if (unlikely(count > 16)) {
		_mm512_storeu_si512(out + 16, _mm512_add_epi32(bases, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(places, 1))));
		_mm512_storeu_si512(out + 32, _mm512_add_epi32(bases, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(places, 2))));
		_mm512_storeu_si512(out + 48, _mm512_add_epi32(bases, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(places, 3))));
	}
	return out + count;
}

AVX512 static void index_avx512(struct scan *scan, const char *text, uint32_t len)
{
	index_by(scan, text, len, look_avx512, write_avx512);
}

static int is_avx512_possible(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("bmi2");
}

#endif

/* ---- which one ---- */

const struct scan_way scan_ways[] = {
#ifdef __x86_64__
	{"avx512", is_avx512_possible, index_avx512},
	{"avx2", is_avx2_possible, index_avx2},
	{"sse2", is_always_possible, index_sse2},
#endif
	{"plain", is_always_possible, index_plainly},
};

const uint32_t scan_way_count = sizeof(scan_ways) / sizeof(*scan_ways);

static uint32_t mark_room(uint32_t text_max)
{
	return text_max + SCAN_GROUP + SCAN_SENTINELS;
}

int scan_init(struct scan *scan, uint32_t text_max)
{
	const struct scan_way *way = scan_ways;
	while (!way->is_possible())
		way++;
	*scan = (struct scan){.index = way->index};
	scan->marks = malloc(mark_room(text_max) * sizeof(*scan->marks));
	scan->lines = malloc(SCAN_WINDOW * sizeof(*scan->lines));
	if (scan->marks && scan->lines)
		return 0;
	scan_fini(scan);
	return -1;
}

void scan_fini(struct scan *scan)
{
	free(scan->marks);
	free(scan->lines);
	*scan = (struct scan){0};
}

uint32_t scan_memory(uint32_t text_max)
{
	return mark_room(text_max) * (uint32_t)sizeof(uint32_t) + SCAN_WINDOW * (uint32_t)sizeof(struct scan_line);
}

uint32_t scan_window(const char *text, uint32_t len, uint32_t text_max)
{
	if (len <= SCAN_WINDOW)
		return len;
	const char *last = memrchr(text, '\n', SCAN_WINDOW);
	if (!last)
		last = memchr(text, '\n', len < text_max ? len : text_max);
	return last ? (uint32_t)(last - text) + 1 : 0;
}
