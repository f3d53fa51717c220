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

# Profiles name disks, boards and targets that are not here. A disk is lent to them, and where the driver connects to targets the
# remote one is this machine; the controller's name cannot be lent.
modprobe -q null_blk
remote=$(sed -n 's/.*"address": "\(192\.0\.2\.[0-9]*\)".*/\1/p' "$shipped/tcp.json")
check 'the remote target has an address for documentation' test -n "$remote"
# lend_target: what tcp.json connects to; take_back_target: and away.
lend_target() {
  ip address add "$remote/32" dev lo
  mkdir "$config/nvmet/subsystems/nqn.2026-01.org.example:remote" "$config/nvmet/ports/99"
  echo 1 >"$config/nvmet/subsystems/nqn.2026-01.org.example:remote/attr_allow_any_host"
  echo tcp >"$config/nvmet/ports/99/addr_trtype"
  echo ipv4 >"$config/nvmet/ports/99/addr_adrfam"
  echo "$remote" >"$config/nvmet/ports/99/addr_traddr"
  echo 4420 >"$config/nvmet/ports/99/addr_trsvcid"
  ln -s "$config/nvmet/subsystems/nqn.2026-01.org.example:remote" "$config/nvmet/ports/99/subsystems/"
}
take_back_target() {
  rm "$config/nvmet/ports/99/subsystems/nqn.2026-01.org.example:remote"
  rmdir "$config/nvmet/ports/99" "$config/nvmet/subsystems/nqn.2026-01.org.example:remote"
  ip address del "$remote/32" dev lo
}
applied=0
for file in "$shipped"/*.json; do
  title=$(basename "$file" .json)
  lent=
  if [ "$title" = tcp ] && [ "$driver" = pci_epf_nvme ]; then
    lend_target
    lent=yes
  fi
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
  [ -z "$lent" ] || take_back_target
  clean
done
check "some of them could be applied ($applied)" test "$applied" -gt 0
