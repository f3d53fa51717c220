#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# coverage.sh SCRATCH: the line coverage of each target below Sources, from the tests that were run with it, the programs that they started
# included. Lists the files below 90 %.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scratch=$1
binaries=$(echo "$scratch"/*/debug)
profile=$binaries/codecov/default.profdata
tools=$(dirname "$(command -v swift)")
cov=$tools/llvm-cov
[ -x "$cov" ] || cov=llvm-cov

"$cov" export -summary-only -instr-profile "$profile" "$binaries/epfnvmePackageTests.xctest" \
  -object "$binaries/epfnvme" >"$scratch/coverage.json"

# Target, covered and all lines; then the files that are below the limit.
swift_files='.data[0].files[] | select(.filename | contains("/Sources/") and endswith(".swift"))'
rows=$(jq -r "$swift_files"' | [(.filename | capture("/Sources/(?<t>[^/]+)/").t), .summary.lines.covered, .summary.lines.count] | @tsv' \
  "$scratch/coverage.json" | awk -F '\t' '{ covered[$1] += $2; all[$1] += $3 }
    END { for (t in all) printf "%s\t%d\t%d\t%.1f\n", t, covered[t], all[t], 100 * covered[t] / all[t] }' | sort)
echo "$rows" | awk -F '\t' '{ printf "%-24s %6d of %6d lines  %5.1f %%\n", $1, $2, $3, $4 }'
echo 'files below 90 %:'
jq -r "$swift_files"' | select(.summary.lines.percent < 90) | [.summary.lines.percent, .filename] | @tsv' "$scratch/coverage.json" |
  sed "s|$PWD/||" | sort -n | awk -F '\t' '{ printf "  %5.1f %%  %s\n", $1, $2 }'

below=$(echo "$rows" | awk -F '\t' '$4 < 90 { printf "%s%s %s %%", sep, $1, $4; sep = ", " }')
total=$(echo "$rows" | awk -F '\t' '{ covered += $2; all += $3 } END { printf "%.1f %% of %d lines", 100 * covered / all, all }')
.ci/evidence record coverage 'line coverage of Sources by the tests' 'make coverage' "$total" \
  "$([ -n "$below" ] && echo "below 90 %: $below" || echo "each target has 90 % or more")"
