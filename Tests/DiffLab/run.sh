#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `make lab-diff`: the simulated kernel against the real one in QEMU. Random calls on each of the three trees, then random profiles that are
# changed into others: both kernels get the same, and what differs is shrunk and printed. Exit status 0: no difference without a reason,
# and no crash. Docs/Guides/Lab.md describes the options:
#
#   --operations N   calls for each tree (600)         --pairs N      pairs of profiles (4)
#   --seed N         the first seed (1)                --seconds N    limit for each tree and for the profiles (none)
#   --tree TREE      pci_ep, nvmet, nullb or plans; may be given several times (all)
#   --calls N        calls of a sequence (60)          --replay FILE  these calls only
set -eu

here=$(cd "$(dirname "$0")" && pwd)
lab=$here/../Lab
root=$(cd "$here/../.." && pwd)
. "$lab/lab-packages.sh"
path=$PATH
PATH=$PATH:/sbin:/usr/sbin
output=${LAB_OUTPUT:-$root/.build/lab-diff}
stall=${LAB_STALL:-300}

operations=600
pairs=4
seed=1
seconds=0
calls=60
trees=
replay=
while [ $# -gt 0 ]; do
  [ $# -gt 1 ] || die "$1 needs a value"
  case $1 in
    --operations) operations=$2 ;;
    --pairs) pairs=$2 ;;
    --seed) seed=$2 ;;
    --seconds) seconds=$2 ;;
    --calls) calls=$2 ;;
    --tree) trees="$trees $2" ;;
    --replay) replay=$2 ;;
    *) die "unknown option $1 (see the head of $0)" ;;
  esac
  shift 2
done
[ -n "$trees" ] || trees='pci_ep nvmet nullb plans'

need_packages qemu-system-x86 cpio kmod busybox-static binutils
mkdir -p "$output" "$root/.build/evidence"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

. "$lab/kernel.sh"
program=${LAB_COMPARE:-}
[ -n "$program" ] || program=$(build_product CompareKernel)

image=$work/image
. "$lab/image.sh"
begin_image
add_program "$program" CompareKernel
strip "$image/bin/CompareKernel" 2>/dev/null || true
add_modules configfs nvmet nvme nvme-loop nvme-tcp nvmet-tcp nvmet-pci-epf pci-epf-nvme pci-epf-test null_blk loop virtio_pci virtio_console
mkdir -p "$image/etc/modprobe.d"
echo 'options epfnvme_epc controllers=1' >"$image/etc/modprobe.d/lab.conf"
cp "$here/differences.tsv" "$image/lab/differences.tsv"
[ -z "$replay" ] || cp "$replay" "$image/lab/calls"
cp "$here/init.sh" "$image/init"
chmod +x "$image/init"

# boot RESULTS WORD…: a machine that runs CompareKernel with these words, with the debris of a crash beside its results.
boot() {
  results=$1
  shift
  echo "$*" >"$image/lab/command"
  pack_image "$work/initramfs"
  : >"$results"
  : >"$results.console"
  : >"$results.kernel"
  "$lab/watch-progress.sh" "$stall" "$results" "$results.console" -- qemu-system-x86_64 -M q35,accel=tcg,vmport=off -cpu max -m 1024 -smp 2 \
    -display none -no-reboot -nic none -serial "file:$results.console" -monitor none \
    -device virtio-serial-pci \
    -chardev "file,id=results,path=$results" -device virtserialport,chardev=results,name=results \
    -chardev "file,id=kernel_log,path=$results.kernel" -device virtserialport,chardev=kernel_log,name=kernel_log \
    -device virtio-rng-pci -kernel "$kernel" -initrd "$work/initramfs" \
    -append "$machine_options loglevel=3 oops=panic printk.devkmsg=on memmap=16M\$0x10000000" </dev/null >&2 || true
}
# field NAME COLUMN FILE: the sum of a column over the lines with a name.
field() { awk -F '\t' -v name="$1" -v column="$2" '$1 == name { n += $column } END { print n + 0 }' "$3"; }

failed=
: >"$output/evidence.tsv"
# run TREE: boots until all its sequences are done; a crash costs the sequence that caused it.
run() {
  tree=$1
  all=$output/$tree.results
  : >"$all"
  next=$seed
  last=$((seed + (operations + calls - 1) / calls))
  crashes=0
  boots=0
  left=$pairs
  began=$(date +%s)
  while :; do
    rest=$((last - next))
    if [ "$tree" = plans ]; then rest=$left; fi
    budget=0
    if [ "$seconds" -gt 0 ]; then
      budget=$((seconds - $(date +%s) + began))
      [ "$budget" -gt 0 ] || break
    fi
    [ "$rest" -gt 0 ] || break
    if [ "$tree" = plans ]; then
      boot "$output/$tree.part" plans "$next" "$rest" "$budget"
    else
      boot "$output/$tree.part" random "$tree" "$next" "$rest" "$calls" "$budget" /lab/differences.tsv
    fi
    cat "$output/$tree.part" >>"$all"
    grep -q '^total' "$output/$tree.part" && break
    crashed=$(awk -F '\t' '$1 == "seed" { print $2 }' "$output/$tree.part" | tail -n 1)
    if [ -z "$crashed" ]; then
      say "the machine did not begin (see $output/$tree.part.console)"
      failed=yes
      break
    fi
    # A program that ended has found a machine that it could not empty.
    grep -q '^ended' "$output/$tree.part" || {
      crashes=$((crashes + 1))
      printf 'crash\tseed %s\n' "$crashed" >>"$all"
      for kind in console kernel; do cp "$output/$tree.part.$kind" "$output/$tree.crash-$crashed.$kind"; done
      [ "$tree" = plans ] || {
        boot "$output/$tree.crash-$crashed" trace "$tree" "$crashed" "$calls"
        sed -n 's/^performing\t//p' "$output/$tree.crash-$crashed" >"$output/$tree.crash-$crashed.calls"
      }
    }
    left=$((left - $(field 'done' 3 "$output/$tree.part")))
    next=$((crashed + 1))
    boots=$((boots + 1))
    [ "$boots" -lt 40 ] || {
      say 'too many machines were lost'
      break
    }
  done
  performed=$(field 'done' 3 "$all")
  refused=$(field 'done' 4 "$all")
  found=$(grep -c -E '^(difference|error|again)' "$all" || true)
  explained=$(field explained 2 "$all")
  took=$(($(date +%s) - began))
  grep -E '^(difference|call|real|simulated|test|error|crash|explained|again)' "$all" | sed "s/^/$tree: /" || true
  awk -F '\t' -v tree="$tree" '
    $1 == "outcome" { n[$3] += $2 } $1 == "controllers" { c += $2 }
    END { for (o in n) line = line " " o " " n[o]; if (line != "") print "# " tree ": outcomes:" line "; NVMe controllers created: " c }' "$all"
  what=calls
  [ "$tree" != plans ] || what=profile\ pairs
  echo "$tree: $performed $what, $refused refused, $found differences, $explained explained, $crashes crashes; seeds from $seed; Linux $release; $took s"
  printf '%s\t%s\t%s\t%s\t%s\n' "the simulated kernel against the real one: $tree" \
    "make lab-diff DIFF='--seed $seed --tree $tree'" "$performed $what" \
    "$found differences without a reason, $explained explained, $crashes crashes" "Linux $release" >>"$output/evidence.tsv"
  if [ "$found" -ne 0 ] || [ "$crashes" -ne 0 ] || [ "$performed" -eq 0 ]; then failed=yes; fi
}

if [ -n "$replay" ]; then
  boot "$output/replay" replay /lab/calls /lab/differences.tsv
  cat "$output/replay"
  grep -q '^total' "$output/replay" || tail -n 30 "$output/replay.console"
  if grep -q '^difference' "$output/replay" || ! grep -q '^total' "$output/replay"; then exit 1; fi
  exit 0
fi
for tree in $trees; do run "$tree"; done
# The last result of each tree.
evidence=$root/.build/evidence/lab-diff.txt
{
  cat "$output/evidence.tsv"
  [ ! -e "$evidence" ] || awk -F '\t' 'NR == FNR { done[$1]; next } !($1 in done)' "$output/evidence.tsv" "$evidence"
} >"$work/evidence"
cp "$work/evidence" "$evidence"
[ -z "$failed" ]
