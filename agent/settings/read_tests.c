/* tests: [{name: …, event: {event: step.completed, …}, expect: [line, …]}, …]. Event maps become JSON lines: plain
 * scalars that are JSON's numbers, true, false, null (and ~) stay what they are, all else becomes a string. */
#include "base/decimal.h"
#include "settings/fault.h"
#include "settings/source.h"
#include "settings/value.h"

struct json {
	struct arena *arena;
	char *out;
	size_t len;
	size_t size;
};

static void json_put(struct json *json, struct span text)
{
	if (json->size - json->len < text.len) {
		json->size = (json->len + text.len) * 2;
		char *grown = arena_alloc(json->arena, json->size);
		if (json->len)
			memcpy(grown, json->out, json->len);
		json->out = grown;
	}
	if (text.len)
		memcpy(json->out + json->len, text.at, text.len);
	json->len += text.len;
}

static void json_string(struct json *json, struct span text)
{
	json_put(json, SPAN("\""));
	for (size_t i = 0; i < text.len; i++) {
		char escape[8];
		unsigned char byte = (unsigned char)text.at[i];
		if (byte == '"' || byte == '\\')
			snprintf(escape, sizeof(escape), "\\%c", byte);
		else if (byte == '\n')
			snprintf(escape, sizeof(escape), "\\n");
		else if (byte < ' ')
			snprintf(escape, sizeof(escape), "\\u%04x", byte);
		else
			snprintf(escape, sizeof(escape), "%c", byte);
		json_put(json, span_of(escape));
	}
	json_put(json, SPAN("\""));
}

static void json_scalar(struct json *json, const struct node *node)
{
	struct decimal number;
	if (!node->is_plain)
		json_string(json, node->text);
	else if (node->raw.len == 0 || span_is(node->text, "~") || span_is(node->text, "null"))
		json_put(json, SPAN("null"));
	else if (span_is(node->text, "true") || span_is(node->text, "false") || decimal_parse(&number, node->text) == 0)
		json_put(json, node->text);
	else
		json_string(json, node->text);
}

static void json_node(struct json *json, const struct node *node)
{
	switch (node->kind) {
	case NODE_SCALAR:
		json_scalar(json, node);
		break;
	case NODE_LIST:
		json_put(json, SPAN("["));
		for (size_t i = 0; i < node->count; i++) {
			if (i)
				json_put(json, SPAN(","));
			json_node(json, node->items[i]);
		}
		json_put(json, SPAN("]"));
		break;
	case NODE_MAP:
		json_put(json, SPAN("{"));
		for (size_t i = 0; i < node->count; i++) {
			if (i)
				json_put(json, SPAN(","));
			json_string(json, node->entries[i].key->raw);
			json_put(json, SPAN(":"));
			json_node(json, node->entries[i].value);
		}
		json_put(json, SPAN("}"));
		break;
	}
}

static bool test_line(struct reader *reader, const struct node *node, struct text *line)
{
	if (node->kind == NODE_SCALAR) {
		if (!value_text(reader, "event", node, line))
			return false;
		if (!memchr(line->span.at, '\n', line->span.len))
			return true;
		fault(reader->problems, node->mark, "an event is one line: use `events` for several");
		return false;
	}
	struct json json = {.arena = reader->arena};
	json_node(&json, node);
	*line = (struct text){arena_copy(reader->arena, (struct span){json.out, json.len}), node->mark};
	return true;
}

static void read_event(struct reader *reader, const struct node *node, void *target)
{
	struct test_model *test = target;
	test->events.items = arena_array(reader->arena, 1, sizeof(*test->events.items));
	test->events.count = test_line(reader, node, test->events.items);
}

static void read_events(struct reader *reader, const struct node *node, void *target)
{
	struct test_model *test = target;
	if (!value_is_list(reader, "events", node))
		return;
	test->events.items = arena_array(reader->arena, node->count + 1, sizeof(*test->events.items));
	test->events.count = 0;
	for (size_t i = 0; i < node->count; i++)
		test->events.count += test_line(reader, node->items[i], &test->events.items[test->events.count]);
}

static bool outcome_find(const struct text *text)
{
	for (int i = 0; i < OUTCOME_COUNT; i++)
		if (span_is(text->span, outcome_names[i]))
			return true;
	return false;
}

static void read_expect_word(struct reader *reader, const struct node *node, struct test_model *test)
{
	const char *names[OUTCOME_COUNT + 1] = {0};
	struct text text;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		names[i] = outcome_names[i];
	if (!value_text(reader, "expect", node, &text))
		return;
	if (memchr(text.span.at, '|', text.span.len))
		(void)value_texts(reader, "expect", node, &test->expect);
	else if (value_choice_text(reader, "expect", &text, names) >= 0)
		test->outcome = text;
}

static void read_expect(struct reader *reader, const struct node *node, void *target)
{
	struct test_model *test = target;
	if (node->kind != NODE_LIST) {
		read_expect_word(reader, node, test);
		return;
	}
	(void)value_texts(reader, "expect", node, &test->expect);
	for (size_t i = 0; i < test->expect.count; i++) {
		const struct text *text = &test->expect.items[i];
		if (outcome_find(text))
			fault(reader->problems, text->mark, "an outcome stands alone: `expect: %.*s`",
			      FAULT_ARG(text->span));
	}
}

static const struct setting test_settings[] = {
	{.key = "name", .type = SETTING_TEXT, .offset = offsetof(struct test_model, name), .shown = "FILE:LINE",
	 .help = "what the test shows, in words"},
	{.key = "event", .type = SETTING_OWN, .read = read_event, .takes = "map, text, or a batch's list",
	 .shown = "required, or events",
	 .help = "the event: a map, or a line"},
	{.key = "events", .type = SETTING_OWN, .read = read_events, .takes = "list of maps or texts",
	 .shown = "required, or event",
	 .help = "several events, in order"},
	{.key = "wait", .type = SETTING_DURATION, .offset = offsetof(struct test_model, wait_ns), .min = 0,
	 .max = INT64_C(366) * 86400 * 1000000000, .fallback = "0s",
	 .help = "the time that passes behind each event, for lifecycles"},
	{.key = "expect", .type = SETTING_OWN, .flags = SETTING_REQUIRED, .read = read_expect,
	 .takes = "list of texts, or an outcome",
	 .help = "all metric lines, in any order, or the outcome of every event"},
};

const struct table test_table = {"a test", "tests[]", test_settings, ARRAY_LEN(test_settings)};

static bool read_test(struct reader *reader, const struct node *node, struct test_model *test)
{
	const struct node_entry *event = node_find(node, "event"), *events = node_find(node, "events");
	test->mark = node->mark;
	(void)table_read(reader, &test_table, node, test);
	if (!test->name.span.at)
		test->name = (struct text){arena_printf(reader->arena, "%s:%u", node->mark.file, node->mark.line),
		                           node->mark};
	if (event && events)
		fault(reader->problems, events->key->mark, "a test has `event` or `events`, not both");
	if (!event && !events && !node->is_cut)
		fault(reader->problems, node->mark, "a test needs `event` or `events`");
	return (event || events) && node_find(node, "expect") && !node->is_cut;
}

void read_tests(struct reader *reader, const struct node *node, void *target)
{
	struct source *source = target;
	if (!value_is_list(reader, "tests", node))
		return;
	source->tests = arena_array(reader->arena, node->count + 1, sizeof(*source->tests));
	source->test_count = 0;
	for (size_t i = 0; i < node->count; i++) {
		struct test_model test = {.events = {NULL, 0}};
		const struct node *item = node->items[i];
		if (item->kind != NODE_MAP && !item->is_faulty)
			fault(reader->problems, item->mark, "a test is a map, such as {event: …, expect: […]}, not %s",
			      value_kind(item));
		else if (item->kind == NODE_MAP && read_test(reader, item, &test))
			source->tests[source->test_count++] = test;
	}
}
