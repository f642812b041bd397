#include "command/configuration.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "clock.h"

void configuration_make_key(struct hash_key *key)
{
	/* Without random numbers, early at boot, the clocks are the best there is. */
	if (getrandom(key, sizeof *key, GRND_NONBLOCK) != (ssize_t)sizeof *key)
		*key = (struct hash_key){(uint64_t)clock_realtime_ns(), (uint64_t)clock_monotonic_ns()};
}

static void problems_print(const struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct problem *problem = &problems->items[i];

		if (problem->mark.line > 0)
			fprintf(stderr, "%s:%u:%u: error: %s\n", problem->mark.file, problem->mark.line, problem->mark.column,
			        problem->text);
		else if (problem->mark.file != NULL)
			fprintf(stderr, "%s: error: %s\n", problem->mark.file, problem->text);
		else
			fprintf(stderr, "error: %s\n", problem->text);
	}
}

/* Whether nothing but the command line is at fault: its texts are marked with the option's name. */
static bool are_of_command_line(const struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		if (problems->items[i].mark.file == NULL || strncmp(problems->items[i].mark.file, "--", 2) != 0)
			return false;
	}
	return problems->count > 0;
}

int configuration_load(struct configuration *configuration, const struct settings_request *request)
{
	struct problems problems = {.count = 0};
	struct hash_key key;
	int result;

	*configuration = (struct configuration){.settings = settings_load(request, &problems)};
	/* Settings with faults in them are good for finding those that only the compiler sees. */
	if (configuration->settings != NULL) {
		configuration_make_key(&key);
		configuration->mapping = mapping_compile(&configuration->settings->model, &key, &problems);
	}
	if (problems.count == 0 && configuration->mapping != NULL)
		result = 0;
	else
		result = are_of_command_line(&problems) ? -EX_USAGE : -EX_CONFIG;
	problems_sort(&problems);
	problems_print(&problems);
	problems_fini(&problems);
	if (result < 0)
		configuration_free(configuration);
	return result;
}

int configuration_make_plain(const struct configuration *configuration, enum plain_guards guards, struct plain *plain)
{
	struct problems problems = {.count = 0};
	struct hash_key key;
	int result;

	configuration_make_key(&key);
	result = plain_init(plain, &configuration->settings->model, guards, &key, &problems);
	problems_print(&problems);
	problems_fini(&problems);
	return result;
}

void configuration_free(struct configuration *configuration)
{
	mapping_free(configuration->mapping);
	settings_free(configuration->settings);
	*configuration = (struct configuration){.settings = NULL};
}
