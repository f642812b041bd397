/* run: the agent itself, in the foreground. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "admin/admin.h"
#include "agent.h"
#include "base/bounds.h"
#include "command/command.h"
#include "command/configuration.h"
#include "command/program_copy.h"
#include "input/passed.h"
#include "log.h"
#include "telemetry.h"

struct arguments {
	const char *inputs[INPUTS_MAX];
	const char *outputs[OUTPUTS_MAX];
	const char *copy; /* where to put a copy of the program, or NULL */
	struct settings_request request;
};

/* 0, or EX_USAGE. */
static int arguments_take(struct arguments *arguments, int result)
{
	struct settings_request *request = &arguments->request;

	switch (result) {
	case 'c':
		request->config = optarg;
		return 0;
	case 'p':
		arguments->copy = optarg;
		return 0;
	case 'd':
		request->dialect = optarg;
		return 0;
	case 'i':
		if (request->input_count == ARRAY_LEN(arguments->inputs))
			return command_misused(&command_run, "at most %d inputs", INPUTS_MAX);
		arguments->inputs[request->input_count++] = optarg;
		return 0;
	default:
		if (request->output_count == ARRAY_LEN(arguments->outputs))
			return command_misused(&command_run, "at most %d outputs", OUTPUTS_MAX);
		arguments->outputs[request->output_count++] = optarg;
		return 0;
	}
}

static int arguments_parse(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"input", required_argument, NULL, 'i'},
		{"output", required_argument, NULL, 'o'},
		{"dialect", required_argument, NULL, 'd'},
		{"copy-program", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int result;

	*arguments = (struct arguments){.request = {.config = NULL}};
	arguments->request.inputs = arguments->inputs;
	arguments->request.outputs = arguments->outputs;
	opterr = 0;
	while ((result = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		int status;

		if (result == 'h') {
			command_print_help(&command_run);
			exit(EX_OK);
		}
		if (result == '?' || result == ':')
			return command_option_fault(&command_run, result, argv);
		status = arguments_take(arguments, result);
		if (status != 0)
			return status;
	}
	if (optind < argc)
		return command_misused(&command_run, "unexpected argument %s", argv[optind]);
	return 0;
}

static int run_run(int argc, char **argv)
{
	struct arguments arguments;
	struct configuration configuration;
	struct failure failure;
	struct agent *agent;
	struct telemetry *telemetry;
	struct admin *admin;
	int status = arguments_parse(&arguments, argc, argv);

	if (status != 0)
		return status;
	passed_init(); /* before descriptors of our own could be taken for passed ones */
	status = configuration_load(&configuration, &arguments.request);
	if (status < 0)
		return -status;
	log_configure(configuration.settings->log_level, configuration.settings->log_format);
	if (arguments.copy != NULL && program_copy(arguments.copy, &failure) < 0) {
		log_error("%s", failure.text);
		configuration_free(&configuration);
		return EX_OSERR;
	}
	agent = agent_new(configuration.settings, configuration.mapping, &arguments.request);
	if (agent == NULL) {
		log_error("no memory for the agent");
		return EX_OSERR;
	}
	telemetry = telemetry_new(agent);
	admin = admin_new(agent);
	if (telemetry == NULL || admin == NULL) {
		log_error("no memory for the agent");
		status = EX_OSERR;
	} else if (agent_open(agent, &failure) < 0 || admin_open(admin, &failure) < 0) {
		log_error("%s", failure.text);
		status = EX_OSERR;
	} else {
		telemetry_start(telemetry);
		status = agent_run(agent);
	}
	telemetry_free(telemetry);
	admin_free(admin);
	agent_free(agent);
	return status;
}

const struct command command_run = {
	.name = "run",
	.usage = "[-c FILE] [--input URL]… [--output URL]… [--dialect D] [--copy-program FILE]",
	.summary = "runs the agent in the foreground",
	.help = "  -c, --config FILE   the configuration: a path, or a built-in pack's name (-c tasker). Without it\n"
		"                      $STATSIDECAR_CONFIG, else /etc/statsidecar/statsidecar.yaml where that exists,\n"
		"                      else the built-in default\n"
		"      --input URL     read this, instead of the configured inputs; may be repeated:\n"
		"                      fifo:///path, udp://host:port, unix:///path, tcp://host:port, unixstream:///path, stdin:\n"
		"      --output URL    send there, instead of to the configured outputs; may be repeated:\n"
		"                      udp://host:port, unix:///path, tcp://host:port, unixstream:///path, stdout:\n"
		"      --dialect D     of every output: dogstatsd, statsd, graphite, influxdb, librato or signalfx\n"
		"      --copy-program FILE\n"
		"                      put a copy of this program there first: for containers that share a directory with\n"
		"                      the agent, and whose own image has no statsidecar to publish with\n"
		"\n"
		"When every input is stdin:, the agent ends at end of file. TERM and INT end it after it has sent what its\n"
		"inputs held; HUP, or a file of the configuration whose content changes, makes it read its configuration again;\n"
		"USR1 writes its counters to the log.\n"
		"\n"
		"Exit status: 0, 64 (usage), 71 (an input cannot be opened), 74 (standard output was closed), 78 (configuration).\n",
	.run = run_run,
};
