#!/bin/sh
# The house stands on its floors: a file includes only files of its own or lower ones. TAP, one line a folder.
set -eu
LC_ALL=C
export LC_ALL
cd "${srcdir:-$(dirname "$0")/..}"

# folder: what its files may include of ours besides its own: folders below lib/ and agent/, or single headers. The
# agent's own folder holds its ground (log, clock) and what stands on all else, main.c last.
floors='
lib/base:
lib/publish:     base
lib/decode:      base
lib/map:         base decode
lib/emit:        base decode map
lib/translate:   base decode map emit
agent:           base decode map emit publish translate settings input output
agent/main.c:    command
agent/settings:  base decode map emit translate
agent/input:     base decode map emit translate settings log.h clock.h failure.h
agent/output:    base decode map emit translate settings log.h clock.h failure.h
agent/explain:   base decode map emit translate settings json_writer.h log.h clock.h failure.h
agent/admin:     base decode map emit translate settings input output explain json_writer.h log.h clock.h failure.h counters.h process.h agent.h
agent/command:   base decode map emit publish translate settings input output explain admin json_writer.h log.h clock.h failure.h agent.h telemetry.h
'

count=0
failed=0

# result NAME [FAULTS]
result()
{
	count=$((count + 1))
	if [ -z "${2:-}" ]; then
		echo "ok $count - $1"
	else
		failed=1
		echo "not ok $count - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

sources_of()
{
	if [ "$1" = agent ]; then
		find agent -maxdepth 1 -name '*.[ch]' ! -name main.c | sort
	else
		find "$1" -maxdepth 1 -name '*.[ch]' | sort
	fi
}

# The faults of one folder: FILE:LINE: "HEADER" for every include of ours that is not allowed.
faults_of()
{
	folder=$1
	shift
	sources=$(sources_of "$folder")
	[ -n "$sources" ] || return 0
	# shellcheck disable=SC2086 # file names of ours have no blanks
	awk -v own="$folder" -v allowed="$*" '
		BEGIN {
			sub(/^(lib|agent)\/?/, "", own)
			sub(/^[^\/]*\.c$/, "", own)
			count = split(allowed, names, " ")
		}
		function is_allowed(header,   folder, i) {
			folder = header
			if (!sub(/\/[^\/]*$/, "", folder))
				folder = "."
			# the top of the house: it only looks up the command
			if (FILENAME == "agent/main.c" && folder == "command")
				return 1
			if (folder == own || (own == "" && folder == ".") || header == "config.h")
				return 1
			for (i = 1; i <= count; i++)
				if (names[i] == folder || names[i] == header)
					return 1
			return 0
		}
		/^[ \t]*#[ \t]*include[ \t]*"/ {
			header = $0
			sub(/^[^"]*"/, "", header)
			sub(/".*/, "", header)
			if (!is_allowed(header))
				print FILENAME ":" FNR ": \"" header "\""
		}' $sources
}

# every folder with sources has a floor
unknown=$(find lib agent -name '*.[ch]' | sed 's|/[^/]*$||' | sort -u | while read -r folder; do
	case "$floors" in *"
$folder:"*) ;; *) echo "$folder has no floor in tests/layers.sh" ;; esac
done)
result 'every folder has its floor' "$unknown"

while IFS=: read -r folder allowed; do
	[ -e "$folder" ] || continue
	# shellcheck disable=SC2086 # a list of words
	result "$folder includes only its own and lower floors" "$(faults_of "$folder" $allowed)"
done <<END
$(printf '%s\n' "$floors" | sed '/^$/d')
END

# lib/ is pure: system headers and calls that it must do without.
find_in_lib()
{
	find lib -path lib/publish -prune -o -name '*.[ch]' -exec grep -nE "$1" {} + || true
}

result 'lib/ knows neither libevent nor libyaml' \
	"$(find_in_lib '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"](event2/|event\.h|yaml\.h)')"
result 'lib/ asks no clock' \
	"$(find_in_lib '^[[:space:]]*#[[:space:]]*include[[:space:]]*<(time|sys/time)\.h>|\b(clock_gettime|gettimeofday|time)[[:space:]]*\((NULL|0|&|CLOCK)')"
result 'lib/ opens no file and prints nothing' \
	"$(find_in_lib '\b(fopen|fdopen|freopen|open|openat|fputs|fputc|puts|putchar|printf|fprintf|perror|fwrite|fread|syslog|getenv)[[:space:]]*\(' |
		grep -vE '^lib/base/arena\.c:|format\(printf' || true)"
result 'lib/ does not exit' "$(find_in_lib '\b(exit|_exit|abort)[[:space:]]*\(' | grep -vE '^lib/base/arena\.c:' || true)"
result 'only agent/settings knows libyaml' \
	"$(find agent -path agent/settings -prune -o -name '*.[ch]' -exec grep -nE '[<"]yaml\.h[>"]' {} + || true)"

echo "1..$count"
exit "$failed"
