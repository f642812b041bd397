#include "settings/paths.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/span.h"

struct search {
	char path[PATH_MAX]; /* as far as it is known */
	void (*found)(void *context, const char *path);
	void *context;
};

/* The byte at the pattern, a backslash before it passed over. */
static char byte_take(const char **pattern, const char *end)
{
	if (**pattern == '\\' && *pattern + 1 < end)
		++*pattern;
	return *(*pattern)++;
}

/* `[a-z]`, at the bracket: where the set ends, or NULL where it does not, and the bracket stands for itself. */
static const char *set_fits(const char *pattern, const char *end, char byte, bool *fits)
{
	bool is_negated = pattern + 1 < end && (pattern[1] == '!' || pattern[1] == '^');
	const char *at = pattern + 1 + is_negated;
	const char *first = at;

	*fits = is_negated;
	while (at < end && (*at != ']' || at == first)) {
		unsigned char low = (unsigned char)byte_take(&at, end);
		unsigned char high = low;

		if (at + 1 < end && *at == '-' && at[1] != ']') {
			at++;
			high = (unsigned char)byte_take(&at, end);
		}
		if ((unsigned char)byte >= low && (unsigned char)byte <= high)
			*fits = !is_negated;
	}
	return at < end ? at + 1 : NULL;
}

static bool name_fits(const char *pattern, const char *end, const char *name)
{
	while (pattern < end && *pattern != '*') {
		const char *after = NULL;
		bool fits = false;

		if (*name == '\0')
			return false;
		if (*pattern == '[')
			after = set_fits(pattern, end, *name, &fits);
		if (after != NULL) {
			pattern = after;
		} else if (*pattern == '?') {
			fits = true;
			pattern++;
		} else {
			fits = byte_take(&pattern, end) == *name;
		}
		if (!fits)
			return false;
		name++;
	}
	if (pattern == end)
		return *name == '\0';
	do {
		if (name_fits(pattern + 1, end, name))
			return true;
	} while (*name++ != '\0');
	return false;
}

static void search_in(struct search *search, size_t len, const char *pattern);

/* One name at path[0 .. len), and what the rest of the pattern finds below it. */
static void search_name(struct search *search, size_t len, struct span name, const char *rest)
{
	struct stat status;

	if (len + name.len >= sizeof(search->path))
		return;
	memcpy(search->path + len, name.at, name.len);
	search->path[len + name.len] = '\0';
	if (*rest != '\0')
		search_in(search, len + name.len, rest);
	else if (lstat(search->path, &status) == 0)
		search->found(search->context, search->path);
}

static void directory_release(void *directory)
{
	closedir(directory);
}

static void search_directory(struct search *search, size_t len, struct span pattern, const char *rest)
{
	const struct dirent *entry;
	struct arena_guard guard;
	DIR *directory;

	search->path[len] = '\0';
	directory = opendir(len > 0 ? search->path : ".");
	if (directory == NULL) {
		if (errno == ENOMEM)
			arena_exhausted();
		return;
	}
	arena_guard(&guard, directory_release, directory);
	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.' && *pattern.at != '.')
			continue;
		if (name_fits(pattern.at, pattern.at + pattern.len, entry->d_name))
			search_name(search, len, span_of(entry->d_name), rest);
	}
	arena_unguard(&guard);
	closedir(directory);
}

static void search_in(struct search *search, size_t len, const char *pattern)
{
	size_t slashes = strspn(pattern, "/");
	size_t name_len = strcspn(pattern + slashes, "/");
	struct span name = {pattern + slashes, name_len};
	bool is_pattern = strcspn(name.at, "*?[\\") < name_len;

	if (len + slashes >= sizeof(search->path))
		return;
	memcpy(search->path + len, pattern, slashes);
	if (is_pattern)
		search_directory(search, len + slashes, name, name.at + name_len);
	else
		search_name(search, len + slashes, name, name.at + name_len);
}

void paths_find(const char *pattern, void (*found)(void *context, const char *path), void *context)
{
	struct search search = {.found = found, .context = context};

	search_in(&search, 0, pattern);
}
