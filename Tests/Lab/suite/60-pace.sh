# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The time of epfnvme and of a plain shell script for the same work, in one boot and paired. Times are reported without a verdict: the
# machine is emulated and shared.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver; then
  skip 'pace' 'no virtual controller, or no NVMe function driver'
  exit 0
fi
begin "$@"
profile pace "$backing_null"
tree before.tree
run plan pace.json --format shell
status_is 'plan as a shell script' 0 || exit 0
cp out pace.sh
check 'the script parses' sh -n pace.sh
sh pace.sh up >script.out 2>&1
status=$?
ran='sh pace.sh up'
cp script.out out
: >err
status_is 'the script builds' 0
tree script.tree
sh pace.sh down >script.out 2>&1
status=$?
ran='sh pace.sh down'
cp script.out out
status_is 'the script takes down' 0
same_tree 'the script leaves nothing' before.tree

# The script's machine is epfnvme's, but for what is random or numbered.
run setup pace.json
tree tool.tree
normal() { grep -v -E '/(attr_serial|device_uuid|device_nguid) = ' "$1"; }
normal script.tree >script.normal
normal tool.tree >tool.normal
if diff -U 0 script.normal tool.normal >tree.diff; then
  pass 'the script and epfnvme build the same'
else
  fail 'the script and epfnvme build the same'
  diag_file tree tree.diff
fi
run teardown pace
status_is 'teardown' 0

# now: hundredths of a second since boot, read without a process.
now() {
  read -r up rest </proc/uptime
  echo "${up%.*}${up#*.}"
}
median() { sort -n "$1" | sed -n "$(((rounds + 1) / 2))p"; }
rounds=11
programs=epfnvme
if command -v epfnvme-static >/dev/null; then programs="$programs epfnvme-static"; fi
for program in $programs; do
  : >tool.times
  : >script.times
  for round in $(seq 1 "$rounds"); do
    doing "round $round: $program"
    for who in $([ $((round % 2)) -eq 0 ] && echo tool script || echo script tool); do
      begin_time=$(now)
      case $who in
        tool) "$program" setup pace.json >/dev/null 2>&1 && "$program" teardown pace >/dev/null 2>&1 ;;
        script) sh pace.sh up >/dev/null 2>&1 && sh pace.sh down >/dev/null 2>&1 ;;
      esac || fail "round $round: $who"
      echo $(($(now) - begin_time)) >>"$who.times"
    done
  done
  tool=$(median tool.times)
  script=$(median script.times)
  diag "setup + teardown, median of $rounds paired rounds: $program ${tool}0 ms, shell script ${script}0 ms," \
    "ratio $(awk "BEGIN { printf \"%.2f\", $tool / ($script ? $script : 1) }")"
  pass "paired rounds ran: $program"
done
same_tree 'nothing is left' before.tree
clean
