/* What a pipe and standard input have in common: one byte stream whose writers can be made to wait. Embedded first in the
 * input of either. */
#ifndef STATSIDECAR_INPUT_PAUSABLE_H
#define STATSIDECAR_INPUT_PAUSABLE_H

#include "input/reader.h"

struct pausable {
	struct input input;
	struct reader reader;
	struct event *ready;
	bool is_file; /* epoll refuses it (a regular file, /dev/null): always ready, asked for at every turn of the loop */
};

/* The descriptor stays the caller's. -1, and why. */
int pausable_init(struct pausable *pausable, int fd, bool may_block, struct failure *failure)
	__attribute__((warn_unused_result));
/* Accounts for an unfinished line and stops. */
void pausable_fini(struct pausable *pausable);

/* As in struct input_kind. */
int pausable_start(struct input *input);
int pausable_prepare(struct input *input, const struct input_settings *next, uint32_t line_max, struct failure *failure);
void pausable_pause(struct input *input);
void pausable_resume(struct input *input);
void pausable_drain(struct input *input);

#endif
