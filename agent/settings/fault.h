/* Faults of a configuration, each said once: an anchor that is used ten times, or a file that is read again after it
 * was mended, would otherwise repeat what it said. Control bytes of quoted texts become `?`. */
#ifndef STATSIDECAR_SETTINGS_FAULT_H
#define STATSIDECAR_SETTINGS_FAULT_H

#include "base/problem.h"

/* How much of a user's text a message quotes at most; for printf: "`%.*s`", FAULT_ARG(span). */
#define FAULT_QUOTE_MAX 80
#define FAULT_ARG(text) (int)((text).len < FAULT_QUOTE_MAX ? (text).len : FAULT_QUOTE_MAX), (text).at

void fault(struct problems *problems, struct mark mark, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
