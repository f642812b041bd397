/* The log: whole lines on standard error, as text or JSON. A line goes out with one write and never blocks the loop: what
 * standard error cannot take is counted, and told as soon as it can. Texts are printf formats without a newline; what they
 * put in is made safe (no control byte, no invalid UTF-8 reaches the log). */
#ifndef STATSIDECAR_LOG_H
#define STATSIDECAR_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "settings/settings.h"

/* Until then: info, text. */
void log_configure(enum log_level level, enum log_format format);
bool log_wants(enum log_level level);

void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* At level info, but always: what somebody asked for just now. */
void log_answer(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For a signal's handler: text is printable ASCII without `"` and `\`; what cannot go out at once is lost. */
void log_from_signal(enum log_level level, struct span text);

/* One kind of message that may come in masses: a burst of 5, then one a second; how many were hidden is told with the next one
 * that is shown, at the latest by log_tell_hidden(). Static storage, initialised with its name. */
struct log_limit {
	const char *name;
	int64_t refilled_ns;
	uint32_t tokens;
	bool is_known;
	uint64_t hidden;
	struct log_limit *next; /* all that were ever used */
};
#define LOG_LIMIT(name) {(name), 0, 0, false, 0, NULL}

/* The same in two steps, for messages that cost something to make. */
bool log_limit_allows(struct log_limit *limit, enum log_level level);
void log_allowed(struct log_limit *limit, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void log_tell_hidden(void);

/* Writes at most limit bytes of text into out as a quoted string, terminated by NUL: printable characters as they are,
 * `"` and `\` behind a backslash, each other byte as \xNN, then `…` where text is longer. size >= 8; the length written. */
size_t log_quote(char *out, size_t size, struct span text, size_t limit);

#endif
