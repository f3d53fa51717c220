#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `make lab-host`: serves the emulated endpoint over vfio-user, boots a stock Linux in QEMU with it, and tests it with the kernel's driver,
# nvme-cli, fio and file systems. Prints KTAP. Exit status 0: every case passed. The variables are described in Docs/Guides/HostLab.md.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
hostlab=$here
root=$(cd "$here/../.." && pwd)
path=$PATH
. "$here/../Lab/lab-packages.sh"
. "$here/tools.sh"
output=${HOSTLAB_OUTPUT:-$root/.build/hostlab}
stall=${HOSTLAB_STALL:-300}
behaviours=${HOSTLAB_BEHAVIOURS:-pci_epf_nvme nvmet_pci_epf reference}
rounds=${HOSTLAB_ROUNDS:-5}
jobs=${HOSTLAB_JOBS:-$(nproc)}
filter=${HOSTLAB_FILTER:-}

unpacked=$("$here/build-root.sh")
HOSTLAB_ROOT=$unpacked/root
need_packages jq binutils

epfnvme=${HOSTLAB_EPFNVME:-}
[ -n "$epfnvme" ] || epfnvme=$(build_product epfnvme)
# The program that serves and predicts, if it is another build: for example one with a sanitizer.
server_program=${HOSTLAB_SERVER:-$epfnvme}

. "$here/run-suites.sh"
run_suites 'host lab'
