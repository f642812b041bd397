#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "command/command.h"

static void help_print_all(void)
{
	printf("usage: statsidecar COMMAND [ARGUMENT…]\n\n"
	       "Events in, StatsD metrics out.\n\n"
	       "commands:\n");
	for (const struct command *const *at = commands; *at != NULL; at++)
		printf("  %-10s %s\n", (*at)->name, (*at)->summary);
	printf("\n`statsidecar help COMMAND` tells more; `statsidecar --version` the version.\n");
}

static int help_run(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		help_print_all();
		return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
	}
	command = command_find(argv[1]);
	if (command == NULL) {
		fprintf(stderr, "statsidecar help: there is no command %s; `statsidecar help` lists them\n", argv[1]);
		return EX_USAGE;
	}
	command_print_help(command);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

const struct command command_help = {
	.name = "help",
	.usage = "[COMMAND]",
	.summary = "tells what there is, or how to use one command",
	.run = help_run,
};
