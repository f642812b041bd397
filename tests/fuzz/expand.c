/* ${NAME} and the like in a scalar, beside a reader that follows the contract word by word: `${`, a name, `:-` and a default,
 * up to the first `}`; `$$` is a dollar, any other `$` itself. */
#include <stdlib.h>

#include "../unit/rig.h"
#include "fuzz.h"
#include "settings/expand.h"

enum { TEXT_MAX = 2048, ROOM = 64 * TEXT_MAX };

struct expanded {
	char text[ROOM];
	size_t len;
	bool is_faulty;
};

static void put(struct expanded *expanded, const char *text, size_t len)
{
	memcpy(expanded->text + expanded->len, text, len);
	expanded->len += len;
}

static bool is_name(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		const char c = text.at[i];
		const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!is_letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return text.len > 0;
}

/* inner: between the braces; false where it is no variable. */
static bool put_variable(struct expanded *expanded, struct span inner)
{
	struct span name = inner;
	struct span fallback = {NULL, 0};
	if (span_starts(name, SPAN("env:")))
		name = span_skip(name, 4);
	for (size_t i = 0; i + 1 < name.len; i++) {
		if (name.at[i] != ':')
			continue;
		if (name.at[i + 1] != '-')
			return false;
		fallback = span_skip(name, i + 2);
		name.len = i;
		break;
	}
	if (!is_name(name))
		return false;
	char key[TEXT_MAX + 1];
	memcpy(key, name.at, name.len);
	key[name.len] = '\0';
	const char *value = getenv(key);
	if (value && *value)
		put(expanded, value, strlen(value));
	else if (fallback.at)
		put(expanded, fallback.at, fallback.len);
	else
		expanded->is_faulty = true;
	return true;
}

static void expand(struct expanded *expanded, struct span text)
{
	*expanded = (struct expanded){.len = 0};
	while (text.len) {
		if (span_starts(text, SPAN("$$"))) {
			put(expanded, "$", 1);
			text = span_skip(text, 2);
			continue;
		}
		if (span_starts(text, SPAN("${"))) {
			const char *end = memchr(text.at, '}', text.len);
			if (end && put_variable(expanded, (struct span){text.at + 2, (size_t)(end - text.at - 2)})) {
				text = span_skip(text, (size_t)(end - text.at) + 1);
				continue;
			}
		}
		put(expanded, text.at, 1);
		text = span_skip(text, 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct expanded want;
	struct problems problems = {0};
	if (size > TEXT_MAX)
		return 0;
	setenv("A", "value of A", 1);
	setenv("LONG_NAME_2", "${A}$$", 1);
	setenv("EMPTY", "", 1);
	unsetenv("UNSET");
	struct arena *arena = arena_new();
	const struct span raw = arena_copy(arena, (struct span){(const char *)data, size});
	struct node node = {.kind = NODE_SCALAR, .mark = {"fuzz", 1, 1}, .raw = raw, .text = raw};
	expand_tree(&node, arena, &problems);
	expand(&want, raw);
	if (!span_equal(node.text, (struct span){want.text, want.len}))
		fuzz_fail("%s: got %s, want %s", shown(raw), shown(node.text), shown((struct span){want.text, want.len}));
	if (want.is_faulty != (problems.count > 0) || want.is_faulty != node.is_faulty)
		fuzz_fail("%s: %zu faults", shown(raw), problems.count);
	problems_fini(&problems);
	arena_free(arena);
	return 0;
}
