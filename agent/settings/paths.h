/* Files by a pattern such as `conf.d/?*.yaml`: `*`, `?`, `[a-z]` and `[!a-z]` stand for what a name has between two slashes, a
 * leading dot aside; a backslash takes the next byte as it is. */
#ifndef STATSIDECAR_SETTINGS_PATHS_H
#define STATSIDECAR_SETTINGS_PATHS_H

/* Calls found() for every path that is there, in no order; what it is given is valid during the call. It may take memory of an
 * arena: where that ends an attempt (base/arena.h), nothing stays open. */
void paths_find(const char *pattern, void (*found)(void *context, const char *path), void *context);

#endif
