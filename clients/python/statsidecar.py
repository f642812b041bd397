"""Says what happens in a program; a statsidecar agent makes metrics of it. One file, Python 3.9, standard library only.

    import statsidecar

    statsidecar.publish_event("order.created", currency="CHF", amount=59.90)

    with statsidecar.time_step({"task_id": 17, "step_id": 3, "step_name": "fetch", "attempt_number": 1}) as timing:
        timing["step_results"] = fetch()       # step.completed with its duration, or step.failed with the exception

Nothing here waits: what the kernel does not take at once is dropped and counted. Nothing here raises, but with
strict=True. One publisher serves all threads; a fork may go on with it. The agent may come and go.
"""

import datetime
import decimal
import enum
import errno
import fcntl
import json
import logging
import numbers
import os
import re
import signal
import socket
import stat
import threading
import time
from collections.abc import Mapping, Set

__all__ = ["EventPublisher", "NotSent", "Publisher", "Timing", "configure", "publisher"]

DEFAULT_PIPE = "fifo:///run/statsidecar/events"
DEFAULT_PORT = "udp://127.0.0.1:8127"

PIPE_LINE_MAX = 4096  # PIPE_BUF: a write of that much goes out whole or not at all
DATAGRAM_LINE_MAX = 8192
TEXT_KEPT = 64  # no text is cut below this: names and ids stay what they are
BACKTRACE_MAX = 50
DEPTH_MAX = 100  # the agent takes 128

RETRY_SECONDS = 0.02  # how often to look for an agent that is away
CHECK_SECONDS = 1.0  # how often to look whether the descriptor is still ours, and the pipe the one at the path

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,199}\Z")
DATES = ("timestamp", "event_timestamp", "transitioned_at", "time")

RESULTS = {
    "sent": "sent",
    "full": "the pipe or socket is full",
    "away": "nobody reads there",
    "too_long": "the event is too long",
    "invalid": "no identifier: 1 to 200 bytes of A-Za-z0-9_.:/- that begin with a letter",
    "no_pipe": "what stands at the path is no pipe",
    "failed": "the system refused it",
    "bad_url": "write fifo:///PATH, udp://ADDRESS:PORT, unix:///PATH or unix://@NAME",
    "bad_host": "write an address or localhost: host names are not looked up",
    "stream": "tcp:// and unixstream:// would have to wait; write fifo:///PATH, udp://ADDRESS:PORT or unix:///PATH",
}

log = logging.getLogger("statsidecar")


class NotSent(Exception):
    """What a strict publisher raises; .reason is a key of RESULTS."""

    def __init__(self, reason, detail=""):
        super().__init__(RESULTS[reason] + (f" ({detail})" if detail else ""))
        self.reason = reason


# ---- values -> JSON ----


def _format_time(moment):
    # A time without zone is local, as everywhere in Python.
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _simplify(value):
    """What JSON has no word for, in words that it has."""
    if isinstance(value, datetime.datetime):
        return _format_time(value)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return list(value)
    if isinstance(value, (decimal.Decimal, numbers.Real)):
        return int(value) if value == int(value) and abs(value) < 1 << 53 else float(value)
    return str(value)


_fast = json.JSONEncoder(default=_simplify, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_quote = json.encoder.encode_basestring


class _TooLong(Exception):
    """A value that no cutting of its texts makes fit."""


class _Value:
    """One field's value as JSON, and where in it texts stand that may be cut."""

    def __init__(self, value, limit, breaks_off=False):
        """breaks_off: what is too long in any case ends somewhere beyond limit, and is to be emptied or cut."""
        self.bytes = bytearray()
        self.texts = []  # (offset, length) of what stands between quotes
        self.ends = []  # behind each element of the outermost list
        self._limit = limit
        self._uncuttable = 0
        try:
            self._put(value, 0)
        except _TooLong:
            if not breaks_off:
                raise

    def _put_literal(self, text):
        self.bytes += text
        self._uncuttable += len(text)
        if self._uncuttable > self._limit:
            raise _TooLong

    def _put_text(self, text):
        # More than the line has room for is cut off in any case.
        quoted = _quote(text[: self._limit]).encode("utf-8", "replace")
        if len(quoted) - 2 <= TEXT_KEPT:
            self._put_literal(quoted)
            return
        self._uncuttable += TEXT_KEPT
        self.texts.append((len(self.bytes) + 1, len(quoted) - 2))
        self.bytes += quoted
        self._put_literal(b"")

    def _put(self, value, depth):
        if value is None or depth > DEPTH_MAX:
            self._put_literal(b"null")
        elif value is True or value is False:
            self._put_literal(b"true" if value else b"false")
        elif isinstance(value, str):
            self._put_text(value)
        elif isinstance(value, int):
            self._put_literal(int.__repr__(value).encode())
        elif isinstance(value, float):
            is_finite = value - value == 0
            self._put_literal(float.__repr__(value).encode() if is_finite else b"null")
        elif isinstance(value, dict):
            self._put_object(value, depth)
        elif isinstance(value, (list, tuple)):
            self._put_list(value, depth)
        else:
            self._put(_simplify_safely(value), depth + 1)

    def _put_list(self, value, depth):
        self._put_literal(b"[")
        for number, element in enumerate(value):
            if number > 0:
                self._put_literal(b",")
            self._put(element, depth + 1)
            if depth == 0:
                self.ends.append(len(self.bytes))
        self._put_literal(b"]")

    def _put_object(self, value, depth):
        self._put_literal(b"{")
        for number, (key, element) in enumerate(value.items()):
            if number > 0:
                self._put_literal(b",")
            self._put_literal(_quote(str(key)).encode("utf-8", "replace") + b":")
            self._put(element, depth + 1)
        self._put_literal(b"}")

    # -- shortening --

    def empty(self):
        """An empty one of its kind: the field is still there."""
        self.bytes = bytearray({0x7B: b"{}", 0x5B: b"[]", 0x22: b'""'}.get(self.bytes[0], b"null"))
        self.texts = []
        self.ends = []

    def keep(self, count):
        """A list's first elements alone."""
        end = self.ends[count - 1] if count else 1
        self.bytes[end:] = b"]"
        self.ends[count:] = []
        self.texts = [text for text in self.texts if text[0] < end]

    def cut_length(self, cap):
        return len(self.bytes) - sum(length - _cut(self.bytes, at, length, cap) for at, length in self.texts)

    def cut(self, cap):
        for at, length in reversed(self.texts):
            del self.bytes[at + _cut(self.bytes, at, length, cap) : at + length]


def _simplify_safely(value):
    """A value's own code may fail in any way."""
    try:
        simple = _simplify(value)
        return simple if isinstance(simple, (str, int, float, list, dict)) else str(simple)
    except Exception:
        return type(value).__name__


def _cut(line, at, length, cap):
    """How much of the quoted text is at most cap bytes and ends neither within a character nor within an escape."""
    if length <= cap:
        return length
    end = at + cap
    while line[end] & 0xC0 == 0x80:
        end -= 1
    for escape in range(max(at, end - 5), end):
        if line[escape] == 0x5C and _is_escape(line, at, escape):
            if escape + (6 if line[escape + 1] == 0x75 else 2) > end:
                return escape - at
    return end - at


def _is_escape(line, start, at):
    """Whether the backslash begins an escape: an even number of them stands before it."""
    before = at
    while before > start and line[before - 1] == 0x5C:
        before -= 1
    return (at - before) % 2 == 0


# ---- events -> lines ----


def _largest(low, high, fits):
    """The largest number in low … high that fits, where low does."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


class _Draft:
    """An event that is longer than the line may be: step_results, step_inputs and backtrace are emptied, in this order,
    then texts cut, the longest first."""

    def __init__(self, name, payload, limit):
        self._limit = limit
        self._values = {"event": _Value(name, limit)}
        for key, value in payload.items():
            self._values[key] = self._value(key, value)

    def _value(self, key, value):
        return _Value(value, self._limit, key in ("step_results", "step_inputs", "backtrace"))

    def _fixed(self):
        """The bytes that are no values."""
        return 2 + sum(len(_quote(key).encode("utf-8", "replace")) + 2 for key in self._values)

    def _length(self):
        return self._fixed() + sum(len(value.bytes) for value in self._values.values())

    def shorten(self):
        for key in ("step_results", "step_inputs"):
            if key in self._values and self._length() > self._limit:
                self._values[key].empty()
        if "backtrace" in self._values and self._length() > self._limit:
            self._shorten_backtrace(self._values["backtrace"])
        if self._length() > self._limit:
            self._cut_texts()

    def _shorten_backtrace(self, value):
        if value.bytes[0] != 0x5B or not value.ends:
            value.empty()
            return
        others = self._length() - len(value.bytes)
        count = len(value.ends)
        value.keep(_largest(0, count, lambda n: others + (value.ends[n - 1] if n else 1) + 1 <= self._limit))

    def _cut_texts(self):
        values = self._values.values()
        room = self._limit - self._fixed()

        def fits(cap):
            return sum(value.cut_length(cap) for value in values) <= room

        if not fits(TEXT_KEPT):
            raise _TooLong
        cap = _largest(TEXT_KEPT, self._limit, fits)
        for value in values:
            value.cut(cap)

    def line(self):
        fields = (_quote(key).encode("utf-8", "replace") + b":" + value.bytes for key, value in self._values.items())
        return b"{" + b",".join(fields) + b"}\n"


def _write_line(name, payload, limit):
    """The line, and whether it was shortened; _TooLong where that does not help."""
    try:
        line = (_fast.encode({"event": name, **payload}) + "\n").encode("utf-8")
        if len(line) <= limit:
            return line, False
    except Exception:  # NaN, odd keys, circles, lone surrogates, values whose own code fails: said more slowly
        pass
    draft = _Draft(name, payload, limit)
    is_shortened = draft._length() > limit
    draft.shorten()
    return draft.line(), is_shortened


# ---- URLs ----


def _parse_port(text):
    if not text:
        return 8127
    if not re.fullmatch(r":[0-9]{1,5}", text) or not 1 <= int(text[1:]) <= 65535:
        raise NotSent("bad_url")
    return int(text[1:])


def _parse_udp(rest):
    match = re.fullmatch(r"\[([^\]]*)\](.*)|([^:]+)(.*)", rest)
    if match is None:
        raise NotSent("bad_url")
    if match[3] is None:
        family, host, port = socket.AF_INET6, match[1], _parse_port(match[2])
    else:
        host = "127.0.0.1" if match[3].lower() == "localhost" else match[3]
        family, port = socket.AF_INET, _parse_port(match[4])
    try:
        socket.inet_pton(family, host)
    except (OSError, ValueError):
        raise NotSent("bad_url" if family == socket.AF_INET6 else "bad_host") from None
    return _Udp(family, (host, port))


def _parse_unix(rest):
    name = os.fsencode(rest)
    if len(name) < 2 or len(name) >= 108 or name[:1] not in b"/@" or b"\0" in name:
        raise NotSent("bad_url")
    return _Unix(b"\0" + name[1:] if name[:1] == b"@" else name)


def _parse_fifo(rest):
    if len(rest) < 2 or rest[0] != "/" or "\0" in rest:
        raise NotSent("bad_url")
    return _Pipe(rest)


def _refuse_stream(rest):
    raise NotSent("stream")


_SCHEMES = {
    "fifo://": _parse_fifo,
    "udp://": _parse_udp,
    "unix://": _parse_unix,
    "tcp://": _refuse_stream,
    "unixstream://": _refuse_stream,
}


def _parse_url(url):
    for scheme, parse in _SCHEMES.items():
        if url.startswith(scheme):
            return parse(url[len(scheme) :])
    raise NotSent("bad_url")


# ---- where lines go: each opens a descriptor and writes to it; OSError says why not ----


class _NoPipe(OSError):
    pass


class _Pipe:
    line_max = PIPE_LINE_MAX

    def __init__(self, path):
        self._path = path
        self._opened = None  # device and inode of the pipe that is open

    def open(self):
        # Looked at before it is opened, too: to open a device can have effects.
        if not stat.S_ISFIFO(os.stat(self._path).st_mode):
            raise _NoPipe(errno.ESPIPE, "no pipe")
        descriptor = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        status = os.fstat(descriptor)
        if not stat.S_ISFIFO(status.st_mode):
            os.close(descriptor)
            raise _NoPipe(errno.ESPIPE, "no pipe")
        self._opened = (status.st_dev, status.st_ino)
        return descriptor

    def is_replaced(self):
        """Whether another pipe stands at the path than the one that is open."""
        try:
            status = os.stat(self._path)
        except OSError:
            return False
        return stat.S_ISFIFO(status.st_mode) and (status.st_dev, status.st_ino) != self._opened

    def write(self, descriptor, line):
        if signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN:
            os.write(descriptor, line)
            return
        # A program that wants to die of SIGPIPE does not mean this pipe's.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        was_pending = signal.SIGPIPE in signal.sigpending()
        try:
            os.write(descriptor, line)
        except BrokenPipeError:
            if not was_pending:
                signal.sigtimedwait({signal.SIGPIPE}, 0)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Datagrams:
    line_max = DATAGRAM_LINE_MAX
    _flags = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL

    def is_replaced(self):
        return False

    def _send(self, descriptor, line):
        # The descriptor stays the channel's.
        with _Borrowed(self._family, descriptor) as borrowed:
            self._send_by(borrowed, line)


class _Borrowed:
    """A socket around a descriptor that it does not own."""

    def __init__(self, family, descriptor):
        self._socket = socket.socket(family, socket.SOCK_DGRAM, 0, descriptor)

    def __enter__(self):
        return self._socket

    def __exit__(self, *_):
        self._socket.detach()


class _Udp(_Datagrams):
    """Connected, so that the kernel reports a port that nobody reads."""

    def __init__(self, family, address):
        self._family = family
        self._address = address

    def open(self):
        with socket.socket(self._family, socket.SOCK_DGRAM) as opened:
            opened.setblocking(False)
            opened.connect(self._address)
            return opened.detach()

    def write(self, descriptor, line):
        self._send(descriptor, line)

    def _send_by(self, borrowed, line):
        try:
            borrowed.send(line, self._flags)
        except ConnectionRefusedError:
            # That is about an earlier datagram; this one has not been sent.
            borrowed.send(line, self._flags)
        # On this machine the answer is there already.
        error = borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))


class _Unix(_Datagrams):
    """Not connected: an address at each datagram finds the agent that is there now."""

    _family = socket.AF_UNIX

    def __init__(self, address):
        self._address = address

    def open(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
            opened.setblocking(False)
            return opened.detach()

    def write(self, descriptor, line):
        self._send(descriptor, line)

    def _send_by(self, borrowed, line):
        borrowed.sendto(line, self._flags, self._address)


_REASONS = {
    errno.EAGAIN: "full",
    errno.ENOBUFS: "full",
    errno.ENOMEM: "full",
    errno.EMSGSIZE: "too_long",
    errno.EPIPE: "away",
    errno.ECONNREFUSED: "away",
    errno.ENOENT: "away",
    errno.ENOTDIR: "away",
    errno.ENXIO: "away",  # a pipe that nobody reads
}


class _Channel:
    """The descriptor behind a publisher. Its number stays the same for the channel's life: what is opened again is put
    under it by dup2(), which is atomic, so that another thread writes to the old pipe or to the new one, never to a
    stranger's file."""

    def __init__(self, target):
        self._target = target
        self.line_max = target.line_max
        self._opener = threading.Lock()
        self._descriptor = -1
        self._identity = None
        self._retry_at = 0.0
        self._reason = "away"
        self._check_at = 0.0
        self._open(time.monotonic())

    def is_open(self):
        return self._descriptor >= 0

    def close(self):
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0 and self._is_ours(descriptor):
            os.close(descriptor)

    def __del__(self):
        """Of a publisher that nobody closed, and that nobody has any more."""
        try:
            self.close()
        except Exception:  # while it is made, or the interpreter ends
            pass

    def after_fork(self):
        """The lock may be held by a thread that this process does not have; descriptors may have been closed."""
        self._opener = threading.Lock()
        self._check_at = 0.0

    def _is_ours(self, descriptor):
        try:
            status = os.fstat(descriptor)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def _open(self, now):
        """Why it cannot be opened, None where it is."""
        if not self._opener.acquire(blocking=False):
            return "away"
        try:
            self._open_now()
            self._retry_at = 0.0
            return None
        except OSError as error:
            self._reason = _reason_of(error)
            self._retry_at = now + RETRY_SECONDS
            return self._reason
        finally:
            self._opener.release()

    def _open_now(self):
        opened = self._target.open()
        if opened <= 2:
            # Those belong to the program, even where it has closed them: what it prints must not go to the agent.
            lifted = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, 3)
            os.close(opened)
            opened = lifted
        status = os.fstat(opened)
        if self._descriptor < 0:
            self._identity = (status.st_dev, status.st_ino)
            self._descriptor = opened
        else:
            os.dup2(opened, self._descriptor, inheritable=False)
            self._identity = (status.st_dev, status.st_ino)
            os.close(opened)

    def _check(self, now):
        """Now and then: a program that closes all descriptors closes ours, and may get its number for other things."""
        self._check_at = now + CHECK_SECONDS
        if self._descriptor >= 0 and not self._is_ours(self._descriptor):
            self._descriptor = -1
        if self._descriptor >= 0 and self._target.is_replaced():
            # Where the new one has no reader yet, the old one stays.
            self._open(now)
            self._retry_at = 0.0

    def _write(self, line):
        if self._descriptor < 0:
            return "failed"
        try:
            self._target.write(self._descriptor, line)
            return "sent"
        except OSError as error:
            if error.errno in (errno.EBADF, errno.ENOTSOCK):
                self._descriptor = -1
            return _reason_of(error)

    def send(self, line):
        """One write, whole or not at all; a key of RESULTS."""
        now = time.monotonic()
        if now < self._retry_at:
            return self._reason
        if now >= self._check_at:
            self._check(now)
        result = self._write(line)
        # A pipe that nobody reads may have been replaced by one that is read.
        if result == "failed" or (result == "away" and isinstance(self._target, _Pipe)):
            return self._open(now) or self._write(line)
        return result


def _reason_of(error):
    return "no_pipe" if isinstance(error, _NoPipe) else _REASONS.get(error.errno, "failed")


class _Nowhere:
    """What stands behind a publisher whose URL is none."""

    line_max = DATAGRAM_LINE_MAX

    def __init__(self, reason):
        self._reason = reason

    def send(self, line):
        return self._reason

    def close(self):
        pass

    def after_fork(self):
        pass


# ---- steps and tasks -> standard payload ----

# Each standard key, and what a step or task may call it, the first that is there.
_STEP = {
    "task_id": ("task_id",),
    "task_name": ("task_name",),
    "step_id": ("step_id", "workflow_step_id", "id"),
    "step_name": ("step_name", "name"),
    "attempt_number": ("attempt_number", "attempts", "attempt"),
    "retry_limit": ("retry_limit", "max_retries"),
    "started_at": ("started_at", "last_attempted_at"),
    "completed_at": ("completed_at", "processed_at"),
    "source_system": ("source_system",),
    "priority": ("priority",),
    "retryable": ("retryable",),
}
_STEP_START = {"step_inputs": ("step_inputs", "inputs"), "step_dependencies": ("step_dependencies", "dependencies")}
_STEP_END = {
    "execution_duration": ("execution_duration", "duration"),
    "step_results": ("step_results", "results"),
}
_TASK = {
    "task_id": ("task_id", "id"),
    "task_name": ("task_name", "name"),
    "task_type": ("task_type",),
    "started_at": ("started_at",),
    "completed_at": ("completed_at",),
    "total_steps": ("total_steps",),
    "completed_steps": ("completed_steps",),
    "failed_steps": ("failed_steps",),
    "pending_steps": ("pending_steps",),
    "source_system": ("source_system",),
    "priority": ("priority",),
}
_TASK_END = {
    "total_execution_duration": ("total_execution_duration", "total_duration", "execution_duration", "duration")
}
_TASK_GOING = {"current_execution_duration": ("current_execution_duration",)}

_EVENT_TYPES = {
    "initialize_requested": "initialize",
    "start_requested": "started",
    "execution_requested": "started",
    "completed": "completed",
    "failed": "failed",
    "retry_requested": "retry",
    "cancelled": "cancelled",
    "resolved_manually": "resolved",
}


def _event_type_of(name):
    entity, _, verb = name.partition(".")
    return _EVENT_TYPES.get(verb, "other") if entity in ("step", "task") else "other"


def _attribute(entity, name):
    """An object's attribute that is a value; its code may fail in any way."""
    try:
        value = getattr(entity, name, None)
    except Exception:
        return None
    return None if callable(value) else value


def _describe(entity, keys):
    """The standard keys of a mapping, with what else it holds, or of an object."""
    if entity is None:
        return {}
    if isinstance(entity, Mapping):
        rest = {str(key): value for key, value in entity.items() if value is not None}
        found = {key: next((rest.pop(n) for n in names if n in rest), None) for key, names in keys.items()}
        found.update(rest)
    else:
        values = {key: (_attribute(entity, name) for name in names) for key, names in keys.items()}
        found = {key: next((v for v in found_values if v is not None), None) for key, found_values in values.items()}
    return {key: value for key, value in found.items() if value is not None}


def _describe_step(step, event_type):
    keys = dict(_STEP)
    if event_type == "started":
        keys.update(_STEP_START)
    if event_type in ("completed", "failed"):
        keys.update(_STEP_END)
    payload = _describe(step, keys)
    # Only a task that is there already: the attribute of an object-relational mapper would ask the database.
    task = payload.pop("task", None) if isinstance(step, Mapping) else getattr(step, "__dict__", {}).get("task")
    if isinstance(task, str):
        payload.setdefault("task_name", task)
    elif task is not None:
        described = _describe(task, {key: _TASK[key] for key in ("task_id", "task_name")})
        for key in ("task_id", "task_name"):
            if key in described:
                payload.setdefault(key, described[key])
    if event_type == "started":
        payload.setdefault("step_inputs", {})
        payload.setdefault("step_dependencies", [])
    if event_type in ("completed", "failed"):
        payload.setdefault("step_results", {})
    if event_type == "retry" and "attempt_number" in payload:
        payload.setdefault("previous_attempts", payload["attempt_number"])
    return payload


def _describe_task(task, event_type):
    is_end = event_type in ("completed", "failed")
    return _describe(task, {**_TASK, **(_TASK_END if is_end else _TASK_GOING)})


def _describe_task_of(task):
    """Workflow events: of a task, or of its id."""
    if task is None:
        return {}
    if isinstance(task, (str, int)) or not (isinstance(task, Mapping) or hasattr(task, "__dict__")):
        return {"task_id": task}
    keys = ("task_id", "task_name", "source_system", "priority")
    described = _describe(task, {key: _TASK[key] for key in keys})
    return {key: described[key] for key in keys if key in described}


def _describe_error(error):
    """An exception, or a text: what it says, what it is, where it was."""
    if error is None:
        return {}
    if not isinstance(error, BaseException):
        return {"error_message": error}
    kind = type(error)
    module = "" if kind.__module__ in ("builtins", "__main__") else kind.__module__ + "."
    try:
        message = str(error)
    except Exception:
        message = ""
    name = module + kind.__qualname__
    return {"error_message": message or name, "exception_class": name, "backtrace": _backtrace(error.__traceback__)}


def _backtrace(trace):
    """Where it was raised first, then who called."""
    lines = []
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append(f"{code.co_filename}:{trace.tb_lineno}:in {code.co_name}")
        trace = trace.tb_next
    return lines[: -BACKTRACE_MAX - 1 : -1]


def _given(**fields):
    return {key: value for key, value in fields.items() if value is not None}


# ---- the helpers ----


class EventPublisher:
    """The publishing methods. A class that inherits them publishes by the program's publisher(), unless it says
    otherwise in event_publisher.

    A step or task is a mapping, with whatever else it holds, or an object with attributes of the standard names;
    without one the keywords are it. Keywords add fields, and take the place of standard ones. Every method returns
    whether the kernel took the event."""

    @property
    def event_publisher(self):
        return publisher()

    # -- anything --

    def publish_event(self, name, payload=None, /, **fields):
        return self.event_publisher._publish(name, lambda: {**(payload or {}), **fields})

    publish_custom_event = publish_event

    def publish_step_event(self, name, step=None, /, event_type=None, **context):
        return self.event_publisher._publish(name, lambda: _step_payload(name, step, event_type, None, context))

    def publish_task_event(self, name, task=None, /, event_type=None, **context):
        return self.event_publisher._publish(name, lambda: _task_payload(name, task, event_type, None, context))

    def _publish_step(self, name, step, context, error=None):
        return self.event_publisher._publish(name, lambda: _step_payload(name, step, None, error, context))

    def _publish_task(self, name, task, context, error=None):
        return self.event_publisher._publish(name, lambda: _task_payload(name, task, None, error, context))

    def _publish_workflow(self, name, task, context, **given):
        def payload():
            return {"event_type": "other", **_describe_task_of(task), **_given(**given), **context}

        return self.event_publisher._publish(name, payload)

    # -- steps --

    def publish_step_started(self, step=None, /, **context):
        return self._publish_step("step.execution_requested", step, context)

    def publish_step_before_handle(self, step=None, /, **context):
        return self._publish_step("step.before_handle", step, context)

    def publish_step_completed(self, step=None, /, **context):
        return self._publish_step("step.completed", step, context)

    def publish_step_failed(self, step=None, /, error=None, **context):
        return self._publish_step("step.failed", step, context, error)

    def publish_step_retry_requested(self, step=None, /, retry_reason=None, backoff_strategy=None, **context):
        given = _given(retry_reason=retry_reason, backoff_strategy=backoff_strategy)
        return self._publish_step("step.retry_requested", step, {**given, **context})

    def publish_step_cancelled(self, step=None, /, **context):
        return self._publish_step("step.cancelled", step, context)

    # -- tasks --

    def publish_task_started(self, task=None, /, **context):
        return self._publish_task("task.start_requested", task, context)

    def publish_task_completed(self, task=None, /, **context):
        return self._publish_task("task.completed", task, context)

    def publish_task_failed(self, task=None, /, error_steps=None, error=None, **context):
        return self._publish_task("task.failed", task, {**_given(error_steps=error_steps), **context}, error)

    def publish_task_retry_requested(self, task=None, /, retry_reason=None, **context):
        return self._publish_task("task.retry_requested", task, {**_given(retry_reason=retry_reason), **context})

    # -- workflows: a task, or its id --

    def publish_workflow_task_started(self, task=None, /, **context):
        return self._publish_workflow("workflow.task_started", task, context)

    def publish_workflow_step_completed(self, step=None, /, **context):
        return self._publish_step("workflow.step_completed", step, context)

    def publish_viable_steps_discovered(self, task=None, /, steps=(), processing_mode=None, **context):
        def payload():
            described = [_describe_viable(step) for step in steps]
            names = [step["step_name"] for step in described if "step_name" in step]
            return {
                "event_type": "other",
                **_describe_task_of(task),
                "step_ids": [step.get("step_id") for step in described],
                "step_count": len(described),
                **_given(step_names=names or None, processing_mode=processing_mode),
                **context,
            }

        return self.event_publisher._publish("workflow.viable_steps_discovered", payload)

    def publish_no_viable_steps(self, task=None, /, reason=None, **context):
        return self._publish_workflow("workflow.no_viable_steps", task, context, reason=reason)

    def publish_task_finalization_started(self, task=None, /, processed_steps_count=None, **context):
        name = "workflow.task_finalization_started"
        return self._publish_workflow(name, task, context, processed_steps_count=processed_steps_count)

    def publish_task_finalization_completed(
        self, task=None, /, processed_steps_count=None, final_status=None, **context
    ):
        name, count = "workflow.task_finalization_completed", processed_steps_count
        return self._publish_workflow(name, task, context, processed_steps_count=count, final_status=final_status)

    def publish_task_reenqueue_started(self, task=None, /, reason=None, current_status=None, **context):
        return self._publish_reenqueue("started", task, reason, current_status, context)

    def publish_task_reenqueue_requested(self, task=None, /, reason=None, current_status=None, **context):
        return self._publish_reenqueue("requested", task, reason, current_status, context)

    def publish_task_reenqueue_failed(self, task=None, /, reason=None, error=None, current_status=None, **context):
        said = _describe_error(error)
        if "error_message" in said:
            said["error"] = said.pop("error_message")
        return self._publish_reenqueue("failed", task, reason, current_status, {**said, **context})

    def publish_task_reenqueue_delayed(
        self, task=None, /, reason=None, delay_seconds=None, scheduled_for=None, current_status=None, **context
    ):
        given = _given(delay_seconds=delay_seconds, scheduled_for=scheduled_for)
        return self._publish_reenqueue("delayed", task, reason, current_status, {**given, **context})

    def _publish_reenqueue(self, what, task, reason, current_status, context):
        name = "workflow.task_reenqueue_" + what
        return self._publish_workflow(name, task, context, reason=reason, current_status=current_status)

    # -- durations --

    def time_step(self, step=None, /, **context):
        """A context manager: the step started; completed with its duration, or failed with what was raised."""
        return Timing(
            self, step, context, self.publish_step_started, self.publish_step_completed, self.publish_step_failed
        )

    def time_task(self, task=None, /, **context):
        return Timing(
            self, task, context, self.publish_task_started, self.publish_task_completed, self.publish_task_failed
        )

    def time_event(self, name, payload=None, /, **fields):
        """A context manager: one event at the end, with execution_duration, and what was raised."""

        def publish(_, /, error=None, **context):
            return self.publish_event(name, payload, **{**_describe_error(error), **context})

        return Timing(self, None, fields, None, publish, publish)


class Timing(dict):
    """A step, task or event that goes on; fields put into it are the last event's. Measured by the monotonic clock.

    timing = statsidecar.time_step(step).start()
    …
    timing.complete(step_results={"rows": 12})        or timing.fail(exception)
    """

    def __init__(self, publisher, entity, context, publish_start, publish_completion, publish_failure):
        super().__init__()
        self._entity = entity
        self._context = context
        self._publish_start = publish_start
        self._publish_completion = publish_completion
        self._publish_failure = publish_failure
        self._field = (
            "total_execution_duration" if publish_start == publisher.publish_task_started else "execution_duration"
        )
        self._started_at = self._started = None

    def start(self):
        self._started_at = time.time_ns()
        self._started = time.monotonic_ns()
        if self._publish_start is not None:
            self._publish_start(self._entity, **{"started_at": _format_ns(self._started_at), **self._context})
        return self

    def _fields(self, context):
        own = {str(key): value for key, value in self.items()}
        if self._started is None:
            return {**self._context, **own, **context}
        seconds = (time.monotonic_ns() - self._started) / 1e9
        measured = {
            "started_at": _format_ns(self._started_at),
            "completed_at": _format_ns(time.time_ns()),
            self._field: round(seconds, 6),
        }
        return {**measured, **self._context, **own, **context}

    def complete(self, /, **context):
        return self._publish_completion(self._entity, **self._fields(context))

    def fail(self, /, error=None, **context):
        return self._publish_failure(self._entity, **{"error": error, **self._fields(context)})

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.complete()
        else:
            self.fail(error)
        return False


def _format_ns(unix_ns):
    seconds, rest = divmod(unix_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1000:06d}Z"


def _step_payload(name, step, event_type, error, context):
    step, context = (context, {}) if step is None else (step, context)
    event_type = event_type or _event_type_of(name)
    return {"event_type": event_type, **_describe_step(step, event_type), **_describe_error(error), **context}


def _task_payload(name, task, event_type, error, context):
    task, context = (context, {}) if task is None else (task, context)
    event_type = event_type or _event_type_of(name)
    return {"event_type": event_type, **_describe_task(task, event_type), **_describe_error(error), **context}


def _describe_viable(step):
    return {"step_id": step} if isinstance(step, (str, int)) else _describe_step(step, "other")


# ---- publishers ----


class Publisher(EventPublisher):
    """Sends to a URL: fifo:///PATH, udp://ADDRESS:PORT, unix:///PATH or unix://@NAME. By default $STATSIDECAR_TO, else
    fifo:///run/statsidecar/events where that has a reader, else udp://127.0.0.1:8127.

    .counts says how many events ended how: a key of RESULTS each, and how many of those sent were shortened."""

    def __init__(self, to=None, strict=False):
        self._lock = threading.RLock()
        self._counts = {}
        self._pid = os.getpid()
        self._strict = strict
        self.url = to or os.environ.get("STATSIDECAR_TO") or None
        try:
            self._channel = self._open()
        except NotSent as refusal:
            if strict:
                raise NotSent(refusal.reason, self.url) from None
            log.warning("%s: %s; nothing is published", self.url, refusal)
            self._channel = _Nowhere(refusal.reason)

    def _open(self):
        if self.url is not None:
            return _Channel(_parse_url(self.url))
        channel = _Channel(_parse_url(DEFAULT_PIPE))
        self.url = DEFAULT_PIPE if channel.is_open() else DEFAULT_PORT
        return channel if channel.is_open() else _Channel(_parse_url(DEFAULT_PORT))

    @property
    def event_publisher(self):
        return self

    @property
    def counts(self):
        with self._lock:
            return dict(self._counts)

    @property
    def sent(self):
        return self.counts.get("sent", 0)

    @property
    def dropped(self):
        return sum(count for result, count in self.counts.items() if result not in ("sent", "shortened"))

    def close(self):
        channel, self._channel = self._channel, _Nowhere("away")
        channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _count(self, what):
        with self._lock:
            self._counts[what] = self._counts.get(what, 0) + 1

    def _publish(self, name, make_payload):
        """The way of every event. The payload is made here, so that a fault in it stays here."""
        detail = ""
        try:
            if os.getpid() != self._pid:
                self._pid = os.getpid()
                self._lock = threading.RLock()
                self._channel.after_fork()
            result = self._send(name, make_payload)
        except Exception as error:
            if self._strict:
                self._count("failed")
                raise
            result, detail = "failed", repr(error)
        self._count(result)
        if result != "sent" and self._strict:
            raise NotSent(result, detail or name)
        return result == "sent"

    def _send(self, name, make_payload):
        if not isinstance(name, str) or not IDENTIFIER.match(name):
            return "invalid"
        # The name is the event: a field that says otherwise would take its place.
        payload = {str(key): value for key, value in make_payload().items() if key not in ("event", "")}
        if not any(date in payload for date in DATES):
            payload = {"timestamp": _format_ns(time.time_ns()), **payload}
        try:
            line, is_shortened = _write_line(name, payload, self._channel.line_max)
        except _TooLong:
            return "too_long"
        result = self._channel.send(line)
        if result == "sent" and is_shortened:
            self._count("shortened")
        return result


# ---- the program's publisher, and its methods as functions ----

_default = {}


def publisher():
    """The program's publisher, made at its first use."""
    found = _default.get("publisher")
    if found is None:
        made = Publisher()
        # Without a lock, which a fork could leave held: of threads that come at once the first one's is kept.
        found = _default.setdefault("publisher", made)
        if found is not made:
            made.close()
    return found


def configure(to=None, strict=False):
    """Makes another publisher the program's."""
    _default["publisher"] = made = Publisher(to, strict)
    return made


def _export():
    methods = EventPublisher()
    for name in dir(EventPublisher):
        if name.startswith(("publish_", "time_")):
            globals()[name] = getattr(methods, name)
            __all__.append(name)


_export()
