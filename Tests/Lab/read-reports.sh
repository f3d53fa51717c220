#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Reads the smoke reports that the lab's machine sent, KIND.FORMAT in a tar file, with programs that are not ours, and
# holds each format against the KTAP report of the same run. KTAP lines tell the result.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xf "$1" -C "$work"
cd "$work"
failed=
equal() {
  if [ "$2" = "$3" ]; then
    echo "# reports: ok $1"
  else
    echo "# reports: not ok $1: expected $2, got $3"
    failed=yes
  fi
}
xpath() { xmllint --nonet --xpath "count($1)" "$2"; }

for kind in passing failing skipping timing-out; do
  ktap=$kind.ktap
  total=$(grep -c -E '^(not )?ok' "$ktap") || true
  bad=$(grep -c '^not ok' "$ktap") || true
  skips=$(grep -c '^ok .* # SKIP' "$ktap") || true
  equal "$kind: KTAP version" 'KTAP version 1' "$(head -n 1 "$ktap")"
  equal "$kind: KTAP plan" "1..$total" "$(grep '^1\.\.' "$ktap")"
  equal "$kind: JUnit cases" "$total" "$(xpath //testcase "$kind.junit")"
  equal "$kind: JUnit failures and errors" "$bad" "$(xpath '//testcase[failure or error]' "$kind.junit")"
  equal "$kind: JUnit skips" "$skips" "$(xpath '//testcase[skipped]' "$kind.junit")"
  equal "$kind: TAP version" 'TAP version 14' "$(head -n 1 "$kind.tap")"
  equal "$kind: TAP results" "$total $bad" "$(grep -c -E '^(not )?ok' "$kind.tap") $(grep -c '^not ok' "$kind.tap" || true)"
  equal "$kind: LAVA signals" "$total" "$(grep -c '^<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=[a-z-]* RESULT=[a-z]*>$' "$kind.lava")"
  equal "$kind: LAVA failures" "$bad" "$(grep -c 'RESULT=fail>$' "$kind.lava" || true)"
  equal "$kind: JSON" "$total $bad $skips" "$(python3 -c '
import json, sys
report = json.load(open(sys.argv[1]))
print(len(report["results"]), report["failed"], report["skipped"])' "$kind.json")"
  chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/browser" --dump-dom "file://$work/$kind.html" \
    >"$work/page" 2>/dev/null
  equal "$kind: HTML rows" "$total" "$(grep -c -E '<tr class="(passed|failed|timed-out|skipped)">' "$work/page")"
  equal "$kind: HTML failures" "$bad" "$(grep -c -E '<tr class="(failed|timed-out)">' "$work/page" || true)"
done
[ -z "$failed" ]
