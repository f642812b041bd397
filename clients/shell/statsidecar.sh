# Says what happens in a script; a statsidecar agent makes metrics of it. One file for any POSIX shell.
#
#     . ./statsidecar.sh
#
#     publish_event order.created currency=CHF amount=59.90
#     publish_step_completed task_id=17 step_id=3 step_name=fetch execution_duration=1.25
#     time_step task_id=17 step_id=3 step_name=fetch -- ./fetch.sh --all     # started, and completed or failed
#
# Values are texts; a number is one that says a number. Events are sent by `statsidecar publish`, where that is
# installed; else a pipe is written to by GNU dd, or by the shell under `timeout 1`, a UDP port by bash, a Unix socket
# by socat. Nothing here waits longer than a second, nothing is printed, and all returns 0: `set -e` scripts go on.
#
#     STATSIDECAR_TO         where to: fifo:///PATH, udp://ADDRESS:PORT, unix:///PATH or unix://@NAME; by default
#                            fifo:///run/statsidecar/events where that is read, else udp://127.0.0.1:8127
#     STATSIDECAR_COMMAND    the program `statsidecar`; empty: do without it
#     STATSIDECAR_STRICT     not empty: what could not be sent returns 75, what is no event 64
#
# STATSIDECAR_SENT and STATSIDECAR_DROPPED count, in the shell that publishes: not in a subshell's parent.

: "${STATSIDECAR_COMMAND=statsidecar}" "${STATSIDECAR_STRICT:=}"
STATSIDECAR_SENT=0
STATSIDECAR_DROPPED=0
_statsidecar_dd=

# ---- events ----

# publish_event NAME [KEY=VALUE]…
publish_event()
{
	_statsidecar_status=0
	_statsidecar_send "$@" </dev/null >/dev/null 2>&1 || _statsidecar_status=$?
	if [ "$_statsidecar_status" -eq 0 ]; then
		STATSIDECAR_SENT=$((STATSIDECAR_SENT + 1))
		return 0
	fi
	STATSIDECAR_DROPPED=$((STATSIDECAR_DROPPED + 1))
	[ -n "$STATSIDECAR_STRICT" ] || return 0
	[ "$_statsidecar_status" -eq 64 ] || return 75
	return 64
}

# publish_step_event NAME [KEY=VALUE]…, publish_task_event: with the event_type, unless it is given.
publish_step_event()
{
	_statsidecar_name=${1-}
	[ $# -eq 0 ] || shift
	case $_statsidecar_name in
	*.initialize_requested) _statsidecar_type=initialize ;;
	*.start_requested | *.execution_requested) _statsidecar_type=started ;;
	*.completed) _statsidecar_type=completed ;;
	*.failed) _statsidecar_type=failed ;;
	*.retry_requested) _statsidecar_type=retry ;;
	*.cancelled) _statsidecar_type=cancelled ;;
	*.resolved_manually) _statsidecar_type=resolved ;;
	*) _statsidecar_type=other ;;
	esac
	publish_event "$_statsidecar_name" "event_type=$_statsidecar_type" "$@"
}

publish_task_event() { publish_step_event "$@"; }

publish_workflow_event()
{
	_statsidecar_name=${1-}
	[ $# -eq 0 ] || shift
	publish_event "$_statsidecar_name" event_type=other "$@"
}

publish_step_started() { publish_step_event step.execution_requested "$@"; }
publish_step_before_handle() { publish_step_event step.before_handle "$@"; }
publish_step_completed() { publish_step_event step.completed "$@"; }
publish_step_failed() { publish_step_event step.failed "$@"; }
publish_step_retry_requested() { publish_step_event step.retry_requested "$@"; }
publish_step_cancelled() { publish_step_event step.cancelled "$@"; }

publish_task_started() { publish_task_event task.start_requested "$@"; }
publish_task_completed() { publish_task_event task.completed "$@"; }
publish_task_failed() { publish_task_event task.failed "$@"; }
publish_task_retry_requested() { publish_task_event task.retry_requested "$@"; }

publish_workflow_task_started() { publish_workflow_event workflow.task_started "$@"; }
publish_workflow_step_completed() { publish_workflow_event workflow.step_completed "$@"; }
publish_viable_steps_discovered() { publish_workflow_event workflow.viable_steps_discovered "$@"; }
publish_no_viable_steps() { publish_workflow_event workflow.no_viable_steps "$@"; }
publish_task_finalization_started() { publish_workflow_event workflow.task_finalization_started "$@"; }
publish_task_finalization_completed() { publish_workflow_event workflow.task_finalization_completed "$@"; }
publish_task_reenqueue_started() { publish_workflow_event workflow.task_reenqueue_started "$@"; }
publish_task_reenqueue_requested() { publish_workflow_event workflow.task_reenqueue_requested "$@"; }
publish_task_reenqueue_failed() { publish_workflow_event workflow.task_reenqueue_failed "$@"; }
publish_task_reenqueue_delayed() { publish_workflow_event workflow.task_reenqueue_delayed "$@"; }

# ---- durations: hundredths of a second, by the monotonic clock where there is /proc ----

# time_step [KEY=VALUE]… -- COMMAND [ARGUMENT]…: runs it, and returns its status.
time_step() { _statsidecar_time execution_duration step.execution_requested step.completed step.failed "$@"; }

time_task() { _statsidecar_time total_execution_duration task.start_requested task.completed task.failed "$@"; }

# time_event NAME [KEY=VALUE]… -- COMMAND [ARGUMENT]…: one event at the end.
time_event()
{
	_statsidecar_event=${1-}
	[ $# -eq 0 ] || shift
	_statsidecar_time execution_duration "" "$_statsidecar_event" "$_statsidecar_event" "$@"
}

# _statsidecar_time DURATION START COMPLETION FAILURE [KEY=VALUE]… -- COMMAND [ARGUMENT]…
# What must outlive COMMAND is kept in the function's own arguments: COMMAND may be a function that times another one.
_statsidecar_time()
{
	if ! _statsidecar_has_command "$@"; then
		echo "statsidecar.sh: write [KEY=VALUE]… -- COMMAND [ARGUMENT]…" >&2
		return 64
	fi
	set -- "$(_statsidecar_clock)" "started_at=$(_statsidecar_date)" "$@"
	_statsidecar_started "$@" || :
	if _statsidecar_command "$@"; then
		_statsidecar_ended 0 "$@"
	else
		_statsidecar_ended $? "$@"
	fi
}

_statsidecar_has_command()
{
	shift 4
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		shift
	done
	[ $# -ge 2 ]
}

# CLOCK STARTED DURATION START COMPLETION FAILURE [KEY=VALUE]… -- …
_statsidecar_started()
{
	[ -n "$4" ] || return 0
	_statsidecar_name=$4
	_statsidecar_from=$2
	shift 6
	_statsidecar_publish_head "$_statsidecar_name" "$_statsidecar_from" "$@"
}

_statsidecar_command()
{
	shift 6
	while [ "$1" != -- ]; do
		shift
	done
	shift
	"$@"
}

# STATUS CLOCK STARTED DURATION START COMPLETION FAILURE [KEY=VALUE]… -- …
_statsidecar_ended()
{
	_statsidecar_result=$1
	_statsidecar_from=$3
	_statsidecar_until=completed_at=$(_statsidecar_date)
	_statsidecar_taken=$(($(_statsidecar_clock) - $2))
	_statsidecar_taken=$4=$((_statsidecar_taken / 100)).$(printf '%02d' $((_statsidecar_taken % 100)))
	_statsidecar_name=$6
	[ "$1" -eq 0 ] || _statsidecar_name=$7
	shift 7
	[ "$_statsidecar_result" -eq 0 ] ||
		set -- "exit_status=$_statsidecar_result" "error_message=exit status $_statsidecar_result" "$@"
	_statsidecar_publish_head "$_statsidecar_name" "$_statsidecar_from" "$_statsidecar_until" "$_statsidecar_taken" \
		"$@" || :
	return "$_statsidecar_result"
}

# Publishes what stands before `--`.
_statsidecar_publish_head()
{
	_statsidecar_left=$#
	_statsidecar_is_head=yes
	while [ "$_statsidecar_left" -gt 0 ]; do
		[ "$1" != -- ] || _statsidecar_is_head=
		[ -z "$_statsidecar_is_head" ] || set -- "$@" "$1"
		shift
		_statsidecar_left=$((_statsidecar_left - 1))
	done
	publish_step_event "$@"
}

# Hundredths of a second.
_statsidecar_clock()
{
	if IFS=' ' read -r _statsidecar_up _ 2>/dev/null </proc/uptime; then
		# The 1 keeps 08 from being octal.
		echo $((${_statsidecar_up%.*} * 100 + 1${_statsidecar_up#*.} - 100))
	else
		echo "$(date +%s)00"
	fi
}

_statsidecar_date()
{
	_statsidecar_now=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ 2>/dev/null)
	case $_statsidecar_now in
	*.[0-9][0-9][0-9][0-9][0-9][0-9]Z) echo "$_statsidecar_now" ;;
	*) date -u +%Y-%m-%dT%H:%M:%SZ ;;
	esac
}

# ---- how an event is sent: 0, 64 where it is none, else another status ----

_statsidecar_send()
{
	case ${1-} in
	[A-Za-z]*) ;;
	*) return 64 ;;
	esac
	_statsidecar_name=$1
	shift
	# One argument of a program has 128 KiB at most, and a line far less: what is longer is cut off in any case.
	for _statsidecar_each; do
		shift
		[ "${#_statsidecar_each}" -le 30000 ] || _statsidecar_each=$(printf '%.30000s' "$_statsidecar_each")
		set -- "$@" "$_statsidecar_each"
	done
	if [ -n "$STATSIDECAR_COMMAND" ] && command -v "$STATSIDECAR_COMMAND" >/dev/null; then
		"$STATSIDECAR_COMMAND" publish -- "$_statsidecar_name" "$@"
		return
	fi
	_statsidecar_line=$(_statsidecar_format "$_statsidecar_name" "$(_statsidecar_date)" "$@") || return
	case ${STATSIDECAR_TO:-} in
	"") _statsidecar_write_pipe /run/statsidecar/events || _statsidecar_write_udp 127.0.0.1:8127 ;;
	fifo:///*) _statsidecar_write_pipe "${STATSIDECAR_TO#fifo://}" ;;
	udp://*) _statsidecar_write_udp "${STATSIDECAR_TO#udp://}" ;;
	unix://@*) _statsidecar_write_unix "ABSTRACT-SENDTO:${STATSIDECAR_TO#unix://@}" ;;
	unix:///*) _statsidecar_write_unix "UNIX-SENDTO:${STATSIDECAR_TO#unix://}" ;;
	*) return 64 ;;
	esac
}

# At most 4096 bytes, as everything here, so that it is one write whatever the way.
_statsidecar_write_pipe()
{
	[ -p "$1" ] || return 75
	if [ -z "$_statsidecar_dd" ]; then
		_statsidecar_dd=other
		! dd oflag=nonblock if=/dev/null of=/dev/null count=0 || _statsidecar_dd=GNU
	fi
	if [ "$_statsidecar_dd" = GNU ]; then
		printf '%s\n' "$_statsidecar_line" |
			dd bs=4096 iflag=fullblock oflag=nonblock conv=notrunc,nocreat of="$1"
	elif ! command -v timeout >/dev/null; then
		return 75
	elif [ -r "$1" ]; then
		# Opened for reading, too, it does not wait for a reader: where there is none, the event is lost, and not told.
		# shellcheck disable=SC2016 # the inner shell expands them
		timeout 1 sh -c 'printf "%s\n" "$2" 1<>"$1"' sh "$1" "$_statsidecar_line"
	else
		# shellcheck disable=SC2016
		timeout 1 sh -c 'printf "%s\n" "$2" >"$1"' sh "$1" "$_statsidecar_line"
	fi
}

_statsidecar_write_udp()
{
	_statsidecar_port=${1##*:}
	_statsidecar_host=${1%:*}
	case $1 in
	*] | "${_statsidecar_port}") _statsidecar_host=$1 _statsidecar_port=8127 ;;
	esac
	_statsidecar_host=${_statsidecar_host#\[}
	_statsidecar_host=${_statsidecar_host%\]}
	# shellcheck disable=SC2016
	bash -c 'printf "%s\n" "$3" >"/dev/udp/$1/$2"' bash "$_statsidecar_host" "$_statsidecar_port" "$_statsidecar_line"
}

_statsidecar_write_unix()
{
	printf '%s\n' "$_statsidecar_line" | timeout 1 socat -u -b 8192 STDIN "$1"
}

# _statsidecar_format NAME DATE [KEY=VALUE]…: the event as a line of JSON. What is too long is shortened: step_results,
# step_inputs and backtrace are emptied, in this order, then texts cut, the longest first, none below 64 bytes.
_statsidecar_format()
{
	# shellcheck disable=SC2016 # awk expands them
	LC_ALL=C awk 'BEGIN {
		line_max = 4096 - 1; text_kept = 64
		for (byte = 128; byte < 192; byte++)
			continuations = continuations sprintf("%c", byte)
		if (length(ARGV[1]) > 200 || ARGV[1] ~ /[^A-Za-z0-9_.:\/-]/)
			exit 64
		add("event", ARGV[1])
		is_dated = 0
		for (i = 3; i < ARGC; i++) {
			at = index(ARGV[i], "=")
			key = substr(ARGV[i], 1, at - 1)
			if (at < 2 || key == "event")
				exit 64
			is_dated = is_dated || key ~ /^(timestamp|event_timestamp|transitioned_at|time)$/
			add(key, substr(ARGV[i], at + 1))
		}
		if (!is_dated)
			add("timestamp", ARGV[2])
		empty("step_results"); empty("step_inputs"); empty("backtrace")
		cap = line_max
		if (size(cap) > line_max) {
			cap = text_kept
			if (size(cap) > line_max)
				exit 75
			for (step = 2048; step >= 1; step /= 2)
				if (size(cap + step) <= line_max)
					cap += step
		}
		separator = "{"
		for (i = 1; i <= count; i++) {
			printf "%s\"%s\":\"%s\"", separator, keys[i], cut(values[i], cap)
			separator = ","
		}
		print "}"
	}

	function add(key, value)
	{
		count++
		keys[count] = quoted(key)
		values[count] = quoted(substr(value, 1, line_max))
	}

	function empty(key, i)
	{
		for (i = 1; i <= count; i++)
			if (keys[i] == key && size(line_max) > line_max)
				values[i] = ""
	}

	function size(cap, i, sum)
	{
		sum = 1
		for (i = 1; i <= count; i++)
			sum += length(keys[i]) + length(cut(values[i], cap)) + 6
		return sum
	}

	function quoted(text, byte)
	{
		gsub(/\\/, "&&", text)
		gsub(/"/, "\\\"", text)
		gsub(/\n/, "\\n", text)
		gsub(/\t/, "\\t", text)
		gsub(/\r/, "\\r", text)
		gsub(/\010/, "\\b", text)
		gsub(/\014/, "\\f", text)
		if (text ~ /[\001-\037]/)
			for (byte = 1; byte < 32; byte++)
				gsub(sprintf("%c", byte), sprintf("\\u%04x", byte), text)
		return text
	}

	# No more than cap bytes, which end neither within a character nor within an escape.
	function cut(text, cap, tail)
	{
		if (length(text) <= cap)
			return text
		while (index(continuations, substr(text, cap + 1, 1)) > 0)
			cap--
		text = substr(text, 1, cap)
		if (match(text, /\\+(u[0-9a-f]?[0-9a-f]?[0-9a-f]?)?$/)) {
			tail = substr(text, RSTART)
			sub(/u.*/, "", tail)
			if (length(tail) % 2 == 1)
				return substr(text, 1, RSTART + length(tail) - 2)
		}
		return text
	}' "$@"
}
