/* Why a reload was refused, as text for whoever asks, one fault a line; each goes to the log at once. */
#ifndef STATSIDECAR_RELOAD_FAULTS_H
#define STATSIDECAR_RELOAD_FAULTS_H

#include <stddef.h>

#include "base/problem.h"

enum { RELOAD_FAULTS_SIZE = 8192 };

struct reload_faults {
	char text[RELOAD_FAULTS_SIZE]; /* terminated; ends with `…` where not all found room */
	size_t len;
};

void reload_faults_clear(struct reload_faults *faults);
void reload_faults_add(struct reload_faults *faults, const char *text);
void reload_faults_add_problems(struct reload_faults *faults, const struct problems *problems);

#endif
