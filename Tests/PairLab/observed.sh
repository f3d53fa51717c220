#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# observed.sh FILE…: Docs/Reference/Kernel/observed.md, from the files compare.observed of runs of the comparison (release, name, result by tabs).
set -eu

cat <<'PAGE'
# Observed on the real driver

The behaviour of `nvmet_pci_epf`, on a board in QEMU with a host in process ([the comparison](comparison.md)), and the release that showed
it. The emulation did the same. `make lab-pair` records it (`PAIRLAB_FILTER=compare`), and `Tests/PairLab/observed.sh` writes this page.

The rules of the conformance host: `kept`, or the behaviour of the driver. The rows of the conformance tables: the result, and the kernel
messages.

| Rule or row | The driver | Linux |
|---|---|---|
PAGE
cat "$@" | sed 's/|/\\|/g' | awk -F '\t' 'NF >= 3 && !seen[$2 FS $3]++ { printf "| %s | %s | %s |\n", $2, $3, $1 }'
