# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The life of a profile, with either driver: setup, setup again, status, a changed profile, teardown, nothing left.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver; then
  skip 'the life of a profile' 'no virtual controller, or no NVMe function driver'
  exit 0
fi

# lives TITLE NAME NAMESPACES: the life of the profile NAME.json.
lives() {
  title=$1
  profile_name=$2
  tree before.tree
  log_mark
  run setup "$profile_name.json" --json
  if ! status_is "$title: setup" 0; then
    clean
    same_tree "$title: a failed setup leaves nothing" before.tree
    return
  fi
  json "$title: setup says changed" '.changed == true'
  check "$title: the kernel made the controller" logged "$(created_line "$profile_name.nqn")"
  check "$title: debugfs shows it" controller_exists "$profile_name.nqn"
  check "$title: its attributes are busy" is_busy "$profile_name.0"
  equal "$title: the controller is started" 1 "$(cat "$config/pci_ep/controllers/$controller/start")"
  equal "$title: name spaces enabled" "$3" "$(cat "$config/nvmet/subsystems/$profile_name.nqn/namespaces"/*/enable | grep -c 1)"
  if header_is 1b96:beef 32; then
    pass "$title: the header reached the controller"
  else
    fail "$title: the header reached the controller"
    diag "$(controller_state)"
  fi

  tree standing.tree
  run setup "$profile_name.json" --json
  status_is "$title: setup again" 0
  json "$title: setup again says not changed" '.changed == false'
  same_tree "$title: setup again changed nothing" standing.tree

  run status --json
  status_is "$title: status" 0
  json "$title: status has the started endpoint" ".endpoints[] | select(.name == \"$controller\" or .controller == \"$controller\") | .started == true"
  json "$title: status has the bound function" \
    ".endpoints[].functions[] | select(.name == \"$profile_name.0\") | .bound == true and .driver == \"$driver\""
  json "$title: status has mdtsKiB" ".endpoints[].functions[] | select(.name == \"$profile_name.0\") | .mdtsKiB == $standard_mdts"
  run status
  status_is "$title: status for people" 0
  says "$title: and it names the function" "$profile_name.0"

  run teardown "$profile_name" --json
  status_is "$title: teardown" 0
  check "$title: the kernel destroyed the controller" logged "$(deleted_line "$profile_name.nqn")"
  same_tree "$title: nothing is left" before.tree
  no_journal "$title: no journal is left"
  run teardown "$profile_name"
  status_is "$title: a second teardown by name says that there is nothing of that name" 66
  clean
}

# The very first setup finds a machine on which nothing is loaded or mounted.
load_controller
run plan first.json 2>/dev/null
profile first "$backing_null"
run setup first.json --json
status_is 'bare machine: setup loads modules and mounts configfs' 0
json 'bare machine: changed' '.changed == true'
run teardown first.json
status_is 'bare machine: teardown by the file of the profile' 0
no_journal 'bare machine: no journal is left'
clean

begin "$@"
profile null "$backing_null"
lives 'null_blk' null 1
profile file "$backing_file"
lives 'file' file 1
profile loop "$backing_loop"
lives 'loop device' loop 1
several_namespaces several
lives 'several name spaces' several 3

# A changed profile: the vectors can only change by unbinding, which the host notices.
tree before.tree
run setup null.json --json
tree standing.tree
sed 's/"msixVectors": 32/"msixVectors": 8/; s/0xbeef/0xcafe/' null.json >null-changed.json
run setup null-changed.json --json
check 'changed profile: refused without --force' test "$status" -ne 0
diag "exit status of a disruptive change without --force: $status"
says 'changed profile: and names the way' '--force'
same_tree 'changed profile: the refusal had no effect' standing.tree
run plan null-changed.json
says 'changed profile: the plan marks what disrupts' '[Dd]isrupt'
run setup null-changed.json --force --json
status_is 'changed profile: --force' 0
json 'changed profile: changed' '.changed == true'
if controller_state | grep -q '^function 0 1b96:cafe .*msix 8 '; then
  pass 'changed profile: the controller has the new values'
else
  fail 'changed profile: the controller has the new values'
  diag "$(controller_state)"
fi
# A change that does not affect a host needs no --force.
run setup null-changed.json --json
json 'changed profile: again nothing to do' '.changed == false'
run teardown null
status_is 'changed profile: teardown' 0
same_tree 'changed profile: nothing is left' before.tree
no_journal 'changed profile: no journal is left'
clean

# The defaults of a profile do not depend on the parameters that null_blk was loaded with.
rmmod null_blk
modprobe null_blk nr_devices=0 gb=1 bs=4096 hw_queue_depth=16 irqmode=0 completion_nsec=5
profile parameters '{"nullBlock": {"device": "labnull"}}'
run setup parameters.json
status_is 'null_blk with parameters: setup' 0
equal 'null_blk with parameters: the size' 256000 "$(cat "$config/nullb/labnull/size")"
equal 'null_blk with parameters: the block size' 512 "$(cat "$config/nullb/labnull/blocksize")"
run diff parameters.json
status_is 'null_blk with parameters: diff' 0
run setup parameters.json --json
json 'null_blk with parameters: again nothing to do' '.changed == false'
run teardown parameters
status_is 'null_blk with parameters: teardown' 0
rmmod null_blk
load_drivers

# Stop, start, bounce.
run setup null.json
start=$config/pci_ep/controllers/$controller/start
run stop
status_is 'stop' 0
equal 'stop: the controller is stopped' 0 "$(cat "$start")"
run stop
status_is 'stop again' 0
run start
status_is 'start' 0
equal 'start: the controller is started' 1 "$(cat "$start")"
run bounce
status_is 'bounce' 0
equal 'bounce: the controller is started' 1 "$(cat "$start")"
run controllers --json
status_is 'controllers' 0
says 'controllers: names it' "$controller"
run teardown --all
status_is 'teardown --all of a bounced one' 0
same_tree 'bounced: nothing is left' before.tree
no_journal 'bounced: no journal is left'

# Objects of others stay, and their changes to ours do not stop teardown.
mkdir "$config/nvmet/subsystems/somebody.else"
tree before.tree
run setup null.json
mkdir "$config/nvmet/subsystems/null.nqn/namespaces/9"
run teardown null --json
diag "exit status with a foreign name space inside: $status"
if [ "$status" -ne 0 ]; then
  says 'foreign name space: the error names it' 'namespaces/9'
  rmdir "$config/nvmet/subsystems/null.nqn/namespaces/9"
  run teardown null
  status_is 'foreign name space: removed by its owner, teardown works' 0
else
  check 'foreign name space: not removed' test -d "$config/nvmet/subsystems/null.nqn/namespaces/9"
  rmdir "$config/nvmet/subsystems/null.nqn/namespaces/9" "$config/nvmet/subsystems/null.nqn"
fi
same_tree 'foreign objects stay' before.tree
rmdir "$config/nvmet/subsystems/somebody.else"
clean
