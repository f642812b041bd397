/* One file of a configuration (or a pack) as it was read, before files are merged. The readers of the maps that any
 * file may hold fill it; each of them reports what is wrong and leaves it out. */
#ifndef STATSIDECAR_SETTINGS_SOURCE_H
#define STATSIDECAR_SETTINGS_SOURCE_H

#include "map/model.h"
#include "settings/table.h"

struct source {
	const char *path;      /* as users see it */
	const char *directory; /* ends with /; NULL: a pack, which has none */
	struct texts include;
	struct text prefix;
	struct identify_model identify; /* items == NULL: not given */
	struct tags_model tags;
	struct catalogue_model *catalogue;
	size_t catalogue_count;
	struct field_model *fields;
	size_t field_count;
	struct lifecycle_model *lifecycles;
	size_t lifecycle_count;
	struct rule_model *rules;
	size_t rule_count;
	struct test_model *tests;
	size_t test_count;
	struct source *next; /* the order in which files are asked */
};

/* What any file may hold; the target is a struct source. */
extern const struct table source_table;

extern const struct table identify_table;
extern const struct table catalogue_table;
extern const struct table field_table;
extern const struct table pattern_table;
extern const struct table lifecycle_table;
extern const struct table duration_table;
extern const struct table rule_table;
extern const struct table metric_table;
extern const struct table event_table;
extern const struct table service_check_table;
extern const struct table test_table;

/* Rows of source_table; target is a struct source. */
void read_identify(struct reader *reader, const struct node *node, void *target);
void read_catalogue(struct reader *reader, const struct node *node, void *target);
void read_fields(struct reader *reader, const struct node *node, void *target);
void read_lifecycles(struct reader *reader, const struct node *node, void *target);
void read_rules(struct reader *reader, const struct node *node, void *target);
void read_tests(struct reader *reader, const struct node *node, void *target);

#endif
