/* Steps and tasks: which identifier, which payload, and the durations that are measured. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/span.h"
#include "publish/moment.h"
#include "publish/statsidecar.h"

Suite *publish_standard_suite(void);

static int reader;
static struct statsidecar *publisher;

static void open_both(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char url[128];
	int len = snprintf(address.sun_path, sizeof address.sun_path, "@statsidecar-standard-%d", (int)getpid());

	snprintf(url, sizeof url, "unix://%s", address.sun_path);
	address.sun_path[0] = '\0';
	reader = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(reader, (struct sockaddr *)&address,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)),
	                 0);
	ck_assert_int_eq(statsidecar_open(&publisher, url), STATSIDECAR_OK);
}

static void close_both(void)
{
	statsidecar_close(publisher);
	close(reader);
}

static const char *received(void)
{
	static char line[8193];
	ssize_t len = recv(reader, line, sizeof line - 1, 0);

	line[len < 0 ? 0 : len] = '\0';
	return line;
}

/* ---- payloads ---- */

#define S INT64_C(1000000000)
/* 2024-05-01T10:30:45Z */
#define MOMENT (1714559445 * S)

static const char *const backtrace[] = {"a.c:1", "b.c:2"};
static const struct statsidecar_error error = {"it timed out", "Net::ReadTimeout", backtrace, 2};
static const struct statsidecar_error error_unknown = {"it failed", NULL, NULL, 0};

#define STEP                                                                                                        \
	{                                                                                                           \
		.task_id = "17", .task_name = "nightly", .step_id = "4", .step_name = "fetch", .attempt_number = 2, \
		.retry_limit = 3, .started_at_ns = MOMENT, .completed_at_ns = MOMENT + 1250000000,                  \
		.duration_ns = 1250000000, .error = &error                                                          \
	}
#define STEP_LINE                                                                                                      \
	"\"task_id\":\"17\",\"task_name\":\"nightly\",\"step_id\":\"4\",\"step_name\":\"fetch\",\"attempt_number\":2," \
	"\"retry_limit\":3,\"started_at\":\"2024-05-01T10:30:45.000000Z\","
#define ENDED "\"completed_at\":\"2024-05-01T10:30:46.250000Z\",\"execution_duration\":1.25,\"step_results\":{},"
#define DATED "\"timestamp\":\"now\"}\n"

static const struct {
	const char *name;
	struct statsidecar_step step;
	enum statsidecar_event_type type;
	const char *want;
} steps[] = {
	{"initialize", STEP, STATSIDECAR_EVENT_INITIALIZE,
         "{\"event\":\"step.initialize_requested\",\"event_type\":\"initialize\"," STEP_LINE DATED},
	{"started", STEP, STATSIDECAR_EVENT_STARTED,
         "{\"event\":\"step.execution_requested\",\"event_type\":\"started\"," STEP_LINE
         "\"step_inputs\":{},\"step_dependencies\":[]," DATED},
	{"before handle", STEP, STATSIDECAR_EVENT_BEFORE_HANDLE,
         "{\"event\":\"step.before_handle\",\"event_type\":\"other\"," STEP_LINE DATED},
	{"handle", STEP, STATSIDECAR_EVENT_HANDLE,
         "{\"event\":\"step.handle\",\"event_type\":\"other\"," STEP_LINE DATED},
	{"completed", STEP, STATSIDECAR_EVENT_COMPLETED,
         "{\"event\":\"step.completed\",\"event_type\":\"completed\"," STEP_LINE ENDED DATED},
	{"failed", STEP, STATSIDECAR_EVENT_FAILED,
         "{\"event\":\"step.failed\",\"event_type\":\"failed\"," STEP_LINE ENDED "\"error_message\":\"it timed "
         "out\",\"exception_class\":\"Net::ReadTimeout\",\"backtrace\":[\"a.c:1\",\"b.c:2\"]," DATED},
	{"failed, little is known",
         {.step_name = "fetch", .error = &error_unknown},
         STATSIDECAR_EVENT_FAILED,
         "{\"event\":\"step.failed\",\"event_type\":\"failed\",\"step_name\":\"fetch\",\"step_results\":{},"
         "\"error_message\":\"it failed\",\"backtrace\":[]," DATED},
	{"failed, nothing is known",
         {.task_id = NULL},
         STATSIDECAR_EVENT_FAILED,
         "{\"event\":\"step.failed\",\"event_type\":\"failed\",\"step_results\":{}," DATED},
	{"retry", STEP, STATSIDECAR_EVENT_RETRY,
         "{\"event\":\"step.retry_requested\",\"event_type\":\"retry\"," STEP_LINE DATED},
	{"cancelled", STEP, STATSIDECAR_EVENT_CANCELLED,
         "{\"event\":\"step.cancelled\",\"event_type\":\"cancelled\"," STEP_LINE DATED},
	{"resolved", STEP, STATSIDECAR_EVENT_RESOLVED,
         "{\"event\":\"step.resolved_manually\",\"event_type\":\"resolved\"," STEP_LINE DATED},
	{"before transition", STEP, STATSIDECAR_EVENT_BEFORE_TRANSITION,
         "{\"event\":\"step.before_transition\",\"event_type\":\"other\"," STEP_LINE DATED},
	{"a type of the future", STEP, (enum statsidecar_event_type)99, ""},
};

#define TASK                                                                                          \
	{                                                                                             \
		.task_id = "17", .task_name = "nightly", .task_type = "import", .total_steps = 4,     \
		.completed_steps = 3, .failed_steps = 0, .pending_steps = 1, .started_at_ns = MOMENT, \
		.completed_at_ns = MOMENT + S, .duration_ns = S, .error = &error                      \
	}
#define TASK_LINE                                                                                                      \
	"\"task_id\":\"17\",\"task_name\":\"nightly\",\"task_type\":\"import\",\"total_steps\":4,\"completed_steps\":" \
	"3,"                                                                                                           \
	"\"failed_steps\":0,\"pending_steps\":1,\"started_at\":\"2024-05-01T10:30:45.000000Z\","
#define TASK_ENDED   "\"completed_at\":\"2024-05-01T10:30:46.000000Z\",\"total_execution_duration\":1,"
#define TASK_GOES_ON "\"current_execution_duration\":1,"

static const struct {
	const char *name;
	struct statsidecar_task task;
	enum statsidecar_event_type type;
	const char *want;
} tasks[] = {
	{"initialize", TASK, STATSIDECAR_EVENT_INITIALIZE,
         "{\"event\":\"task.initialize_requested\",\"event_type\":\"initialize\"," TASK_LINE TASK_GOES_ON DATED},
	{"started, little is known",
         {.task_name = "nightly"},
         STATSIDECAR_EVENT_STARTED,
         "{\"event\":\"task.start_requested\",\"event_type\":\"started\",\"task_name\":\"nightly\"," DATED},
	{"completed", TASK, STATSIDECAR_EVENT_COMPLETED,
         "{\"event\":\"task.completed\",\"event_type\":\"completed\"," TASK_LINE TASK_ENDED DATED},
	{"failed", TASK, STATSIDECAR_EVENT_FAILED,
         "{\"event\":\"task.failed\",\"event_type\":\"failed\"," TASK_LINE TASK_ENDED "\"error_message\":\"it timed "
         "out\",\"exception_class\":\"Net::ReadTimeout\",\"backtrace\":[\"a.c:1\",\"b.c:2\"]," DATED},
	{"retry", TASK, STATSIDECAR_EVENT_RETRY,
         "{\"event\":\"task.retry_requested\",\"event_type\":\"retry\"," TASK_LINE TASK_GOES_ON DATED},
	{"cancelled", TASK, STATSIDECAR_EVENT_CANCELLED,
         "{\"event\":\"task.cancelled\",\"event_type\":\"cancelled\"," TASK_LINE TASK_GOES_ON DATED},
	{"resolved", TASK, STATSIDECAR_EVENT_RESOLVED,
         "{\"event\":\"task.resolved_manually\",\"event_type\":\"resolved\"," TASK_LINE TASK_GOES_ON DATED},
	{"before transition", TASK, STATSIDECAR_EVENT_BEFORE_TRANSITION,
         "{\"event\":\"task.before_transition\",\"event_type\":\"other\"," TASK_LINE TASK_GOES_ON DATED},
	{"a step's event", TASK, STATSIDECAR_EVENT_HANDLE, ""},
	{"a type of the future", TASK, (enum statsidecar_event_type)99, ""},
};

/* The line, and `now` for the time that it was sent. */
static const char *received_dated(void)
{
	static char line[8193];
	char *value;

	snprintf(line, sizeof line, "%s", received());
	value = strstr(line, "\"timestamp\":\"");
	if (value != NULL) {
		value += strlen("\"timestamp\":\"");
		memmove(value + 3, strchr(value, '"'), strlen(strchr(value, '"')) + 1);
		memcpy(value, "now", 3);
	}
	return line;
}

static void expect(const char *name, int result, const char *want)
{
	const char *got = received_dated();

	ck_assert_msg(result == (*want == '\0' ? STATSIDECAR_INVALID : STATSIDECAR_OK), "%s: %s", name,
	              statsidecar_result_text(result));
	ck_assert_msg(strcmp(got, want) == 0, "%s:\ngot  %s\nwant %s", name, got, want);
}

START_TEST(step)
{
	expect(steps[_i].name, statsidecar_publish_step_event(publisher, &steps[_i].step, steps[_i].type, NULL, 0),
	       steps[_i].want);
}
END_TEST

START_TEST(task)
{
	expect(tasks[_i].name, statsidecar_publish_task_event(publisher, &tasks[_i].task, tasks[_i].type, NULL, 0),
	       tasks[_i].want);
}
END_TEST

START_TEST(the_callers_fields_take_the_place_of_the_standard_ones)
{
	struct statsidecar_step known = STEP;
	struct statsidecar_field fields[] = {
		statsidecar_json("step_results", "{\"rows\":3}"),
		statsidecar_double("execution_duration", 0.125),
		statsidecar_time("timestamp", MOMENT),
	};

	ck_assert_int_eq(statsidecar_publish_step_event(publisher, &known, STATSIDECAR_EVENT_COMPLETED, fields, 3),
	                 STATSIDECAR_OK);
	ck_assert_str_eq(received(), "{\"event\":\"step.completed\",\"event_type\":\"completed\"," STEP_LINE
	                             "\"completed_at\":\"2024-05-01T10:30:46.250000Z\",\"step_results\":{\"rows\":3},"
	                             "\"execution_duration\":0.125,\"timestamp\":\"2024-05-01T10:30:45.000000Z\"}\n");
}
END_TEST

/* ---- timing ---- */

static double number_of(const json_t *event, const char *name)
{
	ck_assert_msg(json_is_number(json_object_get(event, name)), "%s is no number", name);
	return json_number_value(json_object_get(event, name));
}

static void expect_error(const struct statsidecar_error *want, const json_t *event)
{
	const char *got = json_string_value(json_object_get(event, "error_message"));

	ck_assert_str_eq(got == NULL ? "none" : got, want == NULL ? "none" : want->message);
}

/* The duration in the line lies between what was measured within and around; half a microsecond is rounded. */
static void expect_end(const char *name, int64_t least_ns, int64_t most_ns, const struct statsidecar_error *failure)
{
	json_t *event = json_loads(received(), 0, NULL);
	double got = number_of(event, name);

	ck_assert_msg(got * 1e9 >= (double)least_ns - 501 && got * 1e9 <= (double)most_ns + 501,
	              "got %f s, want %lld to %lld ns", got, (long long)least_ns, (long long)most_ns);
	ck_assert(json_is_string(json_object_get(event, "started_at")));
	ck_assert(json_is_string(json_object_get(event, "completed_at")));
	expect_error(failure, event);
	json_decref(event);
}

static int64_t work(void)
{
	int64_t end_ns = statsidecar_moment_monotonic_ns() + 2000000, now_ns;

	while ((now_ns = statsidecar_moment_monotonic_ns()) < end_ns)
		;
	return now_ns;
}

START_TEST(a_step_is_timed)
{
	struct statsidecar_step timed = {.step_name = "fetch"};

	for (int attempt = 1; attempt <= 2; attempt++) {
		int64_t before_ns = statsidecar_moment_monotonic_ns(), within_ns, end_ns;

		timed.attempt_number = attempt;
		ck_assert_int_eq(statsidecar_step_start(publisher, &timed, NULL, 0), STATSIDECAR_OK);
		ck_assert_ptr_nonnull(strstr(received(), "\"started_at\""));
		within_ns = statsidecar_moment_monotonic_ns();
		end_ns = work();
		if (attempt == 1)
			ck_assert_int_eq(statsidecar_step_fail(publisher, &timed, &error, NULL, 0), STATSIDECAR_OK);
		else
			ck_assert_int_eq(statsidecar_step_complete(publisher, &timed, NULL, 0), STATSIDECAR_OK);
		expect_end("execution_duration", end_ns - within_ns, statsidecar_moment_monotonic_ns() - before_ns,
		           attempt == 1 ? &error : NULL);
		ck_assert_ptr_null(timed.error);
	}
}
END_TEST

START_TEST(a_task_is_timed)
{
	struct statsidecar_task timed = {.task_name = "nightly"};

	for (int attempt = 1; attempt <= 2; attempt++) {
		int64_t before_ns = statsidecar_moment_monotonic_ns(), within_ns, end_ns;

		ck_assert_int_eq(statsidecar_task_start(publisher, &timed, NULL, 0), STATSIDECAR_OK);
		ck_assert_ptr_null(strstr(received(), "execution_duration"));
		within_ns = statsidecar_moment_monotonic_ns();
		end_ns = work();
		if (attempt == 1)
			ck_assert_int_eq(statsidecar_task_fail(publisher, &timed, &error, NULL, 0), STATSIDECAR_OK);
		else
			ck_assert_int_eq(statsidecar_task_complete(publisher, &timed, NULL, 0), STATSIDECAR_OK);
		expect_end("total_execution_duration", end_ns - within_ns,
		           statsidecar_moment_monotonic_ns() - before_ns, attempt == 1 ? &error : NULL);
	}
}
END_TEST

START_TEST(what_has_ended_is_not_timed_on)
{
	struct statsidecar_step timed = {.step_name = "fetch"};
	struct statsidecar_task task_timed = {.task_name = "nightly"};
	int64_t duration_ns;

	(void)statsidecar_step_start(publisher, &timed, NULL, 0);
	(void)statsidecar_step_complete(publisher, &timed, NULL, 0);
	duration_ns = timed.duration_ns;
	(void)statsidecar_step_complete(publisher, &timed, NULL, 0);
	ck_assert_int_eq(timed.duration_ns, duration_ns);
	(void)statsidecar_task_start(publisher, &task_timed, NULL, 0);
	(void)statsidecar_task_complete(publisher, &task_timed, NULL, 0);
	duration_ns = task_timed.duration_ns;
	(void)statsidecar_task_fail(publisher, &task_timed, NULL, NULL, 0);
	ck_assert_int_eq(task_timed.duration_ns, duration_ns);
}
END_TEST

START_TEST(what_was_never_started_has_its_own_duration_or_none)
{
	struct statsidecar_step timed = {.step_name = "fetch"};

	ck_assert_int_eq(statsidecar_step_complete(publisher, &timed, NULL, 0), STATSIDECAR_OK);
	ck_assert_ptr_null(strstr(received(), "execution_duration"));
	timed.duration_ns = S;
	ck_assert_int_eq(statsidecar_step_complete(publisher, &timed, NULL, 0), STATSIDECAR_OK);
	ck_assert_ptr_nonnull(strstr(received(), "\"execution_duration\":1,"));
}
END_TEST

Suite *publish_standard_suite(void)
{
	Suite *suite = suite_create("publish_standard");
	TCase *rows = tcase_create("rows"), *timing = tcase_create("timing");

	tcase_add_checked_fixture(rows, open_both, close_both);
	tcase_add_loop_test(rows, step, 0, (int)ARRAY_LEN(steps));
	tcase_add_loop_test(rows, task, 0, (int)ARRAY_LEN(tasks));
	tcase_add_test(rows, the_callers_fields_take_the_place_of_the_standard_ones);
	suite_add_tcase(suite, rows);
	tcase_add_checked_fixture(timing, open_both, close_both);
	tcase_add_test(timing, a_step_is_timed);
	tcase_add_test(timing, a_task_is_timed);
	tcase_add_test(timing, what_has_ended_is_not_timed_on);
	tcase_add_test(timing, what_was_never_started_has_its_own_duration_or_none);
	suite_add_tcase(suite, timing);
	return suite;
}
