"""Ruby's buses: every event of ActiveSupport::Notifications (the real one, Debian's) and of a dry-events bus (by its
subscribe interface) reaches the agent; what they measure in milliseconds arrives in seconds.
"""

from clients_support import Catcher, Station, ruby_with_activesupport, run_ruby
from harness import equal, main, table, test, true

NOTIFICATIONS = """
    require "active_support"
    require "active_support/notifications"
    def spend
      start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      nil until Process.clock_gettime(Process::CLOCK_MONOTONIC) - start >= 0.02
    end
"""

# dry-events: subscribe raises for a name that is not registered; an event has id, payload, to_h and [].
DRY_EVENTS = """
    module Dry
      class Event
        attr_reader :id, :payload

        def initialize(id, payload)
          @id = id
          @payload = payload
        end

        def [](name) = payload.fetch(name)
        def to_h = payload
      end

      class Publisher
        def self.events = @events ||= {}
        def self.register_event(id) = events[id] = Event.new(id, {})

        def subscribe(id, filter = {}, &block)
          raise ArgumentError, "event +#{id}+ is not registered" unless self.class.events.key?(id)

          ((@listeners ||= {})[id] ||= []) << block
          self
        end

        def publish(id, payload = {})
          @listeners.to_h.fetch(id, []).each { |listener| listener.call(Event.new(id, payload)) }
        end
      end
    end

    class TaskerEvents < Dry::Publisher
      register_event "task.start_requested"
      register_event "step.completed"
      register_event :"step.failed"
    end
"""


def notified(code):
    with Catcher() as catcher:
        run_ruby(NOTIFICATIONS + code, catcher.url, words=ruby_with_activesupport())
        return catcher.events()


@test("ActiveSupport: every event is forwarded, with its payload")
def _():
    events = notified(
        """
        Statsidecar.forward_notifications
        ActiveSupport::Notifications.instrument("order.created", amount: 5, "currency" => "CHF")
        ActiveSupport::Notifications.instrument("tasker.step.completed", step_name: "fetch", execution_duration: 1.25)
        ActiveSupport::Notifications.instrument("!render_template.action_view") { 1 }
        ActiveSupport::Notifications.instrument("sql.active_record", sql: "SELECT 1", binds: [Object.new], name: nil)
        """
    )
    equal([event["event"] for event in events], ["order.created", "tasker.step.completed", "sql.active_record"])
    equal((events[0]["amount"], events[0]["currency"]), (5, "CHF"))
    equal(events[1]["execution_duration"], 1.25)
    true(all(event["timestamp"].endswith("Z") for event in events), "a timestamp")


@test("ActiveSupport: its milliseconds are seconds, unless the payload says how long it took")
def _():
    measured, given, between = notified(
        """
        Statsidecar.forward_notifications(/step/)
        ActiveSupport::Notifications.instrument("step.handle", step_name: "a") { spend }
        ActiveSupport::Notifications.instrument("step.handle", duration: 7) { spend }
        ActiveSupport::Notifications.instrument("task.handle") { spend }
        ActiveSupport::Notifications.instrument("step.completed", started_at: 1, completed_at: 2) { spend }
        """
    )
    true(0.02 <= measured["execution_duration"] < 60, f"{measured}")
    equal((given["duration"], "execution_duration" in given), (7, False))
    equal("execution_duration" in between, False)


@test("ActiveSupport: what was told without a block, in no time, has no duration")
def _():
    with Catcher() as catcher:
        run_ruby(
            """
            Event = Struct.new(:name, :payload, :duration)
            bus = Object.new
            def bus.subscribe(_pattern) = [0.004, 0.1, 1250.0].each { |ms| yield Event.new("step.completed", {}, ms) }
            Statsidecar.forward_notifications(nil, bus: bus)
            """,
            catcher.url,
        )
        equal([event.get("execution_duration") for event in catcher.events()], [None, 0.0001, 1.25])


@test("ActiveSupport: an exception goes on, and is told by class, message and backtrace")
def _():
    (event,) = notified(
        """
        Statsidecar.forward_notifications("step.handle")
        begin
          ActiveSupport::Notifications.instrument("step.handle", step_name: "a") { raise KeyError, "no key" }
          abort("the exception did not go on")
        rescue KeyError
        end
        """
    )
    equal((event["error_message"], event["exception_class"]), ("no key", "KeyError"))
    true(len(event["backtrace"]) > 0, "no backtrace")
    equal({"exception", "exception_object"} & event.keys(), set())


@test("ActiveSupport: a subscription can be stopped; an agent that is away and odd payloads disturb nobody")
def _():
    events = notified(
        """
        class Evil
          def to_s = raise("no")
        end
        nowhere = Statsidecar::Publisher.new("fifo:///nowhere/events")
        Statsidecar.forward_notifications(publisher: nowhere)
        subscription = Statsidecar.forward_notifications
        circle = []
        circle << circle
        ActiveSupport::Notifications.instrument("a.first", evil: Evil.new, event: "forged", circle: circle)
        subscription.stop
        ActiveSupport::Notifications.instrument("a.second")
        abort("#{nowhere.counts}") unless nowhere.dropped == 2
        """
    )
    equal([event["event"] for event in events], ["a.first"])


@test("ActiveSupport: publishing with its JSON and its times loaded")
def _():
    (event,) = notified(
        """
        require "active_support/all"
        Time.zone = "Bern"
        Statsidecar.publish_event("a.b", at: Time.zone.local(2024, 5, 1, 14), took: 5.minutes, sum: BigDecimal("1.5"),
                                  html: "<é>\\n", hash: { a: 1 }.with_indifferent_access, on: Date.new(2024, 5, 1))
        """
    )
    del event["timestamp"]
    equal(
        event,
        {
            "event": "a.b",
            "at": "2024-05-01T12:00:00.000000Z",
            "took": 300,
            "sum": 1.5,
            "html": "<é>\n",
            "hash": {"a": 1},
            "on": "2024-05-01",
        },
    )


@test("dry-events: every registered event is forwarded")
def _():
    with Catcher() as catcher:
        run_ruby(
            DRY_EVENTS
            + """
            bus = TaskerEvents.new
            Statsidecar.forward_bus(bus)
            bus.publish("task.start_requested", task_id: 1, task_name: "nightly")
            bus.publish("step.completed", step_name: "fetch", execution_duration: 1.25, timestamp: Time.at(0))
            bus.publish(:"step.failed", step_name: "fetch", error_message: "full")
            """,
            catcher.url,
        )
        started, completed, failed = catcher.events()
        equal((started["event"], started["task_name"]), ("task.start_requested", "nightly"))
        equal((completed["execution_duration"], completed["timestamp"]), (1.25, "1970-01-01T00:00:00.000000Z"))
        equal((failed["event"], failed["error_message"]), ("step.failed", "full"))


@table(
    [
        ("dry-events: an exception is told by class, message and backtrace", "exception"),
        ("… under ActiveSupport's name, too", "exception_object"),
    ]
)
def _(field):
    with Catcher() as catcher:
        run_ruby(
            DRY_EVENTS
            + f"""
            bus = TaskerEvents.new
            Statsidecar.forward_bus(bus)
            begin
              raise IOError, "disk full"
            rescue IOError => error
              bus.publish(:"step.failed", step_name: "fetch", {field}: error)
            end
            """,
            catcher.url,
        )
        (event,) = catcher.events()
        equal((event["error_message"], event["exception_class"]), ("disk full", "IOError"))
        true(len(event["backtrace"]) > 0, "no backtrace")
        true(field not in event, f"{field} is sent, too")


@test("dry-events: those that are named, the unknown among them passed over; one that is unknown alone is told")
def _():
    with Catcher() as catcher:
        run_ruby(
            DRY_EVENTS
            + """
            bus = TaskerEvents.new
            Statsidecar.forward_bus(bus, events: ["step.completed", "step.unknown"])
            bus.publish("task.start_requested")
            bus.publish("step.completed", step_name: "fetch")
            begin
              Statsidecar.forward_bus(bus, events: ["step.unknown"])
              abort("not told")
            rescue ArgumentError
            end
            """,
            catcher.url,
        )
        equal([event["event"] for event in catcher.events()], ["step.completed"])


@test("dry-monitor: its time in milliseconds is the duration in seconds")
def _():
    with Catcher() as catcher:
        run_ruby(
            DRY_EVENTS
            + """
            bus = TaskerEvents.new
            Statsidecar.forward_bus(bus)
            bus.publish("step.completed", step_name: "fetch", time: 12.5)
            bus.publish("step.completed", step_name: "fetch", time: 1_714_564_800)
            """,
            catcher.url,
        )
        measured, dated = catcher.events()
        equal((measured["execution_duration"], "time" in measured), (0.0125, False))
        equal((dated["time"], "timestamp" in dated, "execution_duration" in dated), (1714564800, False, False))


@test("both buses, to a running agent: the metrics of a step")
def _():
    with Station() as station:
        run_ruby(
            NOTIFICATIONS
            + DRY_EVENTS
            + """
            bus = TaskerEvents.new
            Statsidecar.forward_bus(bus)
            Statsidecar.forward_notifications("tasker.step.failed")
            bus.publish("step.completed", step_name: "fetch", execution_duration: 1.25)
            ActiveSupport::Notifications.instrument("tasker.step.failed", step_name: "store", execution_duration: 0.5,
                                                    exception: ["Net::ReadTimeout", "no answer"])
            """,
            station.url("pipe"),
            words=ruby_with_activesupport(),
        )
        equal(
            station.metrics(5),
            [
                "tasker.step.completed:1|c|#step:fetch,attempt:1",
                "tasker.step.duration:1250|ms|#step:fetch,attempt:1",
                "tasker.step.failed:1|c|#step:store,attempt:1",
                "tasker.step.duration:500|ms|#step:store,attempt:1",
                "tasker.errors:1|c|#error_type:timeout,step:store,attempt:1",
            ],
        )


main()
