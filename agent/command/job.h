/* Runs one command to its end, with the signals that are meant for it passed on. */
#ifndef STATSIDECAR_COMMAND_JOB_H
#define STATSIDECAR_COMMAND_JOB_H

#include <stdint.h>

#include "publish/statsidecar.h"

struct job {
	char **command; /* ends with NULL */
	struct statsidecar
		*publisher; /* publishes each line of its standard output, or NULL: its standard output is ours */

	/* what job_run() finds out */
	int exit_status; /* as a shell has it: 128 + the signal; 126 or 127 where it could not be run */
	int signal;      /* that ended it, or 0 */
	int error;       /* why it could not be run, or 0: then the next two are known */
	int64_t duration_ns;
	int64_t max_rss;  /* bytes: the most that the command, or one of those that it waited for, had in memory */
	int output_error; /* with a publisher: why its output could not be written on, or 0 */
	uint64_t lines_sent;
	uint64_t lines_dropped;
};

void job_run(struct job *job);

#endif
