# frozen_string_literal: true

# Publishes the workflow of tests/data/workflow.jsonl with the Ruby client, as an application would.

require_relative "../../../clients/ruby/statsidecar"

class ReadTimeout < StandardError
end

Task = Struct.new(:task_id, :name, :task_type, :source_system, :priority, :total_steps, :completed_steps, :failed_steps,
                  :pending_steps, keyword_init: true)
Step = Struct.new(:workflow_step_id, :task, :name, :attempts, :retry_limit, keyword_init: true) do
  def task_id
    task.task_id
  end
end

class OrderProcessing
  include Statsidecar::EventPublisher

  def at(seconds)
    Time.utc(2024, 5, 1, 12) + Rational((seconds * 1000).round, 1000)
  end

  def run
    %i[begin_task validate_order reserve_stock_beside_charge_card retry_charge_card fail_notify_customer
       end_task].each do |part|
      send(part)
      $stdin.gets # the test has seen it arrive
    end
  end

  def task(completed, failed, pending)
    Task.new(task_id: 4711, name: "order_processing", task_type: "OrderProcessing", source_system: "web", priority: 5,
             total_steps: 4, completed_steps: completed, failed_steps: failed, pending_steps: pending)
  end

  def step(id, name, attempt, limit = 3)
    Step.new(workflow_step_id: id, task: task(0, 0, 4), name: name, attempts: attempt, retry_limit: limit)
  end

  def begin_task
    publish_task_event("task.initialize_requested", task(0, 0, 4), event_type: :initialize, timestamp: at(0))
    publish_event("observability.task.enqueue", task_id: 4711, task_name: "order_processing", queue_name: "orders",
                                                timestamp: at(0.004))
    publish_task_started(task(0, 0, 4), queue_time: 0.016, timestamp: at(0.02))
    publish_viable_steps_discovered(4711, [1], processing_mode: "sequential", timestamp: at(0.025))
  end

  def validate_order
    validate = step(1, "validate_order", 1)
    publish_step_started(validate, step_inputs: { order_id: "A-1001" }, timestamp: at(0.03))
    publish_step_before_handle(validate, timestamp: at(0.031))
    publish_step_event("step.handle", validate, timestamp: at(0.032))
    publish_step_completed(validate, execution_duration: 0.125, step_results: { valid: true }, timestamp: at(0.157))
  end

  def reserve_stock_beside_charge_card
    charge = step(2, "charge_card", 1)
    reserve = step(3, "reserve_stock", 1)
    publish_viable_steps_discovered(4711, [charge, reserve], processing_mode: "concurrent", timestamp: at(0.16))
    publish_step_started(charge, timestamp: at(0.165))
    publish_step_started(reserve, timestamp: at(0.166))
    publish_step_completed(reserve, started_at: at(0.166), completed_at: at(0.466), timestamp: at(0.466))
    begin
      raise ReadTimeout, "Net::ReadTimeout with #<TCPSocket:(closed)>"
    rescue ReadTimeout => e
      publish_step_failed(charge, error: e, execution_duration: 5.0, timestamp: at(5.165))
    end
  end

  def retry_charge_card
    publish_event("observability.step.backoff",
                  { task_id: 4711, task_name: "order_processing", step_name: "charge_card", backoff_seconds: 2.5 },
                  timestamp: at(5.166))
    publish_step_retry_requested(step(2, "charge_card", 1), retry_reason: "step_failure",
                                                            backoff_strategy: "exponential", timestamp: at(5.168))
    of_task = { task_id: 4711, task_name: "order_processing" }
    publish_task_reenqueue_started(of_task, reason: "awaiting_retry", current_status: "in_progress",
                                            timestamp: at(5.17))
    publish_task_reenqueue_delayed(of_task, reason: "awaiting_retry", current_status: "in_progress", delay_seconds: 2.5,
                                            scheduled_for: at(7.672), timestamp: at(5.172))
    publish_step_started(step(2, "charge_card", 2), timestamp: at(7.7))
    publish_step_completed(step(2, "charge_card", 2), timestamp: at(8.45))
  end

  def fail_notify_customer
    said = { error_message: "550 mailbox unavailable", exception_class: "Mail::ServerError" }
    publish_step_started(step(4, "notify_customer", 1, 2), timestamp: at(8.5))
    publish_step_failed(step(4, "notify_customer", 1, 2), **said, execution_duration: 0.249, timestamp: at(8.749))
    publish_step_retry_requested(step(4, "notify_customer", 1, 2), backoff_strategy: "linear", timestamp: at(8.75))
    publish_step_started(step(4, "notify_customer", 2, 2), timestamp: at(9.75))
    publish_step_failed(step(4, "notify_customer", 2, 2), **said, timestamp: at(9.87))
    publish_event("observability.step.max_retries_reached", task_id: 4711, task_name: "order_processing",
                                                            step_name: "notify_customer", timestamp: at(9.875))
    publish_event("order.notification_skipped", order_id: "A-1001", task_name: "order_processing", timestamp: at(9.876))
  end

  def end_task
    of_task = { task_id: 4711, task_name: "order_processing" }
    publish_task_finalization_started(of_task, processed_steps_count: 4, timestamp: at(9.88))
    publish_task_finalization_completed(of_task, processed_steps_count: 4, final_status: "error", timestamp: at(9.89))
    publish_task_failed(task(3, 1, 0), error_steps: ["notify_customer"], total_execution_duration: 9.88,
                                       error_message: "Steps in error state: notify_customer", timestamp: at(9.9))
  end
end

OrderProcessing.new.run
counts = Statsidecar.publisher.counts
abort("not sent: #{counts}") unless counts == { sent: 29 }
