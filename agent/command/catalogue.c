/* catalogue: the known events, and what becomes of each. */
#define _GNU_SOURCE /* memmem */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "command/command.h"
#include "command/configuration.h"
#include "explain/wording.h"
#include "json_writer.h"
#include "map/catalogue.h"
#include "map/match.h"

struct options {
	struct settings_request request;
	struct span pattern; /* at == NULL: everything */
	struct pattern glob; /* where the pattern has a star */
	bool is_json;
	bool is_legacy;
};

/* A metric that an event gives. */
struct row {
	const struct metric *metric;
	char *name; /* owned */
};

/* All of one event. */
struct listing {
	const struct mapping *mapping;
	const struct known_event *known;
	struct match *matches;
	uint32_t match_count;
	bool is_dropped;
	struct row *rows;
	uint32_t row_count;
	uint32_t row_size;
};

/* ---- which events ---- */

static bool takes_name(const struct options *options, struct span name)
{
	if (!options->pattern.at)
		return true;
	if (options->glob.stars)
		return pattern_match(&options->glob, name, NULL);
	return memmem(name.at, name.len, options->pattern.at, options->pattern.len) != NULL;
}

static bool takes_any(const struct options *options, const struct texts *names)
{
	for (size_t i = 0; i < names->count; i++)
		if (takes_name(options, names->items[i].span))
			return true;
	return false;
}

static bool takes_event(const struct options *options, const struct known_event *known)
{
	return takes_name(options, known->name) || takes_any(options, &known->model->aliases) ||
	       takes_any(options, &known->model->legacy);
}

/* ---- what an event gives ---- */

static void add_row(struct listing *listing, const struct metric *metric, const struct span *captures)
{
	size_t size;
	if (listing->row_count == listing->row_size) {
		listing->row_size = listing->row_size ? 2 * listing->row_size : 16;
		listing->rows = realloc(listing->rows, listing->row_size * sizeof(*listing->rows));
		if (!listing->rows)
			arena_exhausted();
	}
	struct row *row = &listing->rows[listing->row_count++];
	*row = (struct row){.metric = metric};
	FILE *out = open_memstream(&row->name, &size);
	if (!out)
		arena_exhausted();
	wording_put_resolved_name(out, listing->mapping, metric, listing->known->name, captures);
	if (fclose(out))
		arena_exhausted();
}

static void listing_fill(struct listing *listing, const struct known_event *known)
{
	const struct mapping *mapping = listing->mapping;
	struct span captures[PATTERN_STARS_MAX];
	listing->known = known;
	listing->match_count =
		match_event(mapping, known->name, listing->matches, mapping->rule_count, &listing->is_dropped);
	for (uint32_t i = 0; i < listing->match_count; i++) {
		const struct rule *rule = &mapping->rules[listing->matches[i].rule];
		pattern_match(&rule->patterns[listing->matches[i].pattern], known->name, captures);
		for (uint32_t k = 0; k < rule->metric_count; k++)
			add_row(listing, &rule->metrics[k], captures);
	}
}

static void listing_clear(struct listing *listing)
{
	for (uint32_t i = 0; i < listing->row_count; i++)
		free(listing->rows[i].name);
	listing->row_count = 0;
}

static void listing_init(struct listing *listing, const struct mapping *mapping)
{
	*listing = (struct listing){.mapping = mapping};
	listing->matches = calloc((size_t)mapping->rule_count + 1, sizeof(*listing->matches));
	if (!listing->matches)
		arena_exhausted();
}

static void listing_fini(struct listing *listing)
{
	listing_clear(listing);
	free(listing->rows);
	free(listing->matches);
}

/* ---- in words ---- */

static void print_names(const char *heading, const struct texts *names)
{
	if (names->count)
		printf("    %-13s ", heading);
	for (size_t i = 0; i < names->count; i++)
		printf("%s%.*s", i ? ", " : "", SPAN_ARG(names->items[i].span));
	if (names->count)
		putchar('\n');
}

static void print_row(const struct row *row, int width)
{
	const struct metric *metric = row->metric;
	const struct span value = wording_metric_value(metric);
	const char *unit = wording_metric_unit(metric);
	const bool has_conditions = metric->when.all_count || metric->when.any_count;
	const bool has_more = value.at || has_conditions;
	printf("    %-13s %-*s", metric_kind_names[metric->kind], has_more ? width : 0, row->name);
	if (value.at)
		printf("  = %.*s%s%s", SPAN_ARG(value), *unit ? " in " : "", unit);
	if (has_conditions) {
		fputs("  when ", stdout);
		wording_put_conditions(stdout, &metric->when);
	}
	putchar('\n');
}

static void print_listing(const struct listing *listing)
{
	const struct catalogue_model *model = listing->known->model;
	int width = 0;
	printf("%.*s\n", SPAN_ARG(listing->known->name));
	print_names("alias", &model->aliases);
	print_names("legacy", &model->legacy);
	print_names("expects", &model->expects);
	for (uint32_t i = 0; i < listing->row_count; i++)
		if ((int)strlen(listing->rows[i].name) > width)
			width = (int)strlen(listing->rows[i].name);
	for (uint32_t i = 0; i < listing->row_count; i++)
		print_row(&listing->rows[i], width);
	if (listing->is_dropped)
		puts("    dropped");
	else if (listing->match_count == 0)
		puts("    no rule takes it");
	else if (listing->row_count == 0)
		puts("    its rules have no metrics");
}

static size_t print_legacy_names(const struct mapping *mapping, const struct options *options)
{
	size_t width = 0;
	size_t count = 0;
	for (uint32_t i = 0; i < mapping->legacy_count; i++)
		if (mapping->legacy[i].alias.len > width)
			width = mapping->legacy[i].alias.len;
	for (uint32_t i = 0; i < mapping->legacy_count; i++) {
		const struct legacy_name *legacy = &mapping->legacy[i];
		if (!takes_name(options, legacy->alias) && !takes_name(options, legacy->event))
			continue;
		printf("%-*.*s  %.*s\n", (int)width, SPAN_ARG(legacy->alias), SPAN_ARG(legacy->event));
		count++;
	}
	return count;
}

/* ---- as JSON ---- */

static void put_names(struct json_writer *writer, const char *key, const struct texts *names)
{
	json_writer_open_array(writer, key);
	for (size_t i = 0; i < names->count; i++)
		json_writer_put_text(writer, NULL, names->items[i].span);
	json_writer_close_array(writer);
}

static void put_conditions(struct json_writer *writer, const char *key, const struct condition *conditions, uint16_t count)
{
	if (count == 0)
		return;
	json_writer_open_array(writer, key);
	for (uint16_t i = 0; i < count; i++)
		json_writer_put_text(writer, NULL, conditions[i].source);
	json_writer_close_array(writer);
}

static void put_row(struct json_writer *writer, const struct row *row)
{
	const struct metric *metric = row->metric;
	const struct span value = wording_metric_value(metric);
	const char *unit = wording_metric_unit(metric);
	json_writer_open_object(writer, NULL);
	json_writer_put_text(writer, "kind", span_of(metric_kind_names[metric->kind]));
	json_writer_put_text(writer, "name", span_of(row->name));
	if (value.at)
		json_writer_put_text(writer, "value", value);
	if (*unit)
		json_writer_put_text(writer, "unit", span_of(unit));
	put_conditions(writer, "when", metric->when.all, metric->when.all_count);
	put_conditions(writer, "any", metric->when.any, metric->when.any_count);
	json_writer_put_text(writer, "rule", metric->rule->label);
	json_writer_close_object(writer);
}

static void put_listing(struct json_writer *writer, const struct listing *listing)
{
	const struct catalogue_model *model = listing->known->model;
	json_writer_open_object(writer, NULL);
	json_writer_put_text(writer, "event", listing->known->name);
	put_names(writer, "aliases", &model->aliases);
	put_names(writer, "legacy", &model->legacy);
	put_names(writer, "expects", &model->expects);
	json_writer_open_array(writer, "rules");
	for (uint32_t i = 0; i < listing->match_count; i++)
		json_writer_put_text(writer, NULL, listing->mapping->rules[listing->matches[i].rule].label);
	json_writer_close_array(writer);
	json_writer_put_bool(writer, "dropped", listing->is_dropped);
	json_writer_open_array(writer, "metrics");
	for (uint32_t i = 0; i < listing->row_count; i++)
		put_row(writer, &listing->rows[i]);
	json_writer_close_array(writer);
	json_writer_close_object(writer);
	json_writer_end_line(writer);
}

static size_t put_legacy_names(const struct mapping *mapping, const struct options *options)
{
	struct json_writer writer = {.out = stdout};
	size_t count = 0;
	for (uint32_t i = 0; i < mapping->legacy_count; i++) {
		const struct legacy_name *legacy = &mapping->legacy[i];
		if (!takes_name(options, legacy->alias) && !takes_name(options, legacy->event))
			continue;
		json_writer_open_object(&writer, NULL);
		json_writer_put_text(&writer, "legacy", legacy->alias);
		json_writer_put_text(&writer, "event", legacy->event);
		json_writer_close_object(&writer);
		json_writer_end_line(&writer);
		count++;
	}
	return count;
}

/* ---- the command ---- */

static size_t list_events(const struct mapping *mapping, const struct options *options)
{
	struct json_writer writer = {.out = stdout};
	struct listing listing;
	size_t count = 0;
	listing_init(&listing, mapping);
	for (uint32_t i = 0; i < mapping->catalogue->known_count; i++) {
		const struct known_event *known = &mapping->catalogue->known[i];
		if (!takes_event(options, known))
			continue;
		listing_fill(&listing, known);
		if (!options->is_json && count)
			putchar('\n');
		if (options->is_json)
			put_listing(&writer, &listing);
		else
			print_listing(&listing);
		count++;
		listing_clear(&listing);
	}
	listing_fini(&listing);
	return count;
}

/* How many there are. */
static size_t list(const struct mapping *mapping, const struct options *options)
{
	if (!options->is_legacy)
		return list_events(mapping, options);
	return options->is_json ? put_legacy_names(mapping, options) : print_legacy_names(mapping, options);
}

static int list_or_say_none(const struct configuration *configuration, const struct options *options)
{
	if (list(configuration->mapping, options))
		return EX_OK;
	fprintf(stderr, "statsidecar catalogue: %s has no %s", configuration->settings->origin,
	        options->is_legacy ? "legacy name" : "known event");
	if (options->pattern.at)
		fprintf(stderr, " that %s `%s`", options->glob.stars ? "matches" : "has", options->pattern.at);
	fputc('\n', stderr);
	return 1;
}

static int read_options(struct options *options, int argc, char **argv, bool *is_help)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'},
		{"legacy", no_argument, NULL, 'l'},       {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *why;
	int result;
	opterr = 0;
	while ((result = getopt_long(argc, argv, ":c:h", known, NULL)) != -1) {
		switch (result) {
		case 'c': options->request.config = optarg; break;
		case 'j': options->is_json = true; break;
		case 'l': options->is_legacy = true; break;
		case 'h': *is_help = true; return EX_OK;
		default: return command_option_fault(&command_catalogue, result, argv);
		}
	}
	if (argc - optind > 1)
		return command_misused(&command_catalogue, "unexpected argument `%s`: one pattern is taken", argv[optind + 1]);
	if (optind == argc)
		return EX_OK;
	options->pattern = span_of(argv[optind]);
	if (memchr(options->pattern.at, '*', options->pattern.len) &&
	    pattern_compile(&options->glob, options->pattern, &why) < 0)
		return command_misused(&command_catalogue, "`%s` is no pattern: %s", argv[optind], why);
	return EX_OK;
}

static int catalogue_run(int argc, char **argv)
{
	struct options options = {.is_json = false};
	struct configuration configuration;
	bool is_help = false;
	int status = read_options(&options, argc, argv, &is_help);
	if (is_help)
		command_print_help(&command_catalogue);
	if (is_help || status != EX_OK)
		return status;
	if (configuration_load(&configuration, &options.request) < 0)
		return EX_CONFIG;
	status = list_or_say_none(&configuration, &options);
	configuration_free(&configuration);
	return fflush(stdout) == 0 ? status : EX_IOERR;
}

const struct command command_catalogue = {
	"catalogue",
	"[-c FILE] [--json] [--legacy] [PATTERN]",
	"lists the known events: their names, payload and metrics",
	"  PATTERN   only events one of whose names has this text, or matches this glob (`step.*`, `**.failed`)\n"
	"  -c FILE   a path, or a built-in pack's name (default: $STATSIDECAR_CONFIG, else\n"
	"            /etc/statsidecar/statsidecar.yaml, else the pack tasker)\n"
	"  --legacy  only the legacy names, each with the name that it has now\n"
	"  --json    one JSON object a line\n"
	"\n"
	"Names of metrics stand without an output's prefix; {field} is what an event puts in. `= execution_duration in s`\n"
	"is where the value comes from, `when` what must hold. Exit status 1 where there is nothing to list.\n",
	catalogue_run,
};
