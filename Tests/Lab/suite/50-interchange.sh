# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# From the machine to a file and back: `setup` of an `export` gives the same machine, and so does the JSON of nvmetcli, with nvmetcli if the
# machine has it.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

shipped=/lab/Configs/profiles
if [ ! -d "$shipped" ] || ! has_controller || ! has_driver; then
  skip 'interchange' 'no Configs/profiles, no virtual controller, or no NVMe function driver'
  exit 0
fi
begin max_functions=4

# name_of FILE: the profile's name, which teardown takes.
name_of() { epfnvme validate "$1" --json 2>/dev/null | jq -r '.[0].name'; }

# round_trip TITLE PROFILE
round_trip() {
  run setup "$2"
  if [ "$status" -eq 66 ] || [ "$status" -eq 69 ] || [ "$status" -eq 78 ]; then
    skip "$1: round trip" "exit status $status: $(sed -n 1p err)"
    return
  fi
  status_is "$1: setup" 0
  lib_name=$(name_of "$2")
  tree first.tree
  run export
  status_is "$1: export" 0
  cp out first.json
  check "$1: nothing is lost" test -z "$(grep -e 'left out' -e refuse err)"
  run diff first.json
  status_is "$1: the machine is as its export says" 0
  diag_file out out
  run teardown "$lib_name"
  status_is "$1: teardown" 0
  run setup first.json
  status_is "$1: setup of the export" 0
  same_tree "$1: the same machine" first.tree
  run export
  check "$1: the same export" cmp first.json out
  run teardown "$lib_name"
  status_is "$1: teardown of the export" 0
  clean
}

# Some name a disk or a board that is not here: QEMU's disk is lent to the one, this controller's name to the other.
modprobe -q nvme
wait_for_disk 'QEMU has a disk'
mkdir -p /dev/disk/by-partlabel
ln -s "${node}n1" /dev/disk/by-partlabel/nvme-endpoint
for file in "$shipped"/*.json; do
  title=$(basename "$file" .json)
  if [ "$title" = tcp ] && ! is_nvmet_pci_epf; then
    skip 'tcp: round trip' 'its target is another machine; the suite shipped-profiles sets it up'
    continue
  fi
  sed "s/fd000000\.pcie-ep/$controller/" "$file" >lent.json
  round_trip "$title" lent.json
done
rm -r /dev/disk
rmmod nvme

# ---- By hand, with attributes without a key ----

several_namespaces mixed
epfnvme setup mixed.json >/dev/null 2>&1
mkdir "$config/nvmet/ports/9" "$config/nvmet/ports/9/ana_groups/5" "$config/nvmet/hosts/nqn.2026-01.org.example:guest"
echo tcp >"$config/nvmet/ports/9/addr_trtype"
echo ipv4 >"$config/nvmet/ports/9/addr_adrfam"
echo 127.0.0.1 >"$config/nvmet/ports/9/addr_traddr"
echo 4420 >"$config/nvmet/ports/9/addr_trsvcid"
echo 'not required' >"$config/nvmet/ports/9/addr_treq"
echo non-optimized >"$config/nvmet/ports/9/ana_groups/5/ana_state"
ln -s "$config/nvmet/subsystems/mixed.nqn" "$config/nvmet/ports/9/subsystems/mixed.nqn"
run export --as all
cp out all.json
json 'by hand: the port has attributes without a key' '.ports[] | select(.id == 9).attributes == {"addr_treq": "not required"}'
json 'by hand: its ANA group' '.ports[] | select(.id == 9).anaGroups == [{"id": 5, "state": "non-optimized"}]'
json 'by hand: its host' '.hosts == [{"nqn": "nqn.2026-01.org.example:guest"}]'
run export --format nvmetcli
cp out saved.json
status_is 'nvmetcli format: export' 0

# ---- nvmetcli ----

if ! command -v nvmetcli >/dev/null; then
  skip 'nvmetcli' 'not in this machine'
  rm "$config/nvmet/ports/9/subsystems/mixed.nqn"
  rmdir "$config/nvmet/ports/9/ana_groups/5" "$config/nvmet/ports/9" "$config/nvmet/hosts/nqn.2026-01.org.example:guest"
  clean
  exit 0
fi

# sorted FILE: one order of keys and objects, so that two files can be compared.
sorted() {
  jq -S '(.subsystems |= sort_by(.nqn)) | (.subsystems[].namespaces |= sort_by(.nsid)) | (.ports |= sort_by(.portid))
    | (.ports[].ana_groups |= sort_by(.grpid)) | (.ports[].subsystems |= sort)' "$1"
}
# known FILE: without the groups that nvmetcli passes over, and without what it saves and cannot be restored.
known() {
  sorted "$1" | jq -S 'del(.subsystems[].namespaces[].resv | select(. == {})) | del(.discovery) | del(.hosts[].dhchap | select(. == {})) | del(.subsystems[].passthru, .subsystems[].namespaces[].buffered)
    | del(.ports[].addr.tsas) | del(.ports[].param[] | select(. == "-1"))'
}

check 'nvmetcli: save' nvmetcli save of-nvmetcli.json
known saved.json >ours
known of-nvmetcli.json >theirs
check 'nvmetcli: its save is our export' cmp ours theirs
diff -U 1 ours theirs >difference
diag_file difference difference
run import of-nvmetcli.json --name imported
status_is 'nvmetcli: import of its save' 0
cp out imported.json
run import saved.json --name imported
# The order of nvmetcli's file is that of the kernel's directories.
in_order='(.ports |= sort_by(.id)) | (.subsystems |= sort_by(.nqn)) | (.subsystems[].namespaces |= sort_by(.id))'
jq -S "del(.subsystems[].namespaces[].bufferedIO) | $in_order" out >ours
jq -S "$in_order" imported.json >theirs
check 'nvmetcli: both become one profile' cmp ours theirs
diff -U 1 ours theirs >difference
diag_file difference difference

# Only the backings are kept; nvmetcli creates the target from the exported file.
rm "$config/nvmet/ports/9/subsystems/mixed.nqn"
rmdir "$config/nvmet/ports/9/ana_groups/5" "$config/nvmet/ports/9" "$config/nvmet/hosts/nqn.2026-01.org.example:guest"
run teardown mixed
status_is 'nvmetcli: teardown before it' 0
jq '{version, name: "disks", backings}' mixed.json >disks.json
run setup disks.json
status_is 'nvmetcli: the backings alone' 0
log_mark
check 'nvmetcli: restore of our export' nvmetcli restore saved.json
check 'nvmetcli: restored without a complaint' test ! -s check.out
run export --format nvmetcli
sorted out >theirs
sorted saved.json | jq -S 'del(.subsystems[].namespaces[].buffered)' >ours
jq -S 'del(.subsystems[].namespaces[].buffered)' theirs >theirs.known
check 'nvmetcli: the same target again' cmp ours theirs.known
diff -U 1 ours theirs.known >difference
diag_file difference difference
check 'nvmetcli: clear' nvmetcli clear
run teardown disks
status_is 'nvmetcli: teardown after it' 0
clean
