"""The packs `tasker` and `tasker-lifecycles` against a second account of what they should do, in Python: thousands of events from a
seed, with all kinds of values in all the keys that a payload may have. TASKER_SEED gives others.
"""

import datetime
import decimal
import json
import os
import pathlib
import random
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from harness import command, equal, main, test  # noqa: E402

SEED = int(os.environ.get("TASKER_SEED", "1"))
COUNT = 4000
Decimal = decimal.Decimal
decimal.getcontext().prec = 60
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

WITH_ATTEMPT = ["step.completed", "step.failed", "step.retry_requested", "task.failed", "task.retry_requested"]
CUSTOM = ["order.created", "task.custom", "step.custom", "task.custom.deep"]
ERROR_TYPES = {
    "timeout": ["Timeout"],
    "network": ["Connection", "Network"],
    "not_found": ["NotFound", "Missing", "404"],
    "auth": ["Unauthorized", "Forbidden", "401", "403"],
    "rate_limit": ["RateLimit", "TooManyRequests", "429"],
    "client_error": ["BadRequest", "Invalid", "400"],
    "server_error": ["ServerError", "InternalError", "500"],
    "runtime": ["StandardError", "RuntimeError"],
}
STATES = {
    "initialize_requested": "pending",
    "start_requested": "in_progress",
    "execution_requested": "in_progress",
    "completed": "complete",
    "failed": "error",
    "retry_requested": "pending",
    "cancelled": "cancelled",
    "resolved_manually": "resolved_manually",
}
LEGAL = {
    "task": {
        "pending": ["in_progress", "cancelled", "error"],
        "in_progress": ["complete", "error", "cancelled", "pending"],
        "error": ["pending", "resolved_manually"],
        "complete": ["cancelled"],
        "resolved_manually": ["cancelled"],
        "cancelled": [],
    },
    "step": {
        "pending": ["in_progress", "error", "cancelled", "resolved_manually"],
        "in_progress": ["complete", "error", "cancelled"],
        "error": ["pending", "resolved_manually"],
        "complete": [],
        "resolved_manually": [],
        "cancelled": [],
    },
}
DURATIONS = ["execution_duration", "execution_duration_seconds", "duration", "total_execution_duration", "total_duration"]
TIMES = ["started_at", "completed_at"]
NUMBERS = [
    *DURATIONS, "attempt_number", "attempts", "attempt", "retry_limit", "max_retries", "total_steps", "failed_steps",
    "active_task_count", "iteration_duration", "step_count", "viable_step_count", "delay_seconds", "backoff_seconds",
    "healthy_task_count", "failed_task_count", "queue_time", "cpu_time", "processing_time", "retry_delay", "memory_usage",
]  # fmt: skip
TEXTS = [
    "exception_class", "error_class", "step_name", "step", "task_name", "task", "namespace", "namespace_name", "source_system",
    "priority", "status", "retryable", "processing_mode", "reason", "backoff_type", "queue_name", "final_status",
]  # fmt: skip
WORDS = [
    "fetch", "a|b", "x,y", "", "Net::ReadTimeout", "nächtlich", "two words", "ActiveRecord::RecordNotFound", "HTTP 404",
    "standarderror", "Errno::X", "internalerror", "x403", "Foo::CONNECTIONError", "BadRequestMissing", 5, Decimal("1.5"),
]  # fmt: skip


# ---- events ----


def value_of(rng, key):
    kind = rng.random()
    if kind < 0.18:
        return rng.choice([None, [1, 2], {"a": 1}, True])
    if key in TIMES:
        return rng.choice([
            f"2024-05-01T12:00:00.{rng.randrange(1000):03}Z", f"2024-05-01T14:00:{rng.randrange(60):02}+02:00",
            "2024-05-01 12:00:00.5", "nope", 1714564800, Decimal("1714564800.25"), 1714564801123,
        ])  # fmt: skip
    if key == "exception":
        return rng.choice([["Net::OpenTimeout", "m"], [], ["E"], "x"])
    if key in ("exception_class", "error_class") and rng.random() < 0.5:
        part = rng.choice(sum(ERROR_TYPES.values(), []))
        return "Some::" + rng.choice([part, part.lower(), part.upper()]) + "Exception"
    if key in TEXTS:
        return rng.choice(WORDS)
    numbers = [0, 1, 2, 3, 10, -1, Decimal("1.25"), Decimal("0.0015"), Decimal("12345678901234567890.125")]
    return rng.choice(numbers + ["30.5", "1e2", "abc", ""])


def written(value):
    """JSON, with decimals as they are."""
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(key) + ":" + written(item) for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def payload_of(rng, most):
    keys = rng.sample([*NUMBERS, *TEXTS, *TIMES, "exception"], rng.randrange(most))
    return {key: value_of(rng, key) for key in keys}


def line_of(rng, event, payload):
    return written({"event": event, **payload} if rng.random() < 0.5 else {"event": event, "payload": payload})


# ---- what they should give ----


def found(payload, *names):
    """The first that is neither absent nor null nor empty, as text; `exception.0` is that list's first."""
    for name in names:
        value = payload.get(name)
        if name == "exception.0":
            pair = payload.get("exception")
            value = pair[0] if isinstance(pair, list) and pair else None
        if isinstance(value, bool):
            return "true" if value else "false"
        if value not in (None, "") and not isinstance(value, (list, dict)):
            return str(value)
    return None


def number(text):
    return Decimal(text) if text and re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", text) else None


def shown(value):
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def milliseconds(text):
    value = number(text)
    if value is not None:
        return value if value >= 10**11 else value * 1000
    try:
        time = datetime.datetime.fromisoformat((text or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    passed = (time if time.tzinfo else time.replace(tzinfo=datetime.timezone.utc)) - EPOCH
    return Decimal(passed // datetime.timedelta(microseconds=1)) / 1000


def between(payload):
    begin, end = (milliseconds(found(payload, name)) for name in TIMES)
    if begin is None or end is None:
        return None
    return str((end - begin + Decimal("0.5")).to_integral_value(decimal.ROUND_FLOOR) / 1000)


def error_type(payload):
    name = found(payload, "exception_class", "error_class", "exception.0")
    if name is None:
        return "unknown"
    fits = (kind for kind, parts in ERROR_TYPES.items() if any(part.lower() in name.lower() for part in parts))
    return next(fits, "other")


class Expected:
    """The metric lines of one event; derived: the duration that a lifecycle fills in."""

    def __init__(self, event, payload, derived=None):
        self.event, self.payload, self.lines = event, payload, []
        self.attempt = found(payload, "attempt_number", "attempts", "attempt") or "1"
        self.common = [
            ("task", found(payload, "task_name", "task")),
            ("step", found(payload, "step_name", "step")),
            ("namespace", found(payload, "namespace", "namespace_name")),
            ("source", found(payload, "source_system")),
            *((name, found(payload, name)) for name in ("priority", "status", "retryable")),
        ]
        if event in WITH_ATTEMPT:
            self.common.append(("attempt", self.attempt))
        self.count()
        self.ends(derived)
        self.others()
        self.performance()

    def emit(self, name, value, kind, *own):
        tags = [f"{key}:{re.sub('[|,]', '_', text)}" for key, text in (*own, *self.common) if text]
        self.lines.append(f"tasker.{name}:{value}|{kind}" + ("|#" + ",".join(tags) if tags else ""))

    def timer(self, name, text, *own):
        value = number(text)
        if value is not None and value >= 0:
            self.emit(name, shown(value * 1000), "ms", *own)

    def gauge(self, name, text, *own):
        value = number(text)
        if value is not None:
            self.emit(name, shown(value), "g", *own)

    def count(self):
        own = {
            "workflow.task_finalization_completed": ("final_status", found(self.payload, "final_status")),
            "observability.task.enqueue": ("queue", found(self.payload, "queue_name") or "default"),
        }
        if self.event.startswith("workflow.task_reenqueue_"):
            own[self.event] = ("reason", found(self.payload, "reason"))
        self.emit(self.event, 1, "c", *([own[self.event]] if self.event in own else []))

    def ends(self, derived):
        entity, _, what = self.event.partition(".")
        if entity not in ("task", "step") or what not in ("completed", "failed"):
            return
        names = DURATIONS[3:] + [DURATIONS[0], DURATIONS[2]] if entity == "task" else DURATIONS[:3]
        self.timer(f"{entity}.duration", found(self.payload, *names) or between(self.payload) or derived)
        if entity == "task":
            self.gauge("workflow.step_count", found(self.payload, "total_steps"))
            failed = found(self.payload, "failed_steps")
            if (number(failed) or 0) > 0:
                self.gauge("workflow.failed_steps", failed)
        if what == "failed":
            kind = ("error_type", error_type(self.payload))
            attempt = number(self.attempt)
            limit = number(found(self.payload, "retry_limit", "max_retries") or "3")
            self.emit("errors", 1, "c", kind)
            if attempt is not None and attempt > 1:
                self.emit("retries", 1, "c")
            if attempt is not None and limit is not None and attempt >= limit:
                self.emit("final_failures", 1, "c", kind)

    def others(self):
        payload = self.payload
        if self.event == "workflow.iteration":
            self.gauge("workflow.active_tasks", found(payload, "active_task_count"))
            self.timer("workflow.iteration_duration", found(payload, "iteration_duration"))
        elif self.event == "workflow.viable_steps_discovered":
            mode = ("processing_mode", found(payload, "processing_mode"))
            self.gauge("workflow.viable_steps", found(payload, "step_count", "viable_step_count"), mode)
        elif self.event == "workflow.task_reenqueue_delayed":
            self.timer("workflow.reenqueue_delay", found(payload, "delay_seconds"), ("reason", found(payload, "reason")))
        elif self.event == "observability.step.backoff":
            kind = ("backoff_type", found(payload, "backoff_type") or "exponential")
            self.timer("step.backoff", found(payload, "backoff_seconds"), kind)
        elif self.event == "system.health":
            self.gauge("system.healthy_tasks", found(payload, "healthy_task_count"))
            self.gauge("system.failed_tasks", found(payload, "failed_task_count"))

    def performance(self):
        entity, *rest = self.event.split(".")
        if entity not in ("task", "step") or len(rest) != 1:
            return
        for name in ("queue_time", "cpu_time", "processing_time", "retry_delay"):
            self.timer(f"{entity}.{name}", found(self.payload, name))
        self.gauge(f"{entity}.memory_usage", found(self.payload, "memory_usage"))


class Lifecycles:
    def __init__(self):
        self.entities = {}

    def move(self, event, payload, time):
        """The duration of the state that is left where that is in_progress, and what an illegal transition gives."""
        entity, _, what = event.partition(".")
        keys = ["task_id"] if entity == "task" else ["task_id", "step_id"]
        if what not in STATES or not all(key in payload for key in keys):
            return None, []
        key = (entity, *(payload[name] for name in keys))
        new, (old, since) = STATES[what], self.entities.get(key, (None, None))
        if new == old:
            return None, []
        self.entities[key] = (new, time)
        if old is None:
            return None, []
        legal = new in LEGAL[entity][old]
        told = [] if legal else [f"tasker.lifecycle.invalid_transition:1|c|#lifecycle:{entity},from:{old},to:{new}"]
        took = Decimal((time - since) // datetime.timedelta(microseconds=1)) / 1000
        if old != "in_progress" or took < 0:
            return None, told
        return str((took + Decimal("0.5")).to_integral_value(decimal.ROUND_FLOOR) / 1000), told


# ---- beside the program ----


def known_events():
    listed = [json.loads(line)["event"] for line in command("catalogue", "-c", "tasker", "--json").stdout.splitlines()]
    equal(len(listed), 57, "known events")
    return listed


def compare(pack, lines, expected):
    done = command("run", "-c", pack, "--input", "stdin:", "--output", "stdout:", input="\n".join(lines) + "\n")
    got, at = done.stdout.splitlines(), 0
    for line, wanted in zip(lines, expected):
        equal(sorted(got[at : at + len(wanted)]), sorted(wanted), line)
        at += len(wanted)
    equal(len(got), at, "lines")


@test("whatever the payload holds, the pack tasker gives what this account of it gives")
def _():
    rng = random.Random(SEED)
    events, lines, expected = known_events() + CUSTOM, [], []
    for _ in range(COUNT):
        event = rng.choice(["task.completed", "step.completed", *WITH_ATTEMPT] if rng.random() < 0.5 else events)
        payload = payload_of(rng, 25)
        lines.append(line_of(rng, event, payload))
        expected.append(Expected(event, payload).lines)
    compare("tasker", lines, expected)


@test("the pack tasker-lifecycles too, with every transition of a few tasks and steps")
def _():
    rng = random.Random(SEED)
    events = [event for event in known_events() if event.startswith(("task.", "step."))]
    lifecycles, lines, expected = Lifecycles(), [], []
    for _ in range(COUNT):
        event, payload = rng.choice(events), payload_of(rng, 12)
        for name in DURATIONS + TIMES:
            if rng.random() < 0.8:
                payload.pop(name, None)
        for name, most in (("task_id", 4), ("step_id", 3)):
            if rng.random() < 0.95:
                payload[name] = rng.randrange(most)
        time = EPOCH + datetime.timedelta(microseconds=1714564800 * 10**6 + rng.randrange(10**10))
        payload["timestamp"] = time.isoformat(timespec="microseconds")
        derived, told = lifecycles.move(event, payload, time)
        lines.append(line_of(rng, event, payload))
        expected.append(Expected(event, payload, derived).lines + told)
    compare("tasker-lifecycles", lines, expected)


main()
