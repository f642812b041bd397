/* One table describes the keys of one kind of map: what each takes, its default, its bounds, where it goes, what it is
 * for. The same rows read configurations, set defaults, find misspelt keys, print the effective configuration and make
 * the reference documentation. */
#ifndef STATSIDECAR_SETTINGS_TABLE_H
#define STATSIDECAR_SETTINGS_TABLE_H

#include <stdio.h>

#include "settings/yaml_tree.h"

/* Carried through all readers. */
struct reader {
	struct arena *arena;
	struct problems *problems;
};

struct printer;

enum setting_type {
	SETTING_TEXT,          /* struct text */
	SETTING_TEMPLATE,      /* struct text; $1 gets the hint {1} */
	SETTING_STRING,        /* const char * */
	SETTING_TEXTS,         /* struct texts: a list, or one text */
	SETTING_TAGS,          /* struct tags_model: constants */
	SETTING_TEMPLATE_TAGS, /* struct tags_model: templates */
	SETTING_BOOL,          /* bool */
	SETTING_COUNT,         /* uint32_t, between min and max */
	SETTING_BYTES,         /* uint32_t, between min and max */
	SETTING_MODE,          /* uint32_t */
	SETTING_DURATION,      /* int64_t of nanoseconds, between min and max */
	SETTING_CHOICE,        /* an enum: min + the index in choices */
	SETTING_OWN,           /* what read does with it */
	SETTING_TYPE_COUNT,
};

enum setting_flag {
	SETTING_REQUIRED = 1,
	SETTING_OR_OFF = 2, /* a duration that may be `off`, which is 0 */
	SETTING_NAME = 4,   /* a text that becomes part of a metric's name: A-Za-z0-9_.- */
};

struct setting {
	const char *key;
	enum setting_type type;
	unsigned flags;
	size_t offset;
	int64_t min, max;
	const char *const *choices; /* ends with NULL */
	/* SETTING_OWN: target is the whole struct that the table describes. print writes `key: value` where there is a
	 * value (print.h); NULL: whoever prints the map does it. */
	void (*read)(struct reader *reader, const struct node *node, void *target);
	void (*print)(struct printer *printer, const void *target);
	const char *fallback; /* the default, as a configuration would write it; NULL: not given is not given */
	const char *shown;    /* for the documentation: the default in words, where fallback does not say it */
	const char *takes;    /* what it takes, in words, where the type does not say it; SETTING_OWN: always */
	const char *help;
};

struct table {
	const char *what; /* in messages: "an output" */
	const char *path; /* in the documentation: `outputs[]` */
	const struct setting *settings;
	size_t count;
};

/* A map may be described by several tables, each with its own target: the top of a file. */
struct part {
	const struct table *table;
	void *target;
};

/* Sets all defaults of the table. */
void table_defaults(struct reader *reader, const struct table *table, void *target);

/* Reads a map into target; what is wrong is reported and left at its default. Bit i of the answer: settings[i] was
 * given (whether or not it could be read, or was misspelt). */
uint64_t table_read(struct reader *reader, const struct table *table, const struct node *node, void *target);

/* Reads one value by its row. */
void setting_read(struct reader *reader, const struct setting *setting, const struct node *node, void *target);

/* Says `unknown key …`; the row that was meant, or NULL. */
const struct setting *table_unknown_key(struct reader *reader, const struct part *parts, size_t part_count,
                                        const struct node *key);

/* The row of a key, or NULL. */
const struct setting *table_find(const struct table *table, struct span key);

/* Whether bit of that key is set in what table_read() answered. */
bool table_given(const struct table *table, uint64_t given, const char *key);

/* Every table, for the documentation: NULL behind the last. */
const struct table *table_at(size_t index);

#endif
