/* TAP for programs of one file: tap_ok() once a test, tap_end() at the end. */
#ifndef STATSIDECAR_TESTS_TAP_H
#define STATSIDECAR_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_count;
static int tap_failed;

/* What went wrong comes before, as tap_note(). */
static inline void tap_ok(bool ok, const char *name)
{
	printf("%s %d - %s\n", ok ? "ok" : "not ok", ++tap_count, name);
	tap_failed += !ok;
	fflush(stdout);
}

static inline void __attribute__((format(printf, 1, 2))) tap_note(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("# ", stdout);
	vprintf(format, arguments);
	fputc('\n', stdout);
	va_end(arguments);
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif
