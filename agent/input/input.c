#include "input/input.h"

#include <errno.h>
#include <string.h>

#include "log.h"

static const struct input_kind *const kinds[] = {
	[TRANSPORT_FIFO] = &input_fifo, [TRANSPORT_UDP] = &input_datagram,     [TRANSPORT_UNIX] = &input_datagram,
	[TRANSPORT_TCP] = &input_stream, [TRANSPORT_UNIXSTREAM] = &input_stream, [TRANSPORT_STDIN] = &input_stdin,
	[TRANSPORT_STDOUT] = NULL,
};

struct input *input_open(const struct input_settings *settings, uint16_t index, struct input_accounts *accounts,
                         struct input_owner *owner, struct failure *failure)
{
	const struct input_kind *kind = kinds[settings->endpoint.transport];
	struct input *input;

	if (kind == NULL) {
		failure_set(failure, "nothing can be read from %s", settings->endpoint.url);
		return NULL;
	}
	input = kind->open(settings, owner, failure);
	if (input == NULL)
		return NULL;
	input->index = index;
	input->accounts = accounts;
	return input;
}

void input_init(struct input *input, const struct input_kind *kind, const struct input_settings *settings,
                struct input_owner *owner)
{
	input->kind = kind;
	input->settings = settings;
	input->owner = owner;
	input->accounts = NULL;
	input->index = 0;
	input->is_paused = false;
	input->is_ended = false;
	input->is_unwatched = false;
}

void input_watched(struct input *input, int result)
{
	static struct log_limit limit = LOG_LIMIT("unwatched inputs");

	input->is_unwatched = result < 0;
	if (result == 0)
		return;
	log_limited(&limit, LOG_LEVEL_WARN, "input %s cannot be read: %s; trying again", input->settings->label,
	            strerror(errno));
	input->owner->unwatched(input->owner);
}

void input_start(struct input *input)
{
	input_watched(input, input->kind->start(input));
}

void input_watch(struct input *input)
{
	if (input->is_unwatched && !input->is_paused && !input->is_ended)
		input_start(input);
}

int input_prepare(struct input *input, const struct input_settings *next, uint32_t line_max, struct failure *failure)
{
	return input->kind->prepare(input, next, line_max, failure);
}

void input_adopt(struct input *input, const struct input_settings *settings, uint16_t index,
                 struct input_accounts *accounts)
{
	const struct input_settings *old = input->settings;

	input->settings = settings;
	input->index = index;
	input->accounts = accounts;
	input->kind->adopt(input, old);
}

bool input_is_in_place(const struct input *input)
{
	return input->kind->is_in_place == NULL || input->kind->is_in_place(input);
}

void input_use_port(struct input *input, enum port_use use)
{
	if (input->kind->use_port != NULL)
		input->kind->use_port(input, use);
}

void input_discard(struct input *input)
{
	if (input->kind->undo != NULL)
		input->kind->undo(input);
	input->kind->close(input);
}

void input_close(struct input *input)
{
	if (input != NULL)
		input->kind->close(input);
}

void input_pause(struct input *input)
{
	if (input->is_paused || input->kind->pause == NULL)
		return;
	input->is_paused = true;
	input->kind->pause(input);
}

void input_resume(struct input *input)
{
	if (!input->is_paused)
		return;
	input->is_paused = false;
	/* input_watch() passed it by while it was paused. */
	input->is_unwatched = false;
	input->kind->resume(input);
}

void input_drain(struct input *input)
{
	if (!input->is_ended)
		input->kind->drain(input);
}

void input_refresh(struct input *input)
{
	if (input->kind->refresh != NULL)
		input->kind->refresh(input);
}

void input_end(struct input *input)
{
	if (input->is_ended)
		return;
	input->is_ended = true;
	input->owner->ended(input->owner, input);
}
