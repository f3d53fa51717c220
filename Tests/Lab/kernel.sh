# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Sourced by the labs: finds or builds the kernel of the board. The caller sets lab (this directory) and work; it gets kernel (the image),
# modules (…/lib/modules/RELEASE), and module: epfnvme_epc.ko, or nothing if it is among the modules or cannot be built.

module=
if [ -n "${LAB_KERNEL:-}" ]; then
  kernel=$LAB_KERNEL
  modules=${LAB_MODULES:?LAB_KERNEL needs LAB_MODULES, the modules of that kernel}
  # Its virtual endpoint controller lies among its modules, or is built from its build tree.
  module=$(find "$modules/" -name 'epfnvme_epc.ko*' | head -n 1)
  tree=${LAB_BUILD:-$modules/build}
  if [ -z "$module" ] && [ -e "$tree/Makefile" ]; then
    "$lab/build-module.sh" "$tree" "$work/module"
    module=$work/module/epfnvme_epc.ko
  fi
  [ -n "$module" ] || say "no epfnvme_epc.ko for this kernel (LAB_BUILD names its build tree): most cases will be skipped"
else
  built=$("$lab/build-kernel.sh")
  kernel=$(echo "$built" | sed -n 1p)
  modules=$(echo "$built" | sed -n 2p)
  module=$(echo "$built" | sed -n 3p)
fi
