/* `{task_name} failed` -> parts that are copied when an event comes.
 *
 *     {{x}}.{event.0}.{1}.{step_name}
 *     ^ literal `{x}.`
 *           ^ segment 0  ^ capture 1
 *                            ^ a field
 */
#ifndef STATSIDECAR_MAP_TEMPLATE_H
#define STATSIDECAR_MAP_TEMPLATE_H

#include "map/reference.h"

struct template_part {
	struct span literal; /* at != NULL: this text, and no reference */
	struct reference reference;
};

struct template {
	struct template_part *parts;
	uint16_t count;
	uint8_t captures; /* the highest {N} in it; 0: none */
	bool has_fields;  /* depends on the payload, not on the identifier alone */
	bool is_constant;
};

#endif
