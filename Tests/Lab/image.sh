# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Sourced by the labs: what their machines boot with, an initramfs with busybox, this machine's programs and a kernel's modules. The caller sets
#   image     the directory that becomes the initramfs    work    a directory for temporary files
#   modules   the kernel's modules, …/lib/modules/RELEASE   module   epfnvme_epc.ko, or nothing
#   lab       the directory of this file

# no_timer_check: on a busy machine QEMU's timer is late, and the kernel would give it up.
machine_options='console=ttyS0 panic=-1 log_buf_len=4M no_timer_check'

# begin_image: the directories, busybox and boot.sh.
begin_image() {
  mkdir -p "$image/bin" "$image/dev" "$image/proc" "$image/sys" "$image/run" "$image/tmp" "$image/etc" "$image/root" \
    "$image/var" "$image/srv" "$image/lib/modules" "$image/lab"
  cp "$lab/boot.sh" "$image/lab/boot.sh"
  ln -s ../run "$image/var/run"
  # The kernel itself calls /sbin/modprobe.
  mkdir "$image/usr"
  ln -s bin "$image/sbin"
  ln -s ../bin "$image/usr/bin"
  ln -s ../bin "$image/usr/sbin"
  cp "$(command -v busybox)" "$image/bin/busybox"
  "$image/bin/busybox" --list | while read -r applet; do
    [ -e "$image/bin/$applet" ] || ln -s busybox "$image/bin/$applet"
  done
}

# add_program FILE [NAME]: with the shared libraries that it names.
add_program() {
  target=$image/bin/${2:-$(basename "$1")}
  rm -f "$target"
  cp -L "$1" "$target"
  add_libraries "$1"
}
add_libraries() {
  ldd "$1" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' |
    while read -r library; do
      mkdir -p "$image$(dirname "$library")"
      [ -e "$image$library" ] || cp -L "$library" "$image$library"
    done
}

# add_modules NAME…: those modules that the kernel has, with what they need, and epfnvme_epc; leaves release. A distribution's kernel has
# thousands of others.
add_modules() {
  # The kernel calls modprobe for nvmet's transports; busybox's own knows fewer compressions than kmod.
  add_program "$(command -v kmod)"
  for name in modprobe insmod rmmod lsmod modinfo depmod; do ln -sf kmod "$image/bin/$name"; done
  first=$(find "$modules/" -name '*.ko*' ! -name 'epfnvme_epc*' | head -n 1)
  [ -n "$first" ] || die "no kernel modules in $modules"
  release=$(modinfo -F vermagic "$first" | cut -d ' ' -f 1)
  mkdir -p "$work/base/lib/modules" "$image/lib/modules/$release/extra"
  ln -sfn "$(cd "$modules" && pwd)" "$work/base/lib/modules/$release"
  for name; do
    modprobe -d "$work/base" -S "$release" --show-depends "$name" 2>/dev/null || true
  done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
    cp "$file" "$image/lib/modules/$release/extra/"
  done
  [ -z "$module" ] || cp "$module" "$image/lib/modules/$release/extra/"
  cp "$modules"/modules.builtin* "$modules"/modules.order "$image/lib/modules/$release/" 2>/dev/null || true
  depmod -b "$image" "$release"
}

# pack_image FILE. Not compressed: QEMU hands it over faster than the emulated machine unpacks.
pack_image() { (cd "$image" && find . | cpio -o -H newc --quiet --owner 0:0) >"$1"; }
