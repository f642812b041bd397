/* Our JSON reader beside jansson (json_judge.h), over generated documents, whole and damaged: both must accept the same ones and
 * find the same values. The documents are the same in every run; an argument gives another seed, a second one their
 * number. */
#include <jansson.h>
#include <stdlib.h>

#include "../unit/rig.h"
#include "json_judge.h"
#include "tap.h"

enum { DOCUMENT_SIZE = JSON_JUDGE_MAX };

struct document {
	char text[DOCUMENT_SIZE];
	size_t len;
};

/* ---- generating ---- */

static const char *const keys[] = {"a",
                                   "b",
                                   "c",
                                   "ab",
                                   "a.b",
                                   "",
                                   "0",
                                   "1",
                                   "12345678",
                                   "123456789",
                                   "a long key of more than sixteen bytes",
                                   "a long key of mxre than sixteen bytes",
                                   "\xc3\xa9",
                                   "\\u0061",
                                   "\\u00e9",
                                   "a\\\"b",
                                   "\\ud83d\\ude00",
                                   "x\\u0000"};
/* The paths that are asked for, in the fixture's words. */
static const char paths[] =
	"a b c ab a\\.b 0 12345678 123456789 \xc3\xa9 a.a a.b a.c a.0 a.1 a.0.a a.1.b a.a.a a.a.0 a.0.0 b.a b.0 b.0.b "
	"b.a.c c.a.b.c a.a\\.b 0.1 0.0 12345678.ab 123456789.123456789";

static void put(struct document *document, const char *text)
{
	const size_t len = strlen(text);
	if (document->len + len < DOCUMENT_SIZE) {
		memcpy(document->text + document->len, text, len);
		document->len += len;
	}
}

static void put_blanks(struct document *document, uint64_t *seed)
{
	static const char *const blanks[] = {" ", "\t", "\r", "  \t", "    "};
	if (random_below(seed, 8) == 0)
		put(document, blanks[random_below(seed, ARRAY_LEN(blanks))]);
}

static void put_string(struct document *document, uint64_t *seed)
{
	static const char *const parts[] = {
		"x",
		"plain",
		"\\\"",
		"\\\\",
		"\\/",
		"\\b",
		"\\f",
		"\\n",
		"\\r",
		"\\t",
		"\\u0041",
		"\\u00e9",
		"\\u20AC",
		"\\ud83d\\ude00",
		"\\uD800",
		"\\udfff",
		"\\ud83d",
		"\\u0000",
		"\\uffff",
		"\xc3\xa9",
		"\xe2\x82\xac",
		"\xf0\x9f\x98\x80",
		"\xff",
		"\xc3",
		"\xed\xa0\x80",
		"\xe2\x82",
		"{",
		"}",
		"[",
		"]",
		":",
		",",
		"\x7f",
		"'",
		"/",
		"12",
		"a rather long text, so that more than one block of sixty-four bytes is needed"};
	put(document, "\"");
	for (uint32_t i = random_below(seed, 6); i > 0; i--)
		put(document, parts[random_below(seed, ARRAY_LEN(parts))]);
	put(document, "\"");
}

static void put_number(struct document *document, uint64_t *seed)
{
	static const char *const numbers[] = {"0",
	                                      "-0",
	                                      "1",
	                                      "-1",
	                                      "10",
	                                      "1.5",
	                                      "0.001",
	                                      "-12.50",
	                                      "1e3",
	                                      "1E-2",
	                                      "2.5e+10",
	                                      "1e400",
	                                      "-1e999999999999999999999",
	                                      "123456789012345678901234567890",
	                                      "9223372036854775808",
	                                      "0.1234567890123456789",
	                                      "0e0",
	                                      "1e-400"};
	char text[32];
	if (random_below(seed, 2)) {
		put(document, numbers[random_below(seed, ARRAY_LEN(numbers))]);
		return;
	}
	snprintf(text, sizeof(text), "%d.%u", (int)random_below(seed, 2000) - 1000, random_below(seed, 1000));
	put(document, text);
}

static void put_value(struct document *document, uint64_t *seed, unsigned depth);

static void put_object(struct document *document, uint64_t *seed, unsigned depth)
{
	put(document, "{");
	for (uint32_t i = random_below(seed, depth ? 5 : 9), first = i; i > 0; i--) {
		put(document, i == first ? "" : ",");
		put_blanks(document, seed);
		put(document, "\"");
		put(document, keys[random_below(seed, random_below(seed, 3) ? 4 : ARRAY_LEN(keys))]);
		put(document, "\"");
		put_blanks(document, seed);
		put(document, ":");
		put_value(document, seed, depth + 1);
	}
	put_blanks(document, seed);
	put(document, "}");
}

static void put_value(struct document *document, uint64_t *seed, unsigned depth)
{
	static const char *const literals[] = {"true", "false", "null"};
	const uint32_t kind = random_below(seed, depth > 6 ? 6 : 10);
	put_blanks(document, seed);
	if (kind < 2) {
		put_string(document, seed);
	} else if (kind < 4) {
		put_number(document, seed);
	} else if (kind < 6) {
		put(document, literals[random_below(seed, 3)]);
	} else if (kind < 8) {
		put_object(document, seed, depth);
	} else {
		put(document, "[");
		for (uint32_t i = random_below(seed, 5), first = i; i > 0; i--) {
			put(document, i == first ? "" : ",");
			put_value(document, seed, depth + 1);
		}
		put_blanks(document, seed);
		put(document, "]");
	}
	put_blanks(document, seed);
}

/* Something near the limit of 128 levels. */
static void put_deep(struct document *document, uint64_t *seed)
{
	const uint32_t depth = 120 + random_below(seed, 16);
	char closing[160];
	put(document, "{\"b\":1,\"a\":");
	for (uint32_t i = 1; i < depth; i++) {
		const bool is_array = random_below(seed, 2);
		put(document, is_array ? "[" : "{\"a\":");
		closing[depth - i - 1] = is_array ? ']' : '}';
	}
	put(document, "1");
	closing[depth - 1] = '\0';
	put(document, closing);
	put(document, "}");
}

static void document_make(struct document *document, uint64_t *seed)
{
	document->len = 0;
	put_blanks(document, seed);
	if (random_below(seed, 50) == 0)
		put_deep(document, seed);
	else
		put_object(document, seed, 0);
	put_blanks(document, seed);
}

static void batch_make(struct document *document, uint64_t *seed)
{
	document->len = 0;
	put_blanks(document, seed);
	put(document, "[");
	for (uint32_t i = random_below(seed, 5), first = i; i > 0; i--) {
		put(document, i == first ? "" : ",");
		put_blanks(document, seed);
		if (random_below(seed, 40) == 0)
			put_value(document, seed, 3);
		else if (random_below(seed, 60) == 0)
			put_deep(document, seed);
		else
			put_object(document, seed, 2);
		put_blanks(document, seed);
	}
	put(document, "]");
	put_blanks(document, seed);
}

/* One to three small damages; never a newline, which would end the line. */
static void document_damage(struct document *document, uint64_t *seed)
{
	static const char bytes[] = "{}[]:,\"\\\\\"\"u0123456789.eE+-tfnaul \t\r\0\x01\x1f\x80\xc3\xff_/";
	for (uint32_t i = 1 + random_below(seed, 3); i > 0 && document->len > 1 && document->len < DOCUMENT_SIZE - 64;
	     i--) {
		const size_t at = random_below(seed, (uint32_t)document->len);
		const size_t rest = document->len - at;
		size_t count = 1 + random_below(seed, 8);
		switch (random_below(seed, 6)) {
		case 0: /* another byte */
			document->text[at] = bytes[random_below(seed, sizeof(bytes) - 1)];
			break;
		case 1: /* one more byte */
			memmove(document->text + at + 1, document->text + at, rest);
			document->text[at] = bytes[random_below(seed, sizeof(bytes) - 1)];
			document->len++;
			break;
		case 2: /* some left out */
			count = count < rest ? count : rest;
			memmove(document->text + at, document->text + at + count, rest - count);
			document->len -= count;
			break;
		case 3: /* some twice */
			count = count < rest ? count : rest;
			memmove(document->text + at + count, document->text + at, rest);
			document->len += count;
			break;
		case 4: /* cut off */
			if (random_below(seed, 4) == 0)
				document->len = at;
			break;
		case 5: { /* two bytes the other way round */
			const size_t other = random_below(seed, (uint32_t)document->len);
			const char byte = document->text[at];
			document->text[at] = document->text[other];
			document->text[other] = byte;
			break;
		}
		}
	}
}

typedef bool check_function(struct decoding *decoding, struct span line, struct json_tally *tally);

static void run(const char *name, check_function *check, void (*make)(struct document *, uint64_t *), bool is_damaged,
                uint64_t seed, unsigned long count)
{
	static struct document document;
	struct decoding decoding;
	struct json_tally tally = {0};
	unsigned faults = 0;
	decoding_init(&decoding, paths);
	for (unsigned long i = 0; i < count && faults < 10; i++) {
		make(&document, &seed);
		if (is_damaged)
			document_damage(&document, &seed);
		faults += !check(&decoding, (struct span){document.text, document.len}, &tally);
	}
	decoding_fini(&decoding);
	tap_note("%s: %lu accepted, %lu rejected, %lu values", name, tally.accepted, tally.rejected, tally.values);
	/* Whole ones are too deep now and then; of damaged ones some are still whole. */
	const unsigned long few = count / 200;
	tap_ok(faults == 0 && tally.accepted > few && tally.rejected > few && tally.values > few, name);
}

int main(int argc, char **argv)
{
	const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	const unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 0) : 20000;
	json_object_seed(1);
	run("whole documents", json_judge_event, document_make, false, seed, count);
	run("damaged documents", json_judge_event, document_make, true, seed, 2 * count);
	run("whole batches", json_judge_batch, batch_make, false, seed, count / 2);
	run("damaged batches", json_judge_batch, batch_make, true, seed, count);
	return tap_end();
}
