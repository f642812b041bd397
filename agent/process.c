#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"

/* `1234 (name) S 1 …`: fields are counted from the state, the third, because a name may hold blanks and parentheses. */
enum { STAT_STATE = 3, STAT_UTIME = 14, STAT_STIME = 15, STAT_START = 22, STAT_VSIZE = 23, STAT_RSS = 24, STAT_FIELDS };

static ssize_t read_whole(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = read(fd, text, size - 1);
	close(fd);
	if (len >= 0)
		text[len] = '\0';
	return len;
}

/* When the machine was started, in seconds since the Unix epoch; does not change while the process runs. */
static double boot_s(void)
{
	static double known = -1;
	char text[128];
	double uptime_s;

	if (known < 0 && read_whole("/proc/uptime", text, sizeof text) > 0) {
		uptime_s = strtod(text, NULL);
		known = (double)clock_realtime_ns() / (double)NS_PER_S - uptime_s;
	}
	return known;
}

static void read_usage(struct process_numbers *numbers)
{
	unsigned long long fields[STAT_FIELDS] = {0};
	double ticks = (double)sysconf(_SC_CLK_TCK);
	char text[1024];
	char *at;

	if (read_whole("/proc/self/stat", text, sizeof text) < 0 || boot_s() < 0)
		return;
	at = strrchr(text, ')');
	if (at == NULL || strlen(at) < 4)
		return;
	at += 3; /* behind the state */
	for (int i = STAT_STATE + 1; i < STAT_FIELDS; i++)
		fields[i] = strtoull(at, &at, 10);
	numbers->has_usage = true;
	numbers->cpu_s = (double)(fields[STAT_UTIME] + fields[STAT_STIME]) / ticks;
	numbers->start_s = boot_s() + (double)fields[STAT_START] / ticks;
	numbers->virtual_bytes = fields[STAT_VSIZE];
	numbers->resident_bytes = fields[STAT_RSS] * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void count_descriptors(struct process_numbers *numbers)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (folder == NULL)
		return;
	numbers->has_open_fds = true;
	while ((entry = readdir(folder)) != NULL)
		numbers->open_fds += entry->d_name[0] != '.';
	closedir(folder);
	numbers->open_fds--; /* the folder's own */
}

void process_read(struct process_numbers *numbers)
{
	struct rlimit limit;

	*numbers = (struct process_numbers){.max_fds = UINT64_MAX};
	read_usage(numbers);
	count_descriptors(numbers);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		numbers->max_fds = limit.rlim_cur;
}
