/* Up to eight bytes of text in one register: the first byte of the text is the lowest of the word, whatever the
 * machine's byte order. Nothing beside the text is read. */
#ifndef STATSIDECAR_BASE_WORD_H
#define STATSIDECAR_BASE_WORD_H

#include <stdint.h>
#include <string.h>

/* The same byte in all eight places. */
#define WORD_OF(byte) (UINT64_C(0x0101010101010101) * (uint8_t)(byte))

static inline uint64_t word_little(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(word);
#else
	return word;
#endif
}

static inline uint64_t word_load(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return word_little(word);
}

static inline void word_store(char *out, uint64_t word)
{
	word = word_little(word);
	memcpy(out, &word, sizeof(word));
}

/* 1 to 8 bytes, zeros above them. The loads overlap, so that there is no loop. */
static inline uint64_t word_load_short(const char *at, size_t len)
{
	if (len >= 4) {
		uint32_t low, high;
		memcpy(&low, at, sizeof(low));
		memcpy(&high, at + len - 4, sizeof(high));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		low = __builtin_bswap32(low);
		high = __builtin_bswap32(high);
#endif
		return low | (uint64_t)high << 8 * (len - 4);
	}
	uint64_t first = (uint8_t)at[0], middle = (uint8_t)at[len >> 1], last = (uint8_t)at[len - 1];
	return first | middle << 8 * (len >> 1) | last << 8 * (len - 1);
}

/* The count lowest bytes, 0 to 8. */
static inline uint64_t word_mask(size_t count)
{
	return count < 8 ? (UINT64_C(1) << 8 * count) - 1 : UINT64_MAX;
}

/* The bytes of word that are no digits, as 0x80 in their places. */
static inline uint64_t word_non_digits(uint64_t word)
{
	uint64_t value = word ^ WORD_OF('0');
	return (((value & WORD_OF(0x7f)) + WORD_OF(0x80 - 10)) | value) & WORD_OF(0x80);
}

/* Index of the lowest byte that is not 0; word must have one. */
static inline size_t word_first(uint64_t word)
{
	return (size_t)__builtin_ctzll(word) / 8;
}

/* Index of the highest byte that is not 0; word must have one. */
static inline size_t word_last(uint64_t word)
{
	return 7 - (size_t)__builtin_clzll(word) / 8;
}

#endif
