/* tap: what the running agent sees. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "admin/tap_client.h"
#include "base/pattern.h"
#include "command/admin_client.h"
#include "command/command.h"

enum { TIMEOUT_MS = 5000 };

struct options {
	const char *address;
	const char *match;
	const char *outcome;
	const char *count;
	bool is_json;
};

static void put_parameter(FILE *path, const char *name, const char *value)
{
	if (value == NULL)
		return;
	fprintf(path, "&%s=", name);
	for (; *value != '\0'; value++) {
		if (isalnum((unsigned char)*value))
			fputc(*value, path);
		else
			fprintf(path, "%%%02X", (unsigned char)*value);
	}
}

static char *tap_path(const struct options *options)
{
	char *text = NULL;
	size_t len;
	FILE *path = open_memstream(&text, &len);

	if (path == NULL)
		return NULL;
	fprintf(path, "/api/tap?format=%s", options->is_json ? "json" : "text");
	put_parameter(path, "match", options->match);
	put_parameter(path, "outcome", options->outcome);
	put_parameter(path, "n", options->count);
	return fclose(path) == 0 ? text : NULL;
}

static void tap_copy(struct admin_client *client, FILE *out)
{
	char text[16 * 1024];
	ssize_t len;

	while ((len = admin_client_read(client, text, sizeof text, -1)) > 0) {
		if (fwrite(text, 1, (size_t)len, out) < (size_t)len || fflush(out) != 0)
			return;
	}
	if (len < 0)
		fprintf(stderr, "statsidecar tap: %s\n", strerror(errno));
}

static int tap_listen(const struct options *options)
{
	struct admin_client client;
	struct failure failure;
	char *path = tap_path(options);
	int status;

	if (path == NULL)
		return EX_OSERR;
	status = admin_client_ask(&client, options->address, path, TIMEOUT_MS, &failure);
	free(path);
	if (status < 0) {
		fprintf(stderr, "statsidecar tap: %s\n", failure.text);
		return EX_UNAVAILABLE;
	}
	if (status != 200)
		fputs("statsidecar tap: ", stderr);
	tap_copy(&client, status == 200 ? stdout : stderr);
	admin_client_close(&client);
	if (status == 200)
		return EX_OK;
	return status == 400 ? EX_USAGE : EX_UNAVAILABLE;
}

/* What the agent would say, whether one is there or not. NULL: nothing. */
static const char *tap_fault(const struct options *options)
{
	struct pattern glob;
	const char *why = NULL;

	if (options->match != NULL && pattern_compile(&glob, span_of(options->match), &why) < 0)
		return why;
	if (options->outcome != NULL)
		why = tap_outcome_fault(options->outcome);
	if (why == NULL && options->count != NULL)
		why = tap_count_fault(options->count);
	return why;
}

static int tap_run(int argc, char **argv)
{
	static const struct option known[] = {
		{"admin", required_argument, NULL, 'a'}, {"match", required_argument, NULL, 'm'},
		{"outcome", required_argument, NULL, 'o'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0},
	};
	struct options options = {.address = NULL};
	const char *why;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":n:h", known, NULL)) != -1) {
		switch (option) {
		case 'a': options.address = optarg; break;
		case 'm': options.match = optarg; break;
		case 'o': options.outcome = optarg; break;
		case 'n': options.count = optarg; break;
		case 'j': options.is_json = true; break;
		case 'h': command_print_help(&command_tap); return EX_OK;
		default: return command_option_fault(&command_tap, option, argv);
		}
	}
	if (optind < argc)
		return command_misused(&command_tap, "unexpected argument `%s`", argv[optind]);
	if (options.address != NULL && !admin_client_is_address(options.address))
		return command_misused(&command_tap, "`%s` is no address and port such as " ADMIN_CLIENT_DEFAULT, options.address);
	why = tap_fault(&options);
	if (why != NULL)
		return command_misused(&command_tap, "%s", why);
	return tap_listen(&options);
}

const struct command command_tap = {
	.name = "tap",
	.usage = "[--admin HOST:PORT] [--match GLOB] [--outcome O] [-n N] [--json]",
	.summary = "shows what the running agent sees, as it comes",
	.help = "      --admin HOST:PORT   where the agent answers (default: " ADMIN_CLIENT_DEFAULT ")\n"
		"      --match GLOB        only events whose canonical identifier matches: 'step.*', '**.failed'\n"
		"      --outcome O         only these: mapped, fallback, dropped, empty, unmapped, unnamed, malformed, oversize\n"
		"  -n N                    ends after N events\n"
		"      --json              one JSON object a line\n"
		"\n"
		"Prints each event as `statsidecar explain` does: the line, the rule, the metrics. The agent is not slowed down:\n"
		"where it sees more than can be shown, it says how many events were left out.\n"
		"\n"
		"Exit status: 0, 64 (usage), 69 (no agent answers).\n",
	.run = tap_run,
};
