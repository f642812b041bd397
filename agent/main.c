#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "command/command.h"
#include "config.h"

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		fprintf(stderr, "usage: statsidecar COMMAND [ARGUMENT…]; `statsidecar help` lists the commands\n");
		return EX_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("statsidecar %s\n", PACKAGE_VERSION);
		return EX_OK;
	}
	command = command_find(strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ? "help" : argv[1]);
	if (command == NULL) {
		fprintf(stderr, "statsidecar: there is no command %s; `statsidecar help` lists them\n", argv[1]);
		return EX_USAGE;
	}
	return command->run(argc - 1, argv + 1);
}
