#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `make lab-pair`: a board with a real endpoint function driver and a host with a stock Linux, each in its QEMU, joined by `epfnvme link`.
# Prints KTAP. Exit status 0: every case passed. The variables are described in Docs/Guides/PairLab.md.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
hostlab=$here/../HostLab
lab=$here/../Lab
. "$lab/lab-packages.sh"
. "$hostlab/tools.sh"
output=${PAIRLAB_OUTPUT:-$root/.build/pairlab}
stall=${PAIRLAB_STALL:-600}
rounds=${PAIRLAB_ROUNDS:-3}
jobs=1 # a pair is two machines
filter=${PAIRLAB_FILTER:-}
path=$PATH
PATH=$PATH:/sbin:/usr/sbin
need_packages cpio kmod busybox-static jq binutils gcc libc6-dev xz-utils

unpacked=$("$hostlab/build-root.sh")
HOSTLAB_ROOT=$unpacked/root

# ---- The board's kernel ----

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
. "$lab/kernel.sh"

# ---- The program ----

epfnvme=${PAIRLAB_EPFNVME:-}
[ -n "$epfnvme" ] || epfnvme=$(build_product epfnvme)
compare=
case 60-compare in *"$filter"*) compare=${PAIRLAB_COMPARE:-$(build_product CompareDriver)} ;; esac
# The name in the host lab's functions.
server_program=$epfnvme

# ---- The board's image ----

image=$work/image
. "$lab/image.sh"
begin_image
add_program "$epfnvme" epfnvme
strip "$image/bin/epfnvme"
add_program "$(command -v jq)"
add_modules configfs nvmet nvme-loop nvmet-pci-epf pci-epf-nvme pci-epf-test pci_endpoint_test null_blk loop virtio_pci virtio_console
cp -r "$root/Configs" "$here/agent.sh" "$image/lab/"
has_selftest=
case 70-pci-epf-test in
  *"$filter"*) if "$here/build-selftest.sh" "$image/bin/pci_endpoint_test"; then has_selftest=yes; fi ;;
esac
cp "$here/board-init.sh" "$image/init"
chmod +x "$image/init"
board_image=$work/board
pack_image "$board_image"
board_kernel=$kernel
board_release=$release

. "$hostlab/run-suites.sh"
board_files=$work # each suite has its own $work
trap 'end; rm -rf "$board_files"' EXIT
run_suites 'pair lab'
