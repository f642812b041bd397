#include "input/pausable.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static int pausable_wait(struct pausable *pausable)
{
	static const struct timeval at_once = {0, 0};

	/* A timer that is due at once lets the loop look at all other descriptors first. */
	return event_add(pausable->ready, pausable->is_file ? &at_once : NULL);
}

static void pausable_turn(struct pausable *pausable)
{
	struct input *input = &pausable->input;
	struct input_owner *owner = input->owner;
	enum reader_result result;

	owner->begin(owner);
	result = reader_read(&pausable->reader, input);
	if (result == READER_BROKEN) {
		input_watched(input, -1);
		event_del(pausable->ready);
	}
	if (result == READER_END) {
		event_del(pausable->ready);
		input_end(input);
	}
	owner->flush(owner);
	if (pausable->is_file && !input->is_ended && !input->is_paused && !input->is_unwatched)
		input_watched(input, pausable_wait(pausable));
}

static void pausable_on_ready(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	pausable_turn(context);
}

static bool pausable_has_no_events(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	bool is_refused;

	if (epoll_fd < 0)
		return false;
	is_refused = epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 && errno == EPERM;
	close(epoll_fd);
	return is_refused;
}

int pausable_init(struct pausable *pausable, int fd, bool may_block, struct failure *failure)
{
	struct input_owner *owner = pausable->input.owner;

	if (reader_init(&pausable->reader, fd, may_block, owner->line_max, PIPE_READ_SIZE) < 0)
		return failure_set(failure, "no memory for the line buffer of %s", pausable->input.settings->endpoint.url);
	pausable->reader.stream.is_pausable = true;
	pausable->is_file = pausable_has_no_events(fd);
	pausable->ready = event_new(owner->base, pausable->is_file ? -1 : fd,
	                            pausable->is_file ? 0 : EV_READ | EV_PERSIST, pausable_on_ready, pausable);
	if (pausable->ready == NULL) {
		reader_fini(&pausable->reader);
		return failure_set(failure, "no memory for the event of %s", pausable->input.settings->endpoint.url);
	}
	return 0;
}

int pausable_start(struct input *input)
{
	return pausable_wait((struct pausable *)input);
}

int pausable_prepare(struct input *input, const struct input_settings *next, uint32_t line_max, struct failure *failure)
{
	(void)next;
	return reader_prepare(&((struct pausable *)input)->reader, line_max, input, failure);
}

void pausable_fini(struct pausable *pausable)
{
	event_free(pausable->ready);
	reader_fini(&pausable->reader);
}

void pausable_pause(struct input *input)
{
	event_del(((struct pausable *)input)->ready);
}

void pausable_resume(struct input *input)
{
	struct pausable *pausable = (struct pausable *)input;

	pausable_turn(pausable);
	if (!input->is_paused && !input->is_ended && !input->is_unwatched && !pausable->is_file)
		input_watched(input, pausable_wait(pausable));
}

void pausable_drain(struct input *input)
{
	struct pausable *pausable = (struct pausable *)input;

	reader_drain(&pausable->reader, STREAM_END_OF_AGENT);
	/* A file keeps what was not read, and FIONREAD would give all the rest of it. */
	if (pausable->is_file)
		pausable->reader.left = 0;
	/* What holds nothing is at its end, whatever it waits for. */
	if (!input->is_paused || (pausable->reader.left == 0 && !pausable->reader.is_stopped))
		pausable_turn(pausable);
}
