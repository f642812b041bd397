/* What the kernel says about this process: for the process_* metrics. */
#ifndef STATSIDECAR_PROCESS_H
#define STATSIDECAR_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct process_numbers {
	bool has_usage;        /* /proc/self/stat could be read: */
	double cpu_s;          /* user and system */
	double start_s;        /* since the Unix epoch */
	uint64_t virtual_bytes;
	uint64_t resident_bytes;
	bool has_open_fds;     /* /proc/self/fd could be read: */
	uint64_t open_fds;
	uint64_t max_fds;      /* the largest number: no limit */
};

void process_read(struct process_numbers *numbers);

#endif
