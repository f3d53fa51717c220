#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `make lab`: boots a real Linux kernel in QEMU with a virtual endpoint controller and the freshly built epfnvme, runs
# the suites in it and prints their KTAP. Exit status 0: every case passed and the kernel had nothing to complain about.
# The variables are described in Docs/Guides/Lab.md.
set -eu

lab=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$lab/../.." && pwd)
. "$lab/lab-packages.sh"
path=$PATH
PATH=$PATH:/sbin:/usr/sbin
output=${LAB_OUTPUT:-$root/.build/lab}
stall=${LAB_STALL:-600}

need_packages qemu-system-x86 cpio kmod busybox-static strace jq binutils udev util-linux
mkdir -p "$output"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

. "$lab/kernel.sh"

# ---- The program ----

program=${LAB_EPFNVME:-}
[ -n "$program" ] || program=$(build_product epfnvme)

# The one without shared libraries, for the pace suite; LAB_STATIC= leaves it out.
static=${LAB_STATIC-$root/.build/static/epfnvme}
case pace in
  *"${LAB_FILTER:-}"*) [ "$static" != "$root/.build/static/epfnvme" ] || make -C "$root" static >&2 ;;
  *) static= ;;
esac

# nvmetcli with its own Python, for the interchange suite, which reports when it is missing.
nvmetcli=
case 50-interchange in
  *"${LAB_FILTER:-}"*) nvmetcli=$("$lab/build-nvmetcli.sh") || say "no nvmetcli: its cases will be skipped" ;;
esac

# Random profiles for the suite of changes.
profiles=
case 47-random-changes in
  *"${LAB_FILTER:-}"*) profiles=$(build_product RandomProfiles) ;;
esac

# ---- The initramfs ----

image=$work/image
. "$lab/image.sh"
begin_image
add_program "$program" epfnvme
strip "$image/bin/epfnvme" 2>/dev/null || true
[ -z "$static" ] || cp "$static" "$image/bin/epfnvme-static"
add_program "$(command -v strace)"
add_program "$(command -v jq)"
# udevd for the at-boot suite: one program with two names. util-linux's setpriv limits capabilities, busybox's does not.
add_program "$(command -v udevadm)"
ln -sf udevadm "$image/bin/systemd-udevd"
add_program "$(command -v setpriv)"
if [ -n "$nvmetcli" ]; then
  mkdir -p "$image/opt"
  cp -r "$nvmetcli" "$image/opt/nvmetcli"
  find "$nvmetcli/usr" -name 'python3' -o -name '*.so' | while read -r file; do add_libraries "$file"; done
  cat >"$image/bin/nvmetcli" <<'SCRIPT'
#!/bin/sh
tree=/opt/nvmetcli/usr
export PYTHONHOME=$tree PYTHONPATH=$tree/lib/python3/dist-packages
exec "$tree/bin/python3" -B -s "$tree/bin/nvmetcli" "$@"
SCRIPT
  chmod +x "$image/bin/nvmetcli"
fi
add_modules configfs nvmet nvme nvme-loop nvme-tcp nvmet-tcp nvmet-pci-epf pci-epf-nvme pci-epf-test null_blk loop virtio_pci virtio_console
# Without parameters the module waits for a link; here it has a controller without a host.
mkdir -p "$image/etc/modprobe.d"
echo 'options epfnvme_epc controllers=1' >"$image/etc/modprobe.d/lab.conf"

cp -r "$lab/suite" "$image/lab/suite"
[ ! -d "$root/Configs" ] || cp -r "$root/Configs" "$image/lab/Configs"
if [ -n "$profiles" ]; then
  # The attributes need kernel options that kernel.config does not have.
  pairs=${LAB_PAIRS:-8}
  for driver in nvmet_pci_epf pci_epf_nvme; do
    "$profiles" $((pairs * 8)) "$driver" attr_pi_enable dhchap_key dhchap_dhgroup >"$image/lab/pairs.$driver"
  done
  echo "$pairs" >"$image/lab/pairs"
fi
cp "$lab/init.sh" "$image/init"
chmod +x "$image/init"
printf '%s\n' "${LAB_FILTER:-}" >"$image/lab/filter"
pack_image "$work/initramfs"

# ---- The machine ----

results=$output/results.ktap
console=$output/console.log
kernel_log=$output/kernel.log
reports=$output/reports.tar
progress=$output/progress.log
: >"$results"
: >"$console"
: >"$kernel_log"
: >"$reports"
: >"$progress"
truncate -s 64M "$work/disk"
start=$(date +%s)
# The disk is for `check --host`.
# TCG always: a /dev/kvm can exist and still stop a guest. memmap reserves the controller's outbound windows.
status=0
# No limit on the whole: on a busy machine a good run may take an hour. What hangs is ended.
"$lab/watch-progress.sh" "$stall" "$progress" "$console" "$results" "$kernel_log" "$reports" -- qemu-system-x86_64 -M q35,accel=tcg,vmport=off -cpu max -m 1024 -smp 2 \
  -display none -no-reboot -nic none -serial "file:$console" -monitor none \
  -device virtio-serial-pci \
  -chardev "file,id=results,path=$results" -device virtserialport,chardev=results,name=results \
  -chardev "file,id=kernel_log,path=$kernel_log" -device virtserialport,chardev=kernel_log,name=kernel_log \
  -chardev "file,id=reports,path=$reports" -device virtserialport,chardev=reports,name=reports \
  -chardev "file,id=progress,path=$progress" -device virtserialport,chardev=progress,name=progress \
  -blockdev "file,node-name=disk,filename=$work/disk" -device nvme,drive=disk,serial=lab \
  -device virtio-rng-pci -kernel "$kernel" -initrd "$work/initramfs" \
  -append "$machine_options loglevel=5 oops=panic memmap=16M\$0x10000000" </dev/null >&2 || status=$?
took=$(($(date +%s) - start))

cat "$results"
failed=
complain() {
  failed=yes
  echo "# lab: $*"
}
if ! grep -q '^# lab complete$' "$results"; then
  if [ "$status" -eq 124 ]; then
    complain "the machine hung: nothing has moved for $stall seconds, after $took s in it"
    complain "the last it did: $(tail -n 1 "$progress")"
  else
    complain "the machine stopped before the suites were done (QEMU's status: $status)"
  fi
  tail -n 40 "$console" | sed 's/^/# console: /'
fi
if grep -q -E '^ *not ok' "$results"; then complain "cases failed"; fi
if ! grep -q -E '^ +ok' "$results"; then complain "no case ran"; fi
if [ -s "$reports" ] && ! "$lab/read-reports.sh" "$reports"; then complain "a report cannot be read"; fi
complaints='WARNING: |BUG: |Oops|Kernel panic|general protection|blocked for more than|detected buffer overflow|kernel BUG|refcount_t'
# (The exception is init.sh's.)
if grep -a -n -E "$complaints" "$console" | grep -v 'at __pci_epc_create+'; then complain "the kernel complained (see $console)"; fi
echo "# lab: $(grep -c -E '^ +ok' "$results") passed, $(grep -c -E '^ +not ok' "$results") failed," \
  "$(grep -c -E '^ +ok.*# SKIP' "$results") of the passed skipped; Linux $release; $took s in the machine"
[ -z "$failed" ]
