/* A copy of this program, for others that share a directory with it: containers whose own image has no statsidecar. */
#ifndef STATSIDECAR_COMMAND_PROGRAM_COPY_H
#define STATSIDECAR_COMMAND_PROGRAM_COPY_H

#include "failure.h"

/* Puts it at path, whole or not at all, in the place of what was there; its directory is made where it is missing. 0, or -1
 * and why. */
int program_copy(const char *path, struct failure *failure) __attribute__((warn_unused_result));

#endif
