#!/bin/sh
# `make analyze`: what can be found without running anything, by gcc -fanalyzer, cppcheck and clang-tidy. It fails where one of
# them finds something: that is mended, or the check is switched off, here or in .clang-tidy, with the reason.
#
#   ANALYZE_WITH="cppcheck clang-tidy"    which (gcc cppcheck clang-tidy)
#   ANALYZE_CC=gcc-13                     another gcc
#   ANALYZE_FILES="lib/base/arena.c"      clang-tidy over some files only: it takes most of the time
#
# Everything of its own lies in analyze/ below the build directory; gcc and cppcheck look again only at what has changed.
set -eu

srcdir=$1
build=$(pwd)/analyze
compiler=${ANALYZE_CC:-gcc}
failed=

say()
{
	printf '%s\n' "analyze: $*" >&2
}

need()
{
	command -v "$1" >/dev/null 2>&1 || { say "$1 is missing (Debian: apt-get install $2)"; exit 1; }
}

# gcc 12 loses sight of memory that is known by a pointer behind its beginning (SCAN_PAD) alone, and takes it for leaked:
# valgrind and LeakSanitizer, which see it in use, watch over leaks.
prepare()
{
	mkdir -p "$build/cppcheck"
	[ -f "$build/Makefile" ] || (cd "$build" && "$srcdir/configure" --quiet CC="$compiler" --enable-werror \
		CFLAGS='-g -O1 -fanalyzer -Wno-analyzer-malloc-leak')
}

find_by_gcc()
{
	make -C "$build" --no-print-directory -k -j"$(nproc)" libcore.a libagent.a libpublish.la statsidecar >"$build/gcc.log" 2>&1 ||
		{ cat "$build/gcc.log" >&2; return 1; }
}

# Switched off:
#   memleak, resourceLeak     as gcc's above; descriptors that become a member's in a conditional expression
#   getgrnamCalled and such   functions that are not for threads: the agent has one
#   unknownEvaluationOrder    takes .count in `rows[count++] = (struct row){.count = …}` for the variable; gcc has -Wsequence-point
#   constStatement            takes `(struct span){a[i], b[i]}` for a statement; gcc has -Wunused-value
find_by_cppcheck()
(
	cd "$srcdir"
	cppcheck -q -j"$(nproc)" --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--library=posix --library=gnu --include=tests/cppcheck.h --cppcheck-build-dir="$build/cppcheck" \
		--suppress=memleak --suppress=resourceLeak --suppress=getgrnamCalled --suppress=fgetgrentCalled \
		--suppress=readdirCalled --suppress=unknownEvaluationOrder --suppress=constStatement \
		-I"$build" -Ilib -Iagent lib agent tests bench
)

# One file at a time: clang-tidy 14 takes over what it believes of va_list from one file to the next.
find_by_clang_tidy()
(
	cd "$srcdir"
	# shellcheck disable=SC2086,SC2016 # a list of words; the inner shell's
	printf '%s\n' ${ANALYZE_FILES:-$(find lib agent -name '*.c')} | xargs -n 1 -P "$(nproc)" sh -c '
		flags=$1 file=$2
		clang-tidy --quiet "$file" -- $flags 2>/dev/null || { echo "clang-tidy: $file"; exit 1; }' \
		sh "-std=gnu11 -iquote $build -iquote lib -iquote agent ${ANALYZE_CPPFLAGS:-}" >&2
)

tools=${ANALYZE_WITH:-gcc cppcheck clang-tidy}
need "$compiler" gcc
for tool in $tools; do
	case $tool in
	gcc) ;;
	cppcheck | clang-tidy) need "$tool" "$tool" ;;
	*)
		say "no such tool: $tool"
		exit 64
		;;
	esac
done
prepare
for tool in $tools; do
	if "find_by_$(printf '%s' "$tool" | tr - _)"; then say "$tool: nothing found"; else say "$tool: FAILED"; failed=yes; fi
done
[ -z "$failed" ]
