/* File names for marks: kept until the program ends, because problems and logs outlive the settings that they came
 * from. */
#ifndef STATSIDECAR_SETTINGS_NAMES_H
#define STATSIDECAR_SETTINGS_NAMES_H

#include "base/span.h"

/* The one copy of name; every equal name gets the same. */
const char *name_keep(const char *name);

#endif
