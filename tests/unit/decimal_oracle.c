/* Says what lib/base/decimal.c makes of numbers, for tests/golden/decimal_test.py. A line of standard input is a
 * question, its parts apart by a tab; a line of standard output is the answer:
 *
 *     1.25 \t 3        -> 1250, `too_long` or `no_number`
 *     1.25 \t < \t 2   -> -1, 0, 1 or `no_number`
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/decimal.h"

static void answer_write(struct span text, int shift)
{
	struct decimal number;
	char out[DECIMAL_TEXT_MAX];
	if (decimal_parse(&number, text) < 0) {
		puts("no_number");
		return;
	}
	size_t len = decimal_scale_short(out, text, shift);
	if (len == 0)
		len = decimal_write(out, &number, shift);
	if (len == 0)
		puts("too_long");
	else
		printf("%.*s\n", (int)len, out);
}

static void answer_compare(struct span left, struct span right)
{
	struct decimal a, b;
	if (decimal_parse(&a, left) < 0 || decimal_parse(&b, right) < 0) {
		puts("no_number");
		return;
	}
	int order = decimal_compare(&a, &b);
	printf("%d\n", (order > 0) - (order < 0));
}

static struct span part_take(struct span *rest)
{
	const char *tab = memchr(rest->at, '\t', rest->len);
	struct span part = {rest->at, tab ? (size_t)(tab - rest->at) : rest->len};
	*rest = span_skip(*rest, part.len + (tab != NULL));
	return part;
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	while ((len = getline(&line, &size, stdin)) > 0) {
		struct span rest = {line, (size_t)len - (line[len - 1] == '\n')};
		struct span number = part_take(&rest), operation = part_take(&rest);
		if (span_is(operation, "<"))
			answer_compare(number, rest);
		else
			/* The line's newline ends what atoi() reads. */
			answer_write(number, atoi(operation.at));
	}
	free(line);
	return ferror(stdin) || fflush(stdout) != 0;
}
