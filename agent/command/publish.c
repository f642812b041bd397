/* publish: one event, or the lines of standard input, to an agent. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/bounds.h"
#include "command/command.h"
#include "command/field_argument.h"
#include "command/line_feed.h"

static void publish_say_unsent(const struct statsidecar *publisher, int result)
{
	fprintf(stderr, "statsidecar publish: not sent to %s: %s\n", statsidecar_url(publisher),
	        result == STATSIDECAR_FAILED ? strerror(errno) : statsidecar_result_text(result));
}

/* One event: arguments are its identifier and its fields. */
static int publish_event(struct statsidecar *publisher, char **arguments, int count, bool is_quiet)
{
	struct statsidecar_field *fields = calloc((size_t)count, sizeof *fields);
	int status = 0, result;

	if (fields == NULL)
		return EX_OSERR;
	for (int i = 1; i < count && status == 0; i++)
		status = field_argument_parse(&fields[i - 1], &command_publish, arguments[i]);
	if (status == 0) {
		result = statsidecar_publish_event(publisher, arguments[0], fields, (size_t)count - 1);
		if (result == STATSIDECAR_INVALID)
			status = command_misused(&command_publish,
			                         "`%s` is no identifier: 1 to %d bytes of A-Za-z0-9_.:/- that "
			                         "begin with a letter",
			                         arguments[0], IDENTIFIER_MAX);
		else if (result != STATSIDECAR_OK && !is_quiet)
			publish_say_unsent(publisher, result);
		if (result != STATSIDECAR_OK && status == 0)
			status = is_quiet ? EX_OK : EX_TEMPFAIL;
	}
	free(fields);
	return status;
}

static int publish_lines(struct statsidecar *publisher, bool is_quiet)
{
	static struct line_feed feed;
	static char bytes[READ_SIZE];
	uint64_t sent, dropped;
	ssize_t len;

	feed.publisher = publisher;
	while ((len = read(STDIN_FILENO, bytes, sizeof bytes)) != 0) {
		if (len > 0) {
			line_feed_take(&feed, bytes, (size_t)len);
		} else if (errno == EAGAIN) {
			/* Somebody has made it non-blocking. */
			struct pollfd readable = {.fd = STDIN_FILENO, .events = POLLIN};

			(void)poll(&readable, 1, -1);
		} else if (errno != EINTR) {
			fprintf(stderr, "statsidecar publish: standard input: %s\n", strerror(errno));
			return EX_IOERR;
		}
	}
	line_feed_end(&feed);
	dropped = line_feed_dropped(&feed, &sent);
	if (dropped == 0 || is_quiet)
		return EX_OK;
	fprintf(stderr, "statsidecar publish: %llu of %llu lines not sent to %s\n", (unsigned long long)dropped,
	        (unsigned long long)(sent + dropped), statsidecar_url(publisher));
	return EX_TEMPFAIL;
}

static int publish_run(int argc, char **argv)
{
	static const struct option options[] = {
		{"to", required_argument, NULL, 't'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct statsidecar *publisher;
	const char *to = NULL;
	bool is_quiet = false;
	int option, status;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":qh", options, NULL)) != -1) {
		if (option == 'h') {
			command_print_help(&command_publish);
			return EX_OK;
		}
		if (option == '?' || option == ':')
			return command_option_fault(&command_publish, option, argv);
		if (option == 'q')
			is_quiet = true;
		else
			to = optarg;
	}
	if (optind == argc)
		return command_misused(&command_publish, "an identifier is missing, or `-` to read lines");
	if (strcmp(argv[optind], "-") == 0 && optind + 1 < argc)
		return command_misused(&command_publish, "unexpected argument `%s` behind `-`", argv[optind + 1]);
	status = statsidecar_open(&publisher, to);
	if (status == STATSIDECAR_NO_MEMORY)
		return EX_OSERR;
	if (status < 0)
		return command_misused(&command_publish, "%s: %s", to != NULL && *to != '\0' ? to : "$STATSIDECAR_TO",
		                       statsidecar_result_text(status));
	if (strcmp(argv[optind], "-") == 0)
		status = publish_lines(publisher, is_quiet);
	else
		status = publish_event(publisher, argv + optind, argc - optind, is_quiet);
	statsidecar_close(publisher);
	return status;
}

const struct command command_publish = {
	.name = "publish",
	.usage = "[--to URL] [-q] IDENTIFIER [KEY=VALUE]… | -",
	.summary = "publishes one event, or the lines of standard input",
	.help = "  --to URL     where the agent listens: fifo:///PATH, udp://ADDRESS:PORT, unix:///PATH or "
                "unix://@NAME\n"
		"               (default: $STATSIDECAR_TO, else fifo:///run/statsidecar/events where that has a "
                "reader,\n"
		"               else udp://127.0.0.1:8127)\n"
		"  -q, --quiet  says nothing, and exits with 0, where the event could not be sent\n"
		"  -            reads lines, each an event in JSON or logfmt, and publishes them as they come\n"
		"\n"
		"    statsidecar publish order.created currency=CHF amount=59.90\n"
		"\n"
		"Values are texts; a number is one that says a number. The event is dated now unless a field does "
                "that. It never\n"
		"waits: where the pipe is full, or nobody reads, the event is dropped. On a pipe an event has at most "
                "4096 bytes,\n"
		"else 8192; one that is longer is shortened, a longer line dropped.\n"
		"\n"
		"Exit status: 0 (sent), 75 (not sent; with `-`: not all of them), 64 (usage), 74 (standard input "
                "cannot be read).\n",
	.run = publish_run,
};
