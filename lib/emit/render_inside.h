/* Inside lib/emit only: what the parts of rendering call of each other.
 *
 *     render.c      names; a whole line
 *     tags.c        the tags of a line, in the dialect's frame or as segments of its name
 *     dogstatsd.c   events and service checks
 */
#ifndef STATSIDECAR_EMIT_RENDER_INSIDE_H
#define STATSIDECAR_EMIT_RENDER_INSIDE_H

#include "emit/put.h"
#include "emit/render.h"
#include "emit/sanitise.h"

/* What stands for a name or value beyond its limit. */
extern const struct span render_other;

/* tags.c */

/* A template's text, sanitised, at most limit bytes; 0 where a field is absent or nothing comes of it. */
size_t render_template(struct renderer *renderer, const struct template *template, const struct sanitiser *sanitiser, char *out,
                       size_t limit);
/* dogstatsd.c: whole lines, their length. */
size_t render_event(struct renderer *renderer, uint16_t output, const struct reading *reading, char *out);
size_t render_service_check(struct renderer *renderer, uint16_t output, const struct reading *reading, struct span head,
                            char *out);

#endif
