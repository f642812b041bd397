/* What every command does that works on a configuration: read it, compile it, print what is wrong. */
#ifndef STATSIDECAR_COMMAND_CONFIGURATION_H
#define STATSIDECAR_COMMAND_CONFIGURATION_H

#include "explain/plain.h"
#include "map/mapping.h"
#include "settings/settings.h"

struct configuration {
	struct settings *settings;
	struct mapping *mapping;
};

/* 0; else every fault is printed on standard error as `FILE:LINE:COLUMN: error: TEXT`, and the result is the exit status made
 * negative: EX_CONFIG, or EX_USAGE where only the command line is at fault. */
int configuration_load(struct configuration *configuration, const struct settings_request *request)
	__attribute__((warn_unused_result));
void configuration_free(struct configuration *configuration);

/* The configuration without what its machine adds (explain/plain.h), which must be freed before it; -1 as above. */
int configuration_make_plain(const struct configuration *configuration, enum plain_guards guards, struct plain *plain)
	__attribute__((warn_unused_result));

/* A key that nobody outside this process knows. */
void configuration_make_key(struct hash_key *key);

#endif
