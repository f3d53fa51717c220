#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the lab's kernel and the module of the virtual endpoint controller, or finds them built. On stdout, three lines:
#   the kernel image, the directory of its modules (…/lib/modules/RELEASE), epfnvme_epc.ko
#
# The source is Debian's linux-source package, taken from the machine's mirror but from a newer suite, with a separate apt configuration:
# the machine's package lists do not change. Everything is outside the checkout, under ${XDG_CACHE_HOME:-~/.cache}/epfnvme-lab, keyed by
# what it was built from, so that a second run does nothing.
#
#   LAB_MIRROR=URI   the Debian mirror, if apt does not know one
#   LAB_UPDATE=1     look for a newer source package although one is in the cache
#   LAB_SUITE=SUITE  take the newest kernel source of this suite, for example experimental
set -eu

lab=$(cd "$(dirname "$0")" && pwd)
. "$lab/lab-packages.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/epfnvme-lab
oldest=7.2
jobs=$(nproc)

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # two runs on one machine share one build

# Sources of a suite that was asked for lie apart from those of the newest suite that has one.
packages=$cache${LAB_SUITE:+/$LAB_SUITE}
mkdir -p "$packages"

cached_package() {
  find "$packages" -maxdepth 1 -name 'linux-source-*.deb' | sort -V | tail -n 1
}

download() {
  for suite in ${LAB_SUITE:-sid unstable testing}; do
    private_suite "$suite" || continue
    newest=$(private_apt apt-cache --names-only search '^linux-source-[0-9]+\.[0-9]+$' |
      awk '{ print $1 }' | sort -V | tail -n 1)
    [ -n "$newest" ] || continue
    [ "$(printf '%s\n' "linux-source-$oldest" "$newest" | sort -V | head -n 1)" = "linux-source-$oldest" ] || continue
    say "downloading $newest from $suite"
    (cd "$packages" && private_apt apt-get download "$newest" >&2) && return
  done
  die "no linux-source of at least $oldest in ${LAB_SUITE:-sid, unstable or testing} of the machine's mirror"
}

hash_of() { cat "$@" | sha256sum | cut -c 1-12; }

package=$(cached_package)
if [ -z "$package" ] || [ -n "${LAB_UPDATE:-}" ]; then
  need_packages apt
  download
  package=$(cached_package)
fi
version=$(basename "$package" .deb | sed 's/^linux-source-[^_]*_//; s/_[^_]*$//; s/%3a/:/')
kernel=$cache/kernel-$version-$(hash_of "$lab/kernel.config")

if [ ! -e "$kernel/complete" ]; then
  need_packages gcc make flex bison bc libc6-dev libelf-dev libssl-dev xz-utils kmod
  say "building Linux $version; this takes some minutes, once (log: $kernel.log)"
  source=$cache/source-$$
  trap 'rm -rf "$source"' EXIT INT TERM
  rm -rf "$kernel"
  mkdir -p "$source" "$kernel"
  dpkg-deb --fsys-tarfile "$package" | tar -xOf - --wildcards './usr/src/linux-source-*.tar.xz' |
    tar -xJf - -C "$source" --strip-components 1
  (
    cd "$source"
    PATH=$PATH:/sbin:/usr/sbin
    KCONFIG_ALLCONFIG=$lab/kernel.config make -s allnoconfig
    # allnoconfig drops silently what its dependencies forbid.
    grep '^CONFIG_' "$lab/kernel.config" | while read -r option; do
      grep -qx "$option" .config || die "this kernel does not take $option"
    done
    nice -n 10 make -j"$jobs" bzImage modules
    make -s modules_install INSTALL_MOD_PATH="$kernel" INSTALL_MOD_STRIP=1
    # shellcheck disable=SC2016 # make's variable
    make -s run-command KBUILD_RUN_COMMAND='${srctree}/scripts/package/install-extmod-build '"$kernel/build"
    cp arch/x86/boot/bzImage .config "$kernel/"
  ) >"$kernel.log" 2>&1 || {
    tail -n 20 "$kernel.log" >&2
    die "the kernel did not build (log: $kernel.log)"
  }
  rm -f "$kernel"/lib/modules/*/build
  touch "$kernel/complete"
  rm -rf "$source"
fi
for modules in "$kernel"/lib/modules/*; do :; done

sources=$lab/../../Sources/epfnvme-epc
module=$cache/epfnvme_epc-$(basename "$kernel")-$(hash_of "$sources"/Kbuild "$sources"/*.[ch])
if [ ! -e "$module/epfnvme_epc.ko" ]; then
  need_packages gcc make libelf-dev kmod
  "$lab/build-module.sh" "$kernel/build" "$module"
fi
printf '%s\n' "$kernel/bzImage" "$modules" "$module/epfnvme_epc.ko"
