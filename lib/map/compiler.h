/* Inside lib/map only: what the parts of mapping_compile() share. Every part reports its faults and goes on; whether the
 * mapping may be used is decided at the end. */
#ifndef STATSIDECAR_MAP_COMPILER_H
#define STATSIDECAR_MAP_COMPILER_H

#include "map/mapping.h"

/* A list of tags that others say again: they share its tags. */
struct shared_tags {
	const struct tags_model *model; /* NULL: none yet */
	struct tag_list list;
	int kind;
};

enum { SHARED_TAGS = 128 };

struct compiler {
	struct mapping *mapping;
	const struct model *model;
	struct problems *problems;
	struct place places[PLACES_MAX]; /* the top, then the payload objects */
	size_t place_count;
	size_t payload_size;
	bool has_too_many; /* LOCATIONS_MAX was reported */
	struct shared_tags shared_tags[SHARED_TAGS]; /* by hash of their texts */
	struct span self;  /* the standard field that is being compiled: by its own name it means the payload's */
};

/* What a template is for: the literal parts of a name are checked, those of a text are not. */
enum { TEMPLATE_NAME, TEMPLATE_TEXT };

/* compile_reference.c */
uint16_t compile_payload(struct compiler *compiler, struct span name, struct mark mark);
struct reference compile_reference(struct compiler *compiler, struct span name, struct mark mark);
void compile_template(struct compiler *compiler, struct template *template, const struct text *text, int use);
void compile_conditions(struct compiler *compiler, struct conditions *conditions, const struct conditions_model *model);
struct pattern *compile_patterns(struct compiler *compiler, const struct texts *texts, uint16_t *count);

/* compile_field.c */
void compile_fields(struct compiler *compiler);
bool field_variant_applies(const struct field_variant_model *variant, struct span event);

/* compile_lifecycle.c */
void compile_lifecycles(struct compiler *compiler);

/* compile_rule.c */
void compile_rules(struct compiler *compiler);

/* compile_tag.c */
enum { TAGS_CONSTANT, TAGS_TEMPLATED };
void compile_tags(struct compiler *compiler, struct tag_list *list, const struct tags_model *model, int kind);
/* After all tags are known: which repeat a key of tags that can stand before them. */
void compile_tag_repeats(struct compiler *compiler);

/* catalogue.c */
struct catalogue;
void compile_catalogue(struct compiler *compiler);
void compile_expectations(struct compiler *compiler);

/* match.c */
void compile_matchers(struct compiler *compiler);

#endif
