#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# seen.sh FILE…: Docs/Reference/Kernel/seen.md, from the files compare.seen of runs of the comparison (release, name, result by tabs).
set -eu

cat <<'PAGE'
# Seen on the real driver

What `nvmet_pci_epf` itself did, on a board in QEMU before a host in process ([the comparison](comparison.md)), and with which release. The
emulation did the same. `make lab-pair` records it (`PAIRLAB_FILTER=compare`), and `Tests/PairLab/seen.sh` writes this page.

The rules of the conformance host: `kept`, or what the driver does instead. The rows of the conformance tables: what came of it, and the lines
of the kernel.

| Rule or row | The driver | Linux |
|---|---|---|
PAGE
cat "$@" | sed 's/|/\\|/g' | awk -F '\t' 'NF >= 3 && !seen[$2 FS $3]++ { printf "| %s | %s | %s |\n", $2, $3, $1 }'
