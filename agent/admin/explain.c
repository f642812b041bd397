/* /api/explain?line=…: what would become of a line, and why, as `statsidecar explain` says it. Nothing is counted and nothing
 * goes out: the line goes through a translator of its own. */
#include <stdlib.h>

#include "admin/page.h"
#include "base/arena.h"
#include "clock.h"
#include "explain/explanation.h"
#include "explain/rehearsal.h"
#include "json_writer.h"

enum {
	LINE_MAX_LEN = 8 * 1024,
	EVENTS_MAX = 100, /* of a batch, or of several lines */
};

struct explaining {
	FILE *text; /* what explain prints */
	FILE *json; /* what explain --json prints, with commas between */
	uint32_t count;
	char *bytes[2]; /* of the two */
	size_t lens[2];
};

/* False where something has not been written for want of memory. */
static bool explaining_close(struct explaining *explaining)
{
	bool is_whole = true;

	for (int i = 0; i < 2; i++) {
		FILE *file = i == 0 ? explaining->text : explaining->json;

		if (file == NULL || ferror(file))
			is_whole = false;
		/* fclose() says nothing of what failed before, nor of a last change of size. */
		if (file != NULL && (fclose(file) != 0 || explaining->bytes[i] == NULL))
			is_whole = false;
	}
	explaining->text = explaining->json = NULL;
	return is_whole;
}

static void explaining_release(void *context)
{
	struct explaining *explaining = context;

	(void)explaining_close(explaining);
	free(explaining->bytes[0]);
	free(explaining->bytes[1]);
}

static void explain_event(void *context, const struct explanation *explanation)
{
	struct explaining *explaining = context;

	if (explaining->count++ >= EVENTS_MAX)
		return;
	if (explaining->count > 1) {
		fputc('\n', explaining->text);
		fputc(',', explaining->json);
	}
	explanation_print_text(explanation, explaining->text);
	explanation_print_json(explanation, explaining->json);
}

static void release_explainer(void *explainer)
{
	explainer_free(explainer);
}

static void release_rehearsal(void *rehearsal)
{
	rehearsal_free(rehearsal);
}

static void explain_line(const struct mapping *mapping, struct span line, struct explaining *explaining)
{
	struct explainer *explainer = explainer_new(mapping, explain_event, explaining);
	struct rehearsal *rehearsal;
	struct arena_guard guards[2];

	arena_guard(&guards[0], release_explainer, explainer);
	rehearsal = rehearsal_new(mapping, explainer_trace(explainer), explainer_observer(explainer));
	arena_guard(&guards[1], release_rehearsal, rehearsal);
	rehearsal_set_time(rehearsal, (struct moment){clock_realtime_ns(), clock_monotonic_ns()});
	rehearsal_run(rehearsal, line);
	arena_unguard(&guards[1]);
	rehearsal_free(rehearsal);
	arena_unguard(&guards[0]);
	explainer_free(explainer);
}

static void explain_write_result(const struct mapping *mapping, struct span line, FILE *out)
{
	struct json_writer writer = {.out = out};
	struct explaining explaining = {.count = 0};
	struct arena_guard guard;

	arena_guard(&guard, explaining_release, &explaining);
	explaining.text = open_memstream(&explaining.bytes[0], &explaining.lens[0]);
	explaining.json = open_memstream(&explaining.bytes[1], &explaining.lens[1]);
	if (explaining.text == NULL || explaining.json == NULL)
		arena_exhausted();
	explain_line(mapping, line, &explaining);
	if (!explaining_close(&explaining))
		arena_exhausted();
	json_writer_open_object(&writer, NULL);
	json_writer_put_count(&writer, "count", explaining.count);
	json_writer_put_text(&writer, "text", (struct span){explaining.bytes[0], explaining.lens[0]});
	json_writer_open_array(&writer, "events");
	fwrite(explaining.bytes[1], 1, explaining.lens[1], out);
	json_writer_close_array(&writer);
	json_writer_close_object(&writer);
	json_writer_end_line(&writer);
	arena_unguard(&guard);
	explaining_release(&explaining);
}

int explain_write(struct admin *admin, const char *query, FILE *out)
{
	size_t len = 0;
	char *line = page_parameter(query, "line", &len);
	int status = HTTP_OK;
	struct arena_guard guard;

	arena_guard(&guard, free, line);

	if (line == NULL || len > LINE_MAX_LEN) {
		struct json_writer writer = {.out = out};

		status = line == NULL ? HTTP_BADREQUEST : HTTP_ENTITYTOOLARGE;
		json_writer_open_object(&writer, NULL);
		json_writer_put_text(&writer, "error",
		                     line == NULL ? SPAN("give an event's line: ?line=…") : SPAN("a line may have 8 KiB"));
		json_writer_close_object(&writer);
		json_writer_end_line(&writer);
	} else {
		explain_write_result(agent_view(admin->agent)->mapping, (struct span){line, len}, out);
	}
	arena_unguard(&guard);
	free(line);
	return status;
}
