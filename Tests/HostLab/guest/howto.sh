# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /lab/lib.sh

bring_up 1 || exit
disk=$(disk 1)
node=/dev/$(controller)
check 'lspci shows an NVMe controller with the ids' sh -c "lspci -n -s $(function_address) | grep ' 0108: 15b7:5fff'"
check 'lspci names the class' sh -c "lspci -s $(function_address) | grep 'Non-Volatile memory controller'"
equal 'lsblk shows the namespace with its size' "${disk#/dev/} 268435456000" "$(lsblk -bdno NAME,SIZE "$disk" 2>&1)"
check 'nvme list shows it' sh -c "nvme list | grep '$disk.*Linux-pci-epf'"

nvme id-ctrl "$node" >id-ctrl.text 2>id-ctrl.err
nvme id-ns "$disk" --namespace-id=1 >id-ns.text 2>id-ns.err
# field FILE NAME: as nvme-cli prints it.
field() { sed -n "s/^$2 *: *//p" "$1" | sed 's/ *$//'; }
equal 'nvme id-ctrl: vid' 0x15b7 "$(field id-ctrl.text vid)"
# The specification wants what the PCI header has, and the how-to's function names no vendor of a subsystem.
ssvid=0x15b7
[ "$behaviour" != reference ] || ssvid=0
equal 'nvme id-ctrl: ssvid' "$ssvid" "$(field id-ctrl.text ssvid)"
equal 'nvme id-ctrl: mn' Linux-pci-epf "$(field id-ctrl.text mn)"
equal 'nvme id-ctrl: mdts' 5 "$(field id-ctrl.text mdts)"

# as_predicted NAME FILE JQ-PATH: every field of the prediction is what nvme-cli prints.
as_predicted() {
  jq -r "$3 | to_entries[] | \"\(.key) : \(.value)\"" /lab/files/predicted.json | sed 's/ *$//' | sort >predicted.fields
  sed -n 's/^\([^:]*[^:[:space:]]\)[[:space:]]*:[[:space:]]*/\1 : /p' "$2" | sed 's/ *$//' | sort >printed.fields
  awk 'NR == FNR { printed[$0]; next } !($0 in printed)' printed.fields predicted.fields >missing.fields
  if [ -s missing.fields ] || [ "$(wc -l <predicted.fields)" -lt 20 ]; then
    fail "$1"
    diag_file predicted missing.fields
    cut -d : -f 1 missing.fields | while read -r name; do grep "^$name *:" printed.fields; done >other.fields
    diag_file printed other.fields
  else
    pass "$1 ($(wc -l <predicted.fields) fields)"
  fi
}
as_predicted 'every field of Identify Controller is as predicted' id-ctrl.text '.functions[0].identifyController'
# nvme-cli keeps the recommended sizes to itself unless NSFEAT says that they mean something.
if ! grep -q '^npwg' id-ns.text; then
  nvme id-ns "$disk" --namespace-id=1 --raw-binary | od -An -v -tu2 -j64 -N10 |
    awk '{ split("npwg npwa npdg npda nows", name); for (i = 1; i <= 5; i++) print name[i] " : " $i }' >>id-ns.text
fi
as_predicted 'every field of Identify Namespace is as predicted' id-ns.text '.functions[0].namespaces[0].identify'

# shellcheck disable=SC2086 # a list of words
{
  run check /lab/files/howto.json --host auto $options
  status_is 'check --host' 0
  run check /lab/files/howto.json --host auto $options --lockstep --destructive
  status_is 'check --host --lockstep' 0
}
wait_for 'the disk is back' has_disk 1
