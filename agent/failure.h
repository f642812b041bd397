/* Why something of the operating system's could not be opened, in words for the user, with what to do about it. */
#ifndef STATSIDECAR_FAILURE_H
#define STATSIDECAR_FAILURE_H

struct failure {
	char text[480];
};

/* Writes the text; -1, so that `return failure_set(…)` ends a function that failed. */
int failure_set(struct failure *failure, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
