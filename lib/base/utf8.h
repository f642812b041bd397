/* UTF-8 (RFC 3629): what is a character and where one ends. */
#ifndef STATSIDECAR_BASE_UTF8_H
#define STATSIDECAR_BASE_UTF8_H

#include <stdint.h>

#include "base/span.h"

/* Bytes of the well-formed character at `at` (1 to 4), looking at no more than room bytes; 0 where none stands there
 * (an overlong form, a surrogate, beyond U+10FFFF, cut off). */
size_t utf8_length(const char *at, size_t room);

/* Whether a well-formed character of that length is one to look at: not a control character, nor one that turns or breaks the lines
 * around it (U+2028 to U+202E, U+2066 to U+2069), by which a text could show as another than it is. */
bool utf8_is_shown(const char *at, size_t length);

/* The largest length <= limit at which text can be cut without splitting a well-formed character. */
size_t utf8_cut(struct span text, size_t limit);

/* Writes the character code into out (room for 4); the length. A surrogate becomes the single byte 0xFF, which is
 * no UTF-8 and so becomes one `_` wherever it is used. */
size_t utf8_write(char *out, uint32_t code);

#endif
