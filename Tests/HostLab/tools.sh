# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Runs programs of the unpacked root $HOSTLAB_ROOT on this machine, with the C library they were built for.

# tool NAME ARGUMENT…
tool() {
  tool_name=$1
  shift
  for tool_path in "$HOSTLAB_ROOT/usr/bin/$tool_name" "$HOSTLAB_ROOT/usr/sbin/$tool_name"; do
    [ ! -e "$tool_path" ] || break
  done
  run_tool "$@"
}
run_tool() {
  tool_libraries=$HOSTLAB_ROOT/usr/lib/x86_64-linux-gnu
  "$HOSTLAB_ROOT/usr/lib64/ld-linux-x86-64.so.2" --library-path "$tool_libraries" --argv0 "$tool_name" "$tool_path" "$@"
}

kernel_image() { echo "$HOSTLAB_ROOT"/usr/lib/modules/*/vmlinuz; }
