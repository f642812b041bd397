/* Standard input. The descriptor's mode is left alone: O_NONBLOCK would hold for every process that shares it, the shell
 * among them. Each read is preceded by poll() instead. */
#include <stdlib.h>
#include <unistd.h>

#include "input/pausable.h"

static struct input *stdin_open(const struct input_settings *settings, struct input_owner *owner, struct failure *failure)
{
	struct pausable *pausable = calloc(1, sizeof *pausable);

	if (pausable == NULL) {
		failure_set(failure, "no memory for %s", settings->endpoint.url);
		return NULL;
	}
	input_init(&pausable->input, &input_stdin, settings, owner);
	if (pausable_init(pausable, STDIN_FILENO, true, failure) < 0) {
		free(pausable);
		return NULL;
	}
	return &pausable->input;
}

static void stdin_adopt(struct input *input, const struct input_settings *old)
{
	(void)input;
	(void)old;
}

static void stdin_close(struct input *input)
{
	struct pausable *pausable = (struct pausable *)input;

	pausable_fini(pausable);
	free(pausable);
}

const struct input_kind input_stdin = {
	.open = stdin_open,
	.start = pausable_start,
	.prepare = pausable_prepare,
	.adopt = stdin_adopt,
	.close = stdin_close,
	.pause = pausable_pause,
	.resume = pausable_resume,
	.drain = pausable_drain,
};
