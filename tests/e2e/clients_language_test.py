"""The publishers of Ruby and Python: what their helpers say, and that they are guests in the program that uses them."""

import json
import random
import re
import subprocess

from clients_support import CLIENTS, Catcher, python, ruby_with_activesupport, run, run_python, run_ruby
from harness import PROGRAM, SOURCE, equal, main, need, table, test, true

RUN = {"ruby": run_ruby, "python": run_python}


def both(name, ruby_code, python_code, *arguments):
    return [
        (f"{language}: {name}", language, code, *arguments)
        for language, code in (("ruby", ruby_code), ("python", python_code))
    ]


def published(language, code, **options):
    with Catcher() as catcher:
        RUN[language](code, catcher.url, **options)
        return catcher.events()


def without_time(events):
    for event in events:
        true(event.pop("timestamp", "").endswith("Z"), "no timestamp in UTC")
    return events


# ---- helpers ----

STEP = {"task_id": 1, "step_id": 2, "step_name": "fetch"}
OF_STEP = "{ task_id: 1, step_id: 2, step_name: 'fetch' }", "{'task_id': 1, 'step_id': 2, 'step_name': 'fetch'}"
OF_TASK = "{ task_id: 1, task_name: 'nightly' }", "{'task_id': 1, 'task_name': 'nightly'}"
TASK = {"task_id": 1, "task_name": "nightly"}
STARTED = {"step_inputs": {}, "step_dependencies": []}

# helper, its arguments in Ruby and in Python, the event, its event_type, what else is in its payload
HELPERS = [
    ("publish_step_started", *OF_STEP, "step.execution_requested", "started", {**STEP, **STARTED}),
    ("publish_step_before_handle", *OF_STEP, "step.before_handle", "other", STEP),
    ("publish_step_completed", *OF_STEP, "step.completed", "completed", {**STEP, "step_results": {}}),
    ("publish_step_failed", *OF_STEP, "step.failed", "failed", {**STEP, "step_results": {}}),
    (
        "publish_step_failed",
        OF_STEP[0] + ", error: 'full'",
        OF_STEP[1] + ", error='full'",
        "step.failed",
        "failed",
        {**STEP, "step_results": {}, "error_message": "full"},
    ),
    (
        "publish_step_retry_requested",
        "{ step_name: 'a', attempts: 2 }, retry_reason: 'r', backoff_strategy: 'b'",
        "{'step_name': 'a', 'attempts': 2}, retry_reason='r', backoff_strategy='b'",
        "step.retry_requested",
        "retry",
        {"step_name": "a", "attempt_number": 2, "previous_attempts": 2, "retry_reason": "r", "backoff_strategy": "b"},
    ),
    ("publish_step_cancelled", *OF_STEP, "step.cancelled", "cancelled", STEP),
    ("publish_task_started", *OF_TASK, "task.start_requested", "started", TASK),
    (
        "publish_task_completed",
        "{ id: 1, name: 'nightly', duration: 2.5 }",
        "{'id': 1, 'name': 'nightly', 'duration': 2.5}",
        "task.completed",
        "completed",
        {**TASK, "total_execution_duration": 2.5},
    ),
    (
        "publish_task_failed",
        OF_TASK[0] + ", error_steps: ['fetch'], error: 'bad'",
        OF_TASK[1] + ", error_steps=['fetch'], error='bad'",
        "task.failed",
        "failed",
        {**TASK, "error_steps": ["fetch"], "error_message": "bad"},
    ),
    (
        "publish_task_retry_requested",
        OF_TASK[0] + ", retry_reason: 'r'",
        OF_TASK[1] + ", retry_reason='r'",
        "task.retry_requested",
        "retry",
        {**TASK, "retry_reason": "r"},
    ),
    ("publish_workflow_task_started", "1", "1", "workflow.task_started", "other", {"task_id": 1}),
    ("publish_workflow_task_started", *OF_TASK, "workflow.task_started", "other", TASK),
    ("publish_workflow_step_completed", *OF_STEP, "workflow.step_completed", "other", STEP),
    (
        "publish_viable_steps_discovered",
        "1, [2, { id: 3, name: 'b' }], processing_mode: 'concurrent'",
        "1, steps=[2, {'id': 3, 'name': 'b'}], processing_mode='concurrent'",
        "workflow.viable_steps_discovered",
        "other",
        {"task_id": 1, "step_ids": [2, 3], "step_count": 2, "step_names": ["b"], "processing_mode": "concurrent"},
    ),
    (
        "publish_viable_steps_discovered",
        "1, steps: [2, 3]",
        "1, [2, 3]",
        "workflow.viable_steps_discovered",
        "other",
        {"task_id": 1, "step_ids": [2, 3], "step_count": 2},
    ),
    (
        "publish_no_viable_steps",
        "1, reason: 'r'",
        "1, reason='r'",
        "workflow.no_viable_steps",
        "other",
        {"task_id": 1, "reason": "r"},
    ),
    (
        "publish_task_finalization_started",
        "1, processed_steps_count: 4",
        "1, processed_steps_count=4",
        "workflow.task_finalization_started",
        "other",
        {"task_id": 1, "processed_steps_count": 4},
    ),
    (
        "publish_task_finalization_completed",
        "1, processed_steps_count: 4, final_status: 'complete'",
        "1, processed_steps_count=4, final_status='complete'",
        "workflow.task_finalization_completed",
        "other",
        {"task_id": 1, "processed_steps_count": 4, "final_status": "complete"},
    ),
    (
        "publish_task_reenqueue_failed",
        "1, reason: 'r', error: 'full'",
        "1, reason='r', error='full'",
        "workflow.task_reenqueue_failed",
        "other",
        {"task_id": 1, "reason": "r", "error": "full"},
    ),
    (
        "publish_task_reenqueue_delayed",
        "1, reason: 'r', delay_seconds: 2.5",
        "1, reason='r', delay_seconds=2.5",
        "workflow.task_reenqueue_delayed",
        "other",
        {"task_id": 1, "reason": "r", "delay_seconds": 2.5},
    ),
] + [
    (
        f"publish_task_reenqueue_{what}",
        "1, reason: 'r', current_status: 's'",
        "1, reason='r', current_status='s'",
        f"workflow.task_reenqueue_{what}",
        "other",
        {"task_id": 1, "reason": "r", "current_status": "s"},
    )
    for what in ("started", "requested")
]


@table([(f"ruby: {name}({arguments})", name, arguments, *want) for name, arguments, _, *want in HELPERS])
def _(name, arguments, event, event_type, payload):
    got = without_time(published("ruby", f"Statsidecar.{name}({arguments})"))
    equal(got, [{"event": event, "event_type": event_type, **payload}])


@table([(f"python: {name}({arguments})", name, arguments, *want) for name, _, arguments, *want in HELPERS])
def _(name, arguments, event, event_type, payload):
    got = without_time(published("python", f"statsidecar.{name}({arguments})"))
    equal(got, [{"event": event, "event_type": event_type, **payload}])


@table(
    both(
        "publish_step_event, publish_task_event, publish_event: any name, any event_type",
        """
        include Statsidecar::EventPublisher
        publish_step_event("step.resolved_manually", { step_name: "a" }, priority: 3)
        publish_step_event("step.mine", { "step_name" => "a" }, event_type: :special)
        publish_task_event("task.cancelled", task_name: "t")
        publish_event("order.created", { "amount" => 5 }, currency: "CHF", name: "n")
        publish_event(:"order.paid")
        """,
        """
class Mine(statsidecar.EventPublisher): pass
mine = Mine()
mine.publish_step_event("step.resolved_manually", {"step_name": "a"}, priority=3)
mine.publish_step_event("step.mine", {"step_name": "a"}, event_type="special")
mine.publish_task_event("task.cancelled", task_name="t")
mine.publish_event("order.created", {"amount": 5}, currency="CHF", name="n")
mine.publish_event("order.paid")
        """,
    )
)
def _(language, code):
    equal(
        without_time(published(language, code)),
        [
            {"event": "step.resolved_manually", "event_type": "resolved", "step_name": "a", "priority": 3},
            {"event": "step.mine", "event_type": "special", "step_name": "a"},
            {"event": "task.cancelled", "event_type": "cancelled", "task_name": "t"},
            {"event": "order.created", "amount": 5, "currency": "CHF", "name": "n"},
            {"event": "order.paid"},
        ],
    )


@table(
    both(
        "an object's attributes, those that ask a database left alone",
        """
        Task = Struct.new(:task_id, :name)
        class Record
          def workflow_step_id = 7
          def name = "fetch"
          def task_id = 1
          def attempts = 2
          def retry_limit = 5
          def results = { rows: 3 }
          def processed_at = Time.utc(2024, 5, 1, 12, 0, 1)
          def last_attempted_at = raise("broken")
          def association(_) = Struct.new(:loaded?).new(false)
          def task = abort("the database was asked")
        end
        Statsidecar.publish_step_completed(Record.new)
        """,
        """
import datetime
class Relation:
    def __get__(self, owner, kind):
        raise SystemExit("the database was asked")
class Record:
    task = Relation()
    def __init__(self):
        self.workflow_step_id, self.name, self.task_id, self.attempts, self.retry_limit = 7, "fetch", 1, 2, 5
        self.results = {"rows": 3}
        zone = datetime.timezone(datetime.timedelta(hours=2))
        self.processed_at = datetime.datetime(2024, 5, 1, 14, 0, 1, tzinfo=zone)
    @property
    def last_attempted_at(self):
        raise ValueError("broken")
statsidecar.publish_step_completed(Record())
        """,
    )
)
def _(language, code):
    equal(
        without_time(published(language, code)),
        [
            {
                "event": "step.completed",
                "event_type": "completed",
                "task_id": 1,
                "step_id": 7,
                "step_name": "fetch",
                "attempt_number": 2,
                "retry_limit": 5,
                "completed_at": "2024-05-01T12:00:01.000000Z",
                "step_results": {"rows": 3},
            }
        ],
    )


@table(
    both(
        "an exception becomes error_message, exception_class and backtrace",
        """
        class Net; class ReadTimeout < StandardError; end; end
        def read = raise(Net::ReadTimeout, "no answer")
        begin
          read
        rescue StandardError => e
          Statsidecar.publish_step_failed({ step_name: "a" }, error: e)
        end
        """,
        """
class Net:
    class ReadTimeout(Exception): pass
def read():
    raise Net.ReadTimeout("no answer")
try:
    read()
except Exception as error:
    statsidecar.publish_step_failed({"step_name": "a"}, error=error)
        """,
        {"ruby": "Net::ReadTimeout", "python": "Net.ReadTimeout"},
    )
)
def _(language, code, kinds):
    (event,) = published(language, code)
    equal((event["error_message"], event["exception_class"]), ("no answer", kinds[language]))
    equal(len(event["backtrace"]), 2)
    true("read" in event["backtrace"][0], f"where it was raised is not first: {event['backtrace']}")


# ---- durations ----


@table(
    both(
        "time_step, time_task and time_event measure, and let go on what was raised",
        """
        def spend
          start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
          nil until Process.clock_gettime(Process::CLOCK_MONOTONIC) - start >= 0.02
          :value
        end
        got = Statsidecar.time_step({ step_name: "a" }, attempt_number: 2) { |t| t[:step_results] = { rows: 1 }; spend }
        abort("the block's value: #{got}") unless got == :value
        begin
          Statsidecar.time_task(task_name: "t") { spend; raise ArgumentError, "bad" }
          abort("the exception did not go on")
        rescue ArgumentError
        end
        Statsidecar.time_event("order.import", { rows: 5 }) { spend }
        timing = Statsidecar.time_step(step_name: "b")
        spend
        timing.fail("stopped", exit_status: 3)
        [1].each { Statsidecar.time_event("order.left") { break } }
        Statsidecar.time_step(step_name: "c") { exit }
        """,
        """
import sys, time
def spend():
    start = time.monotonic()
    while time.monotonic() - start < 0.02:
        pass
with statsidecar.time_step({"step_name": "a"}, attempt_number=2) as timing:
    timing["step_results"] = {"rows": 1}
    spend()
try:
    with statsidecar.time_task(task_name="t"):
        spend()
        raise ValueError("bad")
    sys.exit("the exception did not go on")
except ValueError:
    pass
with statsidecar.time_event("order.import", {"rows": 5}):
    spend()
timing = statsidecar.time_step(step_name="b").start()
spend()
timing.fail("stopped", exit_status=3)
for _ in (1,):
    with statsidecar.time_event("order.left"):
        break
with statsidecar.time_step(step_name="c"):
    sys.exit()
        """,
    )
)
def _(language, code):
    events = published(language, code)
    names = ["step.execution_requested", "step.completed", "task.start_requested", "task.failed", "order.import"]
    names += ["step.execution_requested", "step.failed", "order.left", "step.execution_requested", "step.completed"]
    equal([event["event"] for event in events], names)
    fields = [
        (1, "execution_duration"),
        (3, "total_execution_duration"),
        (4, "execution_duration"),
        (6, "execution_duration"),
    ]
    for number, field in fields:
        true(0.02 <= events[number][field] < 60, f"{events[number]['event']}: {events[number].get(field)}")
    equal(events[1]["started_at"], events[0]["started_at"])
    equal((events[1]["step_results"], events[1]["attempt_number"]), ({"rows": 1}, 2))
    equal(
        (events[3]["error_message"], events[3]["exception_class"][-13:]),
        ("bad", "ArgumentError" if language == "ruby" else "ValueError"),
    )
    equal(events[4]["rows"], 5)
    equal((events[6]["error_message"], events[6]["exit_status"]), ("stopped", 3))


# ---- guests ----


@table(
    both(
        "values that are no JSON are said somehow, or dropped and counted; nothing is raised",
        """
        class Evil
          def to_s = raise("no")
          def respond_to?(*) = raise("no")
        end
        circle = []
        circle << circle << circle
        deep = nil
        5000.times { deep = [deep] }
        def publish(value) = Statsidecar.publish_event("a.b", { value: value })
        values = [Float::NAN, -Float::INFINITY, "\\xff\\xfe", "\\xff".b, "\\u{1F600}".encode("UTF-16LE"), :symbol,
                  1r / 3, Evil.new, 10**400, Object, Time.at(0), { nil => 1, 2 => [nil] }, "a\\u0000b\\nc"]
        p values.map { |value| publish(value) }.uniq
        p [circle, (1..100_000).to_a].map { |value| publish(value) }
        p publish(deep)
        p ["", "1a", "a b", nil, "a\\n", "x" * 201].map { |name| Statsidecar.publish_event(name) }.uniq
        p Statsidecar.publish_event("a.b", { "event" => "forged", "" => 1, kept: 1 })
        p Statsidecar.publish_event("a.b", 17)
        p Statsidecar.publish_step_started(Evil.new)
        p Statsidecar.publisher.counts
        """,
        """
class Evil:
    def __str__(self): raise ValueError("no")
    def __getattr__(self, name): raise ValueError("no")
circle = []
circle += [circle, circle]
deep = None
for _ in range(5000):
    deep = [deep]
import decimal, enum, pathlib
values = [float("nan"), -float("inf"), "\\udcff", b"\\xff", enum.Enum("E", "A").A, {1, 2}, Evil(), 10**400,
          decimal.Decimal("NaN"), pathlib.Path("/x"), 1j, {None: 1, 2: [None], (1, 2): 3}, "a\\0b\\nc"]
print({statsidecar.publish_event("a.b", {"value": value}) for value in values})
print([statsidecar.publish_event("a.b", {"value": value}) for value in (circle, list(range(100000)))])
print(statsidecar.publish_event("a.b", {"value": deep}))
print({statsidecar.publish_event(name) for name in ("", "1a", "a b", None, "a\\n", "x" * 201)})
print(statsidecar.publish_event("a.b", {"event": "forged", "": 1, "kept": 1}))
print(statsidecar.publish_event("a.b", 17))
print(statsidecar.publish_step_started(Evil()))
print(statsidecar.publisher().counts)
        """,
    )
)
def _(language, code):
    with Catcher() as catcher:
        said = RUN[language](code, catcher.url).replace("true", "True").replace("false", "False").splitlines()
        true(said[0] in ("[True]", "{True}"), said[0])
        equal(said[1], "[False, False]")
        equal(said[2], "True")
        true(said[3] in ("[False]", "{False}"), said[3])
        equal(said[4:6], ["True", "False"])
        true("too_long" in said[7] and "invalid" in said[7] and "failed" in said[7], said[7])
        events = catcher.events()
        true(all(event["event"] in ("a.b", "step.execution_requested") for event in events), "an event was forged")
        equal([event for event in events if "kept" in event][0].keys() - {"timestamp"}, {"event", "kept"})


@table(
    both(
        "strict: what was not sent is raised",
        """
        strict = Statsidecar::Publisher.new("fifo:///nowhere/events", strict: true)
        begin
          strict.publish_event("a.b")
        rescue Statsidecar::NotSent => e
          p e.reason, strict.dropped
        end
        begin
          Statsidecar::Publisher.new("http://localhost", strict: true)
        rescue Statsidecar::NotSent => e
          p e.reason
        end
        """,
        """
strict = statsidecar.Publisher("fifo:///nowhere/events", strict=True)
try:
    strict.publish_event("a.b")
except statsidecar.NotSent as error:
    print(error.reason, strict.dropped)
try:
    statsidecar.Publisher("http://localhost", strict=True)
except statsidecar.NotSent as error:
    print(error.reason)
        """,
    )
)
def _(language, code):
    equal(RUN[language](code, None).replace(":", "").split(), ["away", "1", "bad_url"])


@table(
    both(
        "a program that wants to die of SIGPIPE does not die of ours",
        """
        trap("PIPE", "SYSTEM_DEFAULT")
        reader = File.open(ENV["STATSIDECAR_TO"].delete_prefix("fifo://"), File::RDONLY | File::NONBLOCK)
        p Statsidecar.publish_event("a.b")
        reader.close
        $stdout.flush
        p Statsidecar.publish_event("a.b"), Statsidecar.publisher.counts
        $stdout.flush
        a, b = IO.pipe
        a.close
        b.syswrite("x")
        """,
        """
import os, signal
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
reader = os.open(os.environ["STATSIDECAR_TO"][7:], os.O_RDONLY | os.O_NONBLOCK)
print(statsidecar.publish_event("a.b"), flush=True)
os.close(reader)
print(statsidecar.publish_event("a.b"), statsidecar.publisher().counts, flush=True)
a, b = os.pipe()
os.close(a)
os.write(b, b"x")
        """,
    )
)
def _(language, code):
    with Catcher() as catcher:
        path = str(catcher.path) + ".alone"
        subprocess.run(["mkfifo", path], check=True)
        said = RUN[language](code, f"fifo://{path}", want=-13)
        true("away" in said, said)


@table(
    both(
        "parent and children of a fork publish by one publisher",
        """
        Statsidecar.publish_event("a.b")
        4.times do
          fork do
            50.times { Statsidecar.publish_event("a.b", { pad: "x" * 200 }) }
            abort unless Statsidecar.publisher.sent == 51
          end
        end
        Process.waitall.each { |_, status| abort unless status.success? }
        Statsidecar.publish_event("a.b")
        """,
        """
import os
statsidecar.publish_event("a.b")
for _ in range(4):
    if os.fork() == 0:
        for _ in range(50):
            statsidecar.publish_event("a.b", pad="x" * 200)
        os._exit(0 if statsidecar.publisher().sent == 51 else 1)
for _ in range(4):
    if os.wait()[1] != 0:
        raise SystemExit("a child")
statsidecar.publish_event("a.b")
        """,
    )
)
def _(language, code):
    equal(len(published(language, code)), 202)  # the pipe takes them all


@table(
    both(
        "after a fork that closed all descriptors it goes on, and writes into no other file",
        """
        Statsidecar.publish_event("a.first")
        pid = fork do
          path = ENV["STATSIDECAR_TO"].delete_prefix("fifo://")
          number = Dir.children("/proc/self/fd").find { |fd| File.readlink("/proc/self/fd/#{fd}") == path rescue false }
          IO.for_fd(number.to_i).close
          other = File.open("#{path}.other", "w+")
          abort("not the same number") unless other.fileno == number.to_i
          Statsidecar.publish_event("a.second")
          abort("it wrote into another file") unless File.empty?("#{path}.other")
        end
        Process.wait(pid)
        abort unless $?.success?
        """,
        """
import os
statsidecar.publish_event("a.first")
if os.fork() == 0:
    path = os.environ["STATSIDECAR_TO"][7:]
    os.closerange(3, 256)
    others = [open(f"{path}.other{n}", "w+") for n in range(8)]
    statsidecar.publish_event("a.second")
    os._exit(any(os.fstat(other.fileno()).st_size for other in others))
if os.wait()[1] != 0:
    raise SystemExit("it wrote into another file")
        """,
    )
)
def _(language, code):
    with Catcher() as catcher:
        RUN[language](code, catcher.url)
        equal([event["event"] for event in catcher.events()], ["a.first", "a.second"])


@table(
    both(
        "eight threads: every event whole, every count right",
        """
        threads = 8.times.map do |n|
          Thread.new { 500.times { |i| Statsidecar.publish_event("a.b", { pad: "x" * 300, n: n, i: i }) } }
        end
        threads.each(&:join)
        puts Statsidecar.publisher.sent, Statsidecar.publisher.dropped
        """,
        """
import threading
def publish(n):
    for i in range(500):
        statsidecar.publish_event("a.b", pad="x" * 300, n=n, i=i)
threads = [threading.Thread(target=publish, args=(n,)) for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(statsidecar.publisher().sent, statsidecar.publisher().dropped)
        """,
    )
)
def _(language, code):
    with Catcher() as catcher:
        sent, dropped = map(int, RUN[language](code, catcher.url).split())
        equal(sent + dropped, 4000)
        true(dropped > 0, "the pipe should have been full")
        equal(len(catcher.events()), sent)


@table(
    both(
        "a signal's handler may publish",
        """
        trap("USR1") { Statsidecar.publish_event("a.signal") }
        3.times { Process.kill("USR1", Process.pid); Statsidecar.publish_event("a.b") }
        sleep(0.001) until Statsidecar.publisher.sent == 6
        """,
        """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: statsidecar.publish_event("a.signal"))
for _ in range(3):
    os.kill(os.getpid(), signal.SIGUSR1)
    statsidecar.publish_event("a.b")
        """,
    )
)
def _(language, code):
    names = [event["event"] for event in published(language, code)]
    equal(sorted(names), ["a.b"] * 3 + ["a.signal"] * 3)


@table(
    both(
        "standard descriptors that the program has closed stay closed to events",
        """
        $stdout.close
        Statsidecar.publish_event("a.b")
        $stderr.puts "lost?"
        """,
        """
import os
os.close(1)
statsidecar.publish_event("a.b")
try:
    os.write(1, b"lost\\n")
except OSError:
    pass
        """,
    )
)
def _(language, code):
    equal([event["event"] for event in published(language, code)], ["a.b"])


@table(
    both(
        "without a URL: the default pipe where it is read, else the default port",
        """
        url = Statsidecar::Publisher.new.url
        is_read = File.open("/run/statsidecar/events", File::WRONLY | File::NONBLOCK) rescue false
        abort(url) unless url == (is_read ? "fifo:///run/statsidecar/events" : "udp://127.0.0.1:8127")
        abort unless Statsidecar::Publisher.new("udp://[::1]").url == "udp://[::1]"
        """,
        """
import os
url = statsidecar.Publisher().url
try:
    os.open("/run/statsidecar/events", os.O_WRONLY | os.O_NONBLOCK)
    want = "fifo:///run/statsidecar/events"
except OSError:
    want = "udp://127.0.0.1:8127"
if url != want or statsidecar.Publisher("udp://[::1]").url != "udp://[::1]":
    raise SystemExit(url)
        """,
    )
)
def _(language, code):
    RUN[language](code, "")


# ---- documents ----

DOCUMENT = (SOURCE / "docs/clients.md").read_text()
# What the examples leave to the reader.
PRELUDE = {
    "ruby": "class Import; def load(_) = 12; end\nbus = Class.new { def self.events = {}; def subscribe(*); end }.new\n"
    'require "active_support"\nrequire "active_support/notifications"\n',
    "python": "",
    "sh": "",
}


def examples():
    for number, match in enumerate(
        re.finditer(r"^```(ruby|python|sh)\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL), 1
    ):
        yield f"docs/clients.md's example {number} runs ({match[1]})", match[1], match[2]


@table(examples())
def _(language, code):
    path = {"PYTHONPATH": str(CLIENTS / "python"), "STATSIDECAR_COMMAND": PROGRAM}
    with Catcher() as catcher:
        if language == "ruby":
            words = [*ruby_with_activesupport(), "-I", CLIENTS / "ruby", "-r", "statsidecar", "-e"]
        else:
            words = [*python(), "-c"] if language == "python" else ["sh", "-euc"]
        code = code.replace("udp://127.0.0.1:8127", catcher.url)
        run([*words, PRELUDE[language] + code], catcher.url, path, cwd=CLIENTS / "shell")
        # What names a URL of its own publishes there: documentation_test.py looks.
        if "://" not in code and "forward" not in code:
            true(catcher.events(), "nothing was published")


@table([(f"{shell}: a script that splits words at commas is timed like any other", shell) for shell in ("bash", "dash")])
def _(shell):
    need(shell)
    code = f'IFS=,; . "{CLIENTS}/shell/statsidecar.sh"; time_step step_name=a -- false; echo "status $?"'
    with Catcher() as catcher:
        equal(run([shell, "-c", code], catcher.url, env={"STATSIDECAR_COMMAND": PROGRAM}), "status 1\n")
        failed = catcher.events()[-1]
        equal((failed["event"], failed["exit_status"]), ("step.failed", "1"))
        true(re.fullmatch(r"[0-9]+\.[0-9]{2}", failed["execution_duration"]), failed)


@test("python: a publisher that nobody has any more leaves no descriptor, closed or not")
def _():
    code = """
import os
for number in range(3):
    statsidecar.Publisher().publish_event("a.b")
    with statsidecar.Publisher() as closed:
        closed.publish_event("a.b")
    statsidecar.configure()
    print(len(os.listdir("/proc/self/fd")))
"""
    with Catcher() as catcher:
        equal(len(set(run_python(code, catcher.url).split())), 1)
        equal(len(catcher.events()), 6)


@test("python: whatever a field is called, nothing is raised")
def _():
    code = """
with statsidecar.time_event("a.b", _=1, self=2, name=3, payload=4):
    pass
with statsidecar.time_step({"step_name": "fetch"}, _=1, self=2, step=3, entity=4) as timing:
    pass
timing.fail("again", _=1, self=2)
timing.complete(_=1, self=2)
"""
    with Catcher() as catcher:
        run_python(code, catcher.url)
        events = catcher.events()
        equal([event["_"] for event in events], [1] * 5)
        equal([event["self"] for event in events], [2] * 5)


# ---- the same line everywhere ----

CHARACTERS = 'ab "\\\n\t\r\b\f\x01\x7fé€😀'


def payloads():
    """Texts around the limit, whatever they are made of; always the same ones."""
    chance = random.Random(20240501)
    for _ in range(60):
        payload = {"timestamp": "2024-05-01T12:00:00Z"}
        for key in chance.sample(
            ["error_message", "step_results", "step_inputs", "backtrace", "a", "b", "c"], chance.randint(1, 6)
        ):
            length = chance.choice([5, 64, 200, 900, 1300, 2500, 5000])
            payload[key] = "".join(chance.choices(CHARACTERS[: chance.choice([2, 8, len(CHARACTERS)])], k=length))
        yield payload


@test("a line that is too long is shortened in the same way by C, Ruby, Python and the shell")
def _():
    need("dash")
    cases = list(payloads())
    given = "".join(json.dumps(payload) + "\n" for payload in cases).encode()
    ruby_code = """
        require "json"
        $stdin.each_line { |line| Statsidecar.publish_event("a.b", JSON.parse(line)) }
    """
    python_code = """
import json, sys
for line in sys.stdin:
    statsidecar.publish_event("a.b", json.loads(line))
"""
    with Catcher(1 << 20) as catcher:
        for payload in cases:
            run([PROGRAM, "publish", "--", "a.b", *pairs(payload)], catcher.url)
        want = catcher.events()
        shortened = sum(event != {"event": "a.b", **payload} for event, payload in zip(want, cases))
        true(shortened > 20, f"only {shortened} of the lines were too long")
        run_python(python_code, catcher.url, input=given)
        check_each(catcher.events(), want, "Python and C")
        run_ruby(ruby_code, catcher.url, input=given)
        check_each(catcher.events(), want, "Ruby and C")
        code = f'. "{CLIENTS}/shell/statsidecar.sh"; publish_event a.b "$@"'
        for payload in cases:
            run(["dash", "-c", code, "dash", *pairs(payload)], catcher.url, env={"STATSIDECAR_COMMAND": ""})
        check_each(catcher.events(), want, "the shell and C")


@table(
    [
        ("step_inputs go first, of the backtrace stays what there is room for", {"step_inputs": {"b": "z" * 500}, "backtrace": 600}),
        ("… also where it is little that is too long", {"step_inputs": {"b": "z" * 500}, "backtrace": 400}),
        ("step_results go before step_inputs that are too long", {"step_results": {"a": 1}, "step_inputs": {str(n): n for n in range(900)}}),
        ("everything is too long", {"step_results": list(range(3000)), "step_inputs": list(range(3000)), "backtrace": 1000}),
    ]
)
def _(payload):
    payload = {"timestamp": "2024-05-01T12:00:00Z", **payload}
    if "backtrace" in payload:
        payload["backtrace"] = [f"line {number:04d}" for number in range(payload["backtrace"])]
    want = {"event": "a.b", **payload}
    for key in ("step_results", "step_inputs"):
        if key in want and line_length(want) > 4096:
            want[key] = type(want[key])()
    while line_length(want) > 4096:
        want["backtrace"] = want["backtrace"][:-1]
    given = json.dumps(payload).encode()
    with Catcher(1 << 20) as catcher:
        run_python('import json, sys\nstatsidecar.publish_event("a.b", json.load(sys.stdin))', catcher.url, input=given)
        equal(catcher.events(), [want], "Python")
        run_ruby('require "json"\nStatsidecar.publish_event("a.b", JSON.parse($stdin.read))', catcher.url, input=given)
        equal(catcher.events(), [want], "Ruby")


def line_length(event):
    return len(json.dumps(event, separators=(",", ":"))) + 1


def pairs(payload):
    return [f"{key}={value}" for key, value in payload.items()]


def check_each(got, want, what):
    equal(len(got), len(want), what)
    for one, other in zip(got, want):
        equal(one, other, what)


main()
