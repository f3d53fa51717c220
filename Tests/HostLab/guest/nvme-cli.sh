# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /lab/lib.sh

equal 'nvme-cli is the one that the tables are of' 2.16 "$(nvme version | sed -n 's/^nvme version \([^ ]*\).*/\1/p')"
bring_up 1 2 3 || exit
controller_node=/dev/$(controller)
namespace_node=$(disk 1)

# ask OPTION…: nvme with the command of this line, as $words and $device say.
ask() {
  case $device in
    controller) node=$controller_node ;;
    namespace) node=$namespace_node ;;
    *) node= ;;
  esac
  # shellcheck disable=SC2086 # lists of words
  set -- ${words%% *} $node ${words#"${words%% *}"} "$@"
  nvme "$@"
}

# The output of each command, one after the other, separated by characters that do not occur in it.
tab=$(printf '\t')
while IFS=$tab read -r number device form raw words; do
  status=0
  : >stdout
  : >stderr
  : >bytes
  case $form in
    json) ask --output-format=json >stdout 2>stderr </dev/null || status=$? ;;
    text) ask >stdout 2>stderr </dev/null || status=$? ;;
  esac
  if [ "$raw" != - ]; then
    ask "$raw" >bytes 2>>stderr </dev/null || status=$?
  fi
  printf '%s\037%s\037' "$number" "$status"
  cat stderr
  printf '\037'
  cat stdout
  printf '\037'
  od -An -v -tx1 bytes | tr -d ' \n'
  printf '\036'
done </lab/files/commands >observed

check 'what nvme-cli said can be compared' \
  sh -c 'jq -R -s -r --slurpfile golden /lab/files/golden.json -f /lab/files/compare.jq observed >judged'
while IFS=$tab read -r verdict text; do
  case $verdict in
    ok) pass "$text" ;;
    'not ok') fail "$text" ;;
    *) diag "$text" ;;
  esac
done <judged
