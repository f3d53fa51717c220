# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Kernels with the out-of-tree pci_epf_nvme (LAB_KERNEL): its loop and TCP targets, with the profiles unchanged.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_pci_epf_nvme; then
  skip 'loop and tcp targets of pci_epf_nvme' 'this kernel has no pci_epf_nvme'
  exit 0
fi
begin "$@"

# serves TITLE NAME: the life of NAME.json with this driver.
serves() {
  tree before.tree
  log_mark
  run setup "$2.json" --json
  status_is "$1: setup" 0
  json "$1: changed" '.changed == true'
  check "$1: the driver connected" logged 'NVMe fabrics controller created'
  run setup "$2.json" --json
  json "$1: a second setup changes nothing" '.changed == false'
  run status --json
  json "$1: status has the bound function" \
    ".endpoints[].functions[] | select(.name == \"$2.0\") | .bound == true and .driver == \"pci_epf_nvme\""
  run teardown "$2"
  status_is "$1: teardown" 0
  check "$1: the driver deleted its controller" logged 'Deleting controller'
  same_tree "$1: nothing is left" before.tree
  no_journal "$1: no journal is left" remote
  clean
}
target=loop
profile looptarget "$backing_null" '"msixVectors": 32, "ioQueues": 2'
serves 'loop target' looptarget

# A remote target, which here is the machine itself.
cat >remote.json <<JSON
{
  "version": 1, "name": "remote", "backings": { "disk": $backing_file },
  "subsystems": [ { "nqn": "remote.nqn", "allowAnyHost": true, "namespaces": [ { "id": 1, "backing": "disk" } ] } ],
  "ports": [ { "id": 9, "transport": "tcp", "addressFamily": "ipv4", "address": "127.0.0.1", "service": "4420",
               "subsystems": [ "remote.nqn" ] } ]
}
JSON
cat >tcptarget.json <<JSON
{
  "version": 1, "name": "tcptarget", "driver": "pci_epf_nvme",
  "functions": [ {
    "name": "tcptarget.0", "vendorID": "0x15b7", "deviceID": "0x5fff", "msixVectors": 32, "ioQueues": 2,
    "target": { "tcp": { "nqn": "remote.nqn", "address": "127.0.0.1", "port": 4420 } }
  } ]
}
JSON
run setup remote.json
status_is 'tcp target: the remote side' 0
serves 'tcp target' tcptarget
