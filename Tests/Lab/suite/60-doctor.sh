# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# `epfnvme doctor` on a real kernel: nothing to say on a machine that is well, and the right thing on one that is broken,
# each time with what it saw. Nothing is changed by looking.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver; then
  skip 'doctor' 'no virtual controller, or no NVMe function driver'
  exit 0
fi
begin "$@"
# A disk that keeps its data, a name that the rules have nothing against, no use of this machine's ID, and keys that this kernel has.
profile well '{"nullBlock": {"device": "labnull", "sizeMiB": 64, "memoryBacked": true}}' '"msixVectors": 32, "msiVectors": 32'
sed -i 's/well\.nqn/nqn.2026-01.org.example:well/; s/"version": 1,/& "identity": "profile",/' well.json
is_nvmet_pci_epf || { jq 'del(.subsystems[].vendorID)' well.json >well.new && mv well.new well.json; }

# Messages of earlier suites stay in the kernel log; their number must not grow.
traces='kernel-crashed|unlinked-while-started|event-on-failed-function'
run doctor --json
past=$(jq -r '.findings[].id' out | grep -E "^($traces)\$" | sort)
[ -z "$past" ] || diag "traces of earlier suites: $past"
ids() { jq -r '.findings[].id' out | sort | grep -v -x -F -e "${past:-none}" | tr '\n' ' ' | sed 's/ $//'; }

# found TITLE STATUS ID…: the doctor finds exactly these, in alphabetical order.
found() {
  lib_title=$1
  lib_status=$2
  shift 2
  if echo "$past" | grep -q -E '^(kernel-crashed|event-on-failed-function)$'; then lib_status=1; fi
  status_is "$lib_title: exit status" "$lib_status"
  equal "$lib_title: findings" "$*" "$(ids)"
  json "$lib_title: each has evidence, a meaning and a fix" \
    '[.findings[] | (.evidence | length > 0), (.explanation | length > 0), (.remedy | length > 0)] | all'
}

tree before.tree
run doctor --json
found 'a fresh machine' 0
json 'its options come from the kernel' '[.found[] | select(.name == "kernel options") | .value] | tostring | test("/proc/config.gz")'
json 'its controller is seen' '[.found[] | .name] | index("controller a40000000.pcie-ep") != null'
run doctor well.json --json
found 'with a profile to come' 0
json 'and a plan' '[.found[] | select(.name == "plan")] | length == 1'

run setup well.json
status_is 'setup' 0
run doctor well.json --json
# The virtual controller has no host, which is the only finding.
found 'set up, without a host' 0 host-absent
json 'set up: nothing to do' '[.found[] | select(.name == "plan") | .value] | tostring | test("nothing to do")'

# Without root.
grep -q '^nobody:' /etc/passwd 2>/dev/null || echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
echo 1 >/proc/sys/kernel/dmesg_restrict
status=0
ran='epfnvme doctor --json, as nobody'
su -s /bin/sh -c 'epfnvme doctor --json' nobody >out 2>err </dev/null || status=$?
echo 0 >/proc/sys/kernel/dmesg_restrict
status_is 'without root: exit status' 0
equal 'without root: findings' '' "$(ids)"
for unseen in 'kernel log' journals 'NVMe controllers behind functions'; do
  # Only nvmet_pci_epf has to be asked by writing.
  [ "$unseen" = 'kernel log' ] || [ "$unseen" = journals ] || is_nvmet_pci_epf || continue
  json "without root: not inspected: $unseen" "[.notInspected[] | .what] | index(\"$unseen\") != null"
done

# Another hand's work: the journal is not there.
mv /run/epfnvme/well.json kept
run doctor --json
found 'a function of other hands' 0 function-foreign host-absent
# As a crash leaves it.
grep -v '"commit"' kept >/run/epfnvme/well.json
run doctor --json
found 'a run that was cut off' 0 host-absent journal-unfinished
cp kept /run/epfnvme/well.json
run teardown well
status_is 'teardown' 0
same_tree 'nothing is left' before.tree

mkdir "$config/pci_ep/functions/$driver/begun"
run doctor --json
if is_nvmet_pci_epf; then found 'an incomplete function' 0 function-unbound; else found 'an incomplete function' 1 options-empty; fi
rmdir "$config/pci_ep/functions/$driver/begun"

mkdir "$config/nullb/left" && echo 1 >"$config/nullb/left/power"
mkdir "$config/nvmet/subsystems/left"
run doctor --json
found 'leftovers' 0 null-block-foreign subsystem-unused
clean

# Bound by hand, to a subsystem that no port has: the link succeeds, the controller is not there. (pci_epf_nvme refuses the link.)
if is_nvmet_pci_epf; then
  function=$config/pci_ep/functions/nvmet_pci_epf/lost
  mkdir "$function" "$config/nvmet/subsystems/lost"
  echo 0x1b96 >"$config/nvmet/subsystems/lost/attr_vendor_id"
  echo 0xbeef >"$function/deviceid"
  echo 8 >"$function/msix_interrupts"
  echo 4 >"$config/nvmet/subsystems/lost/attr_qid_max"
  echo lost >"$function/nvme/subsysnqn"
  echo 1 >"$function/nvme/portid"
  ln -s "$function" "$config/pci_ep/controllers/$controller/lost"
  run doctor --json
  found 'bound to nothing' 1 controller-not-started function-failed function-foreign no-namespace target-unreachable
  json 'bound to nothing: the kernel line is evidence' '[.findings[] | select(.id == "function-failed") | .evidence[].text] | tostring | test("Port not found")'
  run doctor
  says 'bound to nothing: as text' '^error: function-failed: lost'
  says 'bound to nothing: the fix' "fix .*epfnvme stop $controller"
  clean
fi

umount "$config"
run doctor --json
found 'configfs is not mounted' 0 configfs-not-mounted
mount -t configfs configfs "$config"

rmmod epfnvme_epc
run doctor --json
found 'no controller' 1 controller-missing
modprobe epfnvme_epc

if is_nvmet_pci_epf; then module=nvmet-pci-epf; else module=pci-epf-nvme; fi
rmmod "$module"
moved=$(find "/lib/modules/$(uname -r)" -name "$module.ko*")
# The lists of depmod still have it.
mv "$moved" away.ko
run doctor --json
found 'the driver is not installed' 1 module-missing
mv away.ko "$moved"
modprobe "$module"
tree after.tree
run doctor --json
found 'everything is restored' 0
clean
