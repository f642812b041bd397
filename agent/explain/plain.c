#include "explain/plain.h"

#include "base/bounds.h"

enum { WIDE = 100000 };

static void widen(struct limits_model *limits)
{
	limits->names = WIDE;
	limits->tag_values = WIDE;
	limits->tag_value_limit_count = 0;
}

int plain_init(struct plain *plain, const struct model *model, enum plain_guards guards, const struct hash_key *key,
               struct problems *problems)
{
	*plain = (struct plain){
		.model = *model,
		.input = {.label = {.span = SPAN("plain")}},
		.output = {.label = {.span = SPAN("plain")}, .max_datagram = LINE_OUT_MAX, .is_imagined = true},
	};
	plain->model.inputs = &plain->input;
	plain->model.input_count = 1;
	plain->model.outputs = &plain->output;
	plain->model.output_count = 1;
	if (guards == PLAIN_GUARDS_WIDE)
		widen(&plain->model.limits);
	plain->mapping = mapping_compile(&plain->model, key, problems);
	return plain->mapping ? 0 : -1;
}

void plain_fini(struct plain *plain)
{
	mapping_free(plain->mapping);
	*plain = (struct plain){.mapping = NULL};
}
