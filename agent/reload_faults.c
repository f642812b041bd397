#include "reload_faults.h"

#include <stdio.h>

#include "log.h"

void reload_faults_clear(struct reload_faults *faults)
{
	faults->text[0] = '\0';
	faults->len = 0;
}

void reload_faults_add(struct reload_faults *faults, const char *text)
{
	static const char more[] = "…\n";
	size_t room = sizeof faults->text - sizeof more;
	size_t len = strlen(text);

	log_error("%s", text);
	if (faults->len > room)
		return;
	if (faults->len + len + 1 > room) {
		memcpy(faults->text + faults->len, more, sizeof more);
		faults->len = room + 1;
		return;
	}
	faults->len += (size_t)snprintf(faults->text + faults->len, sizeof faults->text - faults->len, "%s\n", text);
}

void reload_faults_add_problems(struct reload_faults *faults, const struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct problem *problem = &problems->items[i];
		char text[1024];

		if (problem->mark.line > 0)
			snprintf(text, sizeof text, "%s:%u:%u: error: %s", problem->mark.file, problem->mark.line,
			         problem->mark.column, problem->text);
		else
			snprintf(text, sizeof text, "%s%serror: %s", problem->mark.file == NULL ? "" : problem->mark.file,
			         problem->mark.file == NULL ? "" : ": ", problem->text);
		reload_faults_add(faults, text);
	}
}
