# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# `epfnvme smoke` on a board that is right, twenty times over, and on boards that refuse to bind, refuse to start, lose
# the link, never get it back, or have no endpoint controller. The reports go to the machine outside, where other
# programs read them.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver; then
  skip 'smoke' 'no virtual controller, or no NVMe function driver'
  exit 0
fi
begin
# Each driver has its own; they differ in the ids.
shipped=/lab/Configs/profiles/null_blk-$transport.json
if is_nvmet_pci_epf; then vendor=0x1b96 device=0xbeef; else vendor=0x15b7 device=0x5fff; fi
tree before.tree

# The cases of the last KTAP report with an outcome, on one line.
failed() { sed -n 's/^not ok [0-9]* \([a-z-]*\).*/\1/p' out | xargs; }
skipped() { sed -n 's/^ok [0-9]* \([a-z-]*\) # SKIP.*/\1/p' out | xargs; }

# reports KIND OPTION…: a run with a report in every format, for the machine outside.
reports() {
  kind=$1
  shift
  mkdir -p /tmp/reports
  for format in ktap tap junit lava json html; do
    set -- "$@" --format "$format" --output "/tmp/reports/$kind.$format"
  done
  run smoke "$shipped" "$@"
  cp "/tmp/reports/$kind.ktap" out
}

log_mark
run smoke "$shipped" --repeat 20 --bounces 3 --hold 0.1
status_is 'twenty runs with three bounces each' 0
equal 'twenty runs: nothing failed' '' "$(failed)"
equal 'twenty runs: nothing was skipped' '' "$(skipped)"
says 'twenty runs: sixty bounces were measured' 'bounce-time: .* ms (median of 60'
same_tree 'twenty runs: nothing is left' before.tree
no_journal 'twenty runs: no journal is left'
check 'twenty runs: the kernel warned of nothing' test -z "$(log_since | grep -E 'WARNING|BUG|Call Trace')"

reports passing
status_is 'passing' 0

knob fail_start 1
reports failing --timeout 1
status_is 'start refused' 1
equal 'start refused: what failed' 'controller-started no-kernel-errors' "$(failed)"
says 'start refused: the kernel says so' 'kernel: .*failed to start'
same_tree 'start refused: nothing is left' before.tree
knob fail_start 0

knob fail_write_header 1
run smoke "$shipped" --timeout 1
status_is 'bind refused' 1
equal 'bind refused: what failed' 'controller-created no-kernel-errors' "$(failed)"
same_tree 'bind refused: nothing is left' before.tree
knob fail_write_header 0

knob fail_features 1
run smoke "$shipped" --timeout 1
status_is 'no features' 1
equal 'no features: what failed' 'function-bound no-kernel-errors' "$(failed)"
same_tree 'no features: nothing is left' before.tree
knob fail_features 0

# The link goes once it has come, and stays away from the driver's knowledge until the end.
(wait_for 'the link' grep -q 'link 1' "$knobs/state" && knob link 0) &
run smoke "$shipped" --bounces 0 --hold 30
wait
status_is 'link lost' 1
equal 'link lost: what failed' 'link-stable' "$(failed)"
same_tree 'link lost: nothing is left' before.tree

# After the first training there are no more link events.
(wait_for 'the link' grep -q 'link 1' "$knobs/state" && knob linkup_notifier 0) &
reports timing-out --timeout 2 --bounces 2
wait
knob linkup_notifier 1
status_is 'link does not come back' 1
equal 'link does not come back: what failed' 'link-bounced' "$(failed)"
says 'link does not come back: it is a matter of time' 'link-bounced # TIMEOUT'
same_tree 'link does not come back: nothing is left' before.tree

load_controller linkup_notifier=0
tree before.tree
run smoke "$shipped" --timeout 1
status_is 'a controller without a notifier' 0
equal 'a controller without a notifier: what is skipped' 'link-up link-stable' "$(skipped)"
run smoke "$shipped" --timeout 1 --require-link
status_is 'a link that is required and not reported' 1
equal 'a link that is required and not reported: what failed' 'link-up' "$(failed)"
load_controller

# SIGTERM while the kernel is busy with the start.
tree before.tree
knob hold start
epfnvme smoke "$shipped" --format ktap --output interrupted.ktap --format json --output interrupted.json 2>err &
smoke=$!
wait_for 'the start is held' held start
kill -TERM "$smoke"
knob hold 0
status=0
wait "$smoke" || status=$?
equal 'interrupted: exit status' 143 "$status"
check 'interrupted: the JSON report is whole' is_true interrupted.json '.signal == 15 and .verdict == "interrupted" and .failed == 0'
equal 'interrupted: the KTAP report is whole' "$(sed -n 's/^1\.\.//p' interrupted.ktap)" "$(grep -c -E '^(not )?ok' interrupted.ktap)"
same_tree 'interrupted: nothing is left' before.tree
no_journal 'interrupted: no journal is left'

run smoke "$shipped" --keep
status_is 'kept set up' 0
run smoke "$shipped"
status_is 'what is up is not taken down unasked' 64
run teardown "$shipped"
run teardown "nullblk-$transport"
same_tree 'kept up, then down: nothing is left' before.tree

# Both sides on one machine: the host finds QEMU's disk, which is not the board's, and must not write to it.
if have_module nvme; then
  modprobe nvme
  wait_for_disk 'the disk is there'
  sed "s/$vendor/0x1b36/g; s/$device/0x0010/" "$shipped" >host.json
  sum=$(sha256sum <"${node}n1")
  tree before.tree
  epfnvme smoke "$shipped" --role board --repeat 2 --json >board.out 2>board.err &
  board=$!
  run smoke host.json --role host --destructive --json
  status_is 'two sides: the host' 1
  status=0
  wait "$board" || status=$?
  equal 'two sides: the board' 1 "$status"
  equal 'two sides: one result' "$(jq -c '[.results[] | [.id, .outcome]]' board.out)" "$(jq -c '[.results[] | [.id, .outcome]]' out)"
  json 'two sides: what the host saw' '[.results[] | select(.id | startswith("host-")) | .outcome] == ["passed", "failed", "skipped", "skipped", "passed"]'
  equal 'two sides: nothing was written' "$sum" "$(sha256sum <"${node}n1")"
  check 'two sides: what they said is private' test "$(stat -c %a /run/epfnvme/exchange)" = 700
  same_tree 'two sides: nothing is left' before.tree
  rm -r /run/epfnvme/exchange
  rmmod nvme
fi

rmmod epfnvme_epc
reports skipping
status_is 'no endpoint controller' 4
check 'no endpoint controller: everything is skipped' test -z "$(grep '^ok' out | grep -v '# SKIP')"
clean
