#include "settings/yaml_mend.h"

#include <stdlib.h>
#include <yaml.h>

#include "base/utf8.h"
#include "settings/fault.h"

struct mender {
	char *text;
	size_t len;
	const char *file;
	struct problems *problems;
	struct mended *mended;
};

/* A character's place in bytes; libyaml counts characters. */
static size_t mend_offset(const struct mender *mender, size_t index)
{
	size_t at = 0;
	for (; index > 0 && at < mender->len; index--) {
		size_t length = utf8_length(mender->text + at, mender->len - at);
		at += length ? length : 1;
	}
	return at;
}

/* Characters between two places in bytes. */
static size_t mend_characters(const struct mender *mender, size_t from, size_t to)
{
	size_t count = 0;
	for (size_t at = from; at < to; at++)
		count += ((unsigned char)mender->text[at] & 0xC0) != 0x80;
	return count;
}

static struct mark mend_mark(const struct mender *mender, yaml_mark_t mark)
{
	return (struct mark){mender->file, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

static bool is_end_of_word(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == ',' || byte == ']' || byte == '}';
}

static struct span mend_word(const struct mender *mender, size_t at)
{
	size_t end = at;
	while (end < mender->len && !is_end_of_word(mender->text[end]))
		end++;
	return (struct span){mender->text + at, end - at};
}

/* The byte at `at` begins a text that YAML reads as something else. */
static bool mend_start(struct mender *mender, yaml_mark_t mark)
{
	size_t at = mend_offset(mender, mark.index);
	if (at >= mender->len || !strchr("*&!@`%|>", mender->text[at]))
		return false;
	struct span word = mend_word(mender, at);
	fault(mender->problems, mend_mark(mender, mark), "a text that begins with %c must stand in quotes: \"%.*s\"",
	      mender->text[at], FAULT_ARG(word));
	mender->text[at] = 'x';
	mender->mended->places[mender->mended->place_count++] = mark.index;
	return true;
}

/* `text: Error: none`: a colon and a blank inside a text. */
static bool mend_colon(struct mender *mender, yaml_mark_t mark)
{
	size_t at = mend_offset(mender, mark.index);
	if (at >= mender->len || mender->text[at] != ':')
		return false;
	fault(mender->problems, mend_mark(mender, mark),
	      "a `:` before a blank begins a value here: put the whole text in quotes, or check the indentation");
	mender->text[at] = 'x';
	mender->mended->places[mender->mended->place_count++] = mark.index;
	return true;
}

/* `[stdin:]`: a text that ends with a colon. */
static bool mend_last_colon(struct mender *mender, yaml_mark_t mark)
{
	size_t at = mend_offset(mender, mark.index);
	if (at >= mender->len || mender->text[at] != ':')
		return false;
	size_t start = at;
	while (start > 0 && !is_end_of_word(mender->text[start - 1]) && !strchr("[{", mender->text[start - 1]))
		start--;
	struct mark place = mend_mark(mender, mark);
	place.column -= (uint32_t)mend_characters(mender, start, at);
	struct span word = {mender->text + start, at + 1 - start};
	fault(mender->problems, place, "a text that ends with : must stand in quotes: \"%.*s\"", FAULT_ARG(word));
	mender->text[at] = 'x';
	mender->mended->places[mender->mended->place_count++] = mark.index;
	return true;
}

/* Where the brace run ends that begins (step 1) or that began (step -1) at `at`, on the same line; mender->len:
 * nowhere. */
static size_t mend_matching(const struct mender *mender, size_t at, int step)
{
	char own = mender->text[at], other = own == '{' ? '}' : '{';
	int depth = 0;
	for (size_t i = at; i < mender->len && mender->text[i] != '\n'; i = step > 0 ? i + 1 : i - 1) {
		if (mender->text[i] == own)
			depth++;
		else if (mender->text[i] == other && --depth == 0)
			return i;
		if (i == 0 && step < 0)
			break;
	}
	return mender->len;
}

static void mend_run(struct mender *mender, size_t from, size_t to)
{
	for (size_t i = from; i <= to; i++) {
		char byte = mender->text[i];
		if (byte >= '!' && byte < 127 && strchr("{}[],:\"'#&*!|>%@`?-", byte))
			mender->text[i] = 'x';
	}
}

/* Where the text ends that has a brace run up to `to` in it, further runs included. */
static size_t mend_end(const struct mender *mender, size_t to)
{
	size_t end = to + 1;
	while (end < mender->len && !is_end_of_word(mender->text[end])) {
		size_t close = mender->text[end] == '{' ? mend_matching(mender, end, 1) : end;
		if (close == mender->len)
			break;
		end = close + 1;
	}
	return end;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Where the text begins that has `at` in it: a word, or in [ ] and { } all since the last `[`, `,` or `: `. */
static size_t mend_begin(const struct mender *mender, size_t at, bool is_in_item)
{
	size_t start = at;
	while (start > 0 && !strchr("[{", mender->text[start - 1]) &&
	       (!is_end_of_word(mender->text[start - 1]) || (is_in_item && is_blank(mender->text[start - 1])))) {
		if (is_in_item && start > 1 && is_blank(mender->text[start - 1]) && mender->text[start - 2] == ':')
			break;
		start--;
	}
	while (start < at && is_blank(mender->text[start]))
		start++;
	return start;
}

/* `counter: {event}.x`: a text that begins with a field; `[a.{b}]`, `{a: ${B}}`, `[n > {b}]`: one that has a field in it. */
static bool mend_braces(struct mender *mender, yaml_mark_t mark, bool is_in_item)
{
	size_t at = mend_offset(mender, mark.index);
	if (at >= mender->len || at == 0)
		return false;
	size_t from = at, to;
	if (mender->text[at] == '{' && (is_in_item || !is_end_of_word(mender->text[at - 1]))) {
		to = mend_matching(mender, at, 1);
		if (to == mender->len)
			return false;
	} else if (mender->text[at - 1] == '}') {
		to = at - 1;
		from = mend_matching(mender, to, -1);
		if (from == mender->len)
			return false;
	} else {
		return false;
	}
	size_t start = mend_begin(mender, from, is_in_item);
	struct span word = {mender->text + start, mend_end(mender, to) - start};
	struct mark place = mend_mark(mender, mark);
	place.column -= (uint32_t)mend_characters(mender, start, at);
	fault(mender->problems, place, "a text with { in it must stand in quotes here: \"%.*s\"", FAULT_ARG(word));
	mend_run(mender, from, start + word.len - 1);
	mender->mended->places[mender->mended->place_count++] = mark.index - mend_characters(mender, from, at);
	return true;
}

static bool mend_error(struct mender *mender, const yaml_parser_t *parser)
{
	if (mender->mended->place_count == MEND_MAX)
		return false;
	const char *context = parser->context ? parser->context : "";
	const char *problem = parser->problem ? parser->problem : "";
	if (strstr(context, "scanning an alias") || strstr(context, "scanning an anchor") ||
	    strstr(context, "scanning a tag") || strstr(context, "scanning a block scalar"))
		return mend_start(mender, parser->context_mark);
	if (strstr(problem, "cannot start any token"))
		return mend_start(mender, parser->problem_mark);
	if (strstr(problem, "found unexpected ':'"))
		return mend_last_colon(mender, parser->problem_mark);
	if (strstr(problem, "mapping values are not allowed"))
		return mend_colon(mender, parser->problem_mark);
	return mend_braces(mender, parser->problem_mark, strstr(problem, "did not find expected ',' or") != NULL);
}

/* A fault that ends the document, in words that say where to look. */
static void mend_report(const struct mender *mender, const yaml_parser_t *parser)
{
	const char *context = parser->context ? parser->context : "";
	const char *problem = parser->problem ? parser->problem : "unreadable";
	struct mark mark = mend_mark(mender, parser->problem_mark);
	if (parser->error == YAML_READER_ERROR) {
		mark = (struct mark){mender->file, 1, 1};
		size_t end = parser->problem_offset < mender->len ? parser->problem_offset : mender->len;
		for (size_t at = 0; at < end;) {
			size_t length = utf8_length(mender->text + at, mender->len - at);
			mark.column = mender->text[at] == '\n' ? 1 : mark.column + 1;
			mark.line += mender->text[at] == '\n';
			at += length ? length : 1;
		}
		fault(mender->problems, mark, "a character that YAML does not allow: %s", problem);
	} else if (strstr(context, "quoted scalar")) {
		fault(mender->problems, mend_mark(mender, parser->context_mark),
		      "a quote opens here and is never closed");
	} else if (strstr(problem, "cannot start any token")) {
		fault(mender->problems, mark, "a tab cannot indent: use blanks");
	} else if (strstr(context, "flow node")) {
		fault(mender->problems, mark, "a value is missing here, or the ] or } that closes the list or map");
	} else if (strstr(context, "flow")) {
		fault(mender->problems, mark, "%s, in the %s that opens on line %zu", problem,
		      strstr(context, "mapping") ? "{ }" : "[ ]", parser->context_mark.line + 1);
	} else if (*context) {
		fault(mender->problems, mark,
		      "%s: check the indentation of this line and of those above (%s from line %zu)", problem, context,
		      parser->context_mark.line + 1);
	} else {
		fault(mender->problems, mark, "%s: check the indentation of this line and of those above", problem);
	}
}

static void release_parser(void *parser)
{
	yaml_parser_delete(parser);
}

/* Runs over the whole text; whether there was nothing to mend, or nothing that can be. */
static bool mend_once(struct mender *mender)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool is_done = false;
	struct arena_guard guard;
	if (!yaml_parser_initialize(&parser))
		arena_exhausted();
	arena_guard(&guard, release_parser, &parser);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)mender->text, mender->len);
	for (bool is_over = false; !is_over;) {
		if (!yaml_parser_parse(&parser, &event)) {
			if (parser.error == YAML_MEMORY_ERROR)
				arena_exhausted();
			if (!mend_error(mender, &parser)) {
				mend_report(mender, &parser);
				mender->mended->is_broken = is_done = true;
			}
			break;
		}
		is_over = is_done = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	arena_unguard(&guard);
	yaml_parser_delete(&parser);
	return is_done;
}

void yaml_mend(struct mended *mended, struct span text, const char *file, struct arena *arena,
               struct problems *problems)
{
	struct span copy = arena_copy(arena, text);
	char *bytes = arena_alloc(arena, copy.len + 1);
	memcpy(bytes, copy.at, copy.len);
	struct mender mender = {bytes, copy.len, file, problems, mended};
	*mended = (struct mended){{bytes, copy.len}, {0}, 0, false};
	while (!mend_once(&mender))
		;
}
