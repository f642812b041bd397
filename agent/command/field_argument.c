#include "command/field_argument.h"

#include <string.h>

int field_argument_parse(struct statsidecar_field *field, const struct command *command, char *argument)
{
	char *equals = strchr(argument, '=');

	if (equals == NULL || equals == argument)
		return command_misused(command, "`%s` is not KEY=VALUE", argument);
	*equals = '\0';
	if (strcmp(argument, "event") == 0)
		return command_misused(command, "`event` is the identifier itself, not a field");
	*field = statsidecar_text(argument, equals + 1);
	return 0;
}
