/* libstatsidecar: a program says what happens in it, a statsidecar agent makes metrics of it.
 *
 *     #include <statsidecar.h>                      cc job.c $(pkg-config --cflags --libs statsidecar)
 *
 *     struct statsidecar *publisher;
 *     statsidecar_open(&publisher, NULL);
 *
 *     struct statsidecar_field fields[] = {
 *             statsidecar_text("currency", "CHF"),
 *             statsidecar_double("amount", 59.90),
 *     };
 *     statsidecar_publish_event(publisher, "order.created", fields, 2);
 *
 *     struct statsidecar_step step = {.task_id = "17", .step_name = "fetch", .attempt_number = 1};
 *     statsidecar_step_start(publisher, &step, NULL, 0);
 *     fetch();
 *     statsidecar_step_complete(publisher, &step, NULL, 0);     (the duration is measured)
 *
 *     statsidecar_close(publisher);
 *
 * Costs. Publishing never waits: an event that cannot be handed to the kernel at once is dropped and counted. It takes
 * no lock, allocates nothing, raises no SIGPIPE, and uses less than 16 KiB of stack.
 *
 * Errors. Functions that return int return 0 or a negative enum statsidecar_result. Programs may ignore it: where
 * nothing was sent, nothing else has happened. errno is left as it was unless the result is STATSIDECAR_FAILED.
 *
 * Ownership. What is passed in is borrowed for the call. A publisher belongs to who opened it, until
 * statsidecar_close(). A publisher that is NULL is allowed everywhere: it drops everything (STATSIDECAR_AWAY).
 *
 * Threads. One publisher serves all threads; only statsidecar_close() must come after the last other call. A struct
 * statsidecar_step or _task belongs to one thread at a time. Not for signal handlers.
 *
 * fork. Parent and child may both go on with the publisher: each line is one write, so they do not mix. The descriptor
 * is closed by execve(). As with syslog(3), it must not be closed by others: daemonise first, then open.
 *
 * Units. Times are Unix times and durations both in nanoseconds; durations are measured by the monotonic clock. On the
 * wire times are ISO 8601 in UTC and durations seconds, both with microseconds. 0 always means: not known, left out.
 *
 * Agents that restart. The pipe, the port, the socket may be away at any time, at the start too: what is published then
 * is dropped, and what is published after the agent has come back (20 ms later at most) is sent. A pipe that was
 * replaced is noticed within a second. */
#ifndef STATSIDECAR_H
#define STATSIDECAR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#define STATSIDECAR_API __attribute__((visibility("default")))
#else
#define STATSIDECAR_API
#endif

struct statsidecar;

enum statsidecar_result {
	STATSIDECAR_OK = 0,        /* the kernel has it */
	STATSIDECAR_FULL = -1,     /* dropped: the pipe or the socket takes no more for now */
	STATSIDECAR_AWAY = -2,     /* dropped: nobody reads there */
	STATSIDECAR_TOO_LONG = -3, /* dropped: too long even after it was shortened */
	STATSIDECAR_INVALID = -4,  /* dropped: no identifier, or no field's name (see statsidecar_publish_event) */
	STATSIDECAR_NO_PIPE = -5,  /* dropped: what stands at the path is no pipe */
	STATSIDECAR_FAILED = -6,   /* dropped: errno says why, such as EACCES */

	/* statsidecar_open() alone */
	STATSIDECAR_BAD_URL = -7,
	STATSIDECAR_BAD_HOST = -8, /* a name that would have to be looked up */
	STATSIDECAR_STREAM = -9,   /* tcp:// or unixstream://: a write to those can go out in part */
	STATSIDECAR_NO_MEMORY = -10
};

/* What it says, in lower case without full stop: "nobody reads there". A static text. */
STATSIDECAR_API const char *statsidecar_result_text(int result);

/* ---- open, close ---- */

/* Opens a publisher for an input of the agent:
 *
 *     fifo:///run/statsidecar/events     a named pipe; lines of at most 4096 bytes
 *     udp://127.0.0.1:8127               an address, or localhost; IPv6 as [::1]; port 8127 where none is given
 *     unix:///run/statsidecar.sock       a datagram socket
 *     unix://@name                       the same in the abstract namespace; datagrams of at most 8192 bytes
 *
 * NULL, or "": $STATSIDECAR_TO where it is set; else fifo:///run/statsidecar/events where that has a reader; else
 * udp://127.0.0.1:8127. Host names other than localhost are refused: a look-up would wait.
 *
 * 0 and *publisher, whether or not an agent is there; else a negative result and *publisher is NULL, with which the
 * program may go on all the same. */
STATSIDECAR_API int statsidecar_open(struct statsidecar **publisher, const char *url);

/* Frees the publisher; there is nothing to flush. NULL is allowed. */
STATSIDECAR_API void statsidecar_close(struct statsidecar *publisher);

/* Where it sends to; valid until statsidecar_close(). "" for NULL. */
STATSIDECAR_API const char *statsidecar_url(const struct statsidecar *publisher);

/* How many events ended with this result so far: statsidecar_count(p, STATSIDECAR_FULL). */
STATSIDECAR_API uint64_t statsidecar_count(const struct statsidecar *publisher, int result);
/* Of those with STATSIDECAR_OK, how many were shortened to fit. */
STATSIDECAR_API uint64_t statsidecar_count_shortened(const struct statsidecar *publisher);

/* ---- fields ---- */

enum statsidecar_type {
	STATSIDECAR_NULL,
	STATSIDECAR_TEXT,  /* length bytes, UTF-8; what is none becomes U+FFFD */
	STATSIDECAR_TEXTS, /* length NUL-terminated texts */
	STATSIDECAR_INTEGER,
	STATSIDECAR_DOUBLE, /* the shortest text that reads back as the same number; NaN and infinities are null */
	STATSIDECAR_BOOLEAN,
	STATSIDECAR_TIME,     /* a Unix time in nanoseconds */
	STATSIDECAR_DURATION, /* nanoseconds */
	STATSIDECAR_JSON      /* length bytes of JSON, which are trusted to be that; line ends in it become blanks */
};

/* Made by the functions below. The names and texts in it are borrowed. */
struct statsidecar_field {
	const char *name;
	enum statsidecar_type type;
	size_t length;
	union {
		const char *text;
		const char *const *texts;
		int64_t integer;
		double number;
	} value;
};

static inline struct statsidecar_field statsidecar_null(const char *name)
{
	struct statsidecar_field field;
	field.name = name;
	field.type = STATSIDECAR_NULL;
	field.length = 0;
	field.value.text = NULL;
	return field;
}

/* NULL is null. */
static inline struct statsidecar_field statsidecar_text(const char *name, const char *text)
{
	struct statsidecar_field field = statsidecar_null(name);
	if (text != NULL) {
		field.type = STATSIDECAR_TEXT;
		field.length = strlen(text);
		field.value.text = text;
	}
	return field;
}

static inline struct statsidecar_field statsidecar_bytes(const char *name, const char *text, size_t length)
{
	struct statsidecar_field field = statsidecar_null(name);
	field.type = STATSIDECAR_TEXT;
	field.length = length;
	field.value.text = text;
	return field;
}

static inline struct statsidecar_field statsidecar_texts(const char *name, const char *const *texts, size_t count)
{
	struct statsidecar_field field = statsidecar_null(name);
	field.type = STATSIDECAR_TEXTS;
	field.length = count;
	field.value.texts = texts;
	return field;
}

static inline struct statsidecar_field statsidecar_integer(const char *name, int64_t integer)
{
	struct statsidecar_field field = statsidecar_null(name);
	field.type = STATSIDECAR_INTEGER;
	field.value.integer = integer;
	return field;
}

static inline struct statsidecar_field statsidecar_double(const char *name, double number)
{
	struct statsidecar_field field = statsidecar_null(name);
	field.type = STATSIDECAR_DOUBLE;
	field.value.number = number;
	return field;
}

static inline struct statsidecar_field statsidecar_boolean(const char *name, int truth)
{
	struct statsidecar_field field = statsidecar_null(name);
	field.type = STATSIDECAR_BOOLEAN;
	field.value.integer = truth != 0;
	return field;
}

static inline struct statsidecar_field statsidecar_time(const char *name, int64_t unix_ns)
{
	struct statsidecar_field field = statsidecar_null(name);
	field.type = STATSIDECAR_TIME;
	field.value.integer = unix_ns;
	return field;
}

static inline struct statsidecar_field statsidecar_duration(const char *name, int64_t duration_ns)
{
	struct statsidecar_field field = statsidecar_null(name);
	field.type = STATSIDECAR_DURATION;
	field.value.integer = duration_ns;
	return field;
}

/* NULL is null. */
static inline struct statsidecar_field statsidecar_json(const char *name, const char *json)
{
	struct statsidecar_field field = statsidecar_text(name, json);
	if (json != NULL)
		field.type = STATSIDECAR_JSON;
	return field;
}

/* ---- events ---- */

/* Publishes one event as a line of JSON. The identifier has 1 to 200 bytes of A-Za-z0-9_.:/- and begins with a letter;
 * a field's name is neither empty nor "event". Where no field dates the event (timestamp, event_timestamp,
 * transitioned_at, time), its timestamp is now.
 *
 * A line that is too long is shortened: step_results, step_inputs and backtrace are emptied, in this order, then texts
 * cut, the longest first, none below 64 bytes; else it is dropped. */
STATSIDECAR_API int statsidecar_publish_event(struct statsidecar *publisher, const char *event,
                                              const struct statsidecar_field *fields, size_t count);

/* Publishes lines that are ready: JSON or logfmt, one event each, of which the last needs no newline; as many in one
 * write as go out whole or not at all. Blank ones count as none, what is too long is dropped. The first negative result,
 * or 0 where every line was sent. */
STATSIDECAR_API int statsidecar_publish_lines(struct statsidecar *publisher, const char *lines, size_t length);

/* ---- steps and tasks, with their standard payload ---- */

/* Each with its event_type, and with the identifiers that it has as an event of a step and of a task. */
enum statsidecar_event_type {
	STATSIDECAR_EVENT_INITIALIZE,       /* initialize   step.initialize_requested  task.initialize_requested */
	STATSIDECAR_EVENT_STARTED,          /* started      step.execution_requested   task.start_requested */
	STATSIDECAR_EVENT_BEFORE_HANDLE,    /* other        step.before_handle         - */
	STATSIDECAR_EVENT_HANDLE,           /* other        step.handle                - */
	STATSIDECAR_EVENT_COMPLETED,        /* completed    step.completed             task.completed */
	STATSIDECAR_EVENT_FAILED,           /* failed       step.failed                task.failed */
	STATSIDECAR_EVENT_RETRY,            /* retry        step.retry_requested       task.retry_requested */
	STATSIDECAR_EVENT_CANCELLED,        /* cancelled    step.cancelled             task.cancelled */
	STATSIDECAR_EVENT_RESOLVED,         /* resolved     step.resolved_manually     task.resolved_manually */
	STATSIDECAR_EVENT_BEFORE_TRANSITION /* other        step.before_transition     task.before_transition */
};

/* What went wrong; NULL and 0 are left out. */
struct statsidecar_error {
	const char *message;
	const char *exception_class; /* its kind: `Timeout`, `ConnectionRefused`; error_type is made of it */
	const char *const *backtrace;
	size_t backtrace_length;
};

/* Zero-initialise it, then say what is known: NULL and 0 are left out. */
struct statsidecar_step {
	const char *task_id;
	const char *task_name;
	const char *step_id;
	const char *step_name;
	int attempt_number; /* 1 for the first */
	int retry_limit;
	int64_t started_at_ns;
	int64_t completed_at_ns;
	int64_t duration_ns; /* execution_duration */
	const struct statsidecar_error *error;
	int64_t started_monotonic_ns; /* statsidecar_step_start() keeps it here */
};

struct statsidecar_task {
	const char *task_id;
	const char *task_name;
	const char *task_type;
	int total_steps; /* where this is 0, the next three are left out */
	int completed_steps;
	int failed_steps;
	int pending_steps;
	int64_t started_at_ns;
	int64_t completed_at_ns;
	int64_t duration_ns; /* total_execution_duration of one that completed or failed, else
	                        current_execution_duration */
	const struct statsidecar_error *error;
	int64_t started_monotonic_ns; /* statsidecar_task_start() keeps it here */
};

/* Publishes the event of this type with the standard payload: timestamp, event_type, and what the step or task says. A
 * field of the caller's takes the place of the standard one of the same name. */
STATSIDECAR_API int statsidecar_publish_step_event(struct statsidecar *publisher, const struct statsidecar_step *step,
                                                   enum statsidecar_event_type type,
                                                   const struct statsidecar_field *fields, size_t count);
STATSIDECAR_API int statsidecar_publish_task_event(struct statsidecar *publisher, const struct statsidecar_task *task,
                                                   enum statsidecar_event_type type,
                                                   const struct statsidecar_field *fields, size_t count);

/* Time a step or task: start notes the time and publishes that it started; complete and fail note the time, measure the
 * duration since start, and publish that it completed or failed. fail's error may be NULL. They may be started again,
 * for the next attempt. */
STATSIDECAR_API int statsidecar_step_start(struct statsidecar *publisher, struct statsidecar_step *step,
                                           const struct statsidecar_field *fields, size_t count);
STATSIDECAR_API int statsidecar_step_complete(struct statsidecar *publisher, struct statsidecar_step *step,
                                              const struct statsidecar_field *fields, size_t count);
STATSIDECAR_API int statsidecar_step_fail(struct statsidecar *publisher, struct statsidecar_step *step,
                                          const struct statsidecar_error *error, const struct statsidecar_field *fields,
                                          size_t count);
STATSIDECAR_API int statsidecar_task_start(struct statsidecar *publisher, struct statsidecar_task *task,
                                           const struct statsidecar_field *fields, size_t count);
STATSIDECAR_API int statsidecar_task_complete(struct statsidecar *publisher, struct statsidecar_task *task,
                                              const struct statsidecar_field *fields, size_t count);
STATSIDECAR_API int statsidecar_task_fail(struct statsidecar *publisher, struct statsidecar_task *task,
                                          const struct statsidecar_error *error, const struct statsidecar_field *fields,
                                          size_t count);

#ifdef __cplusplus
}
#endif

#endif
