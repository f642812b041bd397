/* The commands. Each file of this folder exports one struct command and is listed in table.c. */
#ifndef STATSIDECAR_COMMAND_COMMAND_H
#define STATSIDECAR_COMMAND_COMMAND_H

#include <stddef.h>

struct command {
	const char *name;
	const char *usage;   /* what follows the name: `[-c FILE] [EVENT…]` */
	const char *summary; /* one line, lower case, no full stop: what it does */
	const char *help;    /* the options and more, whole lines; may be NULL */
	/* argv[0] is the command's name; the exit status (sysexits.h). */
	int (*run)(int argc, char **argv);
};

/* The table ends with NULL. */
extern const struct command *const commands[];
const struct command *command_find(const char *name);

/* Says on standard error what is wrong and where help is; always EX_USAGE. For getopt_long(): opterr = 0, and
 * command_option_fault() for what it refuses ('?', or ':' with an option string that begins with one). */
int command_misused(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
int command_option_fault(const struct command *command, int result, char *const *argv);

void command_print_help(const struct command *command);

extern const struct command command_catalogue;
extern const struct command command_check;
extern const struct command command_exec;
extern const struct command command_explain;
extern const struct command command_health;
extern const struct command command_publish;
extern const struct command command_run;
extern const struct command command_help;
extern const struct command command_tap;
extern const struct command command_test;

#endif
