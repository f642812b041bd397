# Publishes the workflow of tests/data/workflow.jsonl with the shell client, as a script would. $1: the clients' folder.
set -eu

# shellcheck source=/dev/null
. "$1/shell/statsidecar.sh"

at() { echo "timestamp=2024-05-01T12:00:0${1}Z"; }

task()
{
	"$@" task_id=4711 task_name=order_processing task_type=OrderProcessing source_system=web priority=5 total_steps=4
}

# step ID NAME ATTEMPT LIMIT PUBLISH [KEY=VALUE]…
step()
{
	id=$1 name=$2 attempt=$3 limit=$4
	shift 4
	"$@" task_id=4711 task_name=order_processing "step_id=$id" "step_name=$name" "attempt_number=$attempt" \
		"retry_limit=$limit"
}

# The test has seen it arrive.
wait_for_test() { read -r _ || :; }

task publish_task_event task.initialize_requested "$(at 0.000)"
publish_event observability.task.enqueue task_id=4711 task_name=order_processing queue_name=orders "$(at 0.004)"
task publish_task_started queue_time=0.016 "$(at 0.020)"
publish_viable_steps_discovered task_id=4711 step_count=1 processing_mode=sequential "$(at 0.025)"
wait_for_test

step 1 validate_order 1 3 publish_step_started "$(at 0.030)"
step 1 validate_order 1 3 publish_step_before_handle "$(at 0.031)"
step 1 validate_order 1 3 publish_step_event step.handle "$(at 0.032)"
step 1 validate_order 1 3 publish_step_completed execution_duration=0.125 "$(at 0.157)"
wait_for_test

publish_viable_steps_discovered task_id=4711 step_count=2 processing_mode=concurrent "$(at 0.160)"
step 2 charge_card 1 3 publish_step_started "$(at 0.165)"
step 3 reserve_stock 1 3 publish_step_started "$(at 0.166)"
step 3 reserve_stock 1 3 publish_step_completed started_at=2024-05-01T12:00:00.166Z \
	completed_at=2024-05-01T12:00:00.466Z "$(at 0.466)"
step 2 charge_card 1 3 publish_step_failed execution_duration=5 exception_class=ReadTimeout \
	'error_message=Net::ReadTimeout with "#<TCPSocket:(closed)>"' "$(at 5.165)"
wait_for_test

publish_event observability.step.backoff task_name=order_processing step_name=charge_card backoff_seconds=2.5 \
	"$(at 5.166)"
step 2 charge_card 1 3 publish_step_retry_requested retry_reason=step_failure "$(at 5.168)"
publish_task_reenqueue_started task_name=order_processing reason=awaiting_retry "$(at 5.170)"
publish_task_reenqueue_delayed task_name=order_processing reason=awaiting_retry delay_seconds=2.5 "$(at 5.172)"
step 2 charge_card 2 3 publish_step_started "$(at 7.700)"
step 2 charge_card 2 3 publish_step_completed "$(at 8.450)"
wait_for_test

step 4 notify_customer 1 2 publish_step_started "$(at 8.500)"
step 4 notify_customer 1 2 publish_step_failed execution_duration=0.249 exception_class=Mail::ServerError \
	'error_message=550 mailbox unavailable' "$(at 8.749)"
step 4 notify_customer 1 2 publish_step_retry_requested "$(at 8.750)"
step 4 notify_customer 2 2 publish_step_started "$(at 9.750)"
step 4 notify_customer 2 2 publish_step_failed exception_class=Mail::ServerError "$(at 9.870)"
publish_event observability.step.max_retries_reached task_name=order_processing step_name=notify_customer "$(at 9.875)"
publish_event order.notification_skipped task_name=order_processing "$(at 9.876)"
wait_for_test

publish_task_finalization_started task_name=order_processing processed_steps_count=4 "$(at 9.880)"
publish_task_finalization_completed task_name=order_processing final_status=error "$(at 9.890)"
task publish_task_failed failed_steps=1 total_execution_duration=9.88 "$(at 9.900)"
wait_for_test

if [ "$STATSIDECAR_SENT" -ne 29 ] || [ "$STATSIDECAR_DROPPED" -ne 0 ]; then
	echo "sent $STATSIDECAR_SENT, dropped $STATSIDECAR_DROPPED" >&2
	exit 1
fi
