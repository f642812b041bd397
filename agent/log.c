#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/utf8.h"
#include "clock.h"

enum {
	LINE_SIZE = 4096, /* PIPE_BUF: a pipe takes it whole or not at all */
	TEXT_SIZE = 3072,
	BURST = 5,
};

static struct {
	enum log_level level;
	enum log_format format;
	uint64_t lost;
	struct log_limit *limits;
} logger = {LOG_LEVEL_INFO, LOG_FORMAT_TEXT, 0, NULL};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_configure(enum log_level level, enum log_format format)
{
	logger.level = level;
	logger.format = format;
}

bool log_wants(enum log_level level)
{
	return level >= logger.level;
}

/* Appends text with everything escaped that could end the line or upset a reader of it; stops before room runs out. */
static size_t log_put_safely(char *out, size_t room, struct span text, bool is_json)
{
	size_t used = 0;

	for (size_t at = 0; at < text.len && used + 8 < room;) {
		unsigned char byte = (unsigned char)text.at[at];
		size_t length = utf8_length(text.at + at, text.len - at);

		if (is_json && (byte == '"' || byte == '\\')) {
			out[used++] = '\\';
			out[used++] = (char)byte;
			at++;
		} else if (length == 0 || (length > 1 && !utf8_is_shown(text.at + at, length))) {
			out[used++] = '?';
			at += length == 0 ? 1 : length;
		} else if (byte < 0x20 || byte == 0x7f) {
			used += (size_t)snprintf(out + used, room - used, is_json ? "\\u%04x" : "\\x%02x", byte);
			at++;
		} else {
			memcpy(out + used, text.at + at, length);
			used += length;
			at += length;
		}
	}
	return used;
}

static bool log_can_write(void)
{
	struct pollfd standard_error = {.fd = STDERR_FILENO, .events = POLLOUT};
	int count;

	do
		count = poll(&standard_error, 1, 0);
	while (count < 0 && errno == EINTR);
	return count == 1 && (standard_error.revents & POLLOUT) != 0;
}

/* On a full disk the kernel may take a part of a line: the next one begins on a line of its own. */
static void log_put(const char *line, size_t len)
{
	static bool is_torn;
	ssize_t written = -1;

	if (log_can_write() && (!is_torn || write(STDERR_FILENO, "\n", 1) == 1)) {
		is_torn = false;
		do
			written = write(STDERR_FILENO, line, len);
		while (written < 0 && errno == EINTR);
	}
	if (written != (ssize_t)len)
		logger.lost++;
	is_torn = is_torn || (written > 0 && written != (ssize_t)len);
}

static void log_write(enum log_level level, struct span text)
{
	char line[LINE_SIZE];
	bool is_json = logger.format == LOG_FORMAT_JSON;
	size_t used = 0;

	if (is_json)
		used += (size_t)snprintf(line, sizeof line, "{\"time\":\"");
	used = (size_t)(clock_put_time(line + used, clock_realtime_ns()) - line);
	used += (size_t)snprintf(line + used, sizeof line - used, is_json ? "\",\"level\":\"%s\",\"message\":\"" : " %s ",
	                         level_names[level]);
	used += log_put_safely(line + used, sizeof line - used - 8, text, is_json);
	used += (size_t)snprintf(line + used, sizeof line - used, is_json ? "\"}\n" : "\n");
	log_put(line, used);
}

static char *put_plainly(char *out, struct span text)
{
	memcpy(out, text.at, text.len);
	return out + text.len;
}

void log_from_signal(enum log_level level, struct span text)
{
	char line[512];
	bool is_json = logger.format == LOG_FORMAT_JSON;
	char *end = line;

	if (!log_wants(level) || text.len > sizeof line - 96)
		return;
	if (is_json)
		end = put_plainly(end, SPAN("{\"time\":\""));
	end = clock_put_time(end, clock_realtime_ns());
	end = put_plainly(end, is_json ? SPAN("\",\"level\":\"") : SPAN(" "));
	end = put_plainly(end, span_of(level_names[level]));
	end = put_plainly(end, is_json ? SPAN("\",\"message\":\"") : SPAN(" "));
	end = put_plainly(end, text);
	end = put_plainly(end, is_json ? SPAN("\"}\n") : SPAN("\n"));
	log_put(line, (size_t)(end - line));
}

static void log_tell_lost(void)
{
	char text[96];
	uint64_t lost = logger.lost;
	int len;

	if (lost == 0 || !log_can_write())
		return;
	logger.lost = 0;
	len = snprintf(text, sizeof text, "%llu log lines lost: standard error was full", (unsigned long long)lost);
	log_write(LOG_LEVEL_WARN, (struct span){text, (size_t)len});
}

static void log_format_and_write(enum log_level level, uint64_t hidden, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

static void log_format_and_write(enum log_level level, uint64_t hidden, const char *format, va_list arguments)
{
	char text[TEXT_SIZE];
	size_t used;
	int saved = errno;
	int len = vsnprintf(text, sizeof text - 64, format, arguments);

	used = len < 0 ? 0 : (size_t)len;
	if (used > sizeof text - 65)
		used = sizeof text - 65;
	if (hidden > 0)
		used += (size_t)snprintf(text + used, sizeof text - used, " (%llu similar messages suppressed)",
		                         (unsigned long long)hidden);
	log_tell_lost();
	log_write(level, (struct span){text, used});
	errno = saved;
}

#define LOG_FUNCTION(name, level)                                   \
	void name(const char *format, ...)                          \
	{                                                           \
		va_list arguments;                                  \
                                                                    \
		if (!log_wants(level))                              \
			return;                                     \
		va_start(arguments, format);                        \
		log_format_and_write(level, 0, format, arguments);  \
		va_end(arguments);                                  \
	}

LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)

void log_answer(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_format_and_write(LOG_LEVEL_INFO, 0, format, arguments);
	va_end(arguments);
}

static bool log_limit_take(struct log_limit *limit)
{
	int64_t now_ns = clock_monotonic_ns();

	if (!limit->is_known) {
		limit->is_known = true;
		limit->next = logger.limits;
		logger.limits = limit;
		limit->tokens = BURST;
		limit->refilled_ns = now_ns;
	}
	if (now_ns - limit->refilled_ns >= NS_PER_S) {
		int64_t seconds = (now_ns - limit->refilled_ns) / NS_PER_S;

		limit->tokens = seconds >= BURST || limit->tokens + seconds >= BURST ? BURST : limit->tokens + (uint32_t)seconds;
		limit->refilled_ns += seconds * NS_PER_S;
	}
	if (limit->tokens == 0) {
		limit->hidden++;
		return false;
	}
	limit->tokens--;
	return true;
}

bool log_limit_allows(struct log_limit *limit, enum log_level level)
{
	return log_wants(level) && log_limit_take(limit);
}

void log_allowed(struct log_limit *limit, enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_format_and_write(level, limit->hidden, format, arguments);
	va_end(arguments);
	limit->hidden = 0;
}

void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
{
	va_list arguments;

	if (!log_limit_allows(limit, level))
		return;
	va_start(arguments, format);
	log_format_and_write(level, limit->hidden, format, arguments);
	va_end(arguments);
	limit->hidden = 0;
}

void log_tell_hidden(void)
{
	for (struct log_limit *limit = logger.limits; limit != NULL; limit = limit->next) {
		if (limit->hidden > 0)
			log_warn("%s: %llu more messages suppressed", limit->name, (unsigned long long)limit->hidden);
		limit->hidden = 0;
	}
}

size_t log_quote(char *out, size_t size, struct span text, size_t limit)
{
	static const char more[] = "…";
	size_t used = 0;
	size_t at = 0;

	out[used++] = '"';
	/* At most 4 bytes a turn, then the quote, the ellipsis and the NUL. */
	while (at < text.len && at < limit && used + 4 + 1 + sizeof more <= size) {
		unsigned char byte = (unsigned char)text.at[at];
		size_t length = utf8_length(text.at + at, text.len - at);

		if (byte == '"' || byte == '\\') {
			out[used++] = '\\';
			out[used++] = (char)byte;
			at++;
		} else if (length == 0 || !utf8_is_shown(text.at + at, length)) {
			used += (size_t)snprintf(out + used, size - used, "\\x%02x", byte);
			at++;
		} else if (at + length > limit) {
			break;
		} else {
			memcpy(out + used, text.at + at, length);
			used += length;
			at += length;
		}
	}
	out[used++] = '"';
	if (at < text.len) {
		memcpy(out + used, more, sizeof more - 1);
		used += sizeof more - 1;
	}
	out[used] = '\0';
	return used;
}
