#include "settings/table.h"

#include <assert.h>

#include "settings/fault.h"
#include "settings/scalar.h"
#include "settings/value.h"

static void *setting_place(const struct setting *setting, void *target)
{
	return (char *)target + setting->offset;
}

/* Numbers of every kind, as a configuration writes them; -1 and *why. */
static int number_parse(const struct setting *setting, struct span text, int64_t *number, const char **why)
{
	switch (setting->type) {
	case SETTING_COUNT:
		return scalar_count(number, text, why);
	case SETTING_BYTES:
		return scalar_bytes(number, text, why);
	case SETTING_MODE:
		return scalar_mode(number, text, why);
	case SETTING_DURATION:
		if ((setting->flags & SETTING_OR_OFF) && span_is(text, "off")) {
			*number = 0;
			return 0;
		}
		return scalar_duration(number, text, why);
	case SETTING_TEXT:
	case SETTING_TEMPLATE:
	case SETTING_STRING:
	case SETTING_TEXTS:
	case SETTING_TAGS:
	case SETTING_TEMPLATE_TAGS:
	case SETTING_BOOL:
	case SETTING_CHOICE:
	case SETTING_OWN:
	case SETTING_TYPE_COUNT:
		break;
	}
	return -1;
}

static void number_write(const struct setting *setting, char *out, int64_t number)
{
	if (setting->type == SETTING_DURATION)
		scalar_write_duration(out, number);
	else if (setting->type == SETTING_BYTES)
		scalar_write_bytes(out, number);
	else
		snprintf(out, SCALAR_TEXT_MAX, "%lld", (long long)number);
}

static void number_store(const struct setting *setting, void *target, int64_t number)
{
	if (setting->type == SETTING_DURATION) {
		*(int64_t *)setting_place(setting, target) = number;
	} else {
		assert(number >= 0 && number <= UINT32_MAX);
		*(uint32_t *)setting_place(setting, target) = (uint32_t)number;
	}
}

static void number_read(struct reader *reader, const struct setting *setting, const struct node *node, void *target)
{
	struct text text;
	int64_t number;
	const char *why;
	char low[SCALAR_TEXT_MAX], high[SCALAR_TEXT_MAX];
	if (!value_text(reader, setting->key, node, &text))
		return;
	bool is_off = (setting->flags & SETTING_OR_OFF) && span_is(text.span, "off");
	if (number_parse(setting, text.span, &number, &why) < 0) {
		fault(reader->problems, node->mark, "`%s: %.*s`: %s%s", setting->key, FAULT_ARG(text.span), why,
		      setting->flags & SETTING_OR_OFF ? ", or off" : "");
	} else if (setting->max && !is_off && (number < setting->min || number > setting->max)) {
		number_write(setting, low, setting->min);
		number_write(setting, high, setting->max);
		fault(reader->problems, node->mark, "`%s: %.*s`: it must be between %s and %s", setting->key,
		      FAULT_ARG(text.span), low, high);
	} else {
		number_store(setting, target, number);
	}
}

static void bool_read(struct reader *reader, const struct setting *setting, const struct node *node, void *target)
{
	struct text text;
	const char *why;
	if (value_text(reader, setting->key, node, &text) &&
	    scalar_bool(setting_place(setting, target), text.span, &why) < 0)
		fault(reader->problems, node->mark, "`%s: %.*s`: %s", setting->key, FAULT_ARG(text.span), why);
}

static void choice_read(struct reader *reader, const struct setting *setting, const struct node *node, void *target)
{
	int choice = value_choice(reader, setting->key, node, setting->choices);
	if (choice >= 0)
		*(unsigned *)setting_place(setting, target) = (unsigned)(choice + (int)setting->min);
}

static bool name_check(struct reader *reader, const struct setting *setting, const struct text *text)
{
	for (size_t i = 0; i < text->span.len && setting->flags & SETTING_NAME; i++) {
		char byte = text->span.at[i];
		if ((byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
		    strchr("_.-", byte))
			continue;
		fault(reader->problems, text->mark, "`%s: %.*s`: a metric's name takes A-Za-z0-9_.- only", setting->key,
		      FAULT_ARG(text->span));
		return false;
	}
	return true;
}

void setting_read(struct reader *reader, const struct setting *setting, const struct node *node, void *target)
{
	void *place = setting_place(setting, target);
	struct text text;
	switch (setting->type) {
	case SETTING_TEXT:
		if (value_text(reader, setting->key, node, &text) && name_check(reader, setting, &text))
			*(struct text *)place = text;
		break;
	case SETTING_TEMPLATE:
		(void)value_template(reader, setting->key, node, place);
		break;
	case SETTING_STRING:
		if (value_text(reader, setting->key, node, &text) && name_check(reader, setting, &text))
			*(const char **)place = text.span.at;
		break;
	case SETTING_TEXTS:
		(void)value_texts(reader, setting->key, node, place);
		break;
	case SETTING_TAGS:
		(void)value_tags(reader, setting->key, node, place, value_text);
		break;
	case SETTING_TEMPLATE_TAGS:
		(void)value_tags(reader, setting->key, node, place, value_template);
		break;
	case SETTING_BOOL:
		bool_read(reader, setting, node, target);
		break;
	case SETTING_COUNT:
	case SETTING_BYTES:
	case SETTING_MODE:
	case SETTING_DURATION:
		number_read(reader, setting, node, target);
		break;
	case SETTING_CHOICE:
		choice_read(reader, setting, node, target);
		break;
	case SETTING_OWN:
		setting->read(reader, node, target);
		break;
	case SETTING_TYPE_COUNT:
		break;
	}
}

/* A default is read as if the configuration said it: a text, or a list [A, B]. */
static struct node *fallback_node(struct reader *reader, const char *fallback)
{
	if (fallback[0] == '[')
		return yaml_tree_read(span_of(fallback), "default", reader->arena, reader->problems);
	struct node *node = arena_alloc(reader->arena, sizeof(*node));
	node->mark.file = "default";
	node->raw = node->text = span_of(fallback);
	return node;
}

void table_defaults(struct reader *reader, const struct table *table, void *target)
{
	for (size_t i = 0; i < table->count; i++) {
		if (!table->settings[i].fallback)
			continue;
		struct problems problems = {0};
		struct reader own = {reader->arena, &problems};
		setting_read(&own, &table->settings[i], fallback_node(&own, table->settings[i].fallback), target);
		assert(problems.count == 0);
		problems_fini(&problems);
	}
}

const struct setting *table_find(const struct table *table, struct span key)
{
	for (size_t i = 0; i < table->count; i++)
		if (span_is(key, table->settings[i].key))
			return &table->settings[i];
	return NULL;
}

const struct setting *table_unknown_key(struct reader *reader, const struct part *parts, size_t part_count,
                                        const struct node *key)
{
	const char *keys[128];
	char known[512] = "";
	size_t count = 0, len = 0;
	for (size_t p = 0; p < part_count; p++) {
		for (size_t i = 0; i < parts[p].table->count; i++) {
			assert(count < ARRAY_LEN(keys) - 1);
			keys[count++] = parts[p].table->settings[i].key;
		}
	}
	keys[count] = NULL;
	const char *nearest = problem_nearest(key->raw, keys);
	for (size_t i = 0; i < count && len < sizeof(known); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "", keys[i]);
	if (nearest)
		fault(reader->problems, key->mark, "unknown key `%.*s` in %s; did you mean `%s`?", FAULT_ARG(key->raw),
		      parts[0].table->what, nearest);
	else
		fault(reader->problems, key->mark, "unknown key `%.*s` in %s, which takes: %s", FAULT_ARG(key->raw),
		      parts[0].table->what, known);
	for (size_t p = 0; p < part_count && nearest; p++) {
		const struct setting *meant = table_find(parts[p].table, span_of(nearest));
		if (meant)
			return meant;
	}
	return NULL;
}

static void table_check_required(struct reader *reader, const struct table *table, const struct node *node,
                                 uint64_t given)
{
	for (size_t i = 0; i < table->count && !node->is_cut; i++)
		if ((table->settings[i].flags & SETTING_REQUIRED) && !(given >> i & 1))
			fault(reader->problems, node->mark, "%s needs `%s`", table->what, table->settings[i].key);
}

uint64_t table_read(struct reader *reader, const struct table *table, const struct node *node, void *target)
{
	uint64_t given = 0;
	assert(table->count <= 64);
	/* From the end: of a repeated key, which is reported, all are read for their faults and the first is kept. */
	for (size_t i = node->count; i-- > 0;) {
		const struct node_entry *entry = &node->entries[i];
		const struct setting *setting = table_find(table, entry->key->raw);
		if (setting)
			setting_read(reader, setting, entry->value, target);
		else if (!entry->key->is_faulty) /* what is misspelt is not missing as well */
			setting = table_unknown_key(reader, &(struct part){table, target}, 1, entry->key);
		if (setting)
			given |= UINT64_C(1) << (setting - table->settings);
	}
	table_check_required(reader, table, node, given);
	return given;
}

bool table_given(const struct table *table, uint64_t given, const char *key)
{
	const struct setting *setting = table_find(table, span_of(key));
	assert(setting);
	return given >> (setting - table->settings) & 1;
}
