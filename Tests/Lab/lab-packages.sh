# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced by the lab's scripts: says what went wrong, and sees that the machine's own packages are there.

say() { printf '%s\n' "lab: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# build_product PRODUCT: builds it from the checkout $root with the search path $path, and prints its path. Other options, or another PATH, would
# make SwiftPM build everything again here and in the next build outside.
# shellcheck disable=SC2154 # root, path
build_product() {
  (
    cd "$root"
    PATH=$path
    SWIFT_DETERMINISTIC_HASHING=1 # as in the Makefile
    export SWIFT_DETERMINISTIC_HASHING
    swift build -c release --static-swift-stdlib --product "$1" >&2
    echo "$(swift build -c release --static-swift-stdlib --show-bin-path)/$1"
  )
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

# The machine's mirror, according to apt, independent of the format of its configuration. Security and other archives carry other labels or
# suites; a third party's has another label.
mirror() {
  if [ -n "${LAB_MIRROR:-}" ]; then
    echo "$LAB_MIRROR"
    return
  fi
  uris() {
    # shellcheck disable=SC2016 # apt's variables, not the shell's
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(LABEL)' 'Created-By: Packages'
  }
  # Before the first `apt-get update` there is no label; then the archive's usual directory name has to do.
  found=$(uris | awk '$3 == "main" && $4 == "Debian" && $2 !~ /-/ { print $1; exit }')
  [ -n "$found" ] || found=$(uris | awk '$3 == "main" && $1 ~ /\/debian\/?$/ && $2 !~ /-/ { print $1; exit }')
  [ -n "$found" ] || die "apt knows no Debian mirror; set LAB_MIRROR"
  echo "$found"
}

# private_apt COMMAND…: a separate apt, with its lists below the caller's $cache: the machine's package lists do not change.
# shellcheck disable=SC2154 # cache
private_apt() {
  command=$1
  shift
  "$command" -o Dir::Etc::SourceList="$cache/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$cache/apt/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root -q "$@"
}

# private_suite SUITE: what private_apt takes packages from.
private_suite() {
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  options=
  [ ! -e "$keyring" ] || options="[signed-by=$keyring] "
  mkdir -p "$cache/apt/lists/partial"
  echo "deb $options$(mirror) $1 main" >"$cache/apt/sources.list"
  private_apt apt-get update >&2
}
