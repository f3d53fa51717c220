# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# `epfnvme check` on a machine that matches the profile, and on the same machine with one changed value: every attribute that the kernel
# permits to change while the controller exists.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver; then
  skip 'check' 'no virtual controller, or no NVMe function driver'
  exit 0
fi
begin "$@"
profile held "$backing_null" '"msixVectors": 32, "msiVectors": 32'
tree before.tree
run plan held.json --format json
# Changing attr_qid_max under a controller crashes the kernel; without power the device is gone under the namespace.
jq -r '.steps[] | select(.operation == "write" and .shown) | .path' out |
  grep -v -E '/(attr_qid_max|power)$' | sort -u >attributes
run check held.json
status_is 'nothing is set up: check' 1
run setup held.json
run check held.json --json
status_is 'set up: check' 0
json 'set up: all cases pass' '.passed and (.cases | length > 30) and ([.cases[] | select(.passed | not)] | length == 0)'

changed=0
unnoticed=
while read -r path; do
  old=$(cat "$path")
  now=$old
  for text in 0 1 2 7 64 256 0x0001 0xabcd other; do
    echo "$text" >"$path" 2>/dev/null
    now=$(cat "$path")
    [ "$now" = "$old" ] || break
  done
  [ "$now" != "$old" ] || continue
  changed=$((changed + 1))
  run check held.json --json
  if [ "$status" -ne 1 ] || ! jq -e --arg path "$path" '[.cases[] | select(.passed | not) | .path] | index($path)' out >/dev/null; then
    unnoticed="$unnoticed ${path##*/}"
  fi
  echo "$old" >"$path" 2>/dev/null || diag "$path does not go back to '$old'"
done <attributes
diag "$changed of $(grep -c . attributes) attributes can be changed while the controller lives"
equal 'every changed attribute is named' '' "$unnoticed"
check 'some could be changed' test "$changed" -ge 5
run check held.json
status_is 'all put back: check' 0
run teardown held
status_is 'teardown' 0
same_tree 'nothing is left' before.tree
clean
