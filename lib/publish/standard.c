/* Steps and tasks: their identifiers, their standard payload, and how long they take. */
#include "base/span.h"
#include "publish/moment.h"
#include "publish/publisher.h"

/* More than any event has, and the timestamp. */
enum { STANDARD_MAX = 24 };

struct payload {
	struct statsidecar_field items[STANDARD_MAX];
	size_t count;
};

struct identity {
	const char *event_type;
	const char *step_event;
	const char *task_event;
};

static const struct identity identities[] = {
	[STATSIDECAR_EVENT_INITIALIZE] = {"initialize", "step.initialize_requested", "task.initialize_requested"},
	[STATSIDECAR_EVENT_STARTED] = {"started", "step.execution_requested", "task.start_requested"},
	[STATSIDECAR_EVENT_BEFORE_HANDLE] = {"other", "step.before_handle", NULL},
	[STATSIDECAR_EVENT_HANDLE] = {"other", "step.handle", NULL},
	[STATSIDECAR_EVENT_COMPLETED] = {"completed", "step.completed", "task.completed"},
	[STATSIDECAR_EVENT_FAILED] = {"failed", "step.failed", "task.failed"},
	[STATSIDECAR_EVENT_RETRY] = {"retry", "step.retry_requested", "task.retry_requested"},
	[STATSIDECAR_EVENT_CANCELLED] = {"cancelled", "step.cancelled", "task.cancelled"},
	[STATSIDECAR_EVENT_RESOLVED] = {"resolved", "step.resolved_manually", "task.resolved_manually"},
	[STATSIDECAR_EVENT_BEFORE_TRANSITION] = {"other", "step.before_transition", "task.before_transition"},
};

/* NULL for what a newer program may ask of an older library. */
static const struct identity *identity_of(enum statsidecar_event_type type)
{
	return (size_t)type < ARRAY_LEN(identities) ? &identities[type] : NULL;
}

static bool is_end(enum statsidecar_event_type type)
{
	return type == STATSIDECAR_EVENT_COMPLETED || type == STATSIDECAR_EVENT_FAILED;
}

/* ---- the payload: what is not known is left out ---- */

static void add(struct payload *payload, struct statsidecar_field field)
{
	payload->items[payload->count++] = field;
}

static void add_text(struct payload *payload, const char *name, const char *text)
{
	if (text != NULL)
		add(payload, statsidecar_text(name, text));
}

static void add_count(struct payload *payload, const char *name, int number)
{
	if (number != 0)
		add(payload, statsidecar_integer(name, number));
}

static void add_time(struct payload *payload, const char *name, int64_t unix_ns)
{
	if (unix_ns != 0)
		add(payload, statsidecar_time(name, unix_ns));
}

static void add_duration(struct payload *payload, const char *name, int64_t duration_ns)
{
	if (duration_ns != 0)
		add(payload, statsidecar_duration(name, duration_ns));
}

static void add_error(struct payload *payload, const struct statsidecar_error *error)
{
	if (error == NULL)
		return;
	add_text(payload, "error_message", error->message);
	add_text(payload, "exception_class", error->exception_class);
	add(payload, statsidecar_texts("backtrace", error->backtrace, error->backtrace_length));
}

static void step_describe(struct payload *payload, const struct statsidecar_step *step,
                          enum statsidecar_event_type type)
{
	add_text(payload, "task_id", step->task_id);
	add_text(payload, "task_name", step->task_name);
	add_text(payload, "step_id", step->step_id);
	add_text(payload, "step_name", step->step_name);
	add_count(payload, "attempt_number", step->attempt_number);
	add_count(payload, "retry_limit", step->retry_limit);
	add_time(payload, "started_at", step->started_at_ns);
	if (type == STATSIDECAR_EVENT_STARTED) {
		add(payload, statsidecar_json("step_inputs", "{}"));
		add(payload, statsidecar_json("step_dependencies", "[]"));
	}
	if (is_end(type)) {
		add_time(payload, "completed_at", step->completed_at_ns);
		add_duration(payload, "execution_duration", step->duration_ns);
		add(payload, statsidecar_json("step_results", "{}"));
	}
	if (type == STATSIDECAR_EVENT_FAILED)
		add_error(payload, step->error);
}

static void task_describe(struct payload *payload, const struct statsidecar_task *task,
                          enum statsidecar_event_type type)
{
	add_text(payload, "task_id", task->task_id);
	add_text(payload, "task_name", task->task_name);
	add_text(payload, "task_type", task->task_type);
	if (task->total_steps != 0) {
		add(payload, statsidecar_integer("total_steps", task->total_steps));
		add(payload, statsidecar_integer("completed_steps", task->completed_steps));
		add(payload, statsidecar_integer("failed_steps", task->failed_steps));
		add(payload, statsidecar_integer("pending_steps", task->pending_steps));
	}
	add_time(payload, "started_at", task->started_at_ns);
	if (is_end(type)) {
		add_time(payload, "completed_at", task->completed_at_ns);
		add_duration(payload, "total_execution_duration", task->duration_ns);
	} else {
		add_duration(payload, "current_execution_duration", task->duration_ns);
	}
	if (type == STATSIDECAR_EVENT_FAILED)
		add_error(payload, task->error);
}

int statsidecar_publish_step_event(struct statsidecar *publisher, const struct statsidecar_step *step,
                                   enum statsidecar_event_type type, const struct statsidecar_field *fields,
                                   size_t count)
{
	const struct identity *identity = identity_of(type);
	struct payload payload = {.count = 0};

	if (identity != NULL) {
		add(&payload, statsidecar_text("event_type", identity->event_type));
		step_describe(&payload, step, type);
	}
	return statsidecar_publisher_send(publisher, identity != NULL ? identity->step_event : NULL, payload.items,
	                                  payload.count, (struct fields){fields, count});
}

int statsidecar_publish_task_event(struct statsidecar *publisher, const struct statsidecar_task *task,
                                   enum statsidecar_event_type type, const struct statsidecar_field *fields,
                                   size_t count)
{
	const struct identity *identity = identity_of(type);
	struct payload payload = {.count = 0};

	if (identity != NULL) {
		add(&payload, statsidecar_text("event_type", identity->event_type));
		task_describe(&payload, task, type);
	}
	return statsidecar_publisher_send(publisher, identity != NULL ? identity->task_event : NULL, payload.items,
	                                  payload.count, (struct fields){fields, count});
}

/* ---- timing ---- */

/* At least a nanosecond: 0 would say that it is not known. */
static int64_t since(int64_t started_monotonic_ns)
{
	int64_t duration_ns = statsidecar_moment_monotonic_ns() - started_monotonic_ns;

	return duration_ns > 0 ? duration_ns : 1;
}

int statsidecar_step_start(struct statsidecar *publisher, struct statsidecar_step *step,
                           const struct statsidecar_field *fields, size_t count)
{
	step->completed_at_ns = 0;
	step->duration_ns = 0;
	step->started_at_ns = statsidecar_moment_wall_ns();
	step->started_monotonic_ns = statsidecar_moment_monotonic_ns();
	return statsidecar_publish_step_event(publisher, step, STATSIDECAR_EVENT_STARTED, fields, count);
}

/* A step that was never started has no duration but the one that it says itself. */
static void step_stop(struct statsidecar_step *step)
{
	if (step->started_monotonic_ns != 0)
		step->duration_ns = since(step->started_monotonic_ns);
	step->started_monotonic_ns = 0;
	step->completed_at_ns = statsidecar_moment_wall_ns();
}

int statsidecar_step_complete(struct statsidecar *publisher, struct statsidecar_step *step,
                              const struct statsidecar_field *fields, size_t count)
{
	step_stop(step);
	return statsidecar_publish_step_event(publisher, step, STATSIDECAR_EVENT_COMPLETED, fields, count);
}

int statsidecar_step_fail(struct statsidecar *publisher, struct statsidecar_step *step,
                          const struct statsidecar_error *error, const struct statsidecar_field *fields, size_t count)
{
	struct statsidecar_step failed;

	step_stop(step);
	failed = *step;
	failed.error = error;
	return statsidecar_publish_step_event(publisher, &failed, STATSIDECAR_EVENT_FAILED, fields, count);
}

int statsidecar_task_start(struct statsidecar *publisher, struct statsidecar_task *task,
                           const struct statsidecar_field *fields, size_t count)
{
	task->completed_at_ns = 0;
	task->duration_ns = 0;
	task->started_at_ns = statsidecar_moment_wall_ns();
	task->started_monotonic_ns = statsidecar_moment_monotonic_ns();
	return statsidecar_publish_task_event(publisher, task, STATSIDECAR_EVENT_STARTED, fields, count);
}

static void task_stop(struct statsidecar_task *task)
{
	if (task->started_monotonic_ns != 0)
		task->duration_ns = since(task->started_monotonic_ns);
	task->started_monotonic_ns = 0;
	task->completed_at_ns = statsidecar_moment_wall_ns();
}

int statsidecar_task_complete(struct statsidecar *publisher, struct statsidecar_task *task,
                              const struct statsidecar_field *fields, size_t count)
{
	task_stop(task);
	return statsidecar_publish_task_event(publisher, task, STATSIDECAR_EVENT_COMPLETED, fields, count);
}

int statsidecar_task_fail(struct statsidecar *publisher, struct statsidecar_task *task,
                          const struct statsidecar_error *error, const struct statsidecar_field *fields, size_t count)
{
	struct statsidecar_task failed;

	task_stop(task);
	failed = *task;
	failed.error = error;
	return statsidecar_publish_task_event(publisher, &failed, STATSIDECAR_EVENT_FAILED, fields, count);
}
