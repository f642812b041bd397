/* The files of a configuration: the own file and what it includes, depth first, each once. */
#ifndef STATSIDECAR_SETTINGS_INCLUDE_H
#define STATSIDECAR_SETTINGS_INCLUDE_H

#include "settings/settings.h"
#include "settings/source.h"

/* config is a path or a pack's name. What only the own file may hold goes into settings; settings->files gets every
 * path that was read. The sources in the order in which files are asked; NULL where the own file could not be read. */
struct source *include_load(struct reader *reader, struct settings *settings, const char *config);

#endif
