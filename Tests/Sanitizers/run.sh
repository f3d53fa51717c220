#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh address|thread SCRATCH: runs the tests that were built with a sanitizer, and fails on any report, also of a process that a test
# started.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
sanitizer=$1
scratch=$(cd "$2" && pwd)
binary=$(echo "$scratch"/*/debug/epfnvmePackageTests.xctest)
reports=$scratch/reports
rm -rf "$reports"
mkdir -p "$reports"

# A trap that a test expects must not spend seconds on a backtrace.
export SWIFT_BACKTRACE=enable=no
case $sanitizer in
  address)
    # Children of tests that expect an exit code get another one for a report.
    export ASAN_OPTIONS="log_path=$reports/report exitcode=99"
    export LSAN_OPTIONS="suppressions=$PWD/Tests/Sanitizers/leaks.txt print_suppressions=0"
    ;;
  thread)
    clang -O2 -Wall -Wextra -Werror -shared -fPIC -o "$scratch/mutex-annotations.so" Tests/Sanitizers/mutex-annotations.c
    export LD_PRELOAD=$scratch/mutex-annotations.so
    export TSAN_OPTIONS="log_path=$reports/report exitcode=99"
    ;;
  *)
    echo "run.sh address|thread SCRATCH" >&2
    exit 64
    ;;
esac

status=0
"$binary" --testing-library swift-testing || status=$?
for report in "$reports"/*; do
  [ -e "$report" ] || break
  echo "== $report"
  cat "$report"
  status=1
done
exit "$status"
