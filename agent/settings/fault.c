#include "settings/fault.h"

#include <stdarg.h>
#include <stdio.h>

static bool fault_is_known(const struct problems *problems, struct mark mark, const char *text)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct problem *other = &problems->items[i];
		bool same_file = other->mark.file == mark.file ||
		                 (other->mark.file && mark.file && strcmp(other->mark.file, mark.file) == 0);
		if (same_file && other->mark.line == mark.line && other->mark.column == mark.column &&
		    strcmp(other->text, text) == 0)
			return true;
	}
	return false;
}

void fault(struct problems *problems, struct mark mark, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = '?';
	if (!fault_is_known(problems, mark, text))
		problem_add(problems, mark, "%s", text);
}
