/* Copies what a job writes to its standard output through to ours, unchanged, and publishes each line of it; in a
 * thread of its own, so that neither a slow reader of ours nor anything else keeps signals from the job. */
#ifndef STATSIDECAR_COMMAND_TEE_H
#define STATSIDECAR_COMMAND_TEE_H

#include <pthread.h>

#include "command/line_feed.h"

enum { TEE_READ_SIZE = 256 * 1024 };

struct tee {
	struct line_feed feed;
	int job_end; /* what becomes the job's standard output; -1 once it has it */
	int read_end;
	int stop[2]; /* a pipe: its writing end is closed to say that the job has ended */
	atomic_bool is_done;
	int write_error; /* errno of writing to our standard output, when done */
	pthread_t owner; /* who is told */
	char bytes[TEE_READ_SIZE];
};

/* Begins to copy. The publisher is borrowed; tee is zero-initialised, and stays until is_done. This thread gets a
 * SIGCHLD when the copying is done: that and all other signals that are the job's must be blocked. 0, or an errno. */
int tee_start(struct tee *tee, struct statsidecar *publisher) __attribute__((warn_unused_result));
/* The job, which has been forked, has its end of the pipe. */
void tee_release(struct tee *tee);
/* The job has ended: what it has written is copied still, what others write who hold the pipe open no longer. */
void tee_stop(struct tee *tee);

#endif
