/* Values -> YAML in one line, so that reading it gives the same values. */
#ifndef STATSIDECAR_SETTINGS_PRINT_H
#define STATSIDECAR_SETTINGS_PRINT_H

#include "map/model.h"
#include "settings/table.h"

/* One map being written: `{key: value, key: value}`. */
struct printer {
	FILE *out;
	bool has_entry; /* the next one needs a comma */
};

/* `key: `, behind a comma where it is not the first. */
void print_key(struct printer *printer, const char *key);

/* A scalar, quoted where YAML, or the expansion of ${}, would read it otherwise. */
void print_text(FILE *out, struct span text);
/* A key, which is never expanded. */
void print_name(FILE *out, struct span name);
/* [a, b] */
void print_texts(FILE *out, const struct texts *texts);

/* The rows of a table that have a value, and that applies (NULL: all) says yes to; SETTING_OWN by their own function.
 */
void print_rows(struct printer *printer, const struct table *table, const void *target,
                bool (*applies)(const struct setting *setting, const void *target));

#endif
