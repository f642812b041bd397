/* check: every fault of a configuration; --print: what it comes to. */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "command/command.h"
#include "command/configuration.h"
#include "emit/packer.h"
#include "input/input.h"
#include "map/lifecycle.h"
#include "translate/translate.h"

static void check_say_ok(const struct configuration *configuration)
{
	const struct model *model = &configuration->settings->model;
	const struct mapping *mapping = configuration->mapping;

	printf("%s: ok (%u %s, %u %s, %zu %s, %zu %s)\n", configuration->settings->origin, mapping->rule_count,
	       mapping->rule_count == 1 ? "rule" : "rules", mapping->metric_count,
	       mapping->metric_count == 1 ? "metric" : "metrics", model->catalogue_count,
	       model->catalogue_count == 1 ? "known event" : "known events", model->test_count,
	       model->test_count == 1 ? "test" : "tests");
}

/* What the inputs set aside: a buffer for each pipe and connection, and one set for all datagrams. */
struct check_buffers {
	uint64_t pipes;
	uint64_t connections;
	bool has_datagrams;
};

static struct check_buffers check_buffers(const struct settings *settings)
{
	struct check_buffers buffers = {.pipes = 0};

	for (size_t i = 0; i < settings->input_count; i++) {
		const struct input_settings *input = &settings->inputs[i];

		switch (input->endpoint.transport) {
		case TRANSPORT_FIFO:
		case TRANSPORT_STDIN:
			buffers.pipes++;
			break;
		case TRANSPORT_TCP:
		case TRANSPORT_UNIXSTREAM:
			buffers.connections += input->max_connections;
			break;
		case TRANSPORT_UDP:
		case TRANSPORT_UNIX:
			buffers.has_datagrams = true;
			break;
		case TRANSPORT_STDOUT:
			break;
		}
	}
	return buffers;
}

static void check_print_memory(const char *what, uint64_t bytes)
{
	printf("#   %-44s %8llu KiB\n", what, (unsigned long long)((bytes + 1023) / 1024));
}

/* The entities of each lifecycle; all their bytes. */
static uint64_t check_print_lifecycles(const struct mapping *mapping)
{
	uint64_t all = 0;

	for (uint16_t i = 0; i < mapping->lifecycle_count; i++) {
		const struct entities_settings entities = lifecycle_settings(&mapping->lifecycles[i]);
		char what[64];

		snprintf(what, sizeof what, "lifecycle %.*s: %u entities", SPAN_ARG(span_cut(mapping->lifecycles[i].name, 20)),
		         entities.max);
		check_print_memory(what, entities_memory(&entities));
		all += entities_memory(&entities);
	}
	return all;
}

static void check_print(const struct configuration *configuration)
{
	const struct settings *settings = configuration->settings;
	const struct check_buffers buffers = check_buffers(settings);
	const uint32_t line_max = settings->model.limits.line;

	settings_print(settings, stdout);
	fputs("\n# memory, at most:\n", stdout);
	const uint64_t lifecycles = check_print_lifecycles(configuration->mapping);
	check_print_memory("rules, tables, cardinality guards", translator_memory(configuration->mapping) - lifecycles);
	check_print_memory("lines of pipes and connections", buffers.pipes * line_stream_memory(line_max, PIPE_READ_SIZE) +
	                                                             buffers.connections * line_stream_memory(line_max, READ_SIZE));
	check_print_memory("datagrams of the inputs", buffers.has_datagrams ? input_datagram_memory() : 0);
	check_print_memory("datagrams of the outputs", settings->output_count * (uint64_t)(PACKER_SIZE + RENDER_MAX));
}

static int check_run(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"print", no_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct settings_request request = {.config = NULL};
	struct configuration configuration;
	bool is_printed = false;
	int result;

	opterr = 0;
	while ((result = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		if (result == 'h') {
			command_print_help(&command_check);
			return EX_OK;
		}
		if (result == '?' || result == ':')
			return command_option_fault(&command_check, result, argv);
		if (result == 'c')
			request.config = optarg;
		else
			is_printed = true;
	}
	if (optind < argc)
		return command_misused(&command_check, "unexpected argument `%s`: a file is named with -c", argv[optind]);
	if (configuration_load(&configuration, &request) < 0)
		return EX_CONFIG;
	if (is_printed)
		check_print(&configuration);
	else
		check_say_ok(&configuration);
	configuration_free(&configuration);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

const struct command command_check = {
	"check",
	"[-c FILE] [--print]",
	"reports every fault of a configuration",
	"  -c FILE   a path, or a built-in pack's name (default: $STATSIDECAR_CONFIG, else\n"
	"            /etc/statsidecar/statsidecar.yaml, else the pack tasker)\n"
	"  --print   prints the effective configuration, defaults and includes resolved, and the memory it takes\n"
	"\n"
	"Faults go to standard error as FILE:LINE:COLUMN: error: TEXT; the exit status is 78 then, else 0.\n",
	check_run,
};
