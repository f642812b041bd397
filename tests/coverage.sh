#!/bin/sh
# `make coverage`: builds everything with counters in its lines, in a build of its own below the build directory, runs every
# test there that needs no server, and says how many of the lines of lib/ and agent/ were run. It fails where a test does, where
# lib/ has no more than 95 % or agent/ no more than 85 %.
#
#   COVERAGE_TESTS=check     which tests, by the targets that run them (check check-faults)
#   COVERAGE_CC=gcc-13 COVERAGE_GCOV=gcov-13    another gcc, and its gcov
#
# Line by line: coverage/report/index.html.
set -eu

srcdir=$1
here=$(pwd)
build=$here/coverage
compiler=${COVERAGE_CC:-gcc}
gcov=${COVERAGE_GCOV:-gcov}

say()
{
	printf '%s\n' "coverage: $*" >&2
}

need()
{
	command -v "$1" >/dev/null 2>&1 || { say "$1 is missing (Debian: apt-get install $2)"; exit 1; }
}

# Without optimisation a line is what it is in the source. libcheck's time is up sooner than these builds are done.
run_tests()
{
	mkdir -p "$build"
	[ -f "$build/Makefile" ] ||
		(cd "$build" && "$srcdir/configure" --quiet CC="$compiler" CFLAGS='-g -O0' --enable-coverage)
	make -C "$build" --no-print-directory -j"$(nproc)" check-programs >&2
	find "$build" -name '*.gcda' -exec rm -f {} +
	rm -f "$build/gcov.log"
	status=0
	for target in ${COVERAGE_TESTS:-check check-faults}; do
		# What cannot be counted is told there, not on the standard error that tests look at.
		CK_TIMEOUT_MULTIPLIER=10 FAULTS_SEED="${FAULTS_SEED:-1}" GCOV_ERROR_FILE="$build/gcov.log" \
			make -C "$build" --no-print-directory -k -j"$(nproc)" "$target" >"$build/$target.log" 2>&1 || status=$?
		grep -E '^(FAIL|ERROR): ' "$build/$target.log" >&2 || :
		say "$target: $(sed -n 's/^# \(TOTAL\|PASS\|SKIP\|FAIL\|ERROR\): */\1 /p' "$build/$target.log" | tr '\n' ' ')"
	done
	return "$status"
}

# The lines of every file of ours, as rows: name,lines,run,…
count()
(
	cd "$srcdir"
	mkdir -p "$build/report"
	gcovr --gcov-executable "$gcov" --root . --object-directory "$build" --filter lib/ --filter agent/ -j"$(nproc)" \
		--csv --output "$build/lines.csv" --html-details "$build/report/index.html" "$build" >"$build/gcovr.log" 2>&1 ||
		{ cat "$build/gcovr.log" >&2; exit 1; }
)

# A row for each folder, and for lib/ and agent/ whole, which have to be above what is asked of them.
judge()
{
	sort "$build/lines.csv" | awk -F, '
		function row(name, all, run) { printf "%-16s %6d of %6d lines  %5.1f %%\n", name, run, all, 100 * run / all }
		/^(lib|agent)\// {
			folder = $1
			sub(/\/[^\/]*$/, "", folder)
			top = $1
			sub(/\/.*/, "", top)
			if (!(folder in all))
				folders[++count] = folder
			all[folder] += $2
			run[folder] += $3
			whole[top] += $2
			whole_run[top] += $3
		}
		END {
			wanted["lib"] = 95
			wanted["agent"] = 85
			for (i = 1; i <= count; i++)
				row(folders[i], all[folders[i]], run[folders[i]])
			for (top in wanted) {
				row(top "/ whole", whole[top], whole_run[top])
				if (whole_run[top] * 100 <= whole[top] * wanted[top]) {
					printf "%s/: not above %d %%\n", top, wanted[top]
					failed = 1
				}
			}
			exit failed
		}'
}

need "$compiler" gcc
need "$gcov" gcc
need gcovr gcovr
result=0
run_tests || { say "not every test passed: $build/check*.log"; result=1; }
# A program whose folder is gone or not its own at its end, for one.
[ ! -s "$build/gcov.log" ] || say "$(wc -l <"$build/gcov.log") counts were not taken: $build/gcov.log"
count
judge || result=1
say "line by line: $build/report/index.html"
exit "$result"
