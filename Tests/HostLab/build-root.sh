#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Unpacks what the host lab needs from a current Debian suite, or finds it unpacked: QEMU with its firmware, a stock
# kernel, and the tools that run in the guest. On stdout, one line: the directory with
#   root/        the packages, unpacked; nothing is installed, no package's script runs
#   guest.img    the same as an ext4 image, for the guest
#   initramfs    what the guest starts from: busybox and the modules that reach the image
#
# The packages come from the machine's own mirror, by the lab's private apt: the machine's package lists stay as they are.
#
#   LAB_MIRROR=URI   the Debian mirror, if apt does not know one
#   LAB_UPDATE=1     look for newer packages although some are in the cache
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../Lab/lab-packages.sh"
. "$here/tools.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/epfnvme-lab/host
packages='qemu-system-x86 seabios ovmf linux-image-amd64 busybox-static dash coreutils kmod util-linux pciutils nvme-cli fio
  e2fsprogs xfsprogs jq cpio xz-utils mtools dosfstools systemd-boot-efi'

mkdir -p "$cache/apt/archives/partial"
exec 9>"$cache/lock"
flock 9 # two runs on one machine share one download

unpacked=$cache/$(cat "$0" "$here/tools.sh" | sha256sum | cut -c 1-12)
if [ -e "$unpacked/complete" ] && [ -z "${LAB_UPDATE:-}" ]; then
  echo "$unpacked"
  exit 0
fi
need_packages apt

# A machine without any package: apt resolves every dependency.
: >"$cache/apt/status"
download() {
  # shellcheck disable=SC2086 # a list of words
  private_apt apt-get install -y -qq --download-only --no-install-recommends -o Debug::NoLocking=1 \
    -o Dir::State::status="$cache/apt/status" -o Dir::State::extended_states="$cache/apt/extended_states" \
    -o Dir::Cache::archives="$cache/apt/archives" $packages >&2
}
found=
for suite in sid unstable testing; do
  rm -f "$cache"/apt/archives/*.deb
  say "downloading QEMU, a kernel and tools from $suite"
  if private_suite "$suite" && download; then
    found=$suite
    break
  fi
done
[ -n "$found" ] || die "neither sid, unstable nor testing of the machine's mirror has: $packages"

say "unpacking $(find "$cache/apt/archives" -name '*.deb' | wc -l) packages"
work=$cache/unpacking
rm -rf "$work"
mkdir -p "$work/root/usr/bin" "$work/root/usr/sbin" "$work/root/usr/lib" "$work/root/usr/lib64"
for directory in bin sbin lib lib64; do ln -s "usr/$directory" "$work/root/$directory"; done
for package in "$cache"/apt/archives/*.deb; do dpkg-deb -x "$package" "$work/root"; done
rm -f "$cache"/apt/archives/*.deb

HOSTLAB_ROOT=$work/root
release=$(basename "$work"/root/usr/lib/modules/*)
[ -e "$(kernel_image)" ] || die "the kernel package $release has no image"
tool depmod -b "$work/root" "$release"
mkdir -p "$work/root/dev" "$work/root/proc" "$work/root/sys" "$work/root/run" "$work/root/tmp" "$work/root/lab"
tool mke2fs -q -t ext4 -E root_owner=0:0 -d "$work/root" "$work/guest.img" 1200M >&2

# The initramfs finds the image; everything else lies in the image.
image=$work/image
mkdir -p "$image/bin" "$image/dev" "$image/proc" "$image/sys" "$image/modules"
cp "$work/root/usr/bin/busybox" "$image/bin/busybox"
for name in virtio_blk ext4; do
  tool modprobe -d "$work/root" -S "$release" --show-depends "$name"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r file; do
  name=$(basename "$file")
  case $name in
    *.xz) tool xz -dc "$file" >"$image/modules/${name%.xz}" ;;
    *) cp "$file" "$image/modules/$name" ;;
  esac
  echo "/modules/${name%.xz}" >>"$image/modules/order"
done
(cd "$image" && find . | tool cpio -o -H newc --quiet --owner 0:0) >"$work/initramfs"
rm -rf "$image" "$unpacked"
touch "$work/complete"
mv "$work" "$unpacked"
find "$cache" -mindepth 1 -maxdepth 1 -type d ! -name apt ! -path "$unpacked" -exec rm -rf {} +
echo "$unpacked"
