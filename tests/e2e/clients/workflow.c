/* Publishes the workflow of tests/data/workflow.jsonl with libstatsidecar, as an application would. */
#include <stdio.h>
#include <statsidecar.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MS INT64_C(1000000)

static struct statsidecar *publisher;

/* Milliseconds since 2024-05-01T12:00:00Z. */
static int64_t at(int64_t ms)
{
	return (INT64_C(1714564800000) + ms) * MS;
}

static struct statsidecar_task task(int completed, int failed, int pending)
{
	return (struct statsidecar_task){
		.task_id = "4711", .task_name = "order_processing", .task_type = "OrderProcessing", .total_steps = 4,
		.completed_steps = completed, .failed_steps = failed, .pending_steps = pending,
	};
}

static struct statsidecar_step step(const char *id, const char *name, int attempt, int limit)
{
	return (struct statsidecar_step){
		.task_id = "4711", .task_name = "order_processing", .step_id = id, .step_name = name,
		.attempt_number = attempt, .retry_limit = limit,
	};
}

static void publish_task(struct statsidecar_task described, enum statsidecar_event_type type, int64_t ms,
                         struct statsidecar_field field)
{
	struct statsidecar_field fields[] = {
		statsidecar_time("timestamp", at(ms)), statsidecar_text("source_system", "web"),
		statsidecar_integer("priority", 5), field,
	};

	statsidecar_publish_task_event(publisher, &described, type, fields, COUNT(fields));
}

static void publish_step(struct statsidecar_step described, enum statsidecar_event_type type, int64_t ms)
{
	struct statsidecar_field fields[] = {statsidecar_time("timestamp", at(ms))};

	statsidecar_publish_step_event(publisher, &described, type, fields, COUNT(fields));
}

static void publish(const char *event, int64_t ms, struct statsidecar_field first, struct statsidecar_field second,
                    struct statsidecar_field third)
{
	struct statsidecar_field fields[] = {
		statsidecar_text("event_type", "other"), statsidecar_time("timestamp", at(ms)), first, second, third,
	};

	statsidecar_publish_event(publisher, event, fields, COUNT(fields));
}

static const struct statsidecar_field of_task = {"task_name", STATSIDECAR_TEXT, 16, {.text = "order_processing"}};

static struct statsidecar_field nothing(void)
{
	return statsidecar_null("nothing");
}

static void begin_task(void)
{
	publish_task(task(0, 0, 4), STATSIDECAR_EVENT_INITIALIZE, 0, nothing());
	publish("observability.task.enqueue", 4, of_task, statsidecar_text("queue_name", "orders"), nothing());
	publish_task(task(0, 0, 4), STATSIDECAR_EVENT_STARTED, 20, statsidecar_duration("queue_time", 16 * MS));
	publish("workflow.viable_steps_discovered", 25, statsidecar_integer("step_count", 1),
	        statsidecar_json("step_ids", "[1]"), statsidecar_text("processing_mode", "sequential"));
}

static void validate_order(void)
{
	struct statsidecar_step validate = step("1", "validate_order", 1, 3);

	publish_step(validate, STATSIDECAR_EVENT_STARTED, 30);
	publish_step(validate, STATSIDECAR_EVENT_BEFORE_HANDLE, 31);
	publish_step(validate, STATSIDECAR_EVENT_HANDLE, 32);
	validate.duration_ns = 125 * MS;
	publish_step(validate, STATSIDECAR_EVENT_COMPLETED, 157);
}

static void reserve_stock_beside_charge_card(void)
{
	static const char *const backtrace[] = {"charge_card.c:41", "main.c:12"};
	const struct statsidecar_error error = {"no answer within 5 s", "ReadTimeout", backtrace, COUNT(backtrace)};
	struct statsidecar_step charge = step("2", "charge_card", 1, 3), reserve = step("3", "reserve_stock", 1, 3);

	publish("workflow.viable_steps_discovered", 160, statsidecar_integer("step_count", 2),
	        statsidecar_json("step_ids", "[2, 3]"), statsidecar_text("processing_mode", "concurrent"));
	publish_step(charge, STATSIDECAR_EVENT_STARTED, 165);
	publish_step(reserve, STATSIDECAR_EVENT_STARTED, 166);
	reserve.started_at_ns = at(166);
	reserve.completed_at_ns = at(466);
	publish_step(reserve, STATSIDECAR_EVENT_COMPLETED, 466);
	charge.duration_ns = 5000 * MS;
	charge.error = &error;
	publish_step(charge, STATSIDECAR_EVENT_FAILED, 5165);
}

static void retry_charge_card(void)
{
	const struct statsidecar_field reason = statsidecar_text("reason", "awaiting_retry");

	publish("observability.step.backoff", 5166, of_task, statsidecar_text("step_name", "charge_card"),
	        statsidecar_double("backoff_seconds", 2.5));
	publish_step(step("2", "charge_card", 1, 3), STATSIDECAR_EVENT_RETRY, 5168);
	publish("workflow.task_reenqueue_started", 5170, of_task, reason, nothing());
	publish("workflow.task_reenqueue_delayed", 5172, of_task, reason, statsidecar_duration("delay_seconds", 2500 * MS));
	publish_step(step("2", "charge_card", 2, 3), STATSIDECAR_EVENT_STARTED, 7700);
	publish_step(step("2", "charge_card", 2, 3), STATSIDECAR_EVENT_COMPLETED, 8450);
}

static void fail_notify_customer(void)
{
	const struct statsidecar_error error = {"550 mailbox unavailable", "Mail::ServerError", NULL, 0};
	struct statsidecar_step first = step("4", "notify_customer", 1, 2), second = step("4", "notify_customer", 2, 2);

	publish_step(first, STATSIDECAR_EVENT_STARTED, 8500);
	first.error = &error;
	first.duration_ns = 249 * MS;
	publish_step(first, STATSIDECAR_EVENT_FAILED, 8749);
	publish_step(first, STATSIDECAR_EVENT_RETRY, 8750);
	publish_step(second, STATSIDECAR_EVENT_STARTED, 9750);
	second.error = &error;
	publish_step(second, STATSIDECAR_EVENT_FAILED, 9870);
	publish("observability.step.max_retries_reached", 9875, of_task, statsidecar_text("step_name", "notify_customer"),
	        nothing());
	publish("order.notification_skipped", 9876, of_task, statsidecar_text("order_id", "A-1001"), nothing());
}

static void end_task(void)
{
	const struct statsidecar_error error = {"Steps in error state: notify_customer", NULL, NULL, 0};
	struct statsidecar_task failed = task(3, 1, 0);

	publish("workflow.task_finalization_started", 9880, of_task, statsidecar_integer("processed_steps_count", 4),
	        nothing());
	publish("workflow.task_finalization_completed", 9890, of_task, statsidecar_integer("processed_steps_count", 4),
	        statsidecar_text("final_status", "error"));
	failed.duration_ns = 9880 * MS;
	failed.error = &error;
	publish_task(failed, STATSIDECAR_EVENT_FAILED, 9900, statsidecar_json("error_steps", "[\"notify_customer\"]"));
}

int main(void)
{
	static void (*const parts[])(void) = {
		begin_task, validate_order, reserve_stock_beside_charge_card, retry_charge_card, fail_notify_customer, end_task,
	};
	uint64_t sent;

	if (statsidecar_open(&publisher, NULL) < 0)
		return 1;
	for (size_t i = 0; i < COUNT(parts); i++) {
		parts[i]();
		getchar(); /* the test has seen it arrive */
	}
	sent = statsidecar_count(publisher, STATSIDECAR_OK);
	statsidecar_close(publisher);
	if (sent != 29)
		fprintf(stderr, "%llu of 29 events sent\n", (unsigned long long)sent);
	return sent != 29;
}
