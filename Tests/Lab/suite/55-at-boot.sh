# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The files for systemd and udev: the real udevd reads the rule when a controller appears, and the unit's commands run with the capabilities
# of the unit. systemd is not in this machine.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

rule=/lab/Configs/udev/70-epfnvme.rules
unit=/lab/Configs/systemd/epfnvme@.service
if [ ! -e "$rule" ] || [ ! -e "$unit" ] || ! has_controller || ! has_driver; then
  skip 'at boot' 'no rule, no unit, no virtual controller, or no NVMe function driver'
  exit 0
fi
clean

# ---- The rule ----

if [ ! -d /sys/module/epfnvme_epc ] || rmmod epfnvme_epc; then
  if ! command -v systemd-udevd >/dev/null; then
    skip 'rule' 'no udevd in this machine'
  else
    mkdir -p /lib/udev/rules.d
    cp "$rule" /lib/udev/rules.d/
    check 'rule: udevd starts' systemd-udevd --daemon --resolve-names=never
    modprobe epfnvme_epc
    check 'rule: udevd has seen the controller' udevadm settle --timeout=30
    udevadm info --query=property "/sys/class/pci_epc/$controller" >properties 2>&1
    for property in SYSTEMD_WANTS=epfnvme.target "SYSTEMD_ALIAS=/sys/subsystem/pci_epc/devices/$controller" TAGS=:systemd:; do
      check "rule: $property" grep -q -x -F "$property" properties || diag_file properties properties
    done
    udevadm info --query=property /sys/class/mem/null >other 2>&1
    check 'rule: other devices have nothing of it' sh -c '! grep -q SYSTEMD_WANTS other'
    udevadm control --exit
    rm -rf /lib/udev/rules.d /run/udev
  fi
else
  fail 'rule: the controller can be removed first'
fi

# ---- The unit ----

begin
# Loading them is part of what the unit has to be able to do.
for module in nvmet-pci-epf pci-epf-nvme null_blk; do rmmod "$module" 2>/dev/null; done

profile boot "$backing_null"
mkdir -p /etc/epfnvme
cp boot.json /etc/epfnvme/boot.json
capabilities=$(sed -n 's/^CapabilityBoundingSet=//p' "$unit" | tr 'A-Z ' 'a-z\n' | sed 's/^cap_/+/' | tr '\n' ',' | sed 's/,$//')
# as_unit KEY: the command of the unit's line, as root with the unit's capabilities and no way to more. (The path, because
# the shell prefers busybox's own setpriv.)
as_unit() {
  line=$(sed -n "s/^$1=//p" "$unit" | sed 's/%i/boot/g; s|^/usr/local/bin/||')
  ran=$line
  status=0
  # shellcheck disable=SC2086 # a command line
  timeout 300 /bin/setpriv --no-new-privs --inh-caps=-all --bounding-set="-all,$capabilities" $line >out 2>err </dev/null || status=$?
}
as_unit ExecStart
status_is 'unit: start' 0
run check boot.json
status_is 'unit: it is set up' 0
as_unit ExecReload
status_is 'unit: reload' 0
says 'unit: a reload has nothing to do' 'nothing to do'
as_unit ExecStop
status_is 'unit: stop' 0
no_journal 'unit: no journal is left'
check 'unit: nothing of it is left' sh -c "! find $config/nvmet/subsystems $config/pci_ep/functions -mindepth 1 | grep boot"
rm -r /etc/epfnvme
clean
