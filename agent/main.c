#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "command/command.h"
#include "config.h"

/* A socket that became descriptor 2 because nobody had opened that would be sent the log. What takes the place of a closed one is open
 * the other way: whoever reads or writes it hears that it cannot be. */
static void standard_descriptors_open(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	}
}

int main(int argc, char **argv)
{
	const struct command *command;

	standard_descriptors_open();
	if (argc < 2) {
		fprintf(stderr, "usage: statsidecar COMMAND [ARGUMENT…]; `statsidecar help` lists the commands\n");
		return EX_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("statsidecar %s\n", PACKAGE_VERSION);
		return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
	}
	command = command_find(strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ? "help" : argv[1]);
	if (command == NULL) {
		fprintf(stderr, "statsidecar: there is no command %s; `statsidecar help` lists them\n", argv[1]);
		return EX_USAGE;
	}
	return command->run(argc - 1, argv + 1);
}
