/* One line through a decoder, for tests: a fieldset of dotted paths (a literal key with dots is written with `\.`), a
 * line, and what was kept, as text. */
#ifndef STATSIDECAR_TESTS_DECODE_FIXTURE_H
#define STATSIDECAR_TESTS_DECODE_FIXTURE_H

#include "decode/json.h"
#include "decode/logfmt.h"
#include "decode/scan.h"

struct decoding {
	struct arena *arena;
	struct fieldset fieldset;
	struct lifecycle_event event;
	const char *paths[64];
	uint16_t locations[64];
	size_t path_count;
	char *line; /* a copy with the padding, a newline behind it */
	uint32_t len;
	struct scan scan;
	struct json_reader reader;
};

/* paths: apart by blanks. */
void decoding_init(struct decoding *decoding, const char *paths);
void decoding_fini(struct decoding *decoding);
/* The line is borrowed no longer than the call. 0 or -1, as the decoders say; json: the whole line, trailing blanks
 * too. */
int decoding_json(struct decoding *decoding, struct span line);
int decoding_logfmt(struct decoding *decoding, struct span line, const char **why, uint32_t *at);
/* `a=s:text b.c=n:1 d=true e={} f=[]`: what is present, in the order of the paths. */
const char *decoding_kept(struct decoding *decoding);

#endif
