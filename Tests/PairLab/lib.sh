# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Shared by the pair lab's suites, in addition to the host lab's functions: a link, a board and a host, and commands on both machines. A
# suite is a script NN-NAME.sh that run.sh sources in an empty directory $work, after this.
. "$hostlab/lib.sh"

link=
board=
# end_processes: ends what a suite started.
end_processes() {
  for lib_process in "$machine" "$board" "$link"; do
    [ -z "$lib_process" ] || kill -TERM "$lib_process" 2>/dev/null
  done
}

# vfio_user SOCKET: the argument of -device. The board may take its time before a host gets its first reply.
vfio_user() {
  echo "{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":\"$work/$1\"},\"x-msg-timeout\":600000}"
}

# ---- The link ----

# start_link OPTION…: with one function, whose host connects to the socket host; --host adds others.
start_link() {
  "$epfnvme" link --board "$work/board" --host "$work/host" "$@" --json >link.out 2>link.err </dev/null &
  link=$!
  wait_for 'the link is ready' grep -q '"ready"' link.out
}
# link_changed CHANGE [COUNT]: it has happened that often.
link_changed() { [ "$(grep -c "\"change\":\"$1\"" link.out)" -ge "${2:-1}" ]; }
# stop_link NAME: it is alive, ends cleanly, and has transferred data.
stop_link() {
  kill -TERM "$link"
  lib_status=0
  wait "$link" || lib_status=$?
  link=
  equal "$1: the link ends cleanly on SIGTERM" 0 "$lib_status" || diag_file link link.err
  check "$1: the link reports its end" grep -q '"event":"end"' link.out
  cp link.out "$output/$suite.${boots:-0}.link"
}

# link_counted FILTER: what the link counted until its end.
link_counted() { grep '"event":"end"' link.out | jq -e "$1"; }

# ---- The two machines ----

# make_pipe NAME: the FIFOs of a machine's agent.
make_pipe() {
  rm -f "$1.in" "$1.out"
  mkfifo "$1.in" "$1.out"
}
# agent_arguments NAME: what QEMU is given for it.
agent_arguments() {
  echo "-chardev pipe,id=agent,path=$work/$1.agent -device virtserialport,chardev=agent,name=agent"
}

# lab_machine BOOT SOCKET ARGUMENT…: becomes the watcher of a machine with the lab's kernel and the device at a socket of the link; its agent
# is that of the socket's name.
lab_machine() {
  lib_boot=$1
  lib_socket=$2
  shift 2
  # shellcheck disable=SC2046 # a list of words
  watch_qemu "$lib_boot.console" -- -M q35,accel=tcg,vmport=off,memory-backend=m -m 768 -smp 2 -cpu max \
    -object memory-backend-memfd,id=m,size=768M,share=on -serial "file:$lib_boot.console" \
    -device virtio-serial-pci $(agent_arguments "$lib_socket") -device "$(vfio_user "$lib_socket")" \
    -kernel "$board_kernel" -initrd "$board_image" \
    -append "$machine_options loglevel=7" "$@" </dev/null >"$lib_boot.qemu" 2>&1
}

# start_board: boots the board, and waits for its agent.
start_board() {
  boots=$((${boots:-0} + 1))
  board_boot=$output/$suite.$boots.board
  : >"$board_boot.console"
  make_pipe board.agent
  (lab_machine "$board_boot" board -chardev "socket,id=peer,path=$work/peer,server=on,wait=off" \
    -device virtserialport,chardev=peer,name=peer) &
  board=$!
  exec 5<>board.agent.in 6<>board.agent.out
  await_agent board
}
# start_host [VARIABLE=VALUE…]: boots the host, as start_guest does, on the function at the socket host.
start_host() {
  make_pipe host.agent
  mkdir -p files
  cp "$here/agent.sh" "$here/on-board.sh" files/
  device=$(vfio_user host)
  more="$(agent_arguments host) -chardev socket,id=peer,path=$work/peer,reconnect-ms=1000 \
    -device virtserialport,chardev=peer,name=peer ${host_devices:-}"
  memory=1024
  start_guest agent "$@"
  host_boot=$boot
  exec 7<>host.agent.in 8<>host.agent.out
}
# answer MACHINE: the next line of a machine's agent; nothing if the machine has ended, or been ended because it hung.
answer() {
  case $1 in
    board)
      head -n 1 <&6 >"answer.$1" &
      lib_alive=$board
      ;;
    host)
      head -n 1 <&8 >"answer.$1" &
      lib_alive=$machine
      ;;
  esac
  lib_reader=$!
  while kill -0 "$lib_reader" 2>/dev/null; do
    kill -0 "$lib_alive" 2>/dev/null || kill "$lib_reader" 2>/dev/null
    sleep 0.02
  done
  wait "$lib_reader"
  cat "answer.$1"
}
# await_agent MACHINE: until it has booted.
await_agent() {
  case $(answer "$1") in
    ready*) return 0 ;;
  esac
  fail "the $1 boots"
  lib_console=$board_boot.console
  [ "$1" = board ] || lib_console=$host_boot.console
  tail -n 40 "$lib_console" | tr -d '\r' >console.tail
  diag_file console console.tail
  return 1
}
# on MACHINE COMMAND…: runs it in the machine's agent, prints its output, and has its status; 255 if the machine does not answer.
on() {
  lib_machine=$1
  shift
  lib_line=$(printf '%s\n' "$*" | base64 -w 0)
  case $lib_machine in
    board) echo "$lib_line" >&5 ;;
    host) echo "$lib_line" >&7 ;;
  esac
  lib_answer=$(answer "$lib_machine")
  case $lib_answer in
    '' | ready*)
      echo "the $lib_machine does not answer (${lib_answer:-nothing})"
      return 255
      ;;
  esac
  printf '%s' "${lib_answer#* }" | base64 -d
  return "${lib_answer%% *}"
}
# off MACHINE: powers a machine off without notice.
off() {
  case $1 in
    board)
      kill -TERM "$board"
      wait "$board"
      board=
      ;;
    host)
      kill -TERM "$machine"
      wait "$machine"
      machine=
      ;;
  esac 2>/dev/null
  true
}

# end_host NAME: powers the host off in an orderly way, and takes over its cases.
end_host() {
  echo end >&7
  end_guest "$1"
}
# end_board NAME: the board's kernel had nothing to complain about. Then it is off.
end_board() {
  on board dmesg >"$board_boot.kernel_log" || cp "$board_boot.console" "$board_boot.kernel_log"
  off board
  judge_board "$1"
}
# judge_board NAME. The exception, once a boot: PCI domains are not generic on x86.
judge_board() {
  tr -d '\r' <"$board_boot.console" |
    grep -a -E 'WARNING: |BUG: |Oops|Kernel panic|general protection|blocked for more than|detected buffer overflow|refcount_t|rcu: INFO' |
    grep -a -v 'at __pci_epc_create+' >board.complaints
  if [ -s board.complaints ]; then
    fail "$1: the board's kernel had nothing to complain about"
    diag_file kernel board.complaints
  else
    pass "$1: the board's kernel had nothing to complain about"
  fi
}

# ---- Profiles ----

# put MACHINE FILE…: copies files into /tmp of a machine.
put() {
  lib_target=$1
  shift
  for lib_source; do
    on "$lib_target" "printf '%s' '$(base64 -w 0 <"$lib_source")' | base64 -d >/tmp/${lib_source##*/}" || return
  done
}

# disk_profile FILE [FUNCTION]: one function with 128 MiB of memory in the first namespace.
disk_profile() {
  lib_name=${2:-pair}
  cat >"$1" <<PROFILE
{
  "version": 1,
  "name": "$lib_name",
  "backings": {
    "memory": { "nullBlock": { "sizeMiB": 128, "blockSize": 512, "memoryBacked": true, "discard": true } }
  },
  "subsystems": [
    {
      "nqn": "nqn.2026-01.org.example:$lib_name", "model": "epfnvme-pair", "serial": "$lib_name", "maximumQueueID": 4,
      "vendorID": "0x15b7", "subsystemVendorID": "0x15b7",
      "namespaces": [ { "id": 1, "backing": "memory" } ]
    }
  ],
  "functions": [
    {
      "name": "$lib_name", "vendorID": "0x15b7", "deviceID": "0x5fff", "subsystemVendorID": "0x15b7",
      "ioQueues": 4, "msixVectors": 8, "msiVectors": 8, "target": { "loop": "nqn.2026-01.org.example:$lib_name" }
    }
  ]
}
PROFILE
}
# set_up NAME: the board sets the profile up, on a link with $module_options.
set_up() {
  disk_profile pair.json
  put board pair.json
  check "$1: modprobe" on board "modprobe epfnvme_epc $module_options" || return
  check "$1: epfnvme setup" on board epfnvme setup /tmp/pair.json
}
# host_finds_disk NAME: the host has booted, and has the disk of the first namespace.
host_finds_disk() {
  await_agent host || return
  check "$1: the host finds the disk" on host bring_up 1
}

# board_says COMMAND PATTERN: it succeeds on the board, and a line of its output matches.
board_says() { on board "$1" >said && grep -a "$2" said; }
# board_refuses COMMAND: it fails on the board.
board_refuses() { ! on board "$1"; }
