/* The agent's own container, as DogStatsD's `c:` field names it: `ci-ID` from /proc/self/cgroup, else from
 * /proc/self/mountinfo, else `in-INODE` of the cgroup's directory. */
#ifndef STATSIDECAR_SETTINGS_CONTAINER_ID_H
#define STATSIDECAR_SETTINGS_CONTAINER_ID_H

#define CONTAINER_ID_MAX 96

/* root stands before /proc and /sys: "" but in tests. 0, or -1 where nothing tells a container. */
int container_id_read(char *out, const char *root) __attribute__((warn_unused_result));

#endif
