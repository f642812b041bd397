/* What any file may hold: include, prefix, tags, identify, catalogue, fields, lifecycles, rules, tests. */
#include "settings/ports.h"
#include "settings/source.h"

#define OF(member) offsetof(struct source, member)

static const struct setting source_settings[] = {
	{.key = "include", .type = SETTING_TEXTS, .offset = OF(include),
	 .help = "packs by name, files by path relative to this one; globs in byte order"},
	{.key = "prefix", .type = SETTING_TEXT, .flags = SETTING_NAME, .offset = OF(prefix), .shown = "empty",
	 .help = "before every metric name of this file's rules"},
	{.key = "tags", .type = SETTING_TAGS, .offset = OF(tags),
	 .help = "constant tags of every metric; an empty value is no tag"},
	{.key = "identify", .type = SETTING_OWN, .read = read_identify, .takes = "map", .shown = "see below",
	 .help = "how events are identified"},
	{.key = "catalogue", .type = SETTING_OWN, .read = read_catalogue, .takes = "map of identifiers to maps",
	 .help = "the known events"},
	{.key = "fields", .type = SETTING_OWN, .read = read_fields, .takes = "map of names to maps or lists of maps",
	 .help = "the standard payload, filled in before rules see the event"},
	{.key = "lifecycles", .type = SETTING_OWN, .read = read_lifecycles, .takes = "map of names to maps",
	 .help = "state machines over the events of one entity"},
	{.key = "rules", .type = SETTING_OWN, .read = read_rules, .takes = "list of maps",
	 .help = "in order; the first that matches decides for its file"},
	{.key = "tests", .type = SETTING_OWN, .read = read_tests, .takes = "list of maps",
	 .help = "what `statsidecar test` runs"},
};

const struct table source_table = {"the configuration", "", source_settings, ARRAY_LEN(source_settings)};

const struct table *table_at(size_t index)
{
	static const struct table *const tables[] = {
		&source_table,    &settings_table,      &input_table,     &output_table,   &identify_table,
		&catalogue_table, &field_table,         &pattern_table,   &rule_table,     &metric_table,
		&event_table,     &service_check_table, &lifecycle_table, &duration_table, &test_table,
		&limits_table,    &admin_table,         &telemetry_table, &log_table,
	};
	return index < ARRAY_LEN(tables) ? tables[index] : NULL;
}
