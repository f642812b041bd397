/* The whole way: bytes -> lines -> events -> metrics -> datagrams, by several configurations. The first byte chooses one, and
 * how the bytes behind the next two come:
 *
 *     a stream    once as a whole, once in pieces whose sizes the two bytes decide: both give the same accounts and lines
 *     datagrams   apart by NUL bytes
 *
 * Whatever comes, the accounts balance and every line is one of its output's dialect. */
#include <stdlib.h>

#include "configurations.h"
#include "fuzz.h"
#include "path.h"

enum { STREAM_AT_ONCE, STREAM_FLUSHED, DATAGRAMS, WAYS };

struct pair {
	struct rig whole, pieces;
	uint32_t blocking;
	bool is_made;
};

static struct pair *pair_of(const struct configuration *configuration)
{
	static struct pair pairs[ARRAY_LEN(configurations)];
	struct pair *pair = &pairs[configuration - configurations];
	if (!pair->is_made) {
		pair->blocking = path_init(&pair->whole, configuration->yaml);
		path_init(&pair->pieces, configuration->yaml);
		pair->is_made = true;
	}
	path_reset(&pair->whole, pair->blocking);
	return pair;
}

/* A stream in pieces of 1 to 64 bytes, or as they come; sent after each where is_flushed. */
static void read_pieces(struct rig *rig, struct span bytes, uint64_t seed, bool is_flushed)
{
	const uint32_t most = 1 + random_below(&seed, random_below(&seed, 2) ? 64 : 2000);
	while (bytes.len) {
		const size_t len = 1 + random_below(&seed, most);
		const struct span piece = span_cut(bytes, len);
		rig_read(rig, 0, piece, piece.len);
		bytes = span_skip(bytes, piece.len);
		for (uint16_t i = 0; is_flushed && i < rig->model.output_count; i++)
			rig_output(rig, i);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = {(const char *)data, size};
	const uint8_t choice = fuzz_byte(&rest);
	uint64_t seed = fuzz_byte(&rest);
	seed = seed << 8 | fuzz_byte(&rest);
	const struct configuration *configuration = &configurations[choice % ARRAY_LEN(configurations)];
	const unsigned way = choice / ARRAY_LEN(configurations) % WAYS;
	struct pair *pair = pair_of(configuration);
	if (way == DATAGRAMS) {
		while (rest.len)
			rig_datagram(&pair->whole, 0, fuzz_until(&rest, '\0'));
		path_check(&pair->whole, configuration->origin, NULL);
		return 0;
	}
	rig_read(&pair->whole, 0, rest, READ_SIZE);
	rig_end(&pair->whole, 0);
	path_reset(&pair->pieces, pair->blocking);
	read_pieces(&pair->pieces, rest, seed, way == STREAM_FLUSHED);
	rig_end(&pair->pieces, 0);
	path_check(&pair->whole, configuration->origin, NULL);
	path_check(&pair->pieces, configuration->origin, NULL);
	path_compare(&pair->whole, &pair->pieces);
	return 0;
}
