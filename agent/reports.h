/* What translation has to tell the log: lines that are no events, and guards that have closed. */
#ifndef STATSIDECAR_REPORTS_H
#define STATSIDECAR_REPORTS_H

#include "settings/settings.h"
#include "translate/translate.h"

/* settings is borrowed. */
struct translate_observer reports_observer(const struct settings *settings);

#endif
