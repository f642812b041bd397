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
};

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

static void explain_line(const struct mapping *mapping, struct span line, struct explaining *explaining)
{
	struct explainer *explainer = explainer_new(mapping, explain_event, explaining);
	struct rehearsal *rehearsal = rehearsal_new(mapping, explainer_trace(explainer), explainer_observer(explainer));

	rehearsal_set_time(rehearsal, (struct moment){clock_realtime_ns(), clock_monotonic_ns()});
	rehearsal_run(rehearsal, line);
	rehearsal_free(rehearsal);
	explainer_free(explainer);
}

static void explain_write_result(const struct mapping *mapping, struct span line, FILE *out)
{
	struct json_writer writer = {.out = out};
	char *text = NULL, *json = NULL;
	size_t text_len = 0, json_len = 0;
	struct explaining explaining = {open_memstream(&text, &text_len), open_memstream(&json, &json_len), 0};

	if (explaining.text == NULL || explaining.json == NULL)
		arena_exhausted();
	explain_line(mapping, line, &explaining);
	if (fclose(explaining.text) != 0 || fclose(explaining.json) != 0)
		arena_exhausted();
	json_writer_open_object(&writer, NULL);
	json_writer_put_count(&writer, "count", explaining.count);
	json_writer_put_text(&writer, "text", (struct span){text, text_len});
	json_writer_open_array(&writer, "events");
	fwrite(json, 1, json_len, out);
	json_writer_close_array(&writer);
	json_writer_close_object(&writer);
	json_writer_end_line(&writer);
	free(text);
	free(json);
}

int explain_write(struct admin *admin, const char *query, FILE *out)
{
	size_t len = 0;
	char *line = page_parameter(query, "line", &len);
	int status = HTTP_OK;

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
	free(line);
	return status;
}
