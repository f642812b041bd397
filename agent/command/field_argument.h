/* KEY=VALUE of a command line -> a field whose value is text. The argument is cut at its first `=` and borrowed by the
 * field. */
#ifndef STATSIDECAR_COMMAND_FIELD_ARGUMENT_H
#define STATSIDECAR_COMMAND_FIELD_ARGUMENT_H

#include "command/command.h"
#include "publish/statsidecar.h"

/* 0, or EX_USAGE, which has been said. */
int field_argument_parse(struct statsidecar_field *field, const struct command *command, char *argument)
	__attribute__((warn_unused_result));

#endif
