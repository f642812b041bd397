#define _GNU_SOURCE /* memmem, memrchr */
#include "settings/container_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/span.h"

static bool is_hex(char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* The length of the id at the front of text: 64 hexadecimal digits (Docker, containerd), 32 and - and digits (ECS), or
 * five groups of them (Garden); 0: none. */
static size_t id_length(struct span text)
{
	size_t hex = 0;
	while (hex < text.len && is_hex(text.at[hex]))
		hex++;
	if (hex == 64)
		return hex;
	if (hex == 32 && hex + 1 < text.len && text.at[hex] == '-' && is_digit(text.at[hex + 1])) {
		size_t end = hex + 1;
		while (end < text.len && is_digit(text.at[end]))
			end++;
		return end;
	}
	if (hex != 8)
		return 0;
	size_t end = 8;
	for (int group = 0; group < 4; group++) {
		if (end >= text.len || text.at[end] != '-')
			return 0;
		for (size_t i = 1; i <= 4; i++)
			if (end + i >= text.len || !is_hex(text.at[end + i]))
				return 0;
		end += 5;
	}
	return end == text.len ? end : 0;
}

/* `3:cpu:/kubepods/pod…/cri-containerd-ID.scope`: the last part of the path that holds one. */
static int id_from_path(char *out, struct span path)
{
	const char *slash = memrchr(path.at, '/', path.len);
	struct span last = slash ? span_skip(path, (size_t)(slash - path.at) + 1) : path;
	static const char suffix[] = ".scope";
	if (last.len > sizeof(suffix) - 1 &&
	    memcmp(last.at + last.len - sizeof(suffix) + 1, suffix, sizeof(suffix) - 1) == 0)
		last.len -= sizeof(suffix) - 1;
	for (size_t i = 0; i < last.len; i++) {
		size_t len = i == 0 || !is_hex(last.at[i - 1]) ? id_length(span_skip(last, i)) : 0;
		if (len && i + len == last.len) {
			snprintf(out, CONTAINER_ID_MAX, "ci-%.*s", (int)len, last.at + i);
			return 0;
		}
	}
	return -1;
}

/* `… /var/lib/docker/containers/ID/hostname /etc/hostname …`; a sandbox's is the pod's, not the container's. */
static int id_from_mount(char *out, struct span line)
{
	for (size_t i = 0; i + 1 < line.len; i++) {
		if (line.at[i] != '/')
			continue;
		struct span rest = span_skip(line, i + 1);
		size_t len = id_length((struct span){rest.at, rest.len < 64 ? rest.len : 64});
		bool is_sandbox = i >= 9 && memcmp(line.at + i - 9, "sandboxes", 9) == 0;
		if (!len || is_sandbox || !span_starts(span_skip(rest, len), SPAN("/")))
			continue;
		struct span path = span_skip(rest, len);
		const char *blank = memchr(path.at, ' ', path.len);
		if (blank)
			path.len = (size_t)(blank - path.at);
		if (path.len < 8 || memcmp(path.at + path.len - 8, "hostname", 8) != 0)
			continue;
		snprintf(out, CONTAINER_ID_MAX, "ci-%.*s", (int)len, rest.at);
		return 0;
	}
	return -1;
}

/* The cgroup directory's inode: version 2 has one hierarchy, of version 1 the memory controller's counts. */
static int id_from_inode(char *out, const char *root, struct span line)
{
	struct stat status;
	char path[4096];
	bool is_unified = span_starts(line, SPAN("0::"));
	const char *controller = memmem(line.at, line.len, ":memory:", 8);
	if (!is_unified && !controller)
		return -1;
	struct span directory = is_unified ? span_skip(line, 3) : span_skip(line, (size_t)(controller - line.at) + 8);
	int len = snprintf(path, sizeof(path), "%s/sys/fs/cgroup%s%.*s", root, is_unified ? "" : "/memory",
	                   SPAN_ARG(directory));
	/* Inode 1 and 0 are no cgroup's: the file system is another, or hidden. */
	if (len < 0 || (size_t)len >= sizeof(path) || stat(path, &status) < 0 || status.st_ino < 2)
		return -1;
	snprintf(out, CONTAINER_ID_MAX, "in-%llu", (unsigned long long)status.st_ino);
	return 0;
}

enum id_source { ID_CGROUP, ID_MOUNTINFO, ID_INODE };

static int id_from_line(char *out, const char *root, struct span line, enum id_source source)
{
	switch (source) {
	case ID_CGROUP:
		return id_from_path(out, line);
	case ID_MOUNTINFO:
		return id_from_mount(out, line);
	case ID_INODE:
		return id_from_inode(out, root, line);
	}
	return -1;
}

int container_id_read(char *out, const char *root)
{
	static const char *const files[] = {
		[ID_CGROUP] = "/proc/self/cgroup",
		[ID_MOUNTINFO] = "/proc/self/mountinfo",
		[ID_INODE] = "/proc/self/cgroup",
	};
	int result = -1;
	char *line = NULL;
	size_t size = 0;
	for (enum id_source source = ID_CGROUP; source <= ID_INODE && result < 0; source++) {
		char path[4096];
		snprintf(path, sizeof(path), "%s%s", root, files[source]);
		FILE *file = fopen(path, "re");
		ssize_t len;
		while (file && result < 0 && (len = getline(&line, &size, file)) > 0) {
			if (line[len - 1] == '\n')
				len--;
			result = id_from_line(out, root, (struct span){line, (size_t)len}, source);
		}
		if (file)
			fclose(file);
	}
	free(line);
	return result;
}
