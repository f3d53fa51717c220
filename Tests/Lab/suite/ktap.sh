# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Shared by the suites of both labs: KTAP, waiting, the kernel log, and running epfnvme. The cases go to the file $KTAP,
# and to $CONSOLE as they happen. The shell's variables are all global, so what belongs to these functions alone is called
# lib_*.

# doing WHAT…: says what is done now where the lab can see it, which ends a machine that does nothing.
doing() { echo "$*" >"${PROGRESS:-/dev/null}"; }

# ---- KTAP ----

result() {
  lib_verdict=$1
  shift
  lib_case_number=$(($(grep -c -E '^(not )?ok' "$KTAP") + 1))
  echo "$lib_verdict $lib_case_number $*" >>"$KTAP"
  echo "$lib_verdict $lib_case_number $*" >"${CONSOLE:-/dev/console}"
  doing "$lib_verdict $lib_case_number $*"
}
pass() { result ok "$*"; }
fail() { result 'not ok' "$*"; }
skip() {
  lib_case_name=$1
  shift
  result ok "$lib_case_name # SKIP $*"
}
diag() { printf '%s\n' "$*" | sed 's/^/# /' >>"$KTAP"; }
# diag_file NAME FILE: a file's text as diagnostics, at most 40 lines of it.
diag_file() {
  [ -s "$2" ] || return 0
  head -n 40 "$2" | sed "s/^/# $1: /" >>"$KTAP"
}

# check NAME COMMAND…: the case passes when the command does. What it prints explains a failure.
check() {
  lib_case_name=$1
  shift
  if ("$@") >check.out 2>&1; then
    pass "$lib_case_name"
    return 0
  fi
  fail "$lib_case_name"
  diag "failed: $*"
  diag_file output check.out
  return 1
}

# equal NAME EXPECTED ACTUAL
equal() {
  if [ "$2" = "$3" ]; then
    pass "$1"
  else
    fail "$1"
    diag "expected: $2"
    diag "actual: $3"
    return 1
  fi
}

# wait_for NAME COMMAND…: polls, because what is waited for has no event that a shell could wait on; the limit,
# $patience times, only ends a run that has already failed.
wait_for() {
  lib_case_name=$1
  shift
  lib_tries=0
  until ("$@") >/dev/null 2>&1; do
    lib_tries=$((lib_tries + 1))
    [ $((lib_tries % 200)) -ne 0 ] || doing "waiting: $lib_case_name"
    if [ "$lib_tries" -gt "${patience:-600}" ]; then
      fail "waited in vain: $lib_case_name"
      return 1
    fi
    sleep 0.05
  done
}

# log_mark; …; log_since: the kernel lines that something caused.
log_mark() {
  lib_mark="mark $$ $((${lib_marks:-0} + 1))"
  lib_marks=$((${lib_marks:-0} + 1))
  echo "lab: $lib_mark" >/dev/kmsg
}
log_since() { dmesg | sed -n "/lab: $lib_mark\$/,\$p" | sed 1d; }
logged() { log_since | grep -q -e "$1"; }

# ---- epfnvme ----

# run ARGUMENT…: leaves status, and the streams in the files out and err. The limit is for a program that hangs on a machine
# that is slow; it is shorter than the time after which a machine counts as hanging.
run() {
  ran="epfnvme $*"
  status=0
  doing "$ran"
  timeout 300 epfnvme "$@" >out 2>err </dev/null || status=$?
}
explain() {
  diag "command: $ran"
  diag "exit status: $status"
  diag_file stdout out
  diag_file stderr err
}
# status_is NAME STATUS [STATUS…]
status_is() {
  lib_case_name=$1
  shift
  for lib_wanted; do
    if [ "$status" -eq "$lib_wanted" ]; then
      pass "$lib_case_name"
      return 0
    fi
  done
  fail "$lib_case_name (wanted exit status $*, got $status)"
  explain
  return 1
}
# is_true FILE FILTER: the file is one JSON value, and the filter gives something and only truth. (jq -e alone is content
# with an empty file.)
is_true() { jq -e -s "length == 1 and ([.[0] | $2] | length > 0 and all)" "$1" >/dev/null; }
# json NAME FILTER: the filter is true of what the last run printed.
json() {
  if is_true out "$2" 2>jq.err; then
    pass "$1"
  else
    fail "$1"
    diag "jq: $2"
    diag_file jq jq.err
    explain
  fi
}
# says NAME PATTERN: the last run's streams have it.
says() {
  if grep -q -e "$2" out err; then
    pass "$1"
  else
    fail "$1"
    diag "nothing matches: $2"
    explain
  fi
}
