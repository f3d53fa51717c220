# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# A profile that has changed since it was set up, and two profiles on one controller: what `setup` does to a machine that a host
# may be using. Where data have to arrive, this machine's own NVMe host reads them through a loop port.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver; then
  skip 'changed profiles' 'no virtual controller, or no NVMe function driver'
  exit 0
fi
start=$config/pci_ep/controllers/$controller/start

# agree TITLE PROFILE STATUS: diff and check judge the machine in the same way.
agree() {
  run diff "$2"
  status_is "$1: diff" "$3"
  run check "$2"
  status_is "$1: check" "$3"
}
# no_warning TITLE: the kernel has not complained since log_mark.
no_warning() { check "$1: the kernel warned of nothing" test -z "$(log_since | grep -E 'WARNING|BUG|Call Trace')"; }

# ---- Two profiles on one controller ----

begin max_functions=2
tree before.tree
profile a "$backing_null" '"msixVectors": 32, "controllerFeatures": { "maximumFunctions": 2 }'
profile b "$backing_file" '"msixVectors": 32, "controllerFeatures": { "maximumFunctions": 2 }'
run setup a.json
status_is 'two profiles: setup of the first' 0
run setup b.json --force
status_is 'two profiles: setup of the second' 0
agree 'two profiles: the first' a.json 0
agree 'two profiles: the second' b.json 0
controller_state >both.state
tree both.tree
run teardown a
if [ "$status" -eq 64 ]; then
  says 'two profiles: the refusal names the way' '--force'
  same_tree 'two profiles: the refusal changed nothing' both.tree
  run teardown a --force
fi
status_is 'two profiles: teardown of the first' 0
equal 'two profiles: the controller is started' 1 "$(cat "$start")"
check 'two profiles: the header of the second is as it was' grep -q 1b96:beef both.state
check 'two profiles: and still is' sh -c "grep -q '^function 1 1b96:beef ' $knobs/state"
agree 'two profiles: what is left' b.json 0
run setup b.json --json
json 'two profiles: setup of it has nothing to do' '.changed == false'
run teardown b
status_is 'two profiles: teardown of the second' 0
same_tree 'two profiles: nothing is left' before.tree
no_journal 'two profiles: no journal is left'
clean

# ---- Another size of a device behind an enabled namespace ----

# with_loop_port FILE: gives this machine's own host a way to the profile's subsystem.
with_loop_port() {
  jq --arg nqn "$(jq -r '.subsystems[0].nqn' "$1")" \
    '. + {ports: [{id: 77, transport: "loop", subsystems: [$nqn]}]}' "$1" >"$1.port" && mv "$1.port" "$1"
}
# own_host NQN: connects; leaves own_disk, the block device of namespace 1.
own_host() {
  printf %s "transport=loop,nqn=$1,traddr=" >/dev/null
  if ! echo "transport=loop,nqn=$1" >/dev/nvme-fabrics; then return 1; fi
  own_controller=
  for lib_fabric in /sys/class/nvme/nvme*; do
    [ "$(cat "$lib_fabric/subsysnqn")" = "$1" ] && own_controller=$lib_fabric
  done
  wait_for 'the own host sees namespace 1' sh -c "ls -d $own_controller/nvme*n1" || return 1
  own_disk=/dev/$(ls "$own_controller" "/sys/class/nvme-subsystem/"*/ 2>/dev/null | grep -x 'nvme[0-9]*n1' | tail -n 1)
}
# own_disk_has SECTORS: the connected controller has a disk of that size, which becomes own_disk.
own_disk_has() {
  for lib_disk in "$own_controller"/nvme*n*; do
    [ "$(cat "$lib_disk/size" 2>/dev/null)" = "$1" ] || continue
    own_disk=/dev/${lib_disk##*/}
    return 0
  done
  return 1
}
reads() { dd if="$own_disk" of=/dev/null bs=4096 count=1 iflag=direct; }

begin
tree before.tree
profile size "$backing_null"
with_loop_port size.json
sed 's/"sizeMiB": 64/"sizeMiB": 32/' size.json >smaller.json
run setup size.json
status_is 'another size: setup' 0
if own_host size.nqn; then
  check 'another size: a host reads' reads
  run setup smaller.json
  status_is 'another size: refused without --force' 64
  run plan smaller.json --format json
  # The first step of each kind that touches the namespace and the device.
  json 'another size: the plan disables the namespace before the device goes, and enables it after it is back' '
    [.steps[] | select(.operation == "write") | {path: (.path | split("/") | last), value: (.value | tostring | rtrimstr("\n"))}]
    | (map(.path == "enable" and .value == "0") | index(true)) as $off
    | (map(.path == "power" and .value == "0") | index(true)) as $down
    | (map(.path == "power" and .value == "1") | index(true)) as $up
    | (map(.path == "enable" and .value == "1") | index(true)) as $on
    | $off != null and $off < $down and $down < $up and $up < $on'
  run setup smaller.json --force
  status_is 'another size: setup --force' 0
  agree 'another size: afterwards' smaller.json 0
  # Without multipath the kernel may give it another name.
  wait_for 'another size: the own host has the disk again' own_disk_has 65536 && own_disk_has 65536
  check 'another size: the host reads from the new device' reads
  echo 1 >"$own_controller/delete_controller"
else
  fail 'another size: the own host connects'
fi
run teardown size
status_is 'another size: teardown' 0
same_tree 'another size: nothing is left' before.tree
clean

# ---- start: false ----

begin
tree before.tree
profile stopped "$backing_null"
profile stopped-later "$backing_null" '"msixVectors": 32, "start": false'
sed -i 's/stopped-later/stopped/g' stopped-later.json
run setup stopped.json
log_mark
run plan stopped-later.json --format json
json 'start: false is one step' '.steps | length == 1 and .[0].operation == "write" and (.[0].path | endswith("/start"))'
run setup stopped-later.json --force
status_is 'start: false: setup' 0
equal 'start: false: the controller is stopped' 0 "$(cat "$start")"
check 'start: false: the function is still bound' test -L "$config/pci_ep/controllers/$controller/stopped.0"
no_warning 'start: false'
agree 'start: false' stopped-later.json 0
run teardown stopped
status_is 'start: false: teardown' 0
same_tree 'start: false: nothing is left' before.tree
clean

# ---- A loop device ----

begin
tree before.tree
profile loop "$backing_loop"
for change in '"blockSize": 4096' '"offsetBytes": 1048576' '"directIO": true'; do
  sed "s|\"create\": true|\"create\": true, $change|" loop.json >changed.json
  run setup loop.json
  status_is "loop device, $change: setup before" 0
  agree "loop device, $change: is a difference" changed.json 1
  run setup changed.json --force --json
  status_is "loop device, $change: setup" 0
  json "loop device, $change: changed" '.changed == true'
  agree "loop device, $change: afterwards" changed.json 0
  run setup loop.json --force
  status_is "loop device, $change: and back" 0
  agree "loop device, $change: back again" loop.json 0
  run teardown loop
  status_is "loop device, $change: teardown" 0
  same_tree "loop device, $change: nothing is left" before.tree
  clean
done
sed 's|/tmp/lab-loop.img|/tmp/lab-other.img|' loop.json >other.json
run setup loop.json
run setup other.json --force
status_is 'loop device, another file: setup' 0
equal 'loop device, another file: one loop device is attached' 1 "$(ls -d /sys/block/loop*/loop | grep -c .)"
run setup loop.json --force
status_is 'loop device, another file: and back' 0
equal 'loop device, another file: back again, one is attached' 1 "$(ls -d /sys/block/loop*/loop | grep -c .)"
run teardown loop
status_is 'loop device, another file: teardown' 0
same_tree 'loop device, another file: nothing is left' before.tree
clean

# ---- A key that is taken out ----

# taken_out TITLE WITH WITHOUT PATH: after a profile with a key and then one without it, an attribute is as after WITHOUT alone.
taken_out() {
  begin
  run setup "$3"
  fresh=$(cat "$config/$4")
  run teardown "$3"
  run setup "$2"
  status_is "$1 taken out: setup with it" 0
  check "$1 taken out: it has an effect" test "$fresh" != "$(cat "$config/$4")"
  agree "$1 taken out: is a difference" "$3" 1
  run setup "$3" --force
  status_is "$1 taken out: setup without it" 0
  equal "$1 taken out: the default is back" "$fresh" "$(cat "$config/$4")"
  agree "$1 taken out: afterwards" "$3" 0
  run setup "$2" --force
  status_is "$1 put in again: setup" 0
  run teardown "$2"
  status_is "$1: teardown" 0
  clean
}
profile key "$backing_null"
sed 's/"model": "Lab"/"model": "Lab", "firmware": "OLD"/' key.json >key-firmware.json
taken_out firmware key-firmware.json key.json nvmet/subsystems/key.nqn/attr_firmware
sed 's/"model": "Lab", //' key.json >key-bare.json
taken_out model key.json key-bare.json nvmet/subsystems/key.nqn/attr_model
sed 's/"sizeMiB": 64/"sizeMiB": 64, "discard": true, "memoryBacked": true/' key.json >key-discard.json
sed 's/"sizeMiB": 64/"sizeMiB": 64, "memoryBacked": true/' key.json >key-memory.json
taken_out discard key-discard.json key-memory.json nullb/labnull/discard
profile key-mdts "$backing_null" '"msixVectors": 32, "mdtsKiB": 256'
sed -i 's/key-mdts/key/g' key-mdts.json
taken_out mdtsKiB key-mdts.json key.json "pci_ep/functions/$driver/key.0/nvme/mdts_kb"
profile key-queue "$backing_null" '"msixVectors": 32, "queueSize": 64'
sed -i 's/key-queue/key/g' key-queue.json
run setup key-queue.json
run setup key.json --force
status_is 'queueSize taken out: setup without it' 0
agree 'queueSize taken out' key.json 0
run setup key-queue.json --force
status_is 'queueSize put in again' 0
run teardown key
status_is 'queueSize: teardown' 0
clean

# ---- A namespace that is disabled ----

begin
tree before.tree
profile off "$backing_null"
sed 's/"id": 1,/"id": 1, "enabled": false,/' off.json >disabled.json
run setup off.json
tree standing.tree
run setup disabled.json
status_is 'a namespace disabled: refused without --force' 64
same_tree 'a namespace disabled: the refusal changed nothing' standing.tree
run diff disabled.json
says 'a namespace disabled: diff says that it disrupts a host' 'disrupts'
run setup disabled.json --force
status_is 'a namespace disabled: setup --force' 0
agree 'a namespace disabled' disabled.json 0
run teardown off
status_is 'a namespace disabled: teardown' 0
same_tree 'a namespace disabled: nothing is left' before.tree
clean
