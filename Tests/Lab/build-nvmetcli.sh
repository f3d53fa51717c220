#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Downloads nvmetcli with a Python to run it, or finds them. On stdout, one line: a directory to copy into the machine,
# in which `usr/bin/nvmetcli` runs with PYTHONHOME=DIRECTORY/usr. Nothing is installed.
#
# The machine's suite may lack nvmetcli, so it is from the newest one, with the same private apt as the kernel's source; Python and the
# imports of nvmetcli are from the machine's suite, whose C library the lab uses. Of Python only the modules that nvmetcli loads are kept,
# compiled.
set -eu

lab=$(cd "$(dirname "$0")" && pwd)
. "$lab/lab-packages.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/epfnvme-lab
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

tree=$cache/nvmetcli-$(sha256sum "$0" | cut -c 1-12)
if [ ! -e "$tree/complete" ]; then
  need_packages apt
  work=$(mktemp -d "$cache/nvmetcli-work.XXXXXX")
  trap 'rm -rf "$work"' EXIT INT TERM
  cd "$work"
  python=$(apt-cache depends python3-minimal | sed -n 's/.*PreDepends: \(python3[.0-9]*\)-minimal.*/\1/p' | head -n 1)
  [ -n "$python" ] || die "apt knows no python3-minimal (run: apt-get update)"
  say "downloading nvmetcli and $python"
  for suite in sid unstable testing; do
    if private_suite "$suite" && private_apt apt-get download nvmetcli >&2; then break; fi
  done
  apt-get -q download "$python-minimal" "lib$python-minimal" "lib$python-stdlib" \
    python3-configshell-fb python3-pyparsing python3-six python3-urwid >&2
  [ -n "$(find . -name 'nvmetcli_*.deb')" ] || die "no suite of the machine's mirror has nvmetcli"
  for package in ./*.deb; do dpkg-deb -x "$package" all; done

  rm -rf "$tree"
  mkdir -p "$tree/usr/bin"
  cp "all/usr/bin/$python" "$tree/usr/bin/python3"
  cp all/usr/bin/nvmetcli "$tree/usr/bin/nvmetcli"
  # Everything that is loaded after the imports of the program itself; encodings are looked up later, by name.
  PYTHONHOME=$work/all/usr PYTHONPATH=$work/all/usr/lib/python3/dist-packages "all/usr/bin/$python" -B -s -c '
import sys
import configshell, nvmet, json, json.encoder, json.decoder, encodings.utf_8, encodings.ascii, encodings.latin_1
for module in list(sys.modules.values()):
    if getattr(module, "__file__", None):
        print(module.__file__)
' | sed "s|^$work/all/||" | while read -r file; do
    mkdir -p "$tree/$(dirname "$file")"
    cp "all/$file" "$tree/$file"
  done
  "all/usr/bin/$python" -V >&2
  PYTHONHOME=$work/all/usr "all/usr/bin/$python" -B -s -m compileall -q -b -d / "$tree/usr/lib" >&2
  find "$tree/usr/lib" -name '*.py' -exec rm {} +
  touch "$tree/complete"
fi
echo "$tree"
