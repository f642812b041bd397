/* /api/rejected: the last bad lines, newest first. */
#include "admin/rejected.h"

#include "admin/page.h"
#include "clock.h"
#include "json_writer.h"

void rejected_add(struct rejected *rejected, const struct rejected_line *about, struct span line, struct span input)
{
	struct rejected_line *kept = &rejected->lines[rejected->count++ % REJECTED_MAX];
	struct span line_kept = span_cut(line, REJECTED_LINE_MAX);
	struct span input_kept = span_cut(input, REJECTED_INPUT_MAX);

	kept->realtime_ns = about->realtime_ns;
	kept->outcome = about->outcome;
	kept->why = about->why;
	kept->column = about->column;
	kept->line_len = (uint32_t)line_kept.len;
	kept->line_is_cut = line_kept.len < line.len;
	kept->input_len = (uint32_t)input_kept.len;
	if (line_kept.len > 0)
		memcpy(kept->line, line_kept.at, line_kept.len);
	if (input_kept.len > 0)
		memcpy(kept->input, input_kept.at, input_kept.len);
}

const struct rejected_line *rejected_at(const struct rejected *rejected, size_t index)
{
	if (index >= REJECTED_MAX || index >= rejected->count)
		return NULL;
	return &rejected->lines[(rejected->count - 1 - index) % REJECTED_MAX];
}

int rejected_write(struct admin *admin, const char *query, FILE *out)
{
	struct json_writer writer = {.out = out};
	const struct rejected_line *line;

	(void)query;
	json_writer_open_object(&writer, NULL);
	json_writer_put_count(&writer, "now_ms", (uint64_t)(clock_realtime_ns() / NS_PER_MS));
	json_writer_put_count(&writer, "count", admin->rejected->count);
	json_writer_open_array(&writer, "rejected");
	for (size_t i = 0; (line = rejected_at(admin->rejected, i)) != NULL; i++) {
		json_writer_open_object(&writer, NULL);
		json_writer_put_count(&writer, "at_ms", (uint64_t)(line->realtime_ns / NS_PER_MS));
		json_writer_put_text(&writer, "input", (struct span){line->input, line->input_len});
		json_writer_put_text(&writer, "outcome", span_of(outcome_names[line->outcome]));
		json_writer_put_text(&writer, "why", span_of(line->why));
		if (line->column > 0)
			json_writer_put_count(&writer, "column", line->column);
		json_writer_put_text(&writer, "line", (struct span){line->line, line->line_len});
		json_writer_put_bool(&writer, "line_is_cut", line->line_is_cut);
		json_writer_close_object(&writer);
	}
	json_writer_close_array(&writer);
	json_writer_close_object(&writer);
	json_writer_end_line(&writer);
	return HTTP_OK;
}
