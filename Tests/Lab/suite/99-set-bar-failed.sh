# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The last suite, because the machine cannot be used after it: the controller refuses BAR 0 of a function of pci_epf_nvme, which frees its
# memory and keeps the pointer. Unlinking the function, or link up, then crashes the kernel; epfnvme does neither.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver || is_nvmet_pci_epf; then
  skip 'a refused BAR' 'this kernel has no pci_epf_nvme; see refused'
  exit 0
fi
begin
profile refused "$backing_null"
knob fail_set_bar 5
run setup refused.json --json
status_is 'a refused BAR: the undo is not complete' 76
json 'a refused BAR: the kernel says why' '.error.kernelLog | tostring | test("Set BAR 0 failed")'
json 'a refused BAR: the error says what to do' '.error.hint | test("restart")'
json 'a refused BAR: the function is named as left over' '.error.leftovers | tostring | test("refused.0")'
knob fail_set_bar 0
link=$config/pci_ep/controllers/$controller/refused.0
check 'a refused BAR: the function is still linked' test -L "$link"
run teardown refused --json
status_is 'a refused BAR: teardown leaves it, too' 76
json 'a refused BAR: teardown says what to do' '.error.hint | test("restart")'
check 'a refused BAR: the function is linked yet' test -L "$link"
run start
status_is 'a refused BAR: no start' 74
says 'a refused BAR: start says what to do' 'restart'
equal 'a refused BAR: the controller is stopped' 0 "$(cat "$config/pci_ep/controllers/$controller/start")"
run status --json
status_is 'a refused BAR: the machine is alive' 0
