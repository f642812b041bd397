/* Texts of events -> bytes that no protocol can mistake for its own. Each reserved byte, control byte and byte of invalid
 * UTF-8 becomes one `_`; nothing else changes, so that out needs as much room as the text (and SCAN_PAD more: it is written in
 * whole vectors). */
#ifndef STATSIDECAR_EMIT_SANITISE_H
#define STATSIDECAR_EMIT_SANITISE_H

#include "map/model.h"

enum { SANITISE_RESERVED = 6 };

/* What may not stand in a text of one use. */
struct sanitiser {
	uint8_t class[256];   /* 0: stays, 1: becomes `_`, 2: part of UTF-8 that must be checked */
	/* Bytes beside the control bytes and 127, the last one repeated: a vector of sixteen each. */
	char reserved[SANITISE_RESERVED][16] __attribute__((aligned(16)));
};

extern struct sanitiser const sanitise_tag_key[DIALECT_COUNT];
extern struct sanitiser const sanitise_tag_value[DIALECT_COUNT];
extern struct sanitiser const sanitise_set; /* a set's value: | : , and control bytes */

/* The length written: the text's, cut at limit bytes on a character's boundary. */
size_t sanitise(char *out, const struct sanitiser *sanitiser, struct span text, size_t limit);

/* A metric's name: every byte outside A-Za-z0-9_.- becomes `_`. */
size_t sanitise_name(char *out, struct span text);
/* What a field puts into a name: dots become `_` too. */
size_t sanitise_name_value(char *out, struct span text);

/* A DogStatsD event's or service check's text: newlines as \n (two characters), other control bytes and invalid UTF-8 as `_`,
 * `|` stays in an event's texts, which their lengths frame; in a service check's message, and in fields behind the texts, it becomes
 * `_`, and `m:` becomes `m\:`, the `m` also where it stands at out[-1], which must be there. Writes at most limit bytes, cut on a
 * character's boundary, and leaves in text what did not fit. */
size_t sanitise_text(char *out, struct span *text, size_t limit);
size_t sanitise_message(char *out, struct span *text, size_t limit);

#endif
