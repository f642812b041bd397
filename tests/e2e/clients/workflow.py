"""Publishes the workflow of tests/data/workflow.jsonl with the Python client, as an application would."""

import dataclasses
import datetime
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "clients" / "python"))

import statsidecar  # noqa: E402


class ReadTimeout(Exception):
    pass


@dataclasses.dataclass
class Task:
    completed_steps: int
    failed_steps: int
    pending_steps: int
    id: int = 4711
    name: str = "order_processing"
    task_type: str = "OrderProcessing"
    source_system: str = "web"
    priority: int = 5
    total_steps: int = 4


@dataclasses.dataclass
class Step:
    id: int
    name: str
    attempts: int
    retry_limit: int = 3
    task: Task = dataclasses.field(default_factory=lambda: Task(0, 0, 4))


def at(seconds):
    start = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.timezone.utc)
    return start + datetime.timedelta(milliseconds=round(seconds * 1000))


OF_TASK = {"task_id": 4711, "task_name": "order_processing"}


class OrderProcessing(statsidecar.EventPublisher):
    def run(self):
        for part in (
            self.begin_task,
            self.validate_order,
            self.reserve_stock_beside_charge_card,
            self.retry_charge_card,
            self.fail_notify_customer,
            self.end_task,
        ):
            part()
            sys.stdin.readline()  # the test has seen it arrive

    def begin_task(self):
        self.publish_task_event("task.initialize_requested", Task(0, 0, 4), event_type="initialize", timestamp=at(0))
        self.publish_event("observability.task.enqueue", {**OF_TASK, "queue_name": "orders"}, timestamp=at(0.004))
        self.publish_task_started(Task(0, 0, 4), queue_time=0.016, timestamp=at(0.02))
        self.publish_viable_steps_discovered(4711, steps=[1], processing_mode="sequential", timestamp=at(0.025))

    def validate_order(self):
        step = Step(1, "validate_order", 1)
        self.publish_step_started(step, step_inputs={"order_id": "A-1001"}, timestamp=at(0.03))
        self.publish_step_before_handle(step, timestamp=at(0.031))
        self.publish_step_event("step.handle", step, timestamp=at(0.032))
        self.publish_step_completed(step, execution_duration=0.125, step_results={"valid": True}, timestamp=at(0.157))

    def reserve_stock_beside_charge_card(self):
        charge, reserve = Step(2, "charge_card", 1), Step(3, "reserve_stock", 1)
        self.publish_viable_steps_discovered(
            4711, steps=[charge, reserve], processing_mode="concurrent", timestamp=at(0.16)
        )
        self.publish_step_started(charge, timestamp=at(0.165))
        self.publish_step_started(reserve, timestamp=at(0.166))
        self.publish_step_completed(reserve, started_at=at(0.166), completed_at=at(0.466), timestamp=at(0.466))
        try:
            raise ReadTimeout("no answer within 5 s")
        except ReadTimeout as error:
            self.publish_step_failed(charge, error=error, execution_duration=5.0, timestamp=at(5.165))

    def retry_charge_card(self):
        backoff = {**OF_TASK, "step_name": "charge_card", "backoff_seconds": 2.5}
        self.publish_event("observability.step.backoff", backoff, timestamp=at(5.166))
        self.publish_step_retry_requested(
            Step(2, "charge_card", 1), retry_reason="step_failure", backoff_strategy="exponential", timestamp=at(5.168)
        )
        self.publish_task_reenqueue_started(OF_TASK, "awaiting_retry", "in_progress", timestamp=at(5.17))
        self.publish_task_reenqueue_delayed(
            OF_TASK, reason="awaiting_retry", delay_seconds=2.5, scheduled_for=at(7.672), timestamp=at(5.172)
        )
        self.publish_step_started(Step(2, "charge_card", 2), timestamp=at(7.7))
        self.publish_step_completed(Step(2, "charge_card", 2), timestamp=at(8.45))

    def fail_notify_customer(self):
        said = {"error_message": "550 mailbox unavailable", "exception_class": "Mail::ServerError"}
        first, second = Step(4, "notify_customer", 1, 2), Step(4, "notify_customer", 2, 2)
        self.publish_step_started(first, timestamp=at(8.5))
        self.publish_step_failed(first, **said, execution_duration=0.249, timestamp=at(8.749))
        self.publish_step_retry_requested(first, backoff_strategy="linear", timestamp=at(8.75))
        self.publish_step_started(second, timestamp=at(9.75))
        self.publish_step_failed(second, **said, timestamp=at(9.87))
        of_step = {**OF_TASK, "step_name": "notify_customer"}
        self.publish_event("observability.step.max_retries_reached", of_step, timestamp=at(9.875))
        self.publish_event("order.notification_skipped", task_name="order_processing", timestamp=at(9.876))

    def end_task(self):
        self.publish_task_finalization_started(OF_TASK, 4, timestamp=at(9.88))
        self.publish_task_finalization_completed(OF_TASK, 4, "error", timestamp=at(9.89))
        self.publish_task_failed(
            Task(3, 1, 0),
            error_steps=["notify_customer"],
            error="Steps in error state: notify_customer",
            total_execution_duration=9.88,
            timestamp=at(9.9),
        )


OrderProcessing().run()
counts = statsidecar.publisher().counts
if counts != {"sent": 29}:
    sys.exit(f"not sent: {counts}")
