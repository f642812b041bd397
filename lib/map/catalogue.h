/* An identifier as an event wrote it -> the canonical one: exact name or alias; else with the first strip that fits taken off,
 * looked up again; else what is left is the identifier itself. */
#ifndef STATSIDECAR_MAP_CATALOGUE_H
#define STATSIDECAR_MAP_CATALOGUE_H

#include "map/mapping.h"

enum spelling { SPELLING_CANONICAL, SPELLING_ALIAS, SPELLING_LEGACY, SPELLING_UNKNOWN };

#define CATALOGUE_NONE UINT32_MAX

struct identity {
	struct span event;   /* canonical; points into the mapping, or into the text where the identifier is unknown */
	enum spelling spelling;
	struct span stripped; /* what was taken off; len 0: nothing */
	uint32_t known;      /* index of the known event, or CATALOGUE_NONE */
	uint32_t legacy;     /* index of the legacy name, or CATALOGUE_NONE */
};

struct known_event {
	struct span name;
	const struct catalogue_model *model;
	uint32_t expectation_first; /* index into mapping->expectations */
	uint32_t expectation_count;
};

struct catalogue_name {
	struct span name;
	enum spelling spelling;
	uint32_t known;
	uint32_t legacy;
	struct mark mark;
};

struct catalogue {
	struct catalogue_name *names; /* sorted by name */
	uint32_t name_count;
	struct known_event *known; /* the order of the model */
	uint32_t known_count;
};

struct identity catalogue_resolve(const struct mapping *mapping, struct span text);

/* 1 to IDENTIFIER_MAX bytes of A-Za-z0-9_.:/- beginning with a letter. */
bool identifier_is_valid(struct span text);

#endif
