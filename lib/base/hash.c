#include "base/hash.h"

#include "base/word.h"

/* The state of SipHash: four words, mixed by additions, rotations and exclusive ors. */
struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void mix(struct state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

/* The last word: what is left of the text, the length's low byte on top. */
static inline uint64_t load_rest(struct span text)
{
	size_t rest = text.len & 7;
	uint64_t word = (uint64_t)text.len << 56;
	if (rest == 0)
		return word;
	if (text.len > 8)
		return word | word_load(text.at + text.len - 8) >> (64 - 8 * rest);
	return word | word_load_short(text.at, rest);
}

uint64_t hash_span(const struct hash_key *key, struct span text)
{
	/* The constants spell "somepseudorandomlygeneratedbytes". */
	struct state s = {
		key->k0 ^ 0x736f6d6570736575,
		key->k1 ^ 0x646f72616e646f6d,
		key->k0 ^ 0x6c7967656e657261,
		key->k1 ^ 0x7465646279746573,
	};
	size_t whole = text.len & ~(size_t)7;
	for (size_t i = 0; i < whole; i += 8) {
		uint64_t word = word_load(text.at + i);
		s.v3 ^= word;
		mix(&s);
		s.v0 ^= word;
	}
	uint64_t last = load_rest(text);
	s.v3 ^= last;
	mix(&s);
	s.v0 ^= last;
	s.v2 ^= 0xff;
	mix(&s);
	mix(&s);
	mix(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
