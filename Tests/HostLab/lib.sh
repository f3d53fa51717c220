# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Shared by the suites of the host lab and of the pair lab: serving a profile, booting guests on it, and checking their results. A suite is
# a script NN-NAME.sh that run.sh sources in an empty directory $work, after this; the guest's part is guest/NAME.sh. $hostlab is this
# directory, $here that of the lab.

# Booting a guest can take long: the limits of waits are longer than that of the guest.
# shellcheck disable=SC2034 # for ktap.sh
patience=$((stall * 20))

# ---- The behaviours ----

# The board whose identity is served and predicted.
identity='--machine-id 0123456789abcdef0123456789abcdef'

# behaviour_options NAME: its options for `epfnvme serve`, `predict` and `check --host`.
behaviour_options() {
  case $1 in
    pci_epf_nvme) echo --kernel-release 6.12 ;;
    nvmet_pci_epf) echo --kernel-release 7.2 ;;
    reference) echo --kernel-release 6.12 --reference ;;
    mapped) echo --kernel-release 6.12 --reference --mapped-doorbells ;;
  esac
}

# profile FILE BACKINGS NAMESPACES: one function with its target; the two lists are members of JSON.
profile() {
  cat >"$1" <<PROFILE
{
  "version": 1,
  "name": "hostlab",
  "backings": { $2 },
  "subsystems": [
    {
      "nqn": "nqn.2026-01.org.example:hostlab", "model": "epfnvme-hostlab", "maximumQueueID": 4,
      "vendorID": "0x15b7", "subsystemVendorID": "0x15b7",
      "namespaces": [ $3 ]
    }
  ],
  "functions": [
    {
      "name": "hostlab", "vendorID": "0x15b7", "deviceID": "0x5fff", "subsystemVendorID": "0x15b7",
      "ioQueues": 4, "msixVectors": 8, "msiVectors": 8, "target": { "loop": "nqn.2026-01.org.example:hostlab" }
    }
  ]
}
PROFILE
  rm -f "$work/backing.img"
  truncate -s 384M "$work/backing.img"
}

# profile_of_all_backings FILE: namespace 1 is memory, 2 a file, 3 keeps nothing.
profile_of_all_backings() {
  profile "$1" "
    \"memory\": { \"nullBlock\": { \"sizeMiB\": 384, \"blockSize\": 512, \"memoryBacked\": true, \"discard\": true } },
    \"file\": { \"file\": { \"path\": \"$work/backing.img\", \"sizeMiB\": 384, \"create\": true } },
    \"nothing\": { \"nullBlock\": { \"sizeMiB\": 1024, \"blockSize\": 512, \"memoryBacked\": false } }" \
    '{ "id": 1, "backing": "memory" }, { "id": 2, "backing": "file" }, { "id": 3, "backing": "nothing" }'
}

# ---- The device ----

device=
server=
# serve PROFILE OPTION…: leaves server, its process, and device, what QEMU is given.
serve() {
  if [ "${HOSTLAB_DEVICE:-vfio-user}" = qemu-nvme ]; then
    own_disk
    return
  fi
  socket=$work/socket
  rm -f "$socket"
  : >server.out
  # shellcheck disable=SC2086 # an option and its value
  "$server_program" serve "$@" $identity --socket "$socket" >server.out 2>server.err </dev/null &
  server=$!
  lib_tries=0
  until [ -s server.out ]; do
    lib_tries=$((lib_tries + 1))
    if ! kill -0 "$server" 2>/dev/null || [ "$lib_tries" -gt "$patience" ]; then
      fail "the server is ready: serve $*"
      diag_file server server.err
      stop_server
      return 1
    fi
    sleep 0.05
  done
  # As the program itself tells its users; the memory's arguments depend on the guest.
  device=$("$server_program" serve --print-qemu --json --socket "$socket" | jq -r '.[-1]')
}
# stop_server: asks it to stop; leaves server_status.
stop_server() {
  server_status=0
  [ -n "$server" ] || return 0
  kill -TERM "$server" 2>/dev/null
  wait "$server" || server_status=$?
  [ "${HOSTLAB_DEVICE:-vfio-user}" = vfio-user ] || server_status=0
  server=
  if [ -n "${boot:-}" ] && [ -e server.err ]; then cp server.err "$boot.server"; fi
}
# served NAME: ends a server that has done its work, and is content with it.
served() {
  if kill -0 "$server" 2>/dev/null; then
    pass "$1: the server has lived through it"
  else
    fail "$1: the server has lived through it"
    diag_file server server.err
  fi
  stop_server
  equal "$1: it stops cleanly on SIGTERM" 0 "$server_status" || diag_file server server.err
}

# own_disk: the NVMe controller of QEMU with three namespaces. `sleep` replaces the server.
own_disk() {
  rm -f own.*
  for lib_nsid in 1 2 3; do truncate -s 384M "own.$lib_nsid"; done
  sleep 86400 &
  server=$!
  device=nvme,serial=hostlab,id=disk
}

# ---- The guest ----

machine=
# end_processes: ends what a suite started.
end_processes() {
  [ -z "$server" ] || kill -KILL "$server" 2>/dev/null
  [ -z "$machine" ] || kill -TERM "$machine" 2>/dev/null # the watcher, which hands it on to QEMU
}

# watch_qemu FILE… -- ARGUMENT…: becomes the watcher of a QEMU, so that $! is its process. A guest is ended when the files have not grown for
# $stall seconds, and not because it is slow.
watch_qemu() {
  QEMU_MODULE_DIR=$HOSTLAB_ROOT/usr/lib/x86_64-linux-gnu/qemu
  export QEMU_MODULE_DIR
  lib_watched=
  while [ "$1" != -- ]; do
    lib_watched="$lib_watched $1"
    shift
  done
  shift
  # shellcheck disable=SC2086 # a list of files
  exec "$hostlab/../Lab/watch-progress.sh" "$stall" $lib_watched -- \
    "$HOSTLAB_ROOT/usr/lib64/ld-linux-x86-64.so.2" --library-path "$HOSTLAB_ROOT/usr/lib/x86_64-linux-gnu" \
    --argv0 qemu-system-x86_64 "$HOSTLAB_ROOT/usr/bin/qemu-system-x86_64" \
    -L "$HOSTLAB_ROOT/usr/share/qemu" -L "$HOSTLAB_ROOT/usr/share/seabios" -L "$HOSTLAB_ROOT/usr/lib/ipxe/qemu" \
    -display none -monitor none -nic none "$@"
}

# own_namespaces: the arguments for them, after the device.
own_namespaces() {
  case $device in
    nvme,*) for lib_nsid in 1 2 3; do
      echo "-drive file=own.$lib_nsid,format=raw,if=none,id=own$lib_nsid"
      echo "-device nvme-ns,drive=own$lib_nsid,nsid=$lib_nsid,bus=disk"
    done ;;
  esac
}

# iomem=relaxed: registers can be read beside the driver. panic=-1: a crash reboots at once. no_timer_check: as in Lab/image.sh. The last
# ones save a third of the time to boot.
kernel_options='console=ttyS0 loglevel=5 log_buf_len=4M iomem=relaxed panic=-1 no_timer_check
  mitigations=off init_on_alloc=0 cryptomgr.notests apparmor=0 selinux=0 audit=0'

# start_guest NAME [VARIABLE=VALUE…]: boots guest/NAME.sh on $device, with the variables in its environment, and with the files below
# ./files as /lab/files. The caller may set
#   memory     MiB (768)             shared     no: memory that the server cannot map
#   cpus       (2)                   reboots    yes: the machine may reboot; otherwise that ends it
#   state      a file that is /dev/vdb   more   arguments for QEMU
start_guest() {
  guest=$1
  boots=$((${boots:-0} + 1))
  boot=$output/$suite.$boots.$guest
  shift
  rm -rf overlay
  mkdir -p overlay/lab/bin overlay/lab/guest
  cp "$hostlab/guest/init.sh" overlay/init
  chmod +x overlay/init
  cp "$hostlab/guest/main.sh" "$hostlab/guest/lib.sh" "$hostlab/../Lab/suite/ktap.sh" overlay/lab/
  cp "$here/guest/$guest.sh" overlay/lab/guest/
  cp "$stripped" overlay/lab/bin/epfnvme
  [ ! -d files ] || cp -r files overlay/lab/files
  {
    echo "guest=$guest"
    for lib_variable; do echo "export ${lib_variable%%=*}='${lib_variable#*=}'"; done
  } >overlay/lab/env
  # The kernel reads one archive after the other.
  {
    cat "$unpacked/initramfs"
    (cd overlay && find . | tool cpio -o -H newc --quiet --owner 0:0)
  } >initrd

  for lib_file in results marks kernel_log; do : >"$boot.$lib_file"; done
  lib_memory="-m ${memory:-768} -machine q35,accel=tcg,vmport=off"
  if [ "${shared:-yes}" = yes ]; then
    lib_memory="$lib_memory,memory-backend=m -object memory-backend-memfd,id=m,size=${memory:-768}M,share=on"
  fi
  set -- -cpu Nehalem -smp "${cpus:-2}" -serial "file:$boot.console" -device virtio-serial-pci
  for lib_file in results marks kernel_log; do
    set -- "$@" -chardev "file,id=$lib_file,path=$boot.$lib_file" \
      -device "virtserialport,chardev=$lib_file,name=$lib_file"
  done
  set -- "$@" -drive "file=$unpacked/guest.img,format=raw,if=none,id=image,readonly=on" \
    -device virtio-blk-pci,drive=image,addr=10
  [ -z "${state:-}" ] || set -- "$@" -drive "file=$state,format=raw,if=none,id=state" \
    -device virtio-blk-pci,drive=state,addr=11
  [ "${reboots:-no}" = yes ] || set -- "$@" -no-reboot
  # shellcheck disable=SC2046,SC2086 # lists of words
  (watch_qemu "$boot.results" "$boot.marks" "$boot.kernel_log" "$boot.console" -- $lib_memory "$@" -device "$device" $(own_namespaces) ${more:-} -kernel "$(kernel_image)" -initrd initrd \
    -append "$(echo $kernel_options)" </dev/null >"$boot.qemu" 2>&1) &
  machine=$!
}

# end_guest NAME [BOOTS]: waits until the machine is off, and takes over the guest's cases, with NAME before each. It must
# have ended as often as it was to boot.
end_guest() {
  lib_status=0
  wait "$machine" || lib_status=$?
  machine=
  take_over "$1" "$boot.results"
  lib_complete=$(grep -c '^# boot complete' "$boot.results")
  if [ "$lib_status" -ne 0 ] || [ "$lib_complete" -ne "${2:-1}" ]; then
    fail "$1: the guest ended"
    diag "QEMU's status: $lib_status (124: nothing moved for $stall s); boots that ended: $lib_complete of ${2:-1}"
    diag_file qemu "$boot.qemu"
    tail -n 40 "$boot.console" | tr -d '\r' >console.tail
    diag_file console console.tail
    [ -z "$server" ] || diag_file server server.err
  fi
  judge_log "$1"
}
# boot NAME GUEST [VARIABLE=VALUE…]: both.
boot() {
  lib_name=$1
  shift
  lib_boots=${expected_boots:-1}
  start_guest "$@"
  end_guest "$lib_name" "$lib_boots"
}

# take_over NAME FILE: a guest's cases, numbered on.
take_over() {
  tr -d '\r' <"$2" | awk -v name="$1: " -v number="$(grep -c -E '^(not )?ok' "$KTAP")" '
    /^# boot complete/ { next }
    /^(not )?ok [0-9]+ / {
      verdict = /^not/ ? "not ok" : "ok"
      sub(/^(not )?ok [0-9]+ /, "")
      print verdict, ++number, name $0
      next
    }
    { print }' >>"$KTAP"
}

# judge_log NAME: the guest's kernel logged nothing but the messages of accepted.txt. $behaviour and $guest choose its rows.
judge_log() {
  awk -F '\t' -v behaviour="${behaviour:-}" -v guest="$guest" '
    /^#/ || NF < 4 { next }
    ($1 == "*" || $1 == behaviour) && ($2 == "*" || index(" " $2 " ", " " guest " ")) { print $3 }
  ' "$hostlab/accepted.txt" >accepted.patterns
  tr -d '\r' <"$boot.console" | grep -a -E '^\[ *[0-9.]+\] ' | grep -a -E "$interesting" | grep -a -v -E -f accepted.patterns >complaints
  if [ -s complaints ]; then
    fail "$1: the guest's kernel logged no error"
    diag_file kernel complaints
  else
    pass "$1: the guest's kernel logged no error"
  fi
}
interesting='nvme|I/O error|Buffer I/O|blk_|critical |EXT4-fs|XFS |JBD2|WARNING: |BUG: |Oops|Kernel panic|general protection|blocked for more|kernel BUG|refcount_t|stall|lockup|AER|DMAR|irq .*nobody cared'

# ticks_of PID: user and system time of a process so far, in hundredths of a second.
ticks_of() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
