/* Our JSON reader beside jansson: whether both take a line, and find the same values in it. Where the two differ by design, the
 * line is changed for jansson alone, in a way that leaves it as valid as it is by our rules, so that nothing behind such a
 * place goes unseen:
 *
 *     invalid UTF-8, lone surrogates    each byte or escape becomes `_`, as in the text that we give
 *     \u0000                            becomes \u0001: jansson has no NUL in keys
 *     numbers beyond a double           are shortened; what is compared then is that they are numbers
 *     NUL as a byte                     becomes \x01, as invalid everywhere: jansson passes over one behind a number
 *     depth                             128 here, 2048 there: brackets are counted
 */
#ifndef STATSIDECAR_TESTS_JSON_JUDGE_H
#define STATSIDECAR_TESTS_JSON_JUDGE_H

#include "../unit/decode_fixture.h"

/* Bytes that a line may have. */
enum { JSON_JUDGE_MAX = 8192 };

struct json_tally {
	unsigned long accepted, rejected, values;
};

/* A line without its newline; false where the two differ, which was told by tap_note(). batch: the line as a batch. */
bool json_judge_event(struct decoding *decoding, struct span line, struct json_tally *tally);
bool json_judge_batch(struct decoding *decoding, struct span line, struct json_tally *tally);

#endif
