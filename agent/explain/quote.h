/* Texts of events on a terminal: nothing that an event brought may end a line, move the cursor or be no UTF-8. */
#ifndef STATSIDECAR_EXPLAIN_QUOTE_H
#define STATSIDECAR_EXPLAIN_QUOTE_H

#include <stdio.h>

#include "base/span.h"

/* Control bytes and invalid UTF-8 as \n, \t, \xNN; behind limit bytes `…`. */
void quote_put(FILE *out, struct span text, size_t limit);

/* The same as a new text of the heap, owned by the caller. */
char *quote_new(struct span text, size_t limit);

#endif
