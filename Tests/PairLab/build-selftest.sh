#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# build-selftest.sh FILE: builds the kernel's selftest pci_endpoint_test, static, from the linux-source package of the lab's kernel. The status
# is not 0 if that package is not in the cache, as with LAB_KERNEL on a fresh machine.
set -eu

cache=${XDG_CACHE_HOME:-$HOME/.cache}/epfnvme-lab
package=$(find "$cache" -maxdepth 1 -name 'linux-source-*.deb' 2>/dev/null | sort -V | tail -n 1)
[ -n "$package" ] || exit 1
built=$cache/pci_endpoint_test-$(cat "$0" | sha256sum | cut -c 1-12)-$(basename "$package" .deb)
if [ ! -e "$built" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT INT TERM
  dpkg-deb --fsys-tarfile "$package" | tar -xOf - --wildcards './usr/src/linux-source-*.tar.xz' |
    tar -xJf - -C "$work" --strip-components 1 --wildcards '*/tools/testing/selftests/pci_endpoint' \
      '*/tools/testing/selftests/*.h' '*/include/uapi/linux/pcitest.h'
  # A megabyte by accesses of four bytes, each a message to the link and back, takes longer than 30 s.
  sed -i 's/^#define TEST_TIMEOUT_DEFAULT 30$/#define TEST_TIMEOUT_DEFAULT 600/' "$work/tools/testing/selftests/kselftest_harness.h"
  gcc -O2 -static -D_GNU_SOURCE -isystem "$work/include/uapi" -I"$work/tools/testing/selftests" -o "$work/test" \
    "$work/tools/testing/selftests/pci_endpoint/pci_endpoint_test.c" >&2
  mv "$work/test" "$built"
fi
cp "$built" "$1"
