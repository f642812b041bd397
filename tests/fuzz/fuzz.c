#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fuzz_fail(const char *format, ...)
{
	va_list arguments;
	fflush(stdout);
	fputs("fuzz: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}

uint8_t fuzz_byte(struct span *input)
{
	if (input->len == 0)
		return 0;
	const uint8_t byte = (uint8_t)*input->at;
	*input = span_skip(*input, 1);
	return byte;
}

struct span fuzz_until(struct span *input, char end)
{
	const char *at = input->len ? memchr(input->at, end, input->len) : NULL;
	const struct span part = {input->at, at ? (size_t)(at - input->at) : input->len};
	*input = span_skip(*input, part.len + (at != NULL));
	return part;
}

char *fuzz_copy(struct span text, size_t pad)
{
	char *at = calloc(1, text.len + 2 * pad + (text.len + pad == 0));
	if (!at)
		fuzz_fail("out of memory");
	if (text.len)
		memcpy(at + pad, text.at, text.len);
	return at + pad;
}

void fuzz_free(char *at, size_t pad)
{
	free(at - pad);
}
