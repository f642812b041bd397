/* Counts the words of files, as a task whose steps are timed: one step a file.
 *
 *     cc -o word-count word-count.c $(pkg-config --cflags --libs statsidecar)
 *     ./word-count README.md LICENSE
 *
 * The agent makes tasker.step.duration and tasker.task.duration of it, and counts what completed and what failed. The
 * program itself is the same whether an agent is there or not. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <statsidecar.h>

/* The words of a file, or -1 with errno. */
static long count_words(const char *path)
{
	FILE *file = fopen(path, "r");
	bool is_in_word = false;
	long words = 0;
	int byte;

	if (file == NULL)
		return -1;
	while ((byte = getc(file)) != EOF) {
		bool is_blank = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';

		words += !is_blank && !is_in_word;
		is_in_word = !is_blank;
	}
	fclose(file);
	return words;
}

/* One step: started, then completed or failed. Publishing can go wrong without the program caring: no result is looked at. */
static bool count_file(struct statsidecar *publisher, const char *path)
{
	struct statsidecar_step step = {.task_name = "word-count", .step_name = "count", .attempt_number = 1};
	struct statsidecar_field field = statsidecar_text("path", path);
	long words;

	statsidecar_step_start(publisher, &step, &field, 1);
	words = count_words(path);
	if (words < 0) {
		struct statsidecar_error error = {.message = strerror(errno), .exception_class = "FileMissing"};

		fprintf(stderr, "word-count: %s: %s\n", path, error.message);
		statsidecar_step_fail(publisher, &step, &error, &field, 1);
		return false;
	}
	statsidecar_step_complete(publisher, &step, &field, 1);
	printf("%7ld %s\n", words, path);
	return true;
}

int main(int argc, char **argv)
{
	struct statsidecar_task task = {.task_name = "word-count", .total_steps = argc - 1};
	struct statsidecar *publisher;
	int result = statsidecar_open(&publisher, NULL);

	/* A wrong $STATSIDECAR_TO is worth a word; the work is done all the same. */
	if (result != STATSIDECAR_OK)
		fprintf(stderr, "word-count: $STATSIDECAR_TO: %s\n", statsidecar_result_text(result));
	statsidecar_task_start(publisher, &task, NULL, 0);
	for (int i = 1; i < argc; i++) {
		if (count_file(publisher, argv[i]))
			task.completed_steps++;
		else
			task.failed_steps++;
	}
	if (task.failed_steps == 0)
		statsidecar_task_complete(publisher, &task, NULL, 0);
	else
		statsidecar_task_fail(publisher, &task, NULL, NULL, 0);
	statsidecar_close(publisher);
	return task.failed_steps == 0 ? 0 : 1;
}
