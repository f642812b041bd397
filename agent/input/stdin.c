/* Standard input. The descriptor's mode is left alone: O_NONBLOCK would hold for every process that shares it, the shell
 * among them. Each read is preceded by poll() instead. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input/pausable.h"

static int stdin_check(struct failure *failure)
{
	struct stat status;

	if (fstat(STDIN_FILENO, &status) == 0 && S_ISDIR(status.st_mode))
		return failure_set(failure, "standard input is a directory; give it a file, a pipe or a terminal");
	if ((fcntl(STDIN_FILENO, F_GETFL) & O_ACCMODE) == O_WRONLY)
		return failure_set(failure, "standard input is closed, or open for writing alone");
	return 0;
}

static struct input *stdin_open(const struct input_settings *settings, struct input_owner *owner, struct failure *failure)
{
	struct pausable *pausable;

	if (stdin_check(failure) < 0)
		return NULL;
	pausable = calloc(1, sizeof *pausable);
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
