#include "explain/plain.h"

#include "base/bounds.h"

int plain_init(struct plain *plain, const struct model *model, const struct hash_key *key, struct problems *problems)
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
	plain->mapping = mapping_compile(&plain->model, key, problems);
	return plain->mapping ? 0 : -1;
}

void plain_fini(struct plain *plain)
{
	mapping_free(plain->mapping);
	*plain = (struct plain){.mapping = NULL};
}
