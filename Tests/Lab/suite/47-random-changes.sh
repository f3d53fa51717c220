# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Pairs of random profiles of one name, A to B and back: after each setup the machine is as a fresh setup of the last profile leaves
# it, and check, diff and a second setup agree. ChangeTests does the same with more pairs on the simulated kernel.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

pairs=/lab/pairs.$driver
wanted=$(cat /lab/pairs)
if ! has_controller || ! has_driver || [ ! -s "$pairs" ]; then
  skip 'random changes' 'no virtual controller, no NVMe function driver, or no profiles'
  exit 0
fi
mkdir -p /srv

# Numbers that the kernel assigns are ignored.
comparable() { sed '/\/index = /d; s|/loop[0-9][0-9]*|/loopN|' "$1" | sort; }
# as TREE: the machine compares with a tree that was taken before.
as() {
  tree now.tree
  comparable now.tree >now.lines
  comparable "$1" | diff -U 0 - now.lines >tree.diff
}
# step STATUS COMMAND…: the command ends so; otherwise what it said is kept.
step() {
  step_status=$1
  shift
  run "$@"
  [ "$status" -eq "$step_status" ] || {
    echo "$* ended with $status"
    cat err out
    return 1
  } >reason
}
same() { as "$1" || { { echo "$2"; cat tree.diff; } >reason; return 1; }; }
is_unchanged() { jq -e '.changed == false' out >/dev/null || { { echo 'a second setup has steps'; cat out; } >reason; return 1; }; }

# fresh PROFILE TREE: sets it up on the empty machine and removes it again. Status 2: this machine refuses it, and nothing is left.
fresh() {
  run setup "$1"
  if [ "$status" -ne 0 ]; then
    cp err refusal
    same start.tree "a refused setup ($status) left something" || return 1
    return 2
  fi
  tree "$2"
  step 0 teardown "$3" && same start.tree 'teardown left something'
}
# becomes PROFILE TREE: a change to the profile, and everything agrees on it.
becomes() {
  step 0 setup "$1" --force && same "$2" "the machine is not as a fresh setup of $1 leaves it" &&
    step 0 check "$1" && step 0 diff "$1" && step 0 setup "$1" --json && is_unchanged
}
# change NAME: from a to b and back.
change() {
  step 0 setup a.json && becomes b.json b.tree && becomes a.json a.tree && step 0 teardown "$1" &&
    same start.tree 'teardown left something'
}

begin max_functions=4
tree start.tree
number=0
changed=0
refused=0
while [ "$changed" -lt "$wanted" ] && read -r pair; do
  number=$((number + 1))
  printf '%s' "$pair" | jq .a >a.json
  printf '%s' "$pair" | jq .b >b.json
  name=$(jq -r .name a.json)
  for profile in a b; do
    fresh "$profile.json" "$profile.tree" "$name"
    result=$?
    [ "$result" -eq 0 ] || break
  done
  if [ "$result" -eq 2 ]; then
    refused=$((refused + 1))
    diag "pair $number, $profile: $(sed -n 1p refusal)"
    continue
  fi
  changed=$((changed + 1))
  if [ "$result" -eq 0 ] && change "$name"; then
    pass "random change $number"
  else
    fail "random change $number"
    diag_file reason reason
    clean
    rm -f /srv/generated-*
  fi
done <"$pairs"
diag "$changed pairs, $refused refused by this machine"
equal 'random changes: as many as there should be' "$wanted" "$changed"
clean
