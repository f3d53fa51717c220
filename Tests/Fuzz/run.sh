#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh DIRECTORY: libFuzzer on each target of FUZZ_TARGETS (all), FUZZ_SECONDS each, with the programs that `make fuzz` has built below
# DIRECTORY. The corpora stay there; findings go to DIRECTORY/findings/TARGET. Exit status 1: something was found.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
directory=$1
seconds=${FUZZ_SECONDS:-60}
fuzzer=$(echo "$directory"/build/*/release/FuzzInputs)
found=0

# A backtrace takes longer than a thousand inputs.
export SWIFT_BACKTRACE=enable=no
while read -r target longest; do
  [ -z "${FUZZ_TARGETS:-}" ] || grep -qw -- "$target" <<<"$FUZZ_TARGETS" || continue
  corpus=$directory/corpus/$target seeds=$directory/seeds/$target findings=$directory/findings/$target
  log=$directory/$target.log
  mkdir -p "$corpus" "$seeds" "$findings" "Tests/Fuzz/Findings/$target"
  status=0
  # A Swift process keeps what it makes once: memory that is not freed at the end is not a leak. Threads of a server have the stack of one.
  FUZZ_TARGET=$target FUZZ_SEEDS=$seeds ASAN_OPTIONS=detect_leaks=0 "$fuzzer" \
    -max_total_time="$seconds" -max_len="$longest" -rss_limit_mb=4096 -timeout=60 -print_final_stats=1 \
    -artifact_prefix="$findings/" "$corpus" "$seeds" "Tests/Fuzz/Findings/$target" >"$log" 2>&1 || status=$?
  runs=$(sed -nE 's/^stat::number_of_executed_units: *//p' "$log")
  coverage=$(sed -nE 's/.* cov: ([0-9]+) ft: ([0-9]+) .*/\1 edges, \2 features/p' "$log" | tail -n 1)
  if [ "$status" -eq 0 ]; then
    result='nothing found'
  else
    result="a finding: exit code $status"
    found=1
    tail -n 40 "$log"
  fi
  echo "$target: ${runs:-0} inputs in $seconds s, $coverage: $result"
  .ci/evidence record fuzz "libFuzzer, address sanitizer: $target" "make fuzz" \
    "${runs:-0} inputs in $seconds s, $coverage" "$result"
  rmdir --ignore-fail-on-non-empty "Tests/Fuzz/Findings/$target"
done < <("$fuzzer")
exit "$found"
