/* exec: runs a command and publishes that it started, and how it ended. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/span.h"
#include "command/command.h"
#include "command/field_argument.h"
#include "command/job.h"

/* Those that exec fills in itself, and room for those of --set. */
enum { FIELDS_OWN = 5, FIELDS_SET_MAX = 64 };

struct exec {
	const char *to;
	const char *name;
	bool is_teed;
	struct statsidecar_field set[FIELDS_SET_MAX];
	size_t set_count;
	struct statsidecar *publisher;
};

static int exec_set(struct exec *exec, char *argument)
{
	static const char *const own[] = {"job", "execution_duration", "exit_status", "signal", "max_rss"};
	struct statsidecar_field *field = &exec->set[exec->set_count];
	int status;

	if (exec->set_count == FIELDS_SET_MAX)
		return command_misused(&command_exec, "at most %d times --set", FIELDS_SET_MAX);
	status = field_argument_parse(field, &command_exec, argument);
	for (size_t i = 0; i < ARRAY_LEN(own) && status == 0; i++) {
		if (strcmp(field->name, own[i]) == 0)
			status = command_misused(&command_exec, "`%s` is what exec says itself", own[i]);
	}
	exec->set_count++;
	return status;
}

/* 0 and *command, or a status with which to exit; -1: help has been printed. */
static int exec_parse(struct exec *exec, int argc, char **argv, char ***command)
{
	static const struct option options[] = {
		{"to", required_argument, NULL, 't'},
		{"set", required_argument, NULL, 's'},
		{"tee", no_argument, NULL, 'e'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option, status = 0;

	opterr = 0;
	while (status == 0 && (option = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (option == 'h') {
			command_print_help(&command_exec);
			return -1;
		}
		if (option == '?' || option == ':')
			return command_option_fault(&command_exec, option, argv);
		if (option == 't')
			exec->to = optarg;
		else if (option == 'e')
			exec->is_teed = true;
		else
			status = exec_set(exec, optarg);
	}
	if (status != 0)
		return status;
	if (optind == argc || *argv[optind] == '\0')
		return command_misused(&command_exec, "the job's name is missing");
	exec->name = argv[optind];
	if (strcmp(argv[optind - 1], "--") == 0 && (optind + 1 == argc || strcmp(argv[optind + 1], "--") != 0))
		return command_misused(&command_exec, "the job's name is missing in front of `--`");
	if (optind + 1 == argc || strcmp(argv[optind + 1], "--") != 0)
		return command_misused(&command_exec, "`--` and a command are missing behind the name");
	if (optind + 2 == argc)
		return command_misused(&command_exec, "a command is missing behind `--`");
	*command = argv + optind + 2;
	return 0;
}

/* The job is run whatever becomes of this: an address that is wrong is said, and that is all. */
static void exec_open(struct exec *exec)
{
	int result = statsidecar_open(&exec->publisher, exec->to);

	if (result < 0)
		fprintf(stderr, "statsidecar exec: %s: %s; nothing is published\n",
		        exec->to != NULL && *exec->to != '\0' ? exec->to : "$STATSIDECAR_TO",
		        statsidecar_result_text(result));
}

/* An agent that is away, or a full pipe, is no business of the job's: nothing is said. */
static void exec_publish(struct exec *exec, const char *event, const struct statsidecar_field *own, size_t own_count)
{
	struct statsidecar_field fields[FIELDS_OWN + FIELDS_SET_MAX];
	int result;

	memcpy(fields, own, own_count * sizeof *own);
	memcpy(fields + own_count, exec->set, exec->set_count * sizeof *exec->set);
	result = statsidecar_publish_event(exec->publisher, event, fields, own_count + exec->set_count);
	if (result == STATSIDECAR_FAILED || result == STATSIDECAR_NO_PIPE)
		fprintf(stderr, "statsidecar exec: %s not sent to %s: %s\n", event, statsidecar_url(exec->publisher),
		        result == STATSIDECAR_FAILED ? strerror(errno) : statsidecar_result_text(result));
}

static void exec_publish_start(struct exec *exec)
{
	struct statsidecar_field own[] = {statsidecar_text("job", exec->name)};

	exec_publish(exec, "job.started", own, ARRAY_LEN(own));
}

static void exec_publish_end(struct exec *exec, const struct job *job)
{
	struct statsidecar_field own[FIELDS_OWN];
	size_t count = 0;

	own[count++] = statsidecar_text("job", exec->name);
	own[count++] = statsidecar_integer("exit_status", job->exit_status);
	if (job->signal != 0)
		own[count++] = statsidecar_integer("signal", job->signal);
	if (job->error == 0) {
		own[count++] = statsidecar_duration("execution_duration", job->duration_ns);
		own[count++] = statsidecar_integer("max_rss", job->max_rss);
	}
	exec_publish(exec, job->exit_status == 0 ? "job.completed" : "job.failed", own, count);
}

/* The default is chosen again: since the start an agent may have come, or gone from the pipe to the port. */
static void exec_open_again(struct exec *exec)
{
	statsidecar_close(exec->publisher);
	exec->publisher = NULL;
	(void)statsidecar_open(&exec->publisher, exec->to);
}

static void exec_say_output(const struct job *job)
{
	if (job->output_error != 0)
		fprintf(stderr, "statsidecar exec: standard output: %s\n", strerror(job->output_error));
	if (job->lines_dropped > 0)
		fprintf(stderr, "statsidecar exec: %llu of %llu lines of output not sent\n",
		        (unsigned long long)job->lines_dropped,
		        (unsigned long long)(job->lines_dropped + job->lines_sent));
}

static int exec_run(int argc, char **argv)
{
	/* Not on the stack: with --tee a thread may still use the publisher when this ends. */
	static struct exec exec;
	struct statsidecar *lines = NULL;
	struct job job = {.command = NULL};
	int status = exec_parse(&exec, argc, argv, &job.command);

	if (status != 0)
		return status < 0 ? EX_OK : status;
	exec_open(&exec);
	exec_publish_start(&exec);
	if (exec.is_teed && exec.publisher != NULL)
		(void)statsidecar_open(&lines, exec.to);
	job.publisher = lines;
	job_run(&job);
	if (exec.publisher != NULL)
		exec_open_again(&exec);
	exec_publish_end(&exec, &job);
	exec_say_output(&job);
	statsidecar_close(exec.publisher);
	return job.exit_status;
}

const struct command command_exec = {
	.name = "exec",
	.usage = "[--to URL] [--set KEY=VALUE]… [--tee] NAME -- COMMAND…",
	.summary = "runs a command and publishes how it went",
	.help = "  --to URL         where the agent listens: fifo:///PATH, udp://ADDRESS:PORT, unix:///PATH or "
                "unix://@NAME\n"
		"                   (default: $STATSIDECAR_TO, else fifo:///run/statsidecar/events where that has a\n"
		"                   reader, else udp://127.0.0.1:8127)\n"
		"  --set KEY=VALUE  a field of both events; may be repeated\n"
		"  --tee            publishes each line of the command's standard output too, as an event of its own; "
                "all of it\n"
		"                   still goes to standard output, unchanged\n"
		"\n"
		"    statsidecar exec nightly -- ./nightly.sh --all\n"
		"\n"
		"publishes job.started; then job.completed, or job.failed where the command's status is not 0. Both "
                "have the\n"
		"field job; the end has exit_status, signal (where one ended it), execution_duration (seconds) and "
                "max_rss\n"
		"(bytes). The pack `job` makes metrics of them.\n"
		"\n"
		"Publishing never delays the command or makes it fail: what cannot be sent is dropped; how many lines "
                "of --tee,\n"
		"is said at the end. TERM, INT, HUP, QUIT, USR1 and USR2 are passed on to the command. What the "
                "command's own\n"
		"children write after its end is not waited for.\n"
		"\n"
		"Exit status: the command's; 128 + n after signal n, 127 (not found), 126 (not executable), 64 "
                "(usage).\n",
	.run = exec_run,
};
