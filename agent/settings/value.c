#include "settings/value.h"

#include "settings/fault.h"

const char *value_kind(const struct node *node)
{
	switch (node->kind) {
	case NODE_SCALAR:
		return node_is_nothing(node) ? "nothing" : "a text";
	case NODE_LIST:
		return "a list";
	case NODE_MAP:
		return "a map";
	}
	return "nothing";
}

struct text value_key(const struct node *key)
{
	return (struct text){key->raw, key->mark};
}

bool value_unquoted(struct reader *reader, const struct node *node)
{
	if (node->kind != NODE_MAP || node->count != 1 || !node_is_nothing(node->entries[0].value))
		return false;
	const struct node *key = node->entries[0].key;
	/* A map in braces begins before its key, `[stdin:]` and `- stdin:` with it. */
	if (node->mark.line == key->mark.line && node->mark.column == key->mark.column)
		fault(reader->problems, node->mark, "a text that ends with : must stand in quotes: \"%.*s:\"",
		      FAULT_ARG(key->raw));
	else
		fault(reader->problems, node->mark, "a text that begins with { must stand in quotes: \"{%.*s}\"",
		      FAULT_ARG(key->raw));
	return true;
}

bool value_text(struct reader *reader, const char *name, const struct node *node, struct text *text)
{
	if (node->is_faulty)
		return false;
	if (value_unquoted(reader, node))
		return false;
	if (node_is_nothing(node)) {
		fault(reader->problems, node->mark, "`%s` has no value here: write one, or \"\" for an empty text",
		      name);
		return false;
	}
	if (node->kind != NODE_SCALAR) {
		fault(reader->problems, node->mark, "`%s` takes a text, not %s", name, value_kind(node));
		return false;
	}
	*text = (struct text){node->text, node->mark};
	return true;
}

bool value_template(struct reader *reader, const char *name, const struct node *node, struct text *text)
{
	if (!value_text(reader, name, node, text))
		return false;
	if (!node->capture)
		return true;
	fault(reader->problems, node->mark,
	      "write {%c} for what the pattern's star number %c caught ($$%c for a dollar and a %c)", node->capture,
	      node->capture, node->capture, node->capture);
	return false;
}

bool value_texts(struct reader *reader, const char *name, const struct node *node, struct texts *texts)
{
	struct text text;
	if (node->kind != NODE_LIST) {
		if (node->is_faulty || value_unquoted(reader, node))
			return false;
		if (node->kind == NODE_MAP) {
			fault(reader->problems, node->mark, "`%s` takes a list of texts, not a map", name);
			return false;
		}
		if (!value_text(reader, name, node, &text))
			return false;
		texts->items = arena_array(reader->arena, 1, sizeof(*texts->items));
		texts->items[0] = text;
		texts->count = 1;
		return true;
	}
	texts->items = arena_array(reader->arena, node->count + 1, sizeof(*texts->items));
	texts->count = 0;
	bool is_whole = true;
	for (size_t i = 0; i < node->count; i++) {
		if (value_text(reader, name, node->items[i], &text))
			texts->items[texts->count++] = text;
		else
			is_whole = false;
	}
	return is_whole;
}

/* Whether node is of that kind; nothing, `null` and `~` are refused without a word: they stand for an empty one. */
static bool value_is(struct reader *reader, const char *name, const struct node *node, enum node_kind kind)
{
	if (node->kind == kind && !node->is_faulty)
		return true;
	bool is_null = node->kind == NODE_SCALAR && node->is_plain &&
	               (node->raw.len == 0 || span_is(node->raw, "null") || span_is(node->raw, "~"));
	if (!is_null && !node->is_faulty)
		fault(reader->problems, node->mark, "`%s` takes %s, not %s", name,
		      kind == NODE_MAP ? "a map (KEY: VALUE)" : "a list ([A, B], or lines that begin with -)",
		      value_kind(node));
	return false;
}

bool value_is_map(struct reader *reader, const char *name, const struct node *node)
{
	return value_is(reader, name, node, NODE_MAP);
}

bool value_is_list(struct reader *reader, const char *name, const struct node *node)
{
	return value_is(reader, name, node, NODE_LIST);
}

bool value_tags(struct reader *reader, const char *name, const struct node *node, struct tags_model *tags,
                value_reader *read)
{
	if (!value_is_map(reader, name, node))
		return false;
	tags->items = arena_array(reader->arena, node->count + 1, sizeof(*tags->items));
	tags->count = 0;
	bool is_whole = true;
	for (size_t i = 0; i < node->count; i++) {
		const struct node_entry *entry = &node->entries[i];
		struct tag_model tag = {.key = value_key(entry->key)};
		if (entry->key->is_faulty)
			continue;
		if (entry->key->raw.len == 0)
			fault(reader->problems, entry->key->mark, "a key of `%s` must not be empty", name);
		else if (read(reader, entry->key->raw.at, entry->value, &tag.value))
			tags->items[tags->count++] = tag;
		else
			is_whole = false;
	}
	return is_whole;
}

static void write_choices(char *out, size_t size, const char *const *choices)
{
	size_t len = 0;
	out[0] = 0;
	for (size_t i = 0; choices[i] && len < size; i++) {
		const char *joint = i == 0 ? "" : choices[i + 1] ? ", " : " or ";
		len += (size_t)snprintf(out + len, size - len, "%s%s", joint, choices[i]);
	}
}

int value_choice_text(struct reader *reader, const char *name, const struct text *text, const char *const *choices)
{
	char known[512];
	for (int i = 0; choices[i]; i++)
		if (span_is(text->span, choices[i]))
			return i;
	const char *nearest = problem_nearest(text->span, choices);
	write_choices(known, sizeof(known), choices);
	fault(reader->problems, text->mark, "`%s` takes %s, not `%.*s`%s%s%s", name, known, FAULT_ARG(text->span),
	      nearest ? "; did you mean `" : "", nearest ? nearest : "", nearest ? "`?" : "");
	return -1;
}

int value_choice(struct reader *reader, const char *name, const struct node *node, const char *const *choices)
{
	struct text text;
	if (!value_text(reader, name, node, &text))
		return -1;
	return value_choice_text(reader, name, &text, choices);
}
