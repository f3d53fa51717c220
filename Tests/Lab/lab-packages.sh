# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced by the lab's scripts: says what went wrong, and sees that the machine's own packages are there.

say() { printf '%s\n' "lab: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# need_packages PACKAGE…: installs those that are missing, with sudo when not root; names them when that is impossible.
need_packages() {
  command -v dpkg-query >/dev/null || die "this is no Debian-like machine; install by hand what matches: $*"
  missing=
  for needed; do
    case $(dpkg-query -W -f '${Status}' "$needed" 2>/dev/null) in
      *' installed') ;;
      *) missing="$missing $needed" ;;
    esac
  done
  [ -n "$missing" ] || return 0
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    as_root='sudo -n'
    $as_root true 2>/dev/null || die "missing packages:$missing (run: apt-get install$missing)"
  fi
  say "installing$missing"
  # shellcheck disable=SC2086 # lists of words
  {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
      -o DPkg::Lock::Timeout=300 $missing >&2 ||
      { $as_root apt-get update -q >&2 &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
          -o DPkg::Lock::Timeout=300 $missing >&2; } || die "cannot install$missing"
  }
}
