#include "command/command.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* In the order in which help shows them. */
const struct command *const commands[] = {
	&command_run,
	&command_check,
	&command_explain,
	&command_test,
	&command_catalogue,
	&command_publish,
	&command_exec,
	&command_tap,
	&command_health,
	&command_help,
	NULL,
};

const struct command *command_find(const char *name)
{
	for (const struct command *const *at = commands; *at != NULL; at++) {
		if (strcmp((*at)->name, name) == 0)
			return *at;
	}
	return NULL;
}

int command_misused(const struct command *command, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "statsidecar %s: ", command->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "; see `statsidecar help %s`\n", command->name);
	return EX_USAGE;
}

int command_option_fault(const struct command *command, int result, char *const *argv)
{
	char letter[3] = {'-', (char)optopt, '\0'};
	/* Of a group of short options (`-xy`) only getopt() knows which one it means. */
	const char *option = strncmp(argv[optind - 1], "--", 2) != 0 && optopt != 0 ? letter : argv[optind - 1];

	if (result == ':')
		return command_misused(command, "the option %s needs a value", option);
	return command_misused(command, "unknown option %s", option);
}

void command_print_help(const struct command *command)
{
	printf("usage: statsidecar %s%s%s\n\n%s.\n", command->name, *command->usage != '\0' ? " " : "", command->usage,
	       command->summary);
	if (command->help != NULL)
		printf("\n%s", command->help);
}
