/* bytes -> one line: where it ends, and where a JSON reader has to look. One pass over the bytes, 64 at a time.
 *
 *     {"event":"a.b","note":"say \"hi\""}\n
 *      ^     ^ ^   ^ ^    ^ ^    ^ ^ ^ ^ marks: quotes, backslashes, control bytes
 *                                        ^ the end
 *
 * Vector loads touch up to SCAN_PAD bytes behind the newline; the caller's buffer has them. */
#ifndef STATSIDECAR_DECODE_SCAN_H
#define STATSIDECAR_DECODE_SCAN_H

#include <stdint.h>

/* Marks that stand behind the last one, each at the line's end: a reader may look that far without asking. */
enum { SCAN_SENTINELS = 4 };

/* Scans from line up to its newline, which must exist: the caller has seen one, or put one there. marks has room for the
 * line's length + 64 + SCAN_SENTINELS. Returns the line's length without the newline. */
uint32_t scan_line(const char *line, uint32_t *marks);

#endif
