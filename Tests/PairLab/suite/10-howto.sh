# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The how-to, word for word, on both machines; then the checks of both sides, and a smoke run over both.
mkdir -p files
cp "$root/Configs/profiles/null_blk-loop.json" files/howto.json
# nvmet_pci_epf uses the vendor IDs of the subsystem, but the how-to is older. The pattern of the smoke run needs a disk that keeps it.
sed -i 's/"model": "Linux-pci-epf",/& "vendorID": "0x15b7", "subsystemVendorID": "0x15b7",/' files/howto.json
sed 's/"memoryBacked": false/"memoryBacked": true/; s/256000/64/' files/howto.json >files/smoke.json
case $board_release in 6.12*) release=6.12 ;; *) release=7.2 ;; esac
options="--kernel-release $release"
# shellcheck disable=SC2086 # a list of words
"$epfnvme" predict files/howto.json $options --json >files/predicted.json 2>predict.err
check 'a prediction' is_true files/predicted.json '.functions | length == 1'

start_link
start_board || return
put board files/howto.json files/smoke.json
check 'board: modprobe epfnvme_epc' on board modprobe epfnvme_epc
check 'board: epfnvme controllers names the endpoint controller' board_says 'epfnvme controllers' 0000:00:
check 'board: epfnvme setup' on board epfnvme setup /tmp/howto.json
cp "$hostlab/guest/howto.sh" files/guest-howto.sh
start_host "behaviour=nvmet_pci_epf" "options=$options"
await_agent host || return
check 'host: the disk is there' on host bring_up 1
check 'board: epfnvme check, with the host' on board epfnvme check /tmp/howto.json
# As the guide says, and every field as predicted.
check 'host: the how-to ran to its end' on host dash /lab/files/guest-howto.sh
check 'board: epfnvme status' board_says 'epfnvme status' started
for line in 'nvmet_pci_epf .*: PCI link up' 'New PCI ctrl "pci_epf_nvme.0.nqn"' 'Enabling controller'; do
  check "board: the driver logs: $line" board_says dmesg "$line"
done
on board dmesg | grep -a -E 'nvmet|epc|epf' >"$output/howto.board.log"
on host dmesg | grep -a -E 'nvme' >"$output/howto.host.log"

# Both sides of the cable. The profile is torn down first; the host's disk goes with it.
check 'host: the disk is removed' on host "echo 1 >/sys/bus/pci/devices/\$(function_address)/remove"
check 'board: epfnvme teardown' on board epfnvme teardown /tmp/howto.json
on board 'epfnvme smoke /tmp/smoke.json --role board --json >/tmp/smoke.out 2>/tmp/smoke.err & smoke=$!'
check 'smoke: the host' on host \
  'epfnvme smoke /lab/files/smoke.json --role host --peer "sh /lab/files/on-board.sh epfnvme" --json >smoke.out 2>smoke.err' ||
  on host 'cat smoke.err; jq "[.results[] | select(.outcome == \"failed\")]" smoke.out' >smoke.host
diag_file host smoke.host
check 'smoke: the board' on board 'wait "$smoke"' || on board 'cat /tmp/smoke.err; jq "[.results[] | select(.outcome == \"failed\")]" /tmp/smoke.out' >smoke.board
diag_file board smoke.board
end_host howto
end_board howto
stop_link howto
