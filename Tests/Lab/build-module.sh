#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# build-module.sh KERNEL-BUILD-TREE OUTPUT-DIRECTORY: builds epfnvme_epc.ko against a kernel, outside the checkout.
set -eu

lab=$(cd "$(dirname "$0")" && pwd)
. "$lab/lab-packages.sh"
tree=$1
output=$2

work=$output.tmp-$$
trap 'rm -rf "$work"' EXIT INT TERM
mkdir -p "$work" "$output"
sources=$lab/../../Sources/epfnvme-epc
cp "$sources"/Kbuild "$sources"/*.[ch] "$work"
make -s -C "$tree" M="$work" modules >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  die "epfnvme_epc.ko did not build against $tree"
}
# Our own module builds without warnings, as the rest does; what a kernel tree says about itself is not ours.
if grep -E '(^|/)[a-z_]+\.[ch]:[0-9:]+ warning:' "$work/log" >&2; then
  die "epfnvme_epc.ko builds with warnings"
fi
strip --strip-debug "$work/epfnvme_epc.ko"
mv "$work/epfnvme_epc.ko" "$output/"
