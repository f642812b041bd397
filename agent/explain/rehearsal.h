/* Lines through a translator as the running agent would take them, but nothing comes in or goes out: what happens is seen by
 * a trace (translate/trace.h). Sampling is off. */
#ifndef STATSIDECAR_EXPLAIN_REHEARSAL_H
#define STATSIDECAR_EXPLAIN_REHEARSAL_H

#include "translate/trace.h"
#include "translate/translate.h"

/* Of a line that is longer than limits.line so much more is enough to see that it is: the CR of its newline, and a byte. */
enum { LINE_EXCESS = 2 };

struct rehearsal;

/* All are borrowed; observer may be NULL. Running out of memory ends the program (base/arena.h). */
struct rehearsal *rehearsal_new(const struct mapping *mapping, const struct trace *trace,
                                const struct translate_observer *observer);
void rehearsal_free(struct rehearsal *rehearsal);

/* The input whose tags and format the lines get from now on; at first the mapping's first. */
void rehearsal_set_input(struct rehearsal *rehearsal, uint16_t input);
void rehearsal_set_time(struct rehearsal *rehearsal, struct moment now);
/* So much time passes, and what lifecycles do of themselves meanwhile is done. */
void rehearsal_wait(struct rehearsal *rehearsal, int64_t wait_ns);

/* Translates text: one line, or several; the last needs no newline. */
void rehearsal_run(struct rehearsal *rehearsal, struct span text);

/* What was counted since rehearsal_new(). */
const struct accounts *rehearsal_accounts(const struct rehearsal *rehearsal);

#endif
