# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# A boot in a row of them: sees that everything flushed before the last end is there, puts load on the disk, and ends in
# the way of this round: $rounds reboots, as many crashes, as many times powered off. /dev/vdb keeps the number.
. /lab/lib.sh

round=$(head -n 1 /dev/vdb | tr -d ' \0')
round=${round:-0}
way() {
  case $(($1 / rounds)) in
    0) echo reboot ;;
    1) echo crash ;;
    2) echo 'power off' ;;
    *) echo end ;;
  esac
}
number="$(way "$round") $((round % rounds + 1))"
bring_up 1 2 || exit
for nsid in 1 2; do
  disk=$(disk "$nsid")
  if [ "$round" -eq 0 ]; then
    check "namespace $nsid: a region is written" keep "$disk"
    continue
  fi
  before="$(way "$((round - 1))") $(((round - 1) % rounds + 1))"
  check "after $before: namespace $nsid: the region is as it was" kept "$disk"
  lost=
  for index in 1 2 3 4 5 6 7 8; do
    block_says "$disk" "$((16384 + index))" "round $((round - 1)), block $index" || lost="$lost $index"
  done
  equal "after $before: namespace $nsid: every flushed block is there" '' "$lost"
done
if [ "$(way "$round")" = end ]; then exit 0; fi

load_start "$(disk 1)"
for nsid in 1 2; do
  disk=$(disk "$nsid")
  for index in 1 2 3 4 5 6 7 8; do
    write_block "$disk" "$((16384 + index))" "round $round, block $index" || fail "$number: a block is written"
  done
done
printf '%-511s\n' "$((round + 1))" | dd of=/dev/vdb bs=512 count=1 conv=fsync 2>/dev/null
check "$number: under load" load_is_alive
finish
case $(way "$round") in
  reboot) reboot -f ;;
  crash) echo c >/proc/sysrq-trigger ;;
  'power off') poweroff -f ;;
esac
sleep 60
