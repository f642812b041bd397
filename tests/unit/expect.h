/* What most tests of rules say: a configuration, events, and the lines that come out. */
#ifndef STATSIDECAR_TESTS_EXPECT_H
#define STATSIDECAR_TESTS_EXPECT_H

#include <check.h>

#include "rig.h"

struct row {
	const char *name; /* the behaviour, in words */
	struct model model;
	const char *events; /* a line each */
	const char *want;   /* on output 0, a newline behind each line */
};

/* Fails with the row's name, what came and what was wanted. */
void expect_row(const struct row *row);

/* A configuration that is refused: want is its problems, `line` left out, a newline behind each; parts of it do. */
struct refusal {
	const char *name;
	struct model model;
	const char *want;
};
void expect_refusal(const struct refusal *refusal);

void expect_text(const char *name, const char *got, const char *want);

#endif
