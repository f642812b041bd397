#!/bin/sh
# A nightly import as there are many: it reads tables (CSV, first line the columns' names) from a folder and loads them.
# What is new in it is event(), and a line that calls it wherever something worth counting happens.
#
# usage: legacy-job.sh FOLDER           EVENTS names the agent's pipe, by default /run/statsidecar/events
set -u

folder=${1:?usage: legacy-job.sh FOLDER}
pipe=${EVENTS:-/run/statsidecar/events}

# event LINE: tells the agent. Without a pipe nothing happens; where nobody reads it the job goes on after a second.
event()
{
	[ -p "$pipe" ] || return 0
	# shellcheck disable=SC2016 # the inner shell expands them
	timeout 1 sh -c 'printf "%s\n" "$1" >"$2"' sh "$1" "$pipe" 2>/dev/null || :
}

# Text for a JSON string.
quoted()
{
	printf '"%s"' "$(printf '%s' "$1" | tr '\n\t' '  ' | sed 's/["\\]/\\&/g')"
}

# load FILE: prints how many rows it has; where it cannot be loaded, the reason, with a status of its own.
load()
{
	if ! rows=$(($(wc -l <"$1") - 1)) 2>/dev/null; then
		echo "cannot read \"$1\""
		return 8
	elif [ "$rows" -lt 0 ]; then
		echo "no header"
		return 3
	fi
	echo "$rows"
}

started_at=$(date +%s.%N)
tables=0
event "import.started"

for file in "$folder"/*.csv; do
	table=$(basename "$file" .csv)
	table_started_at=$(date +%s.%N)
	said=$(load "$file")
	rc=$?
	if [ "$rc" -eq 0 ]; then
		tables=$((tables + 1))
		# logfmt, for what has no blanks and no quotes …
		event "import.table table=$table rows=$said started_at=$table_started_at ended_at=$(date +%s.%N)"
	else
		# … and JSON for what may have.
		event "{\"event\":\"import.failed\",\"table\":$(quoted "$table"),\"rc\":$rc,\"reason\":$(quoted "$said")}"
	fi
done

event "import.finished tables=$tables started_at=$started_at ended_at=$(date +%s.%N)"
