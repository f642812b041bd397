/* A line through the JSON reader, as an event and as a batch: jansson takes the same ones and finds the same values. */
#include "../property/json_judge.h"
#include "fuzz.h"

static const char paths[] =
	"a b c ab a\\.b 0 12345678 123456789 \xc3\xa9 event a.a a.b a.c a.0 a.1 a.0.a a.1.b a.a.a a.a.0 a.0.0 b.a b.0 b.0.b "
	"b.a.c c.a.b.c a.a\\.b 0.1 0.0 12345678.ab 123456789.123456789 seventeen\\.letters";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct decoding decoding;
	static struct json_tally tally;
	struct span rest = {(const char *)data, size};
	const struct span line = fuzz_until(&rest, '\n');
	if (line.len >= JSON_JUDGE_MAX)
		return 0;
	if (!decoding.arena)
		decoding_init(&decoding, paths);
	if (!json_judge_event(&decoding, line, &tally) || !json_judge_batch(&decoding, line, &tally))
		fuzz_fail("jansson says otherwise");
	return 0;
}
