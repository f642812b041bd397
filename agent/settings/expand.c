#include "settings/expand.h"

#include <stdlib.h>

#include "settings/fault.h"

struct expansion {
	struct node *node;
	struct arena *arena;
	struct problems *problems;
	char *out; /* room for all, grown by expand_put() */
	size_t len;
	size_t size;
};

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_name_byte(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '_' || is_digit(byte);
}

static void expand_put(struct expansion *expansion, struct span text)
{
	if (text.len == 0)
		return;
	if (expansion->size - expansion->len < text.len) {
		expansion->size = (expansion->len + text.len) * 2;
		char *grown = arena_alloc(expansion->arena, expansion->size);
		if (expansion->len)
			memcpy(grown, expansion->out, expansion->len);
		expansion->out = grown;
	}
	memcpy(expansion->out + expansion->len, text.at, text.len);
	expansion->len += text.len;
}

/* inner is what stands between ${ and }. Whether it is a variable at all. */
static bool expand_variable(struct expansion *expansion, struct span inner)
{
	struct span name = inner, fallback = {NULL, 0};
	if (span_starts(name, SPAN("env:")))
		name = span_skip(name, 4);
	size_t len = 0;
	while (len < name.len && is_name_byte(name.at[len]))
		len++;
	if (len == 0 || is_digit(name.at[0]))
		return false;
	if (len < name.len) {
		struct span rest = span_skip(name, len);
		if (!span_starts(rest, SPAN(":-")))
			return false;
		fallback = span_skip(rest, 2);
	}
	struct span key = arena_copy(expansion->arena, (struct span){name.at, len});
	const char *value = getenv(key.at);
	if (value && *value) {
		expand_put(expansion, span_of(value));
	} else if (fallback.at) {
		expand_put(expansion, fallback);
	} else {
		fault(expansion->problems, expansion->node->mark,
		      "the environment variable %s is not set: set it, or give a default: ${%s:-…}", key.at, key.at);
		expansion->node->is_faulty = true;
	}
	return true;
}

/* rest begins with a dollar; how many bytes of it are dealt with. */
static size_t expand_dollar(struct expansion *expansion, struct span rest)
{
	if (rest.len >= 2 && rest.at[1] == '$') {
		expand_put(expansion, SPAN("$"));
		return 2;
	}
	if (rest.len >= 2 && rest.at[1] == '{') {
		const char *end = memchr(rest.at, '}', rest.len);
		if (end) {
			struct span inner = {rest.at + 2, (size_t)(end - rest.at) - 2};
			if (expand_variable(expansion, inner))
				return inner.len + 3;
			if (inner.len == 1 && is_digit(inner.at[0]))
				expansion->node->capture = inner.at[0];
		}
	} else if (rest.len >= 2 && is_digit(rest.at[1])) {
		expansion->node->capture = rest.at[1];
	}
	expand_put(expansion, SPAN("$"));
	return 1;
}

static void expand_scalar(struct node *node, struct arena *arena, struct problems *problems)
{
	struct span rest = node->raw;
	if (!memchr(rest.at, '$', rest.len))
		return;
	struct expansion expansion = {.node = node, .arena = arena, .problems = problems};
	while (rest.len) {
		const char *dollar = memchr(rest.at, '$', rest.len);
		size_t literal = dollar ? (size_t)(dollar - rest.at) : rest.len;
		expand_put(&expansion, (struct span){rest.at, literal});
		rest = span_skip(rest, literal);
		if (rest.len)
			rest = span_skip(rest, expand_dollar(&expansion, rest));
	}
	node->text = arena_copy(arena, (struct span){expansion.out ? expansion.out : "", expansion.len});
}

void expand_tree(struct node *node, struct arena *arena, struct problems *problems)
{
	if (node->is_expanded)
		return;
	node->is_expanded = true;
	switch (node->kind) {
	case NODE_SCALAR:
		expand_scalar(node, arena, problems);
		break;
	case NODE_LIST:
		for (size_t i = 0; i < node->count; i++)
			expand_tree(node->items[i], arena, problems);
		break;
	case NODE_MAP:
		for (size_t i = 0; i < node->count; i++)
			expand_tree(node->entries[i].value, arena, problems);
		break;
	}
}
