#!/bin/sh
# `make fuzz`: builds the fuzz targets with a fuzzer, in a build of their own, and runs one after the other.
#
#   FUZZ_SECONDS=600          how much processor time each (60)
#   FUZZ_TARGETS="json whole" which (all)
#   FUZZ_ENGINE=afl           AFL++ instead of libFuzzer
#   FUZZ_KEEP=yes             afterwards the committed corpora become the smallest ones that reach all that was reached
#
# What was found lies in fuzz/TARGET/, inputs that failed as fuzz/TARGET.findings/. It fails where there are some. Each target's
# line tells how much was tried.
set -eu

srcdir=$1
shift
targets=${FUZZ_TARGETS:-$(printf '%s\n' "$@" | sed 's|.*/||')}
seconds=${FUZZ_SECONDS:-60}
engine=${FUZZ_ENGINE:-libfuzzer}
here=$(pwd)
build=$here/fuzz-$engine
corpora=$srcdir/tests/fuzz/corpus
dictionaries=$srcdir/tests/fuzz/dictionaries
failed=

say()
{
	printf '%s\n' "fuzz: $*" >&2
}

# configure_with COMPILER [ARGUMENT…]
configure_with()
{
	compiler=$1
	shift
	mkdir -p "$build"
	[ -f "$build/Makefile" ] ||
		(cd "$build" && "$srcdir/configure" --quiet CC="$compiler" CFLAGS='-O1 -g' --enable-fuzzing "$@")
}

build_targets()
{
	programs=
	for target in $targets; do
		programs="$programs tests/fuzz/$target"
	done
	# shellcheck disable=SC2086 # a list of words
	make -C "$build" --no-print-directory -j"$(nproc)" $programs >&2
}

# The target's dictionary, or the one of what it reads.
dictionary_of()
{
	for name in "$1" $(sed -n "s/^$1: *//p" "$dictionaries/INDEX"); do
		if [ -f "$dictionaries/$name.dict" ]; then
			printf '%s\n' "$dictionaries/$name.dict"
			return
		fi
	done
}

# Most targets set large buffers aside for each input: few of them need to be kept from use.
export ASAN_OPTIONS="quarantine_size_mb=16${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

# measured LOG COMMAND…: what it prints into LOG, then the seconds of processor time that it took.
measured()
{
	log=$1
	shift
	# shellcheck disable=SC2016 # the inner shell's
	sh -c 'status=0; "$@" || status=$?; times; exit $status' sh "$@" >"$log" 2>&1
}

# From the last line of a log: `9m58.31s 0m1.20s`.
processor_seconds()
{
	tail -n 1 "$1" | tr 'ms' '  ' | awk '{ printf "%d", $1 * 60 + $2 + $3 * 60 + $4 }'
}

# run_libfuzzer TARGET SECONDS: for so long by the clock; `inputs` becomes how many it tried.
run_libfuzzer()
{
	dictionary=$(dictionary_of "$1")
	mkdir -p "$here/fuzz/$1" "$here/fuzz/$1.findings"
	measured "$here/fuzz/$1.log" "$build/tests/fuzz/$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 \
		${dictionary:+"-dict=$dictionary"} -artifact_prefix="$here/fuzz/$1.findings/" \
		"$here/fuzz/$1" "$corpora/$1" || return 1
	inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$here/fuzz/$1.log")
}

run_afl()
{
	dictionary=$(dictionary_of "$1")
	output=$here/fuzz/$1.afl
	AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_AUTORESUME=1 \
		measured "$here/fuzz/$1.log" afl-fuzz -V "$2" -m none -t 2000 -i "$corpora/$1" -o "$output" ${dictionary:+-x "$dictionary"} \
		-- "$build/tests/fuzz/$1" || return 1
	inputs=$(($(sed -n 's/^execs_done *: //p' "$output/default/fuzzer_stats") - ${resumed:-0}))
	resumed=$(sed -n 's/^execs_done *: //p' "$output/default/fuzzer_stats")
	mkdir -p "$here/fuzz/$1.findings"
	find "$output/default/crashes" "$output/default/hangs" -name 'id:*' -exec cp {} "$here/fuzz/$1.findings/" \;
	[ -z "$(ls "$here/fuzz/$1.findings")" ]
}

# run_target TARGET: again as long as the machine gave it less processor time than was asked for.
run_target()
{
	spent=0
	tried=0
	resumed=
	while [ "$spent" -lt "$seconds" ]; do
		"run_$engine" "$1" $((seconds - spent + 1)) || return 1
		tried=$((tried + inputs))
		spent=$((spent + $(processor_seconds "$here/fuzz/$1.log")))
	done
	say "$1: $tried inputs in $spent s of processor time"
}

# The smallest corpus by what code it reaches, how often left aside: a few dozen files a target.
keep()
{
	merged=$here/fuzz/$1.merged
	rm -rf "$merged"
	mkdir -p "$merged" "$here/fuzz/$1"
	"$build/tests/fuzz/$1" -merge=1 -use_counters=0 "$merged" "$corpora/$1" "$here/fuzz/$1" >"$here/fuzz/$1.merge.log" 2>&1 ||
		return 1
	# Those with names in words stay.
	find "$corpora/$1" -type f | grep -E '/[0-9a-f]{12}$' | xargs -r rm -f
	for file in "$merged"/*; do
		name=$(basename "$file")
		cp "$file" "$corpora/$1/$(printf '%.12s' "$name")"
	done
	say "$1: $(find "$corpora/$1" -type f | wc -l) files"
}

case $engine in
libfuzzer) configure_with "${FUZZ_CC:-clang}" --enable-sanitizers ;;
afl) AFL_QUIET=1 configure_with "${FUZZ_CC:-afl-clang-fast}" ;;
*)
	say "no such engine: $engine"
	exit 64
	;;
esac
mkdir -p fuzz
build_targets
for target in $targets; do
	mkdir -p "$corpora/$target"
	if ! run_target "$target"; then
		say "$target: FAILED: $here/fuzz/$target.log, $here/fuzz/$target.findings"
		failed="$failed $target"
	elif [ "${FUZZ_KEEP:-no}" = yes ] && [ "$engine" = libfuzzer ]; then
		keep "$target"
	fi
done
[ -z "$failed" ]
