/* Values as configurations write them: durations, bytes, counts, modes, booleans; both ways. The parsers take the whole
 * text: 0, or -1 where it is no such value, with *why, a static text that says what to write. */
#ifndef STATSIDECAR_SETTINGS_SCALAR_H
#define STATSIDECAR_SETTINGS_SCALAR_H

#include <stdint.h>

#include "base/span.h"

#define SCALAR_TEXT_MAX 64

/* `10s`, `1h30m`, `250ms` -> nanoseconds. */
int scalar_duration(int64_t *ns, struct span text, const char **why) __attribute__((warn_unused_result));
/* `4096`, `64KiB`, `1MB` -> bytes. */
int scalar_bytes(int64_t *bytes, struct span text, const char **why) __attribute__((warn_unused_result));
int scalar_count(int64_t *count, struct span text, const char **why) __attribute__((warn_unused_result));
/* Octal: `0620`, `620`, `0o620`. */
int scalar_mode(int64_t *mode, struct span text, const char **why) __attribute__((warn_unused_result));
/* on, off, true, false, yes, no; any case. */
int scalar_bool(bool *flag, struct span text, const char **why) __attribute__((warn_unused_result));

/* Into out (SCALAR_TEXT_MAX bytes), so that the parsers read it back. */
void scalar_write_duration(char *out, int64_t ns);
void scalar_write_bytes(char *out, int64_t bytes);

#endif
