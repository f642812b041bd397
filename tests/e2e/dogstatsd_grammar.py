"""DogStatsD as the Datadog Agent reads it, by a grammar of the tests' own, written from the protocol's
description and from nothing of this project. Stricter than any receiver: what the description does not allow is
refused with a reason.

    name:v[:v2…]|type[|@rate][|#k:v,k2:v2][|c:…][|e:…][|card:…][|T…]
    _e{<title bytes>,<text bytes>}:title|text[|d:ts][|h:host][|k:key][|p:…][|s:source][|t:…][|#tags][|c:…][|e:…]
        [|card:…]
    _sc|name|status[|d:ts][|h:host][|#tags][|c:…][|e:…][|card:…][|m:message]

read(line) gives a Metric, an Event or a ServiceCheck, or raises Refused. Bytes in, text out.
"""

import dataclasses
import re

METRIC_TYPES = {"c", "g", "ms", "h", "d", "s"}
SAMPLED_TYPES = {"c", "h", "d", "ms"}
CARDINALITIES = {"none", "low", "orchestrator", "high"}
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,199}")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")  # no exponent, no zeros that say nothing
RATE = re.compile(r"0\.[0-9]*[1-9]|1")
# 1.4: the container's id, or the inode of its cgroup's directory. The bare id of 1.2 is deprecated.
CONTAINER = re.compile(r"ci-[0-9A-Za-z_-]+|in-[1-9][0-9]*")
EXTERNAL = re.compile(r"[\x21-\x7b\x7d\x7e]+")
NUMBER_BYTES_MAX = 64
TAG_CHARACTERS_MAX = 200


class Refused(AssertionError):
    pass


@dataclasses.dataclass
class Tagged:
    tags: dict = dataclasses.field(default_factory=dict)  # of a tag without value: None
    container: str = None
    external: str = None
    cardinality: str = None

    def origin(self):
        """`it-false,cn-web,pu-UID` as a dict of its parts, by their two letters."""
        return dict(part.split("-", 1) for part in self.external.split(",")) if self.external else {}


@dataclasses.dataclass
class Metric(Tagged):
    name: str = ""
    values: list = dataclasses.field(default_factory=list)
    type: str = ""
    rate: str = None
    timestamp: int = None


@dataclasses.dataclass
class Event(Tagged):
    title: str = ""
    text: str = ""
    key: str = None
    priority: str = None
    source: str = None
    alert: str = None
    host: str = None
    timestamp: int = None


@dataclasses.dataclass
class ServiceCheck(Tagged):
    name: str = ""
    status: int = 0
    message: str = None
    host: str = None
    timestamp: int = None


def demand(condition, why):
    if not condition:
        raise Refused(why)


def read(line):
    """One line, without its newline."""
    demand(line, "an empty line")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{line!r}: {error}") from None
    control = re.search(r"[\x00-\x1f\x7f]", text)
    demand(control is None, f"{line!r}: a control byte")
    try:
        if text.startswith("_e{"):
            return _read_event(line)
        if text.startswith("_sc|"):
            return _read_service_check(text)
        return _read_metric(text)
    except Refused as refused:
        raise Refused(f"{line!r}: {refused}") from None


def read_all(payload):
    """The lines of a datagram: newlines separate them; one may stand at the end."""
    return [read(line) for line in payload.removesuffix(b"\n").split(b"\n")]


# ---- what all three have ----


def _read_tags(text):
    demand(text, "an empty |#")
    tags = {}
    for tag in text.split(","):
        key, colon, value = tag.partition(":")
        demand(key, f"tag {tag!r} has no key")
        demand(len(tag) <= TAG_CHARACTERS_MAX + 1 + len(key), f"tag {tag!r} is too long")
        demand(key[0].isalpha(), f"tag {tag!r} does not begin with a letter")
        demand(value or not colon, f"tag {tag!r} has an empty value")
        demand(key not in tags, f"tag {key!r} comes twice")
        tags[key] = value if colon else None
    return tags


def _read_origin(into, field):
    """True where the field is one of those that follow the tags."""
    letter, _, value = field.partition(":")
    if letter == "c":
        demand(CONTAINER.fullmatch(value), f"container {value!r}")
        into.container = value
    elif letter == "e":
        demand(EXTERNAL.fullmatch(value), f"external data {value!r}")
        into.external = value
    elif letter == "card":
        demand(value in CARDINALITIES, f"cardinality {value!r}")
        into.cardinality = value
    else:
        return False
    return True


class Order:
    """Fields come at most once, and in the order that the protocol's description writes them in."""

    def __init__(self, *leads):
        self.leads = leads
        self.next = 0

    def take(self, field):
        for at in range(self.next, len(self.leads)):
            if field.startswith(self.leads[at]):
                self.next = at + 1
                return self.leads[at]
        raise Refused(f"field {field!r} is unknown, comes twice, or stands behind what it should precede")


# ---- metrics ----


def _read_value(value, kind):
    if kind == "s":
        demand(value and not set(value) & set("|,"), f"set value {value!r}")
    else:
        demand(NUMBER.fullmatch(value) and value != "-0", f"value {value!r} is no number in plain decimal")
        demand(len(value) <= NUMBER_BYTES_MAX, f"value {value!r} is too long")
        demand(kind != "ms" or value[0] != "-", f"a timer below 0: {value!r}")


def _read_metric(text):
    head, *fields = text.split("|")
    name, colon, values = head.partition(":")
    demand(colon, "no colon behind the name")
    demand(NAME.fullmatch(name), f"name {name!r}")
    demand(fields, "no type")
    kind = fields.pop(0)
    demand(kind in METRIC_TYPES, f"type {kind!r}")
    metric = Metric(name=name, type=kind, values=[values] if kind == "s" else values.split(":"))
    for value in metric.values:
        _read_value(value, kind)
    order = Order("@", "#", "c:", "e:", "card:", "T")
    for field in fields:
        lead = order.take(field)
        if lead == "@":
            demand(kind in SAMPLED_TYPES, f"a rate on {kind!r}")
            demand(RATE.fullmatch(field[1:]), f"rate {field[1:]!r}")
            metric.rate = field[1:]
        elif lead == "#":
            metric.tags = _read_tags(field[1:])
        elif lead == "T":
            demand(kind in ("c", "g") and field[1:].isdigit(), f"timestamp {field!r}")
            metric.timestamp = int(field[1:])
        else:
            _read_origin(metric, field)
    return metric


# ---- events ----


def _read_event(line):
    lengths = re.match(rb"_e\{([1-9][0-9]*),(0|[1-9][0-9]*)\}:", line)
    demand(lengths, "no lengths")
    title_len, text_len = map(int, lengths.groups())
    rest = line[lengths.end() :]
    title, bar, text = rest[:title_len], rest[title_len : title_len + 1], rest[title_len + 1 : title_len + 1 + text_len]
    demand(
        len(title) == title_len and bar == b"|" and len(text) == text_len, "the lengths are not those of title and text"
    )
    rest = rest[title_len + 1 + text_len :]
    demand(not rest or rest[:1] == b"|", f"{rest!r} behind the text")
    event = Event(title=_unescape(title), text=_unescape(text))
    order = Order("d:", "h:", "k:", "p:", "s:", "t:", "#", "c:", "e:", "card:")
    for field in rest[1:].decode().split("|") if rest else []:
        lead, value = order.take(field), field.partition(":")[2]
        if lead == "#":
            event.tags = _read_tags(field[1:])
        elif not _read_origin(event, field):
            _take_event_field(event, lead, value)
    return event


def _take_event_field(event, lead, value):
    demand(value, f"{lead} without a value")
    if lead == "d:":
        event.timestamp = int(value)
    elif lead == "h:":
        event.host = value
    elif lead == "k:":
        event.key = value
    elif lead == "p:":
        demand(value in ("normal", "low"), f"priority {value!r}")
        event.priority = value
    elif lead == "s:":
        event.source = value
    elif lead == "t:":
        demand(value in ("error", "warning", "info", "success"), f"alert type {value!r}")
        event.alert = value


def _unescape(text):
    """The Agent turns backslash n into a newline."""
    try:
        return text.decode().replace("\\n", "\n")
    except UnicodeDecodeError:
        raise Refused(f"{text!r} ends within a character") from None


# ---- service checks ----


def _read_service_check(text):
    fields = text.split("|")[1:]
    demand(len(fields) >= 2, "no name and status")
    name, status = fields[:2]
    demand(NAME.fullmatch(name), f"name {name!r}")
    demand(status in ("0", "1", "2", "3"), f"status {status!r}")
    check = ServiceCheck(name=name, status=int(status))
    order = Order("d:", "h:", "#", "c:", "e:", "card:", "m:")
    for field in fields[2:]:
        lead, value = order.take(field), field.partition(":")[2]
        if lead == "#":
            check.tags = _read_tags(field[1:])
        elif lead == "m:":
            demand("m:" not in value.replace("m\\:", ""), "an unescaped m: in the message")
            check.message = value.replace("m\\:", "m:").replace("\\n", "\n")
        elif lead == "d:":
            check.timestamp = int(value)
        elif lead == "h:":
            check.host = value
        else:
            _read_origin(check, field)
    return check
