/* Notices that files may have changed, by inotify on the directories they stand in: files written and closed, renamed into
 * place, and symbolic links on the way to them swapped (a mounted ConfigMap's ..data). Whether the content is another one is
 * for the caller to find out. A burst of changes is told once, when it is over. */
#ifndef STATSIDECAR_WATCH_H
#define STATSIDECAR_WATCH_H

#include <event2/event.h>
#include <stdbool.h>

struct watch;

/* changed is called from the loop. NULL only without memory; where the kernel refuses, a warning, and nothing is noticed. */
struct watch *watch_new(struct event_base *base, void (*changed)(void *context), void *context);
void watch_free(struct watch *watch);

/* What is watched, anew: begin, all that is to be watched, end. Names are copied. True where places have come to it that were
 * not watched before: something may have happened there that nobody was told of. */
void watch_begin(struct watch *watch);
/* A file that stands there, or may do so one day; not where something else than a regular file is (a pipe). */
void watch_add_file(struct watch *watch, const char *path);
/* A pattern as in glob(3): the folder in front of its first special character. */
void watch_add_glob(struct watch *watch, const char *pattern);
bool watch_end(struct watch *watch);
/* changed() is called at the next turn of the loop. */
void watch_wake(struct watch *watch);

#endif
