# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Killed, signalled, raced. The controller holds an operation, so that the moment is the same in every run.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver; then
  skip 'interruptions' 'no virtual controller, or no NVMe function driver'
  exit 0
fi
begin "$@"
profile first "$backing_null"
profile second "$backing_file"
tree before.tree

# in_background OPERATION ARGUMENT…: epfnvme in the background, come to the operation; its process id is in $held_pid.
in_background() {
  operation=$1
  shift
  knob hold "$operation"
  epfnvme "$@" >held.out 2>held.err </dev/null &
  held_pid=$!
  wait_for "epfnvme $1 at $operation, or ended" sh -c "grep -q $operation $knobs/held || ! kill -0 $held_pid"
  held "$operation" && return
  knob hold none
  wait "$held_pid"
  fail "epfnvme $1 comes to $operation (exit status $?)"
  diag_file stdout held.out
  diag_file stderr held.err
  clean
  return 1
}
setup_held() { in_background "$1" setup first.json --json; }

for operation in features write_header set_bar set_msix start; do
  setup_held "$operation" || continue
  kill -9 "$held_pid"
  knob hold none
  wait "$held_pid" 2>/dev/null
  check "killed at $operation: a journal is left" test -n "$(journals)"
  run teardown first
  status_is "killed at $operation: teardown" 0
  same_tree "killed at $operation: nothing is left" before.tree
  no_journal "killed at $operation: no journal is left"

  setup_held "$operation" || continue
  kill -9 "$held_pid"
  knob hold none
  wait "$held_pid" 2>/dev/null
  run setup first.json --json
  status_is "killed at $operation: setup finishes the undo and works" 0
  check "killed at $operation: the NVMe controller exists" controller_exists first.nqn
  run teardown first
  status_is "killed at $operation: teardown of that" 0
  same_tree "killed at $operation: nothing is left of that" before.tree
  clean
done

for signal in INT TERM; do
  setup_held write_header || continue
  # Background jobs of a shell without job control ignore SIGINT, which the program may have inherited.
  kill -"$signal" "$held_pid"
  knob hold none
  wait "$held_pid"
  diag "SIG$signal during setup: exit status $?"
  if [ "$signal" = INT ] && [ -d "$config/nvmet/subsystems/first.nqn" ]; then
    skip 'SIGINT: undone' 'ignored: inherited from the shell'
  else
    same_tree "SIG$signal: undone" before.tree
    no_journal "SIG$signal: no journal is left"
  fi
  clean
done

# At the start: while the kernel binds a function it locks the controller's directory, so that listing it blocks.
for other in first second; do
  setup_held start || continue
  run setup "$other.json" --timeout 1 --json
  status_is "two setups at once ($other): the later one gives up" 75
  json "two setups at once ($other): the error has a hint" '.error.hint | length > 0'
  run teardown --all --timeout 1
  status_is "teardown during setup ($other) gives up" 75
  run status --json
  status_is "status during setup ($other) works" 0
  knob hold none
  wait "$held_pid"
  equal "two setups at once ($other): the earlier one works" 0 "$?"
  run teardown first
  status_is "two setups at once ($other): teardown" 0
  same_tree "two setups at once ($other): nothing is left" before.tree
  clean
done

# Killed while it takes down.
run setup first.json
if in_background stop teardown first; then
  kill -9 "$held_pid"
  knob hold none
  wait "$held_pid" 2>/dev/null
  run teardown first
  status_is 'teardown killed at stop: the next one finishes' 0
  same_tree 'teardown killed at stop: nothing is left' before.tree
  no_journal 'teardown killed at stop: no journal is left'
fi
knob hold none
clean
