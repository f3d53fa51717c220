# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The profiles that come with the program: every one validates here, and those that this machine can serve are set up
# and taken down.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

shipped=/lab/Configs/profiles
if [ ! -d "$shipped" ] || ! has_controller; then
  skip 'shipped profiles' 'no Configs/profiles, or no virtual controller'
  exit 0
fi
begin max_functions=4

# Profiles name disks and boards that are not here. A disk is lent to them; the controller's name cannot be.
modprobe -q null_blk
applied=0
for file in "$shipped"/*.json; do
  title=$(basename "$file" .json)
  run validate "$file"
  status_is "$title: validate" 0
  tree before.tree
  run plan "$file" --json
  case $status in
    0) ;;
    66 | 69 | 78)
      check "$title: impossible here, and the error says why" test -s err
      skip "$title: setup" "exit status $status: $(sed -n 1p err)"
      continue
      ;;
    *)
      status_is "$title: plan" 0 66 69 78
      continue
      ;;
  esac
  # Functions that ask for the other driver's features are refused before the first effect, too.
  run setup "$file" --json
  if [ "$status" -eq 78 ] || [ "$status" -eq 69 ] || [ "$status" -eq 66 ]; then
    check "$title: impossible here, and the error says why" test -s err
    same_tree "$title: and nothing happened" before.tree
    clean
    continue
  fi
  status_is "$title: setup" 0
  applied=$((applied + 1))
  json "$title: changed" '.changed == true'
  run setup "$file" --json
  json "$title: a second setup changes nothing" '.changed == false'
  run teardown "$file"
  status_is "$title: teardown" 0
  same_tree "$title: nothing is left" before.tree
  no_journal "$title: no journal is left"
  clean
done
check "some of them could be applied ($applied)" test "$applied" -gt 0
