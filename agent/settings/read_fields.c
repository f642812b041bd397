/* fields: {attempt_number: {from: [attempt_number, attempts], default: 1}, …}; a list where events differ. */
#include "settings/fault.h"
#include "settings/source.h"
#include "settings/value.h"

static const struct setting pattern_settings[] = {
	{.key = "find", .type = SETTING_TEXTS, .offset = offsetof(struct classify_pattern_model, find),
	 .help = "texts, one of which is found, in any case"},
	{.key = "when", .type = SETTING_TEXTS, .offset = offsetof(struct classify_pattern_model, when.all),
	 .takes = "list of conditions",
	 .help = "conditions, all of which must hold"},
	{.key = "any", .type = SETTING_TEXTS, .offset = offsetof(struct classify_pattern_model, when.any),
	 .takes = "list of conditions",
	 .help = "conditions, one of which must hold"},
	{.key = "is", .type = SETTING_TEXT, .flags = SETTING_REQUIRED,
	 .offset = offsetof(struct classify_pattern_model, is), .help = "the class"},
};

const struct table pattern_table = {"a pattern", "fields.*.patterns[]", pattern_settings, ARRAY_LEN(pattern_settings)};

static void read_patterns(struct reader *reader, const struct node *node, void *target)
{
	struct field_variant_model *variant = target;
	if (!value_is_list(reader, "patterns", node))
		return;
	variant->patterns = arena_array(reader->arena, node->count + 1, sizeof(*variant->patterns));
	variant->pattern_count = 0;
	for (size_t i = 0; i < node->count; i++) {
		const struct node *item = node->items[i];
		struct classify_pattern_model pattern = {.mark = item->mark};
		if (item->kind != NODE_MAP) {
			if (!item->is_faulty)
				fault(reader->problems, item->mark,
				      "a pattern is a map, such as {find: [TEXT], is: CLASS}, not %s",
				      value_kind(item));
			continue;
		}
		(void)table_read(reader, &pattern_table, item, &pattern);
		bool has_test = node_find(item, "find") || node_find(item, "when") || node_find(item, "any");
		if (!has_test && !item->is_cut)
			fault(reader->problems, item->mark, "a pattern needs `find` (texts) or `when` (conditions)");
		if (has_test && pattern.is.span.at)
			variant->patterns[variant->pattern_count++] = pattern;
	}
}

static void read_between(struct reader *reader, const struct node *node, void *target)
{
	struct field_variant_model *variant = target;
	struct texts texts = {0};
	if (!value_texts(reader, "between", node, &texts))
		return;
	if (texts.count != 2) {
		fault(reader->problems, node->mark, "`between` takes two fields: [started_at, completed_at]");
		return;
	}
	variant->between[0] = texts.items[0];
	variant->between[1] = texts.items[1];
}

static const struct setting field_settings[] = {
	{.key = "events", .type = SETTING_TEXTS, .offset = offsetof(struct field_variant_model, events),
	 .takes = "list of globs", .shown = "every event", .help = "globs: which events this applies to"},
	{.key = "from", .type = SETTING_TEXTS, .offset = offsetof(struct field_variant_model, from),
	 .help = "payload fields; the first that is present and not empty counts"},
	{.key = "between", .type = SETTING_OWN, .read = read_between, .takes = "list of two fields",
	 .help = "two timestamps of the payload, whose difference in seconds counts where `from` finds nothing"},
	{.key = "classify", .type = SETTING_TEXT, .offset = offsetof(struct field_variant_model, classify),
	 .help = "the field whose text the patterns are tried on"},
	{.key = "patterns", .type = SETTING_OWN, .read = read_patterns, .takes = "list of maps",
	 .shown = "required with classify",
	 .help = "in order; the first that holds says the value"},
	{.key = "default", .type = SETTING_TEXT, .offset = offsetof(struct field_variant_model, default_value),
	 .help = "the value where nothing was found, or no pattern holds"},
	{.key = "missing", .type = SETTING_TEXT, .offset = offsetof(struct field_variant_model, missing),
	 .help = "the value where the field to classify is absent"},
};

const struct table field_table = {"a field", "fields.*", field_settings, ARRAY_LEN(field_settings)};

static void variant_check(struct reader *reader, const struct node *node)
{
	const struct node_entry *classify = node_find(node, "classify"), *patterns = node_find(node, "patterns");
	const struct node_entry *missing = node_find(node, "missing");
	if (node->is_cut)
		return;
	if (classify && !patterns)
		fault(reader->problems, classify->key->mark,
		      "`classify` needs `patterns`: [{find: [TEXT], is: CLASS}, …]");
	if (classify && node_find(node, "from"))
		fault(reader->problems, node_find(node, "from")->key->mark,
		      "`from` and `classify` exclude each other: classify another field that has the `from`");
	if (classify && node_find(node, "between"))
		fault(reader->problems, node_find(node, "between")->key->mark,
		      "`between` and `classify` exclude each other");
	if (patterns && !classify)
		fault(reader->problems, patterns->key->mark,
		      "`patterns` needs `classify`: the field that they are tried on");
	if (missing && !classify)
		fault(reader->problems, missing->key->mark,
		      "`missing` needs `classify`; the value of an absent field is `default`");
	bool is_misspelt = false;
	for (size_t i = 0; i < node->count; i++)
		is_misspelt |= !table_find(&field_table, node->entries[i].key->raw);
	if (!classify && !node_find(node, "from") && !node_find(node, "between") && !node_find(node, "default") &&
	    !is_misspelt)
		fault(reader->problems, node->mark, "a field needs `from`, `between`, `classify` or `default`");
}

static void read_variant(struct reader *reader, const struct node *node, struct field_model *field)
{
	struct field_variant_model *variant = &field->variants[field->variant_count++];
	variant->mark = node->mark;
	(void)table_read(reader, &field_table, node, variant);
	variant_check(reader, node);
}

static void read_field(struct reader *reader, const struct node_entry *entry, struct field_model *field)
{
	const struct node *node = entry->value;
	field->name = value_key(entry->key);
	size_t count = node->kind == NODE_LIST ? node->count : 1;
	field->variants = arena_array(reader->arena, count + 1, sizeof(*field->variants));
	for (size_t i = 0; i < count; i++) {
		const struct node *variant = node->kind == NODE_LIST ? node->items[i] : node;
		if (variant->kind == NODE_MAP)
			read_variant(reader, variant, field);
		else if (!variant->is_faulty)
			fault(reader->problems, variant->mark,
			      "a field is a map, such as {from: [NAME]}, or a list of them, not %s",
			      value_kind(variant));
	}
}

void read_fields(struct reader *reader, const struct node *node, void *target)
{
	struct source *source = target;
	if (!value_is_map(reader, "fields", node))
		return;
	source->fields = arena_array(reader->arena, node->count + 1, sizeof(*source->fields));
	source->field_count = 0;
	for (size_t i = 0; i < node->count; i++) {
		struct field_model *field = &source->fields[source->field_count];
		if (node->entries[i].key->is_faulty)
			continue;
		read_field(reader, &node->entries[i], field);
		source->field_count += field->variant_count > 0;
	}
}
