#define _GNU_SOURCE
#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

enum {
	SETTLE_MS = 50,       /* a burst is over when so long nothing has changed … */
	SETTLE_MOST_MS = 300, /* … or then at the latest */
	LINKS_MAX = 40,       /* as the kernel has it */
	PLACES_MAX = 1024,
	/* What leads to another content. Not IN_MODIFY: a file that is being written is not read before it is closed. */
	FOLDER_MASK = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVE_SELF | IN_DELETE_SELF |
	              IN_ONLYDIR,
	/* A file mounted by itself is written to through another folder than the one it is seen in. */
	FILE_MASK = IN_CLOSE_WRITE,
};

/* A name in a watched folder. */
struct place {
	int wd;
	char *folder;    /* with its slash, or "" */
	char *name;      /* NULL: every name (the folder of a pattern), or the watched file itself */
	bool is_pattern; /* what goes away there matters, too */
	bool is_current; /* asked for since watch_begin() */
};

struct watch {
	int fd; /* -1: refused */
	struct event *readable;
	struct event *settled; /* timer */
	int64_t first_ns;      /* when the burst began */
	struct place *places;
	size_t count;
	bool has_new;
	void (*changed)(void *context);
	void *context;
};

static void watch_settle(struct watch *watch)
{
	int64_t now_ns = clock_monotonic_ns();
	int64_t rest_ms;

	if (!evtimer_pending(watch->settled, NULL))
		watch->first_ns = now_ns;
	rest_ms = SETTLE_MOST_MS - (now_ns - watch->first_ns) / NS_PER_MS;
	if (rest_ms > SETTLE_MS)
		rest_ms = SETTLE_MS;
	if (rest_ms < 0)
		rest_ms = 0;
	event_add(watch->settled, &(struct timeval){.tv_usec = (suseconds_t)rest_ms * 1000});
}

static void watch_on_settled(evutil_socket_t fd, short what, void *context)
{
	struct watch *watch = context;

	(void)fd;
	(void)what;
	watch->changed(watch->context);
}

/* A link is whole as soon as it is there; a file only once its writer closes it. */
static bool place_is_unwritten(const struct place *place, const struct inotify_event *event)
{
	char path[PATH_MAX];
	struct stat status;

	if ((event->mask & IN_CREATE) == 0)
		return false;
	snprintf(path, sizeof path, "%s%s", place->folder, event->name);
	return lstat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1;
}

static bool place_is_concerned(const struct place *place, const struct inotify_event *event)
{
	const uint32_t gone = IN_DELETE | IN_MOVED_FROM;

	if (place->wd != event->wd || (event->mask & IN_IGNORED) != 0)
		return false;
	if ((event->mask & (IN_MOVE_SELF | IN_DELETE_SELF)) != 0)
		return true;
	if (place->name != NULL && (event->len == 0 || strcmp(place->name, event->name) != 0))
		return false;
	/* What went away may come back at once; a pattern has one file less. */
	return ((event->mask & gone) == 0 || place->is_pattern) && !place_is_unwritten(place, event);
}

static bool watch_is_concerned(const struct watch *watch, const struct inotify_event *event)
{
	if ((event->mask & IN_Q_OVERFLOW) != 0)
		return true;
	for (size_t i = 0; i < watch->count; i++) {
		if (place_is_concerned(&watch->places[i], event))
			return true;
	}
	return false;
}

static void watch_on_readable(evutil_socket_t fd, short what, void *context)
{
	struct watch *watch = context;
	union {
		char bytes[4096];
		struct inotify_event alignment;
	} buffer;
	ssize_t got = read(fd, buffer.bytes, sizeof buffer.bytes);

	(void)what;
	for (ssize_t at = 0; at < got;) {
		const struct inotify_event *event = (const struct inotify_event *)(const void *)(buffer.bytes + at);

		if (watch_is_concerned(watch, event))
			watch_settle(watch);
		at += (ssize_t)(sizeof *event + event->len);
	}
}

struct watch *watch_new(struct event_base *base, void (*changed)(void *context), void *context)
{
	struct watch *watch = calloc(1, sizeof *watch);

	if (watch == NULL)
		return NULL;
	watch->changed = changed;
	watch->context = context;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0)
		log_warn("changed files will not be noticed: %s; send HUP after changes", strerror(errno));
	watch->settled = evtimer_new(base, watch_on_settled, watch);
	watch->readable = event_new(base, watch->fd, EV_READ | EV_PERSIST, watch_on_readable, watch);
	if (watch->settled == NULL || watch->readable == NULL || (watch->fd >= 0 && event_add(watch->readable, NULL) < 0)) {
		watch_free(watch);
		return NULL;
	}
	return watch;
}

static void place_fini(struct place *place)
{
	free(place->folder);
	free(place->name);
}

void watch_free(struct watch *watch)
{
	if (watch == NULL)
		return;
	if (watch->readable != NULL)
		event_free(watch->readable);
	if (watch->settled != NULL)
		event_free(watch->settled);
	if (watch->fd >= 0)
		close(watch->fd);
	for (size_t i = 0; i < watch->count; i++)
		place_fini(&watch->places[i]);
	free(watch->places);
	free(watch);
}

void watch_begin(struct watch *watch)
{
	watch->has_new = false;
	for (size_t i = 0; i < watch->count; i++)
		watch->places[i].is_current = false;
}

static bool place_is(const struct place *place, const struct place *other)
{
	if (place->wd != other->wd || place->is_pattern != other->is_pattern)
		return false;
	if (place->name == NULL || other->name == NULL)
		return place->name == other->name;
	return strcmp(place->name, other->name) == 0;
}

/* Takes the place over. */
static void watch_add(struct watch *watch, struct place *place)
{
	struct place *grown = NULL;

	place->is_current = true;
	for (size_t i = 0; i < watch->count; i++) {
		if (place_is(&watch->places[i], place)) {
			watch->places[i].is_current = true;
			place_fini(place);
			return;
		}
	}
	if (watch->count < PLACES_MAX)
		grown = realloc(watch->places, (watch->count + 1) * sizeof *grown);
	if (grown == NULL) {
		place_fini(place);
		return;
	}
	watch->places = grown;
	grown[watch->count++] = *place;
	/* The file itself stands in a folder that is watched. */
	watch->has_new = watch->has_new || place->name != NULL || place->is_pattern;
}

static size_t folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* path is split behind the first len bytes, which end with a slash or are none: folder and name; no name for a pattern. Of a
 * folder that is not there the one that it will stand in is watched. */
static void watch_add_place(struct watch *watch, const char *path, size_t len, bool is_pattern)
{
	struct place place = {.is_pattern = is_pattern, .folder = strndup(path, len)};

	if (place.folder == NULL)
		return;
	place.wd = inotify_add_watch(watch->fd, len == 0 ? "." : place.folder, FOLDER_MASK);
	if (place.wd < 0)
		log_debug("%s cannot be watched: %s", place.folder, strerror(errno));
	if (place.wd < 0 && len > 1) {
		place.folder[len - 1] = '\0';
		watch_add_place(watch, place.folder, folder_len(place.folder), false);
	}
	if (place.wd >= 0 && !is_pattern)
		place.name = strdup(path + len);
	if (place.wd < 0 || (place.name == NULL && !is_pattern))
		place_fini(&place);
	else
		watch_add(watch, &place);
}

static void watch_add_itself(struct watch *watch, const char *path)
{
	struct place place = {.wd = inotify_add_watch(watch->fd, path, FILE_MASK)};

	if (place.wd >= 0)
		watch_add(watch, &place);
}

/* Puts the link's target in the place of the first len bytes of path: false where that does not go. */
static bool path_follow(char *path, size_t len)
{
	char target[PATH_MAX];
	char followed[PATH_MAX];
	char *link = strndup(path, len);
	ssize_t target_len = link == NULL ? -1 : readlink(link, target, sizeof target);
	int kept = 0;
	int followed_len = 0;

	if (target_len > 0 && target[0] != '/')
		kept = (int)folder_len(link);
	if (target_len > 0)
		followed_len = snprintf(followed, sizeof followed, "%.*s%.*s%s", kept, path, (int)target_len, target, path + len);
	free(link);
	if (followed_len <= 0 || followed_len >= (int)sizeof followed)
		return false;
	memcpy(path, followed, (size_t)followed_len + 1);
	return true;
}

/* Follows the first symbolic link on the path, having it watched; false where there is none. */
static bool watch_follow(struct watch *watch, char *path)
{
	for (size_t len = 1; path[len - 1] != '\0'; len++) {
		char part[PATH_MAX];
		struct stat status;

		if (path[len] != '/' && path[len] != '\0')
			continue;
		memcpy(part, path, len);
		part[len] = '\0';
		if (lstat(part, &status) < 0)
			return false;
		if (!S_ISLNK(status.st_mode))
			continue;
		watch_add_place(watch, part, folder_len(part), false);
		return path_follow(path, len);
	}
	return false;
}

static void watch_follow_all(struct watch *watch, char *path)
{
	for (int links = 0; links < LINKS_MAX; links++) {
		if (!watch_follow(watch, path))
			return;
	}
}

void watch_add_file(struct watch *watch, const char *path)
{
	char place[PATH_MAX];
	size_t len = strlen(path);
	struct stat status;

	if (len >= sizeof place || watch->fd < 0 || (stat(path, &status) == 0 && !S_ISREG(status.st_mode)))
		return;
	memcpy(place, path, len + 1);
	watch_follow_all(watch, place);
	watch_add_place(watch, place, folder_len(place), false);
	watch_add_itself(watch, place);
}

void watch_add_glob(struct watch *watch, const char *pattern)
{
	static const char here[] = "./";
	char place[PATH_MAX];
	size_t len = strcspn(pattern, "*?[");

	if (strlen(pattern) + sizeof here > sizeof place || watch->fd < 0)
		return;
	memcpy(place, pattern, len);
	place[len] = '\0';
	memcpy(place + folder_len(place), here, sizeof here);
	watch_follow_all(watch, place);
	watch_add_place(watch, place, strlen(place), true);
}

static bool watch_needs(const struct watch *watch, int wd)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (watch->places[i].wd == wd && watch->places[i].is_current)
			return true;
	}
	return false;
}

bool watch_end(struct watch *watch)
{
	size_t kept = 0;

	for (size_t i = 0; i < watch->count; i++) {
		struct place *place = &watch->places[i];

		if (!watch_needs(watch, place->wd))
			inotify_rm_watch(watch->fd, place->wd);
	}
	for (size_t i = 0; i < watch->count; i++) {
		if (watch->places[i].is_current)
			watch->places[kept++] = watch->places[i];
		else
			place_fini(&watch->places[i]);
	}
	watch->count = kept;
	return watch->has_new;
}

void watch_wake(struct watch *watch)
{
	event_active(watch->settled, 0, 0);
}
