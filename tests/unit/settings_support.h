/* For tests of the settings: configurations as texts, faults as texts. */
#ifndef STATSIDECAR_TESTS_SETTINGS_SUPPORT_H
#define STATSIDECAR_TESTS_SETTINGS_SUPPORT_H

#include "settings/settings.h"

#define SUPPORT_FILES_MAX 8

struct support_file {
	const char *name; /* may have a folder before it: `conf.d/a.yaml` */
	const char *text;
};

/* Reads the files, the first being the own one, from a temporary folder that is gone when the call returns. Faults
 * become one line each, in order, `LINE:COLUMN: TEXT` (before them FILE: where it is not the first); the folder is cut
 * out of them. Both results may be NULL; the caller frees them (settings_free, free). */
void support_load(const struct support_file *files, const struct settings_request *request, struct settings **settings,
                  char **faults);

/* One document. The settings, asserted to have no faults. */
struct settings *support_settings(const char *text);
/* Its faults. */
char *support_faults(const char *text);

/* Unsets every variable that settings look at. */
void support_clear_environment(void);

#endif
