# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# The profiles that the suites apply: small devices, because the machine has little memory, and both drivers' words.

backing_null='{"nullBlock": {"device": "labnull", "sizeMiB": 64}}'
backing_file='{"file": {"path": "/tmp/lab-file.img", "sizeMiB": 16, "create": true}}'
backing_loop='{"loopDevice": {"path": "/tmp/lab-loop.img", "sizeMiB": 16, "create": true}}'

# profile NAME BACKING [FUNCTION-MEMBERS]: writes NAME.json, one subsystem, one name space, one function. The members,
# `"key": value` separated by commas, come last and so must not repeat a key.
profile() {
  cat >"$1.json" <<JSON
{
  "version": 1,
  "name": "$1",
  "backings": { "disk": $2 },
  "subsystems": [ {
    "nqn": "$1.nqn", "model": "Lab", "vendorID": "0x1b96", "maximumQueueID": 4,
    "namespaces": [ { "id": 1, "backing": "disk" } ]
  } ],
  "functions": [ {
    "name": "$1.0", "vendorID": "0x1b96", "deviceID": "0xbeef",
    ${3:-\"msixVectors\": 32}, "target": { "${target:-pci}": "$1.nqn" }
  } ]
}
JSON
}

# several_namespaces NAME: three backings in two subsystems, of which the function serves the first.
several_namespaces() {
  cat >"$1.json" <<JSON
{
  "version": 1,
  "name": "$1",
  "backings": { "null": $backing_null, "file": $backing_file, "loop": $backing_loop },
  "subsystems": [ {
    "nqn": "$1.nqn", "vendorID": "0x1b96", "maximumQueueID": 4,
    "namespaces": [
      { "id": 1, "backing": "null" }, { "id": 2, "backing": "file" }, { "id": 7, "backing": "loop" }
    ]
  } ],
  "functions": [ {
    "name": "$1.0", "vendorID": "0x1b96", "deviceID": "0xbeef", "msixVectors": 32, "target": { "pci": "$1.nqn" }
  } ]
}
JSON
}

# loop_target NAME: the nvmet half alone, up to a loop port.
loop_target() {
  cat >"$1.json" <<JSON
{
  "version": 1,
  "name": "$1",
  "backings": { "disk": $backing_null },
  "subsystems": [ { "nqn": "$1.nqn", "model": "Lab loop", "namespaces": [ { "id": 1, "backing": "disk" } ] } ],
  "ports": [ { "id": 5, "transport": "loop", "subsystems": [ "$1.nqn" ] } ]
}
JSON
}
