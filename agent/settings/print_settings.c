/* settings_print(): the effective configuration. Every map goes through its table (print.h); this file has their order,
 * and the lists and maps around them. */
#include <assert.h>
#include <stdlib.h>

#include "settings/ports.h"
#include "settings/print.h"
#include "settings/source.h"

static void print_row_map(FILE *out, const char *before, const struct table *table, const void *target)
{
	struct printer printer = {out, false};
	fprintf(out, "%s{", before);
	print_rows(&printer, table, target, NULL);
	fputs("}\n", out);
}

static void print_inputs(FILE *out, const struct settings *settings)
{
	fputs("\ninputs:\n", out);
	for (size_t i = 0; i < settings->input_count; i++) {
		struct input_entry entry = {.settings = settings->inputs[i], .model = settings->model.inputs[i]};
		struct printer printer = {out, false};
		fputs("  - {", out);
		print_rows(&printer, &input_table, &entry, input_takes);
		fputs("}\n", out);
	}
}

static void print_outputs(FILE *out, const struct settings *settings)
{
	fputs("\noutputs:\n", out);
	for (size_t i = 0; i < settings->output_count; i++) {
		struct output_entry entry = {.settings = settings->outputs[i], .model = settings->model.outputs[i]};
		struct printer printer = {out, false};
		fputs("  - {", out);
		print_rows(&printer, &output_table, &entry, output_takes);
		fputs("}\n", out);
	}
}

static void print_catalogue(FILE *out, const struct model *model)
{
	fputs(model->catalogue_count ? "\ncatalogue:\n" : "", out);
	for (size_t i = 0; i < model->catalogue_count; i++) {
		fputs("  ", out);
		print_name(out, model->catalogue[i].name.span);
		print_row_map(out, ": ", &catalogue_table, &model->catalogue[i]);
	}
}

static void print_patterns(struct printer *printer, const struct field_variant_model *variant)
{
	print_key(printer, "patterns");
	fputc('[', printer->out);
	for (size_t i = 0; i < variant->pattern_count; i++) {
		struct printer inner = {printer->out, false};
		fputs(i ? ", {" : "{", printer->out);
		print_rows(&inner, &pattern_table, &variant->patterns[i], NULL);
		fputc('}', printer->out);
	}
	fputc(']', printer->out);
}

static void print_fields(FILE *out, const struct model *model)
{
	fputs(model->field_count ? "\nfields:\n" : "", out);
	for (size_t i = 0; i < model->field_count; i++) {
		const struct field_model *field = &model->fields[i];
		fputs("  ", out);
		print_name(out, field->name.span);
		fputs(":\n", out);
		for (size_t k = 0; k < field->variant_count; k++) {
			const struct field_variant_model *variant = &field->variants[k];
			struct printer printer = {out, false};
			fputs("    - {", out);
			print_rows(&printer, &field_table, variant, NULL);
			if (variant->between[0].span.at) {
				print_key(&printer, "between");
				print_texts(out, &(struct texts){
							 (struct text[]){variant->between[0], variant->between[1]}, 2});
			}
			if (variant->classify.span.at)
				print_patterns(&printer, variant);
			fputs("}\n", out);
		}
	}
}

static void print_lifecycle(FILE *out, const struct lifecycle_model *lifecycle)
{
	struct printer printer = {out, false};
	print_key(&printer, "enter");
	for (size_t i = 0; i < lifecycle->enter_count; i++) {
		fputs(i ? ", " : "{", out);
		print_name(out, lifecycle->enter[i].match.span);
		fputs(": ", out);
		print_text(out, lifecycle->enter[i].state.span);
	}
	fputc('}', out);
	if (lifecycle->transitions) {
		print_key(&printer, "transitions");
		for (size_t i = 0; i < lifecycle->transition_count; i++) {
			fputs(i ? ", " : "{", out);
			print_name(out, lifecycle->transitions[i].from.span);
			fputs(": ", out);
			print_texts(out, &lifecycle->transitions[i].to);
		}
		fputs(lifecycle->transition_count ? "}" : "{}", out);
	}
	if (lifecycle->duration_field.span.at) {
		struct printer inner = {out, false};
		print_key(&printer, "duration");
		fputc('{', out);
		print_rows(&inner, &duration_table, lifecycle, NULL);
		fputc('}', out);
	}
	print_rows(&printer, &lifecycle_table, lifecycle, NULL);
}

/* own: the file whose prefix the printed configuration has. A lifecycle of another prefix stays in its included file.
 */
static void print_lifecycles(FILE *out, const struct model *model, const struct file_model *own)
{
	const char *prefix = own->prefix.span.at ? own->prefix.span.at : "";
	fputs(model->lifecycle_count ? "\nlifecycles:\n" : "", out);
	for (size_t i = 0; i < model->lifecycle_count; i++) {
		bool is_own =
			!model->lifecycles[i].in_flight.span.at || strcmp(model->lifecycles[i].prefix, prefix) == 0;
		fputs(is_own ? "  " : "# included:\n#   ", out);
		print_name(out, model->lifecycles[i].name.span);
		fputs(": {", out);
		print_lifecycle(out, &model->lifecycles[i]);
		fputs("}\n", out);
	}
}

static void print_metric(FILE *out, const char *line, const struct metric_model *metric)
{
	struct printer printer = {out, false};
	fprintf(out, "%s      - {", line);
	print_key(&printer, metric_kind_names[metric->kind]);
	if (metric->kind == METRIC_EVENT || metric->kind == METRIC_SERVICE_CHECK) {
		struct printer inner = {out, false};
		fputc('{', out);
		print_rows(&inner, metric->kind == METRIC_EVENT ? &event_table : &service_check_table, metric, NULL);
		fputc('}', out);
	} else {
		print_text(out, metric->name.span);
	}
	print_rows(&printer, &metric_table, metric, NULL);
	fputs("}\n", out);
}

/* line stands before every line: a comment's sign, or nothing. */
static void print_file_rules(FILE *out, const char *line, const struct file_model *file)
{
	for (size_t i = 0; i < file->rule_count; i++) {
		const struct rule_model *rule = &file->rules[i];
		for (size_t k = 0; k < rule_table.count; k++) {
			struct printer printer = {out, false};
			const struct table one = {rule_table.what, rule_table.path, &rule_table.settings[k], 1};
			char *text = NULL;
			size_t len = 0;
			printer.out = open_memstream(&text, &len);
			if (!printer.out)
				abort();
			print_rows(&printer, &one, rule, NULL);
			fclose(printer.out);
			if (len)
				fprintf(out, "%s%s%s\n", line, k == 0 ? "  - " : "    ", text);
			free(text);
		}
		if (rule->metric_count)
			fprintf(out, "%s    metrics:\n", line);
		for (size_t k = 0; k < rule->metric_count; k++)
			print_metric(out, line, &rule->metrics[k]);
	}
}

/* The only file that has rules, or NULL where several do: each of them decides for itself, which one list cannot say.
 */
static const struct file_model *only_rules(const struct model *model)
{
	const struct file_model *only = &model->files[0];
	for (size_t i = 0, count = 0; i < model->file_count; i++) {
		if (model->files[i].rule_count == 0)
			continue;
		if (++count == 2)
			return NULL;
		only = &model->files[i];
	}
	for (size_t i = 0; i < model->lifecycle_count; i++) {
		const struct lifecycle_model *lifecycle = &model->lifecycles[i];
		const char *prefix = only->prefix.span.at ? only->prefix.span.at : "";
		if (lifecycle->in_flight.span.at && strcmp(lifecycle->prefix, prefix) != 0)
			return NULL;
	}
	return only;
}

static void print_include(FILE *out, const struct settings *settings)
{
	bool has_entry = false;
	fputs("# Files that have rules of their own decide one after the other: they stay included, and what their "
	      "rules say\n"
	      "# stands in comments. All else of theirs is resolved here.\ninclude: [",
	      out);
	for (size_t i = 1; i < settings->model.file_count; i++) {
		const char *path = settings->model.files[i].path;
		char *absolute = pack_find(path) ? NULL : realpath(path, NULL);
		fputs(has_entry ? ", " : "", out);
		print_text(out, span_of(absolute ? absolute : path));
		has_entry = true;
		free(absolute);
	}
	fputs("]\n", out);
}

static void print_rules(FILE *out, const struct model *model, const struct file_model *own)
{
	if (own->rule_count)
		fputs("\nrules:\n", out);
	print_file_rules(out, "", own);
	for (size_t i = 1; i < model->file_count && own == &model->files[0]; i++) {
		const struct file_model *file = &model->files[i];
		if (file->rule_count == 0)
			continue;
		fprintf(out, "\n# asked next: %s, prefix: ", file->path);
		print_text(out, file->prefix.span.at ? file->prefix.span : SPAN(""));
		fputs("\n# rules:\n", out);
		print_file_rules(out, "# ", file);
	}
}

static void print_agent(FILE *out, const struct settings *settings)
{
	print_row_map(out, "\nlimits: ", &limits_table, settings);
	if (settings->admin_enabled)
		print_row_map(out, "admin: ", &admin_table, settings);
	else
		fputs("admin: off\n", out);
	if (settings->telemetry_enabled)
		print_row_map(out, "telemetry: ", &telemetry_table, settings);
	else
		fputs("telemetry: off\n", out);
	print_row_map(out, "log: ", &log_table, settings);
	for (size_t i = 0; i < settings_table.count; i++) {
		const struct table one = {settings_table.what, settings_table.path, &settings_table.settings[i], 1};
		struct printer printer = {out, false};
		print_rows(&printer, &one, settings, NULL);
		fputs(printer.has_entry ? "\n" : "", out);
	}
}

void settings_print(const struct settings *settings, FILE *out)
{
	const struct model *model = &settings->model;
	const struct file_model *only = only_rules(model), *own = only ? only : &model->files[0];
	assert(own);
	fprintf(out, "# the effective configuration of %s\n", settings->origin);
	if (!only)
		print_include(out, settings);
	fputs("prefix: ", out);
	print_text(out, own->prefix.span.at ? own->prefix.span : SPAN(""));
	struct printer printer = {out, false};
	const struct setting *tags = table_find(&source_table, SPAN("tags"));
	struct source source = {.tags = model->tags};
	fputc('\n', out);
	print_rows(&printer, &(struct table){"", "", tags, 1}, &source, NULL);
	fputs(printer.has_entry ? "\n" : "", out);
	print_inputs(out, settings);
	print_outputs(out, settings);
	print_row_map(out, "\nidentify: ", &identify_table, &model->identify);
	print_catalogue(out, model);
	print_fields(out, model);
	print_lifecycles(out, model, own);
	print_rules(out, model, own);
	print_agent(out, settings);
}
