/* Runs the unit tests and prints TAP: all suites, or those that are named on the command line. */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUITE(name) Suite *name##_suite(void);
#include "suites.h"
#undef SUITE

static const struct {
	const char *name;
	Suite *(*make)(void);
} suites[] = {
#define SUITE(name) {#name, name##_suite},
#include "suites.h"
#undef SUITE
	{NULL, NULL},
};

static bool is_asked_for(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	SRunner *runner = NULL;

	/* Seconds: only what hangs is to be ended, not what a sanitizer or a busy machine slows down. libcheck's own are 4. */
	setenv("CK_DEFAULT_TIMEOUT", "60", 0);
	for (size_t i = 0; suites[i].name != NULL; i++) {
		if (!is_asked_for(suites[i].name, argc, argv))
			continue;
		if (runner == NULL)
			runner = srunner_create(suites[i].make());
		else
			srunner_add_suite(runner, suites[i].make());
	}
	if (runner == NULL) {
		fputs("unit_tests: no such suite; there are:", stderr);
		for (size_t i = 0; suites[i].name != NULL; i++)
			fprintf(stderr, " %s", suites[i].name);
		fputc('\n', stderr);
		return 64;
	}
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
