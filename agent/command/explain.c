/* explain: what becomes of events, and why; over a recorded stream, --summary and --diff. */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "command/command.h"
#include "command/configuration.h"
#include "explain/difference.h"
#include "explain/explanation.h"
#include "explain/line_reader.h"
#include "explain/plain.h"
#include "explain/quote.h"
#include "explain/rehearsal.h"
#include "explain/summary.h"

struct options {
	struct settings_request request;
	const char *input; /* label of the input whose lines these are */
	bool is_json;
	bool is_summary;
	bool is_diff;
	char **events; /* ends with NULL; none: standard input is read */
	const char *old_config;
	const char *new_config;
};

/* ---- lines from the arguments or from standard input ---- */

typedef void take_line(void *context, struct span line);

static bool is_blank(struct span line)
{
	size_t blanks = 0;
	while (blanks < line.len && line.at[blanks] && strchr(" \t\r\n", line.at[blanks]))
		blanks++;
	return blanks == line.len;
}

/* A recording that is empty by mistake has no differences either. */
static void warn_of_nothing(const struct options *options)
{
	if (options->is_diff || options->is_summary)
		fprintf(stderr, "statsidecar explain: no event came on standard input: nothing was %s\n",
		        options->is_diff ? "compared" : "counted");
}

static int take_lines(const struct options *options, size_t line_max, take_line *take, void *context)
{
	struct line_reader reader;
	struct span line;
	bool is_any = false;
	int error;
	for (char **event = options->events; *event; event++)
		take(context, span_of(*event));
	if (*options->events)
		return 0;
	line_reader_init(&reader, STDIN_FILENO, line_max);
	do {
		/* Somebody may watch: tell what there is before waiting for more. */
		if (line_reader_is_drained(&reader))
			fflush(stdout);
		if (!line_reader_next(&reader, &line))
			break;
		take(context, line);
		is_any = is_any || !is_blank(line);
	} while (true);
	error = reader.error;
	line_reader_fini(&reader);
	if (error == 0 && !is_any)
		warn_of_nothing(options);
	if (error == 0)
		return 0;
	fprintf(stderr, "statsidecar explain: cannot read standard input: %s\n", strerror(error));
	return -1;
}

static void run_line(struct rehearsal *rehearsal, struct span line)
{
	rehearsal_set_time(rehearsal, (struct moment){clock_realtime_ns(), clock_monotonic_ns()});
	rehearsal_run(rehearsal, line);
}

static int find_input(const struct mapping *mapping, const char *label, uint16_t *input)
{
	*input = 0;
	if (!label)
		return 0;
	for (; *input < mapping->input_count; (*input)++)
		if (span_is(mapping->inputs[*input].label, label))
			return 0;
	fprintf(stderr, "statsidecar explain: there is no input `%s`; there are", label);
	for (uint16_t i = 0; i < mapping->input_count; i++)
		fprintf(stderr, "%s `%.*s`", i ? "," : "", SPAN_ARG(mapping->inputs[i].label));
	fputc('\n', stderr);
	return -1;
}

/* ---- one explanation an event ---- */

struct printer {
	bool is_json;
	uint64_t count;
};

static void separate(struct printer *printer)
{
	if (printer->count++)
		putchar('\n');
}

static void print_explanation(void *context, const struct explanation *explanation)
{
	struct printer *printer = context;
	if (printer->is_json) {
		explanation_print_json(explanation, stdout);
		return;
	}
	separate(printer);
	explanation_print_text(explanation, stdout);
}

struct explaining {
	struct printer printer;
	struct rehearsal *rehearsal;
};

static void explain_line(void *context, struct span line)
{
	struct explaining *explaining = context;
	const uint64_t before = explaining->printer.count;
	run_line(explaining->rehearsal, line);
	if (explaining->printer.count != before || is_blank(line) || explaining->printer.is_json)
		return;
	separate(&explaining->printer);
	quote_put(stdout, line, line.len);
	puts("\n    outcome    no event: the batch is empty");
}

static int explain_events(const struct options *options, const struct mapping *mapping, uint16_t input)
{
	struct explaining explaining = {.printer = {.is_json = options->is_json}};
	struct explainer *explainer = explainer_new(mapping, print_explanation, &explaining.printer);
	explaining.rehearsal = rehearsal_new(mapping, explainer_trace(explainer), explainer_observer(explainer));
	rehearsal_set_input(explaining.rehearsal, input);
	const int result = take_lines(options, (size_t)mapping->limits.line + LINE_EXCESS, explain_line, &explaining);
	rehearsal_free(explaining.rehearsal);
	explainer_free(explainer);
	return result < 0 ? EX_IOERR : EX_OK;
}

/* ---- --summary ---- */

static int summarise(const struct options *options, const struct mapping *mapping, uint16_t input)
{
	struct summary *summary = summary_new(mapping);
	summary_set_input(summary, input);
	const int result = take_lines(options, (size_t)mapping->limits.line + LINE_EXCESS, summary_take, summary);
	if (result == 0 && options->is_json)
		summary_print_json(summary, stdout);
	else if (result == 0)
		summary_print_text(summary, stdout);
	summary_free(summary);
	return result < 0 ? EX_IOERR : EX_OK;
}

/* `explain a.b step=x`: the shell has made two events of one. */
static void warn_of_quotes(const struct options *options)
{
	for (char **event = options->events; *event; event++) {
		if (event == options->events || !strchr(*event, '=') || strpbrk(*event, " {["))
			continue;
		fprintf(stderr, "statsidecar explain: `%s` is taken as an event of its own: put quotes around a whole event\n", *event);
		return;
	}
}

static int explain_configured(const struct options *options)
{
	struct configuration configuration;
	uint16_t input;
	int status = EX_USAGE;
	if (configuration_load(&configuration, &options->request) < 0)
		return EX_CONFIG;
	warn_of_quotes(options);
	if (find_input(configuration.mapping, options->input, &input) == 0)
		status = options->is_summary ? summarise(options, configuration.mapping, input)
		                             : explain_events(options, configuration.mapping, input);
	configuration_free(&configuration);
	return status;
}

/* ---- --diff ---- */

struct side {
	struct configuration configuration;
	struct plain plain;
};

static int side_init(struct side *side, const char *config)
{
	const struct settings_request request = {.config = config};
	*side = (struct side){.plain = {.mapping = NULL}};
	if (configuration_load(&side->configuration, &request) < 0)
		return -1;
	return configuration_make_plain(&side->configuration, PLAIN_GUARDS_WIDE, &side->plain);
}

static void side_fini(struct side *side)
{
	plain_fini(&side->plain);
	configuration_free(&side->configuration);
}

static int compare(const struct options *options, const struct mapping *old_mapping, const struct mapping *new_mapping)
{
	const uint32_t old_max = old_mapping->limits.line;
	const uint32_t new_max = new_mapping->limits.line;
	struct difference *difference = difference_new(old_mapping, new_mapping);
	const int result =
		take_lines(options, (size_t)(old_max > new_max ? old_max : new_max) + LINE_EXCESS, difference_take, difference);
	if (result == 0 && options->is_json)
		difference_print_json(difference, stdout);
	else if (result == 0)
		difference_print_text(difference, stdout);
	const bool is_different = difference_is_any(difference);
	difference_free(difference);
	if (result < 0)
		return EX_IOERR;
	return is_different ? 1 : EX_OK;
}

static int explain_difference(const struct options *options)
{
	struct side old_side;
	struct side new_side;
	const int old_result = side_init(&old_side, options->old_config);
	const int new_result = side_init(&new_side, options->new_config); /* the faults of both are told */
	int status = EX_CONFIG;
	if (old_result == 0 && new_result == 0)
		status = compare(options, old_side.plain.mapping, new_side.plain.mapping);
	side_fini(&new_side);
	side_fini(&old_side);
	return status;
}

/* ---- the command ---- */

static int read_options(struct options *options, int argc, char **argv, bool *is_help)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'j'},
		{"summary", no_argument, NULL, 's'},      {"diff", no_argument, NULL, 'd'},
		{"input", required_argument, NULL, 'i'},  {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int result;
	opterr = 0;
	while ((result = getopt_long(argc, argv, ":c:i:h", known, NULL)) != -1) {
		switch (result) {
		case 'c': options->request.config = optarg; break;
		case 'i': options->input = optarg; break;
		case 'j': options->is_json = true; break;
		case 's': options->is_summary = true; break;
		case 'd': options->is_diff = true; break;
		case 'h': *is_help = true; return EX_OK;
		default: return command_option_fault(&command_explain, result, argv);
		}
	}
	options->events = argv + optind;
	if (!options->is_diff)
		return EX_OK;
	if (options->is_summary || options->request.config || options->input)
		return command_misused(&command_explain, "--diff goes with --json only");
	if (argc - optind < 2)
		return command_misused(&command_explain, "--diff needs two configurations: the old one and the new one");
	options->old_config = *options->events++;
	options->new_config = *options->events++;
	return EX_OK;
}

static int explain_run(int argc, char **argv)
{
	struct options options = {.events = argv + argc};
	bool is_help = false;
	int status = read_options(&options, argc, argv, &is_help);
	if (is_help)
		command_print_help(&command_explain);
	else if (status == EX_OK)
		status = options.is_diff ? explain_difference(&options) : explain_configured(&options);
	if (fflush(stdout) != 0 && status == EX_OK)
		return EX_IOERR;
	return status;
}

const struct command command_explain = {
	"explain",
	"[-c FILE] [--input LABEL] [--json] [--summary | --diff OLD NEW] [EVENT…]",
	"tells what becomes of events, and why",
	"Each EVENT is one line as an application writes it, in quotes; without any, lines are read from standard\n"
	"input. Nothing is sent, and sampling is left aside.\n"
	"\n"
	"  -c FILE         a path, or a built-in pack's name (default: $STATSIDECAR_CONFIG, else\n"
	"                  /etc/statsidecar/statsidecar.yaml, else the pack tasker)\n"
	"  --input LABEL   takes the lines as this input would: its format, its tags (default: the first input)\n"
	"  --json          one JSON object a line instead of words\n"
	"  --summary       counts over all lines: outcomes, identifiers that nobody maps, legacy names that are still\n"
	"                  in use, missing payload\n"
	"  --diff OLD NEW  per identifier, the metrics that NEW's rules make more, no longer, or otherwise than OLD's;\n"
	"                  both write plain DogStatsD lines, their outputs are left aside. Exit status 1 if there are any\n"
	"\n"
	"In words: the line, then indented by four what was found out, and indented by two every metric line exactly\n"
	"as it goes out.\n",
	explain_run,
};
