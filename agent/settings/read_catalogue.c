/* identify: {fields: […], payload: […], strip: […]} and catalogue: {step.completed: {aliases: […], …}, …} */
#include "base/bounds.h"
#include "settings/fault.h"
#include "settings/source.h"
#include "settings/value.h"

static const struct setting identify_settings[] = {
	{.key = "fields", .type = SETTING_TEXTS, .offset = offsetof(struct identify_model, fields),
	 .shown = "[event, event_name, type]",
	 .help = "the first of these that is a non-empty text identifies the event"},
	{.key = "payload", .type = SETTING_TEXTS, .offset = offsetof(struct identify_model, payload),
	 .shown = "[payload, data]", .help = "objects whose fields read as if they stood at the top; at most 4"},
	{.key = "strip", .type = SETTING_TEXTS, .offset = offsetof(struct identify_model, strip),
	 .help = "prefixes of identifiers; the first that fits is taken off, once"},
};

const struct table identify_table = {"identify", "identify", identify_settings, ARRAY_LEN(identify_settings)};

void read_identify(struct reader *reader, const struct node *node, void *target)
{
	struct source *source = target;
	if (!value_is_map(reader, "identify", node))
		return;
	(void)table_read(reader, &identify_table, node, &source->identify);
}

static const struct setting catalogue_settings[] = {
	{.key = "aliases", .type = SETTING_TEXTS, .offset = offsetof(struct catalogue_model, aliases),
	 .help = "other spellings of the identifier"},
	{.key = "legacy", .type = SETTING_TEXTS, .offset = offsetof(struct catalogue_model, legacy),
	 .help = "spellings whose use is counted as legacy"},
	{.key = "expects", .type = SETTING_TEXTS, .offset = offsetof(struct catalogue_model, expects),
	 .help = "payload that the event should bring; what is missing is counted"},
};

const struct table catalogue_table = {"an entry of the catalogue", "catalogue.*", catalogue_settings,
                                      ARRAY_LEN(catalogue_settings)};

static bool is_identifier(struct span text)
{
	if (text.len == 0 || text.len > IDENTIFIER_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.at[i];
		bool is_letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
		if (!is_letter && (i == 0 || ((byte < '0' || byte > '9') && !strchr("_.:/-", byte))))
			return false;
	}
	return true;
}

static bool check_identifier(struct reader *reader, const struct text *text)
{
	if (is_identifier(text->span))
		return true;
	fault(reader->problems, text->mark,
	      "`%.*s` is no identifier: 1 to %d of A-Z a-z 0-9 _ . : / - that begin with a letter",
	      FAULT_ARG(text->span), IDENTIFIER_MAX);
	return false;
}

static void check_identifiers(struct reader *reader, struct texts *texts)
{
	size_t kept = 0;
	for (size_t i = 0; i < texts->count; i++)
		if (check_identifier(reader, &texts->items[i]))
			texts->items[kept++] = texts->items[i];
	texts->count = kept;
}

void read_catalogue(struct reader *reader, const struct node *node, void *target)
{
	struct source *source = target;
	if (!value_is_map(reader, "catalogue", node))
		return;
	source->catalogue = arena_array(reader->arena, node->count + 1, sizeof(*source->catalogue));
	source->catalogue_count = 0;
	for (size_t i = 0; i < node->count; i++) {
		const struct node_entry *entry = &node->entries[i];
		struct catalogue_model event = {.name = value_key(entry->key)};
		if (entry->key->is_faulty)
			continue;
		bool is_well = check_identifier(reader, &event.name);
		if (value_is_map(reader, entry->key->raw.at, entry->value))
			(void)table_read(reader, &catalogue_table, entry->value, &event);
		check_identifiers(reader, &event.aliases);
		check_identifiers(reader, &event.legacy);
		if (is_well)
			source->catalogue[source->catalogue_count++] = event;
	}
}
