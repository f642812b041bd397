/* test: runs the `tests:` of configurations; TAP. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "command/command.h"
#include "command/configuration.h"
#include "explain/line_set.h"
#include "explain/plain.h"
#include "explain/quote.h"
#include "explain/rehearsal.h"

enum { LINE_SHOWN = 1000 };

/* What the events of one test gave. */
struct run {
	const struct test_model *test;
	struct line_set got;
	struct line_set want;
	size_t event; /* number of the one under way, from 1 */
	const char *why; /* it was rejected */
	uint32_t column;
	size_t wrong; /* events with another outcome than the one wanted */
	FILE *notes;  /* diagnostics */
};

static void note_quoted(struct run *run, const char *heading, struct span text)
{
	fprintf(run->notes, "# %-11s ", heading);
	quote_put(run->notes, text, LINE_SHOWN);
	fputc('\n', run->notes);
}

static void on_rejected(void *context, enum outcome outcome, uint16_t input, struct span line, const char *why, uint32_t column)
{
	struct run *run = context;
	(void)outcome;
	(void)input;
	(void)line;
	run->why = why;
	run->column = column;
}

static void add_sorted(struct line_set *set, struct span line)
{
	line_set_add(set, line);
	line_sort_tags(set->bytes + set->places[set->count - 1].at, line.len);
}

static void on_line(void *context, uint16_t output, enum line_fate fate, struct span line)
{
	struct run *run = context;
	(void)output;
	if (fate == LINE_PACKED)
		add_sorted(&run->got, line);
}

static void on_done(void *context, enum outcome outcome, uint16_t input, struct span line)
{
	struct run *run = context;
	const struct text *want = &run->test->outcome;
	(void)input;
	if (!line.at)
		return; /* what a lifecycle gives is judged by its lines alone */
	run->event++;
	if (want->span.at && !span_is(want->span, outcome_names[outcome])) {
		run->wrong++;
		fprintf(run->notes, "# event %zu: got %s, want %.*s\n", run->event, outcome_names[outcome], SPAN_ARG(want->span));
	}
	if (run->why && (want->span.at == NULL || !span_is(want->span, outcome_names[outcome]))) {
		fprintf(run->notes, "# event %zu: %s", run->event, outcome_names[outcome]);
		if (run->column)
			fprintf(run->notes, " at column %u", run->column);
		fprintf(run->notes, ": %s\n", run->why);
	}
	run->why = NULL;
}

/* Both in any order; whether they are equal. */
static bool compare_lines(struct run *run)
{
	size_t i = 0;
	size_t k = 0;
	bool is_equal = true;
	line_set_sort(&run->got);
	line_set_sort(&run->want);
	while (i < run->want.count || k < run->got.count) {
		int order = i == run->want.count ? 1 : -1;
		if (i < run->want.count && k < run->got.count)
			order = line_order(run->want.lines[i], run->got.lines[k]);
		if (order < 0)
			note_quoted(run, "missing:", run->want.lines[i]);
		else if (order > 0)
			note_quoted(run, "unexpected:", run->got.lines[k]);
		is_equal = is_equal && order == 0;
		i += order <= 0;
		k += order >= 0;
	}
	return is_equal;
}

static bool judge(struct run *run)
{
	if (run->test->outcome.span.at == NULL)
		return compare_lines(run);
	if (run->event == 0) {
		fputs("# a blank line is no event\n", run->notes);
		return false;
	}
	for (size_t i = 0; run->wrong && i < run->got.count; i++)
		note_quoted(run, "made:", line_set_at(&run->got, i));
	return run->wrong == 0;
}

static bool run_test(const struct mapping *mapping, struct run *run)
{
	const struct trace trace = {.context = run, .line = on_line, .done = on_done};
	const struct translate_observer observer = {.context = run, .rejected = on_rejected};
	struct rehearsal *rehearsal = rehearsal_new(mapping, &trace, &observer);
	for (size_t i = 0; i < run->test->expect.count; i++)
		add_sorted(&run->want, run->test->expect.items[i].span);
	for (size_t i = 0; i < run->test->events.count; i++) {
		rehearsal_run(rehearsal, run->test->events.items[i].span);
		rehearsal_wait(rehearsal, run->test->wait_ns);
	}
	rehearsal_free(rehearsal);
	return judge(run);
}

/* One line of TAP; config stands before the name where there are several. */
static bool report_test(const struct mapping *mapping, const struct test_model *test, size_t number, const char *config)
{
	char *notes = NULL;
	size_t size;
	struct run run = {.test = test, .notes = open_memstream(&notes, &size)};
	if (!run.notes)
		arena_exhausted();
	const bool is_passed = run_test(mapping, &run);
	if (fclose(run.notes))
		arena_exhausted();
	printf("%sok %zu - %s%s", is_passed ? "" : "not ", number, config ? config : "", config ? ": " : "");
	for (size_t i = 0; i < test->name.span.len; i++) {
		const char c = test->name.span.at[i];
		if (c == '#')
			putchar('\\');
		putchar(c == '\n' ? ' ' : c);
	}
	putchar('\n');
	if (!is_passed)
		printf("# %s:%u\n%s", test->mark.file ? test->mark.file : "", test->mark.line, notes);
	free(notes);
	line_set_fini(&run.got);
	line_set_fini(&run.want);
	return is_passed;
}

struct subjects {
	struct configuration *configurations;
	struct plain *plains;
	const char **names;
	size_t count;
	size_t test_count;
};

static int load_all(struct subjects *subjects, char *const *configs, size_t config_count)
{
	int result = 0;
	subjects->configurations = calloc(config_count, sizeof(*subjects->configurations));
	subjects->plains = calloc(config_count, sizeof(*subjects->plains));
	if (!subjects->configurations || !subjects->plains)
		arena_exhausted();
	for (; subjects->count < config_count; subjects->count++) {
		const struct settings_request request = {.config = configs[subjects->count]};
		struct configuration *configuration = &subjects->configurations[subjects->count];
		if (configuration_load(configuration, &request) < 0 ||
		    configuration_make_plain(configuration, PLAIN_GUARDS_CONFIGURED, &subjects->plains[subjects->count]) < 0)
			result = -1; /* the faults of all are told */
		else
			subjects->test_count += configuration->settings->model.test_count;
	}
	return result;
}

static void free_all(struct subjects *subjects)
{
	for (size_t i = 0; i < subjects->count; i++) {
		plain_fini(&subjects->plains[i]);
		configuration_free(&subjects->configurations[i]);
	}
	free(subjects->configurations);
	free(subjects->plains);
}

static int run_all(const struct subjects *subjects, char *const *configs)
{
	size_t number = 0;
	size_t failed = 0;
	if (subjects->test_count == 0) {
		puts("1..0 # SKIP no tests");
		return EX_OK;
	}
	printf("1..%zu\n", subjects->test_count);
	for (size_t i = 0; i < subjects->count; i++) {
		const struct model *model = &subjects->configurations[i].settings->model;
		for (size_t k = 0; k < model->test_count; k++)
			failed += !report_test(subjects->plains[i].mapping, &model->tests[k], ++number,
			                       subjects->count > 1 ? configs[i] : NULL);
	}
	if (failed)
		printf("# %zu of %zu failed\n", failed, number);
	return failed ? 1 : EX_OK;
}

static int test_configs(char *const *configs, size_t count)
{
	struct subjects subjects = {.count = 0};
	int status = EX_CONFIG;
	if (load_all(&subjects, configs, count) == 0)
		status = run_all(&subjects, configs);
	free_all(&subjects);
	if (fflush(stdout) != 0 && status == EX_OK)
		return EX_IOERR;
	return status;
}

static int test_run(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	char **configs = calloc((size_t)argc + 1, sizeof(*configs));
	size_t count = 0;
	int result;
	int status;
	if (!configs)
		arena_exhausted();
	opterr = 0;
	while ((result = getopt_long(argc, argv, ":c:h", options, NULL)) == 'c')
		configs[count++] = optarg;
	if (result == 'h') {
		command_print_help(&command_test);
		status = EX_OK;
	} else if (result != -1) {
		status = command_option_fault(&command_test, result, argv);
	} else if (optind < argc) {
		status = command_misused(&command_test, "unexpected argument `%s`: a file is named with -c", argv[optind]);
	} else {
		status = test_configs(configs, count ? count : 1);
	}
	free(configs);
	return status;
}

const struct command command_test = {
	"test",
	"[-c FILE]…",
	"runs the tests of a configuration",
	"  -c FILE   a path, or a built-in pack's name; several are allowed (default: $STATSIDECAR_CONFIG, else\n"
	"            /etc/statsidecar/statsidecar.yaml, else the pack tasker)\n"
	"\n"
	"A configuration says under `tests:` which metric lines its rules make of which events. The tests run without\n"
	"inputs, outputs and environment: lines are plain DogStatsD, without an output's prefix and tags; each test\n"
	"begins afresh, and nothing is sampled. Lines may come in any order, and so may the tags of one.\n"
	"\n"
	"The result is TAP. Exit status 1 where a test fails, 78 where a configuration is faulty.\n",
	test_run,
};
