/* Publishes as it is told by lines `COUNT SIZE` on standard input: so many events, each with a text and results of so
 * many bytes; answers each with the totals `SENT DROPPED`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <statsidecar.h>

static char *text_of(size_t size)
{
	char *text = malloc(size / 4 * 4 + 1);

	if (text == NULL)
		exit(1);
	text[0] = '\0';
	for (size_t at = 0; at + 4 <= size; at += 4)
		memcpy(text + at, "\"\xc3\xa9\n", 5);
	return text;
}

static void publish(struct statsidecar *publisher, int64_t number, const char *text)
{
	const char *const backtrace[] = {text, text, text};
	const struct statsidecar_error error = {text, "Load", backtrace, 3};
	const struct statsidecar_step step = {.step_name = "load", .error = &error};
	struct statsidecar_field fields[] = {
		statsidecar_integer("number", number),
		statsidecar_text("step_results", text),
	};

	statsidecar_publish_step_event(publisher, &step, STATSIDECAR_EVENT_FAILED, fields, 2);
}

int main(void)
{
	struct statsidecar *publisher;
	int64_t number = 0;
	uint64_t dropped;
	size_t size;
	int count;

	if (statsidecar_open(&publisher, NULL) < 0)
		return 1;
	while (scanf("%d %zu", &count, &size) == 2) {
		char *text = text_of(size);

		while (count-- > 0)
			publish(publisher, ++number, text);
		free(text);
		dropped = 0;
		for (int result = STATSIDECAR_FULL; result >= STATSIDECAR_FAILED; result--)
			dropped += statsidecar_count(publisher, result);
		printf("%" PRIu64 " %" PRIu64 "\n", statsidecar_count(publisher, STATSIDECAR_OK), dropped);
		fflush(stdout);
	}
	statsidecar_close(publisher);
	return 0;
}
