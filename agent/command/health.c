/* health: whether the agent lives, for probes that run a command. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <sysexits.h>

#include "command/admin_client.h"
#include "command/command.h"

enum { TIMEOUT_MS = 3000, UNWELL = 1 };

static int health_ask(const char *address, bool wants_ready)
{
	struct admin_client client;
	struct failure failure;
	char text[1024];
	ssize_t len;
	int status = admin_client_ask(&client, address, wants_ready ? "/readyz" : "/healthz", TIMEOUT_MS, &failure);

	if (status < 0) {
		fprintf(stderr, "statsidecar health: %s\n", failure.text);
		return UNWELL;
	}
	while ((len = admin_client_read(&client, text, sizeof text, TIMEOUT_MS)) > 0)
		fwrite(text, 1, (size_t)len, stdout);
	admin_client_close(&client);
	return status == 200 ? EX_OK : UNWELL;
}

static int health_run(int argc, char **argv)
{
	static const struct option options[] = {
		{"ready", no_argument, NULL, 'r'},
		{"admin", required_argument, NULL, 'a'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *address = NULL;
	bool wants_ready = false;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (option) {
		case 'r':
			wants_ready = true;
			break;
		case 'a':
			address = optarg;
			break;
		case 'h':
			command_print_help(&command_health);
			return EX_OK;
		default:
			return command_option_fault(&command_health, option, argv);
		}
	}
	if (optind < argc)
		return command_misused(&command_health, "unexpected argument `%s`", argv[optind]);
	return health_ask(address, wants_ready);
}

const struct command command_health = {
	.name = "health",
	.usage = "[--ready] [--admin HOST:PORT]",
	.summary = "tells whether the running agent is well, for probes that run a command",
	.help = "      --ready             asks whether it is ready: inputs open, outputs found; else whether it lives\n"
		"      --admin HOST:PORT   where it answers (default: " ADMIN_CLIENT_DEFAULT ")\n"
		"\n"
		"Prints what it says. Exit status: 0 (it is); 1 (it is not, does not answer within 3 s, or HOST:PORT is no\n"
		"address); 64 (usage).\n",
	.run = health_run,
};
