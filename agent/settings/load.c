/* settings_load(): all files, the command line and the environment -> one settings object. */
#include <stdlib.h>
#include <unistd.h>

#include "base/bounds.h"
#include "settings/fault.h"
#include "settings/include.h"
#include "settings/names.h"
#include "settings/ports.h"
#include "settings/value.h"

#define DEFAULT_PATH "/etc/statsidecar/statsidecar.yaml"
#define DEFAULT_PACK "tasker"

/* Calls merge for every source in order, so that the own file comes first and what it has wins. */
struct merge {
	struct reader *reader;
	struct settings *settings;
	const struct source *sources;
	size_t source_count;
};

static size_t merge_total(const struct merge *merge, size_t offset)
{
	size_t total = 0;
	for (const struct source *source = merge->sources; source; source = source->next)
		total += *(const size_t *)(const void *)((const char *)source + offset);
	return total;
}

#define TOTAL(merge, member) merge_total(merge, offsetof(struct source, member))

static void merge_files(struct merge *merge)
{
	struct model *model = &merge->settings->model;
	model->files = arena_array(merge->reader->arena, merge->source_count + 1, sizeof(*model->files));
	for (const struct source *source = merge->sources; source; source = source->next)
		model->files[model->file_count++] =
			(struct file_model){source->path, source->prefix, source->rules, source->rule_count};
}

static void merge_identify(struct merge *merge)
{
	static const char *const fields[] = {"event", "event_name", "type"}, *const payload[] = {"payload", "data"};
	struct identify_model *identify = &merge->settings->model.identify;
	struct arena *arena = merge->reader->arena;
	for (const struct source *source = merge->sources; source; source = source->next) {
		if (!identify->fields.items)
			identify->fields = source->identify.fields;
		if (!identify->payload.items)
			identify->payload = source->identify.payload;
		if (!identify->strip.items)
			identify->strip = source->identify.strip;
	}
	struct mark mark = {merge->sources->path, 0, 0};
	if (!identify->fields.items) {
		identify->fields.items = arena_array(arena, ARRAY_LEN(fields), sizeof(struct text));
		for (; identify->fields.count < ARRAY_LEN(fields); identify->fields.count++)
			identify->fields.items[identify->fields.count] =
				(struct text){span_of(fields[identify->fields.count]), mark};
	}
	if (!identify->payload.items) {
		identify->payload.items = arena_array(arena, ARRAY_LEN(payload), sizeof(struct text));
		for (; identify->payload.count < ARRAY_LEN(payload); identify->payload.count++)
			identify->payload.items[identify->payload.count] =
				(struct text){span_of(payload[identify->payload.count]), mark};
	}
}

static void merge_catalogue(struct merge *merge)
{
	struct model *model = &merge->settings->model;
	model->catalogue =
		arena_array(merge->reader->arena, TOTAL(merge, catalogue_count) + 1, sizeof(*model->catalogue));
	for (const struct source *source = merge->sources; source; source = source->next) {
		size_t before = model->catalogue_count; /* within a file a repeated key is reported already */
		for (size_t i = 0; i < source->catalogue_count; i++) {
			size_t k = 0;
			while (k < before && !span_equal(model->catalogue[k].name.span, source->catalogue[i].name.span))
				k++;
			if (k == before)
				model->catalogue[model->catalogue_count++] = source->catalogue[i];
		}
	}
}

static void merge_fields(struct merge *merge)
{
	struct model *model = &merge->settings->model;
	model->fields = arena_array(merge->reader->arena, TOTAL(merge, field_count) + 1, sizeof(*model->fields));
	for (const struct source *source = merge->sources; source; source = source->next) {
		size_t before = model->field_count;
		for (size_t i = 0; i < source->field_count; i++) {
			size_t k = 0;
			while (k < before && !span_equal(model->fields[k].name.span, source->fields[i].name.span))
				k++;
			if (k == before)
				model->fields[model->field_count++] = source->fields[i];
		}
	}
}

static void merge_lifecycles(struct merge *merge)
{
	struct model *model = &merge->settings->model;
	model->lifecycles =
		arena_array(merge->reader->arena, TOTAL(merge, lifecycle_count) + 1, sizeof(*model->lifecycles));
	for (const struct source *source = merge->sources; source; source = source->next) {
		size_t before = model->lifecycle_count;
		for (size_t i = 0; i < source->lifecycle_count; i++) {
			size_t k = 0;
			while (k < before &&
			       !span_equal(model->lifecycles[k].name.span, source->lifecycles[i].name.span))
				k++;
			if (k < before)
				continue;
			source->lifecycles[i].prefix = source->prefix.span.at ? source->prefix.span.at : "";
			model->lifecycles[model->lifecycle_count++] = source->lifecycles[i];
		}
	}
}

static void merge_tags(struct merge *merge)
{
	struct tags_model *tags = &merge->settings->model.tags;
	tags->items = arena_array(merge->reader->arena, TOTAL(merge, tags.count) + 1, sizeof(*tags->items));
	for (const struct source *source = merge->sources; source; source = source->next) {
		size_t before = tags->count;
		for (size_t i = 0; i < source->tags.count; i++) {
			size_t k = 0;
			while (k < before && !span_equal(tags->items[k].key.span, source->tags.items[i].key.span))
				k++;
			if (k == before)
				tags->items[tags->count++] = source->tags.items[i];
		}
	}
}

/* A pack's tests hold for the pack as it is: what includes it may add to its metrics, replace or drop them. */
static void merge_tests(struct merge *merge)
{
	struct model *model = &merge->settings->model;
	model->tests = arena_array(merge->reader->arena, TOTAL(merge, test_count) + 1, sizeof(*model->tests));
	for (const struct source *source = merge->sources; source; source = source->next) {
		bool is_included_pack = source != merge->sources && !source->directory;
		for (size_t i = 0; i < source->test_count && !is_included_pack; i++)
			model->tests[model->test_count++] = source->tests[i];
	}
}

static void merge_all(struct reader *reader, struct settings *settings, const struct source *sources)
{
	struct merge merge = {reader, settings, sources, 0};
	for (const struct source *source = sources; source; source = source->next)
		merge.source_count++;
	merge_files(&merge);
	merge_identify(&merge);
	merge_catalogue(&merge);
	merge_fields(&merge);
	merge_lifecycles(&merge);
	merge_tags(&merge);
	merge_tests(&merge);
}

static void load_inputs(struct reader *reader, struct settings *settings, const struct settings_request *request)
{
	static const char *const defaults[] = {"udp://127.0.0.1:8127", "fifo:///run/statsidecar/events"};
	bool is_given = settings->inputs != NULL;
	if (request->input_count)
		settings->input_count = settings->model.input_count = 0;
	for (size_t i = 0; i < request->input_count; i++)
		input_from_url(reader, settings, (struct text){span_of(request->inputs[i]), {"--input", 0, 0}});
	for (size_t i = 0; i < ARRAY_LEN(defaults) && !is_given && !request->input_count; i++) {
		input_from_url(reader, settings, (struct text){span_of(defaults[i]), {"default", 0, 0}});
		settings->inputs[i].is_default = true;
	}
	inputs_check(reader, settings);
}

static void load_dialect(struct reader *reader, struct settings *settings, const char *name)
{
	const char *names[DIALECT_COUNT + 1] = {0};
	struct text text = {span_of(name), {"--dialect", 0, 0}};
	for (int i = 0; i < DIALECT_COUNT; i++)
		names[i] = dialect_names[i];
	int dialect = value_choice_text(reader, "--dialect", &text, names);
	for (size_t i = 0; i < settings->output_count && dialect >= 0; i++) {
		settings->model.outputs[i].dialect = (enum dialect)dialect;
		if (dialect != DIALECT_STATSD) /* the others have tags of their own */
			settings->model.outputs[i].tags_in_name = false;
	}
}

static void load_outputs(struct reader *reader, struct settings *settings, const struct settings_request *request)
{
	bool is_given = settings->outputs != NULL;
	if (request->output_count)
		settings->output_count = settings->model.output_count = 0;
	for (size_t i = 0; i < request->output_count; i++)
		output_from_url(reader, settings, (struct text){span_of(request->outputs[i]), {"--output", 0, 0}});
	if (!is_given && !request->output_count)
		environment_outputs(reader, settings);
	if (request->dialect)
		load_dialect(reader, settings, request->dialect);
	outputs_check(reader, settings);
	for (size_t i = 0; i < settings->output_count; i++)
		environment_apply(reader, &settings->outputs[i], &settings->model.outputs[i]);
}

static const char *request_config(const struct settings_request *request)
{
	const char *variable = getenv("STATSIDECAR_CONFIG");
	if (request->config)
		return request->config;
	if (variable && *variable)
		return variable;
	return access(DEFAULT_PATH, F_OK) == 0 ? DEFAULT_PATH : DEFAULT_PACK;
}

struct settings *settings_load(const struct settings_request *request, struct problems *problems)
{
	struct arena *arena = arena_new();
	struct settings *settings = arena_alloc(arena, sizeof(*settings));
	struct reader reader = {arena, problems};
	settings->arena = arena;
	settings->telemetry_enabled = true;
	table_defaults(&reader, &settings_table, settings);
	table_defaults(&reader, &limits_table, settings);
	table_defaults(&reader, &admin_table, settings);
	table_defaults(&reader, &telemetry_table, settings);
	table_defaults(&reader, &log_table, settings);
	settings->admin_is_default = true;
	settings->telemetry_is_default = true;
	struct source *sources = include_load(&reader, settings, request_config(request));
	if (!sources) {
		settings_free(settings);
		return NULL;
	}
	merge_all(&reader, settings, sources);
	load_inputs(&reader, settings, request);
	load_outputs(&reader, settings, request);
	return settings;
}

void settings_free(struct settings *settings)
{
	if (settings)
		arena_free(settings->arena);
}
