# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# `epfnvme monitor` beside a setup and a teardown: uevents, log lines and the controller's state as the real kernel gives
# them. `epfnvme debug`: the call sites are switched, their lines come, and each is put back to what it was.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver; then
  skip 'monitor' 'no virtual controller, or no NVMe function driver'
  exit 0
fi
begin "$@"
profile watched "$backing_null" '"msixVectors": 32'

# ---- monitor ----

epfnvme monitor --json >events 2>events.err </dev/null &
monitor=$!
epfnvme monitor >lines 2>lines.err </dev/null &
lines=$!
wait_for 'the monitors have begun' sh -c 'test -s events && test -s lines'
run setup watched.json
status_is 'beside a monitor: setup' 0
run teardown watched
status_is 'beside a monitor: teardown' 0
told() { jq -e -s "any(.[]; $1)" events >/dev/null; }
wait_for 'the monitor has told of the end' told '.event == "device" and .action == "remove" and .name == "labnull"'
wait_for 'the monitor has told of the stop' \
  sh -c 'jq -e -s "[.[] | select(.event == \"controller\")] | length >= 3 and (last | .started == false and .functions == [])" events'
check 'each line is one object' jq -e -s 'all(.[]; type == "object" and (.time | type == "number") and (.event | type == "string"))' events
check 'the initial state of the controller' jq -e -s '.[0] | .event == "controller" and .name == "a40000000.pcie-ep" and .started == false' events
check 'the disk came' told '.event == "device" and .action == "add" and .subsystem == "block" and .name == "labnull"'
check 'the function came' told '.event == "device" and .subsystem == "pci-epf" and .action == "add"'
check 'and was bound' told '.event == "device" and .subsystem == "pci-epf" and .action == "bind"'
check "the driver's lines came" told ".event == \"kernel\" and (.text | contains(\"$driver\")) and .state == \"created\""
# The queues are those that the target allows.
check 'the controller was started, with its function' \
  told '.event == "controller" and .started and .functions == ["watched.0"] and .ioQueues == 4'
# shellcheck disable=SC2016 # jq's variable
check 'the times are those of the log, and grow' \
  jq -e -s '[.[].time] as $t | $t == ($t | sort) and $t[0] > 1' events
kill -TERM "$monitor"
wait "$monitor"
equal 'SIGTERM is its ordinary end' 0 "$?"
kill -INT "$lines"
wait "$lines"
equal 'SIGINT, too' 0 "$?"
check 'as text: a uevent' grep -q '\] uevent block add /devices/virtual/block/labnull$' lines
check 'as text: the state' grep -q '\] now a40000000.pcie-ep started, watched.0' lines
equal 'nothing to complain about' '' "$(cat events.err lines.err)"
diag_file events events

epfnvme monitor --json --count 1 --timeout 60 >one 2>one.err </dev/null &
one=$!
wait_for 'the monitor has begun' test -s one
modprobe pci-epf-test
wait "$one"
equal '--count ends it' 0 "$?"
equal 'with that many events' 2 "$(grep -c . one)"
rmmod pci-epf-test
run monitor --count 1000 --timeout 0
status_is 'no time for so many events' 75

# ---- debug ----

control=/proc/dynamic_debug/control
if [ ! -e "$control" ]; then
  skip 'debug' 'no dynamic debug in this kernel'
  clean
  exit 0
fi
# The sites, without the text of their formats.
sites() { sed 's/ "[^"]*".*//' "$control"; }
# Some are already on, with different flags.
echo 'module nvmet file core.c +pmf' >"$control"
echo 'module epfnvme_epc func vepc_stop =lt' >"$control"
sites >before.sites
run debug status --json
status_is 'debug status' 0
json 'the modules of each group' "[.modules[] | .group + \" \" + .module] | contains([\"driver $driver\", \"target nvmet\", \"controller epfnvme_epc\"])"
json 'some call sites of nvmet are on' '.modules[] | select(.module == "nvmet") | .on > 0 and .on < .sites'
sites >same.sites
check 'status changes nothing' cmp before.sites same.sites

run debug on controller --json
status_is 'debug on controller' 0
json 'all of its call sites' '.modules[] | select(.module == "epfnvme_epc") | .on == .sites and .kept == .sites and .sites == 3'
json 'nothing of other groups' '[.modules[] | .group] | unique == ["controller"]'
log_mark
run setup watched.json
run teardown watched
check 'its debug messages are in the log' logged 'starting the link'
run debug on --json
status_is 'debug on, a second time and for all' 0
json 'everything is on' '[.modules[] | .on == .sites] | all'
equal 'the state is for root only' 600 "$(stat -c %a /run/epfnvme/call-sites)"
run debug off --json
status_is 'debug off' 0
sites >after.sites
check 'every call site is as it was' cmp before.sites after.sites
check 'nothing is kept' test ! -e /run/epfnvme/call-sites
log_mark
run setup watched.json
run teardown watched
check 'its debug messages are no longer in the log' sh -c "! dmesg | sed -n '/lab: $lib_mark\$/,\$p' | grep -q 'the link\$'"
run debug off
status_is 'debug off again: nothing to do' 0

# A module that is reloaded while its messages are on.
run debug on controller
load_controller
run debug on controller --json
json 'a module that came again is switched again' '.modules[] | select(.module == "epfnvme_epc") | .on == .sites'
run debug off
status_is 'debug off after that' 0

# Without the files, as on a kernel without CONFIG_DYNAMIC_DEBUG.
mkdir -p empty
check 'without dynamic debug: unsupported' sh -c 'mount --bind empty /proc/dynamic_debug && mount --bind empty /sys/kernel/debug && epfnvme debug status; test $? -eq 69'
umount /sys/kernel/debug /proc/dynamic_debug
echo 'module nvmet =_' >"$control"
clean
