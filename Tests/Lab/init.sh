#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The first process of the lab's machine: runs every suite, sends KTAP and reports through virtio ports and powers off. The console
# shows each case as it happens, for the day when the kernel does not live to the end of a suite.
. /lab/boot.sh

# Suites hold operations while they kill who waits for them; on a busy machine that takes a while.
echo 480 >/proc/sys/kernel/hung_task_timeout_secs 2>/dev/null

# Once a boot, on x86, the kernel warns that its PCI domains are not generic when a controller is created. Not our matter,
# and not a suite's.
modprobe -q epfnvme_epc && rmmod epfnvme_epc

results=$(port results)
kernel_log=$(port kernel_log)
reports=$(port reports)
# Each thing that a suite does is a line here, for run.sh, which ends a machine where nothing moves.
PROGRESS=$(port progress)
export PROGRESS
filter=$(cat /lab/filter)

{
  echo "KTAP version 1"
  echo "# Linux $(uname -r), up $(cut -d ' ' -f 1 /proc/uptime) s"
} >"$results"
set --
for suite in /lab/suite/[0-9]*.sh; do
  case ${suite##*/} in
    *"$filter"*) set -- "$@" "$suite" ;;
  esac
done
echo "1..$#" >"$results"
number=0
for suite; do
  number=$((number + 1))
  name=$(basename "$suite" .sh)
  name=${name#*-}
  echo "=== $name" >/dev/console
  echo "suite $name" >"$PROGRESS"
  export KTAP=/tmp/ktap.$number WORK=/tmp/work.$number
  : >"$KTAP"
  mkdir -p "$WORK"
  before=$(dmesg | wc -l)
  echo "lab: suite $name" >/dev/kmsg
  (cd "$WORK" && sh "$suite") >"$WORK/stray" 2>&1
  status=$?
  # shellcheck source=suite/lib.sh
  (. /lab/suite/lib.sh && closing "$status" "$before")
  {
    echo "  KTAP version 1"
    echo "  # Subtest: $name"
    echo "  1..$(grep -c -E '^(not )?ok' "$KTAP")"
    sed 's/^/  /' "$KTAP"
    if grep -q '^not ok' "$KTAP"; then echo "not ok $number $name"; else echo "ok $number $name"; fi
  } >"$results"
  rm -rf "$WORK"
done
dmesg >"$kernel_log"
# Files for other programs that the suites run.
[ ! -d /tmp/reports ] || tar -cf "$reports" -C /tmp/reports .
echo "# lab complete" >"$results"
poweroff -f
