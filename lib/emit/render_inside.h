/* Inside lib/emit only: what the parts of rendering call of each other.
 *
 *     render.c      names; a whole line
 *     tags.c        the tags of a line, in the dialect's frame or as segments of its name
 *     dogstatsd.c   events and service checks
 */
#ifndef STATSIDECAR_EMIT_RENDER_INSIDE_H
#define STATSIDECAR_EMIT_RENDER_INSIDE_H

#include "emit/render.h"
#include "emit/sanitise.h"

/* What stands for a name or value beyond its limit. */
extern const struct span render_other;

/* Texts that hang in an arena, a plan or a buffer with SCAN_PAD bytes behind it are copied 32 bytes at a time, so that the length of
 * most does not matter; what stands behind the end is overwritten by what follows. */
static inline char *put(char *out, struct span text)
{
	memcpy(out, text.at, 32);
	for (size_t at = 32; __builtin_expect(at < text.len, 0); at += 32)
		memcpy(out + at, text.at + at, 32);
	return out + text.len;
}

/* Any other text. */
static inline char *put_exactly(char *out, struct span text)
{
	if (text.len)
		memcpy(out, text.at, text.len);
	return out + text.len;
}

/* tags.c */

/* A template's text, sanitised, at most limit bytes; 0 where a field is absent or nothing comes of it. */
size_t render_template(struct renderer *renderer, const struct template *template, const struct sanitiser *sanitiser, char *out,
                       size_t limit);
/* The metric's tags, then the rule's, the input's, the global ones, the output's, with what opens and closes them; nothing where
 * there are none. Returns the end. */
char *render_tags(struct renderer *renderer, uint16_t output, const struct metric *metric, char *out);
/* tags_in_name: `.fetch.nightly`, absent ones as none: one segment for each key, at the place of the first tag that has it. */
char *render_name_tags(struct renderer *renderer, const struct metric *metric, char *out);

/* dogstatsd.c: whole lines, their length. */
size_t render_event(struct renderer *renderer, uint16_t output, const struct reading *reading, char *out);
size_t render_service_check(struct renderer *renderer, uint16_t output, const struct reading *reading, struct span head,
                            char *out);

#endif
