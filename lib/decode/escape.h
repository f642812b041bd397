/* Texts with escapes -> their bytes. The result is never longer than the text. */
#ifndef STATSIDECAR_DECODE_ESCAPE_H
#define STATSIDECAR_DECODE_ESCAPE_H

#include "base/span.h"

/* What stands between the quotes of a JSON string that the decoder found valid. A surrogate without its partner becomes
 * the byte 0xFF, which is no UTF-8 and so one `_` wherever it is used. */
size_t escape_resolve_json(char *out, struct span text);

/* logfmt: \" \\ \n \t; a backslash before anything else stays. */
size_t escape_resolve_logfmt(char *out, struct span text);

/* The value of four hexadecimal digits, or -1. */
int escape_hex4(const char *at);

#endif
