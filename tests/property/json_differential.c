/* Our JSON reader beside jansson, over generated documents, whole and damaged: both must accept the same ones and find
 * the same values. The documents are the same in every run; an argument gives another seed, a second one their number.
 *
 * Where the two differ by design, the document is changed for jansson alone, in a way that leaves it as valid as it is
 * by our rules, so that nothing behind such a place goes unseen:
 *
 *     invalid UTF-8, lone surrogates    each byte or escape becomes `_`, as in the text that we give
 *     \u0000                            becomes \u0001: jansson has no NUL in keys
 *     numbers beyond a double           are shortened; what is compared then is that they are numbers
 *     NUL as a byte                     becomes \x01, as invalid everywhere: jansson passes over one behind a number
 *     depth                             128 here, 2048 there: brackets are counted
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "../unit/decode_fixture.h"
#include "../unit/rig.h"
#include "tap.h"

enum { DOCUMENT_SIZE = 8192, PATHS_MAX = 64 };

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

/* ---- for jansson ---- */

/* Bytes of the well-formed character at `at`, or 0: after the table of RFC 3629. */
static size_t character(const unsigned char *at, size_t room)
{
	size_t len;
	unsigned low = 0x80;
	unsigned high = 0xbf;
	if (at[0] < 0x80)
		return 1;
	if (at[0] >= 0xc2 && at[0] <= 0xdf)
		len = 2;
	else if (at[0] >= 0xe0 && at[0] <= 0xef)
		len = 3;
	else if (at[0] >= 0xf0 && at[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (at[0] == 0xe0)
		low = 0xa0;
	if (at[0] == 0xed)
		high = 0x9f;
	if (at[0] == 0xf0)
		low = 0x90;
	if (at[0] == 0xf4)
		high = 0x8f;
	if (room < len || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (at[i] < 0x80 || at[i] > 0xbf)
			return 0;
	return len;
}

/* Also NUL, which jansson puts back as if it were the end of its buffer. */
static size_t mend_bytes(char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		const size_t count = character((const unsigned char *)text + at, len - at);
		if (count == 0)
			text[at] = '_';
		else if (text[at] == '\0')
			text[at] = '\1';
		at += count ? count : 1;
	}
	return len;
}

static unsigned hex(const char *at, size_t room)
{
	char digits[5] = "";
	char *end;
	if (room < 4)
		return 0;
	memcpy(digits, at, 4);
	for (int i = 0; i < 4; i++)
		if (!strchr("0123456789abcdefABCDEF", digits[i]))
			return 0;
	return (unsigned)strtoul(digits, &end, 16);
}

static void mend_escapes(char *text, size_t len)
{
	for (size_t at = 0; at + 1 < len; at++) {
		if (text[at] != '\\')
			continue;
		at++;
		if (text[at] != 'u')
			continue;
		const unsigned code = hex(text + at + 1, len - at - 1);
		if (len - at > 4 && memcmp(text + at + 1, "0000", 4) == 0)
			text[at + 4] = '1';
		if (code < 0xd800 || code > 0xdfff)
			continue;
		const bool is_pair = code < 0xdc00 && len - at > 10 && text[at + 5] == '\\' && text[at + 6] == 'u' &&
		                     (hex(text + at + 7, 4) & 0xfc00) == 0xdc00;
		if (is_pair)
			at += 10;
		else
			memcpy(text + at + 1, "005f", 4);
	}
}

/* Runs of digits outside of strings: no more than 15 before the point and behind it, no more than two in an exponent.
 * What is valid stays valid, and what is not does not. */
static size_t mend_numbers(char *text, size_t len)
{
	size_t out = 0;
	size_t run = 0;
	size_t most = 15;
	bool is_string = false;
	for (size_t at = 0; at < len; at++) {
		const char c = text[at];
		if (is_string && c == '\\' && at + 1 < len) {
			text[out++] = text[at++];
			text[out++] = text[at];
			continue;
		}
		if (c == '"')
			is_string = !is_string;
		if (c < '0' || c > '9') {
			run = 0;
			most = c == 'e' || c == 'E' || ((c == '+' || c == '-') && most == 2) ? 2 : 15;
		} else if (!is_string && ++run > most) {
			continue;
		}
		text[out++] = c;
	}
	return out;
}

/* The tree, or NULL and what jansson says. */
static json_t *load(const struct document *document, json_error_t *error)
{
	static char text[DOCUMENT_SIZE];
	memcpy(text, document->text, document->len);
	size_t len = mend_bytes(text, document->len);
	mend_escapes(text, len);
	len = mend_numbers(text, len);
	return json_loadb(text, len, JSON_ALLOW_NUL, error);
}

/* Not the tree's depth, in which a repeated key can hide some. */
static unsigned brackets_deep(const struct document *document)
{
	unsigned depth = 0;
	unsigned deepest = 0;
	bool is_string = false;
	for (size_t i = 0; i < document->len; i++) {
		const char c = document->text[i];
		if (is_string && c == '\\')
			i++;
		else if (c == '"')
			is_string = !is_string;
		else if (!is_string && (c == '{' || c == '['))
			deepest = ++depth > deepest ? depth : deepest;
		else if (!is_string && (c == '}' || c == ']'))
			depth -= depth > 0;
	}
	return deepest;
}

/* ---- comparing ---- */

/* A path's keys, in the fixture's words. */
static json_t *follow(json_t *value, const char *path)
{
	while (*path && value) {
		char key[64];
		size_t len = 0;
		while (*path && *path != '.') {
			path += *path == '\\';
			key[len++] = *path++;
		}
		path += *path == '.';
		key[len] = '\0';
		if (json_is_object(value))
			value = json_object_get(value, key);
		else if (json_is_array(value) && len == 1 && key[0] >= '0' && key[0] <= '9')
			value = json_array_get(value, (size_t)(key[0] - '0'));
		else
			value = NULL;
	}
	return value;
}

static bool string_equal(struct span ours, const json_t *theirs)
{
	static char text[DOCUMENT_SIZE];
	memcpy(text, ours.at, ours.len);
	mend_bytes(text, ours.len);
	return json_string_length(theirs) == ours.len && memcmp(json_string_value(theirs), text, ours.len) == 0;
}

static bool number_equal(struct span ours, const json_t *theirs)
{
	char text[64];
	if (!json_is_number(theirs))
		return false;
	struct document copy = {.len = ours.len};
	memcpy(copy.text, ours.at, ours.len);
	if (ours.len >= sizeof(text) || mend_numbers(copy.text, ours.len) != ours.len)
		return true; /* it was shortened */
	memcpy(text, ours.at, ours.len);
	text[ours.len] = '\0';
	/* Equal doubles: both come from the same decimal text. */
	return !(strtod(text, NULL) < json_number_value(theirs)) && !(strtod(text, NULL) > json_number_value(theirs));
}

static bool value_equal(struct lifecycle_event *event, uint16_t location, const json_t *theirs)
{
	if (!event_has(event, location))
		return !theirs || json_is_null(theirs);
	if (!theirs)
		return false;
	struct value *value = &event->values[location];
	switch ((enum value_type)value->type) {
	case VALUE_STRING:
		return json_is_string(theirs) && string_equal(event_text(event, value), theirs);
	case VALUE_NUMBER:
		return number_equal(event_text(event, value), theirs);
	case VALUE_TRUE:
		return json_is_true(theirs) && span_is(event_text(event, value), "true");
	case VALUE_FALSE:
		return json_is_false(theirs) && span_is(event_text(event, value), "false");
	case VALUE_OBJECT:
		return json_is_object(theirs);
	case VALUE_ARRAY:
		return json_is_array(theirs);
	}
	return false;
}

struct tally {
	unsigned long accepted, rejected, values;
};

static bool check_event(struct decoding *decoding, const struct document *document, struct tally *tally)
{
	const struct span line = {document->text, document->len};
	json_error_t error;
	const bool ours = decoding_json(decoding, line) == 0;
	const char *why = decoding->reader.why ? decoding->reader.why : "";
	json_t *theirs = load(document, &error);
	const size_t first = strspn(document->text, " \t\r");
	const bool is_object = first < document->len && document->text[first] == '{';
	const bool want = theirs && is_object && brackets_deep(document) <= 128;
	bool ok = ours == want;
	if (!ok)
		tap_note("%s: ours: %s %s, jansson: %s", shown(line), ours ? "valid" : "malformed", why,
		         theirs ? "valid" : error.text);
	for (size_t i = 0; ok && ours && i < decoding->path_count; i++) {
		json_t *value = follow(theirs, decoding->paths[i]);
		ok = value_equal(&decoding->event, decoding->locations[i], value);
		tally->values += value != NULL;
		if (!ok)
			tap_note("%s: values differ at %s; ours: %s", shown(line), decoding->paths[i],
			         decoding_kept(decoding));
	}
	tally->accepted += ours;
	tally->rejected += !ours;
	json_decref(theirs);
	return ok;
}

static bool is_batch_of_objects(const json_t *value)
{
	size_t index;
	json_t *part;
	if (!json_is_array(value))
		return false;
	json_array_foreach(value, index, part)
	{
		if (!json_is_object(part))
			return false;
	}
	return true;
}

static bool check_batch(struct decoding *decoding, const struct document *document, struct tally *tally)
{
	const struct span line = {document->text, document->len};
	json_error_t error;
	decoding_json(decoding, line); /* for the marks */
	struct json_reader reader = {.text = decoding->line, .mark = decoding->scan.marks, .end = decoding->len};
	reader.at = (uint32_t)strspn(document->text, " \t\r");
	int64_t ours = -1;
	if (reader.text[reader.at] == '[') {
		ours = json_check_batch(&reader);
		if (ours >= 0 && !json_at_end(&reader))
			ours = -1;
	}
	json_t *theirs = load(document, &error);
	const bool is_valid = is_batch_of_objects(theirs) && brackets_deep(document) <= 128;
	const int64_t want = is_valid ? (int64_t)json_array_size(theirs) : -1;
	if (ours != want)
		tap_note("%s: ours: %lld %s, jansson: %lld %s", shown(line), (long long)ours,
		         reader.why ? reader.why : "", (long long)want, theirs ? "" : error.text);
	tally->accepted += ours >= 0;
	tally->rejected += ours < 0;
	tally->values += ours > 0 ? (unsigned long)ours : 0;
	json_decref(theirs);
	return ours == want;
}

typedef bool check_function(struct decoding *decoding, const struct document *document, struct tally *tally);

static void run(const char *name, check_function *check, void (*make)(struct document *, uint64_t *), bool is_damaged,
                uint64_t seed, unsigned long count)
{
	static struct document document;
	struct decoding decoding;
	struct tally tally = {0};
	unsigned faults = 0;
	decoding_init(&decoding, paths);
	for (unsigned long i = 0; i < count && faults < 10; i++) {
		make(&document, &seed);
		if (is_damaged)
			document_damage(&document, &seed);
		document.text[document.len] = '\0';
		faults += !check(&decoding, &document, &tally);
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
	run("whole documents", check_event, document_make, false, seed, count);
	run("damaged documents", check_event, document_make, true, seed, 2 * count);
	run("whole batches", check_batch, batch_make, false, seed, count / 2);
	run("damaged batches", check_batch, batch_make, true, seed, count);
	return tap_end();
}
