/* Texts that the program carries: the built-in packs and the status page, compressed by agent/settings/embed.sh. */
#ifndef STATSIDECAR_SETTINGS_CARRIED_H
#define STATSIDECAR_SETTINGS_CARRIED_H

#include <stddef.h>

struct carried {
	const char *name;
	const unsigned char *bytes; /* gzip (RFC 1952) */
	size_t size;
	size_t len; /* of the text */
};

/* Ends with a name that is NULL. */
extern const struct carried carried_texts[];

/* NULL where there is none of that name. */
const struct carried *carried_find(const char *name);

/* The text with a NUL behind it, the caller's to free; NULL without memory. */
char *carried_unpack(const struct carried *carried);

#endif
