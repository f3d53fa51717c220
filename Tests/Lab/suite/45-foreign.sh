# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# A set-up of other hands, made as the public board scripts make theirs (modprobe, mkdir, echo, ln), before, under and after
# ours. What is in the way of a profile is refused and not touched, or, where it is what the profile says, adopted; what is not in
# the way stays as it is.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver; then
  skip 'a foreign set-up' 'no virtual controller, or no NVMe function driver'
  exit 0
fi

# foreign_up FUNCTION PORT: a disk of null_blk's own, a subsystem FUNCTION.nqn, a port, and a bound function. Stops at the first
# thing that fails, as the scripts do.
foreign_up() (
  set -e
  subsystem=$config/nvmet/subsystems/$1.nqn
  function=$config/pci_ep/functions/$driver/$1
  [ -b /dev/nullb0 ] || { rmmod null_blk && modprobe null_blk nr_devices=1 gb=1; }
  mkdir "$subsystem"
  echo 1 >"$subsystem/attr_allow_any_host"
  echo 'Board script' >"$subsystem/attr_model"
  echo 4 >"$subsystem/attr_qid_max"
  if is_nvmet_pci_epf; then echo 0x1b96 >"$subsystem/attr_vendor_id"; fi
  mkdir "$subsystem/namespaces/1"
  echo /dev/nullb0 >"$subsystem/namespaces/1/device_path"
  echo 1 >"$subsystem/namespaces/1/enable"
  mkdir "$config/nvmet/ports/$2"
  echo "$transport" >"$config/nvmet/ports/$2/addr_trtype"
  ln -s "$subsystem" "$config/nvmet/ports/$2/subsystems/$1.nqn"
  mkdir "$function"
  echo 0x1b96 >"$function/vendorid"
  echo 0xbeef >"$function/deviceid"
  echo 32 >"$function/msix_interrupts"
  if is_nvmet_pci_epf; then
    echo "$2" >"$function/nvme/portid"
    echo "$1.nqn" >"$function/nvme/subsysnqn"
  else
    printf %s "transport=loop,nqn=$1.nqn,nr_io_queues=2" >"$function/nvme/ctrl_opts"
  fi
  cd "$config/pci_ep"
  ln -s "functions/$driver/$1" "controllers/$controller/$1"
)
# foreign_down FUNCTION PORT: takes it away again, whatever there is of it.
foreign_down() {
  {
    rm "$config/pci_ep/controllers/$controller/$1"
    rmdir "$config/pci_ep/functions/$driver/$1"
    rm "$config/nvmet/ports/$2/subsystems/$1.nqn"
    rmdir "$config/nvmet/ports/$2" "$config/nvmet/subsystems/$1.nqn/namespaces/1" "$config/nvmet/subsystems/$1.nqn"
  } 2>/dev/null
}
start=$config/pci_ep/controllers/$controller/start

# foreign_part TREE: what belongs to the foreign set-up called other, line by line.
foreign_part() { grep -E '/(other|other\.nqn|ports/7)(/| |$)|nullb0' "$1"; }

# refused TITLE PROFILE: beside a started set-up of others nothing is touched, and the error says what to do.
refused() {
  begin max_functions=2
  check "$1: a board script sets up" foreign_up ours.0 1
  echo 1 >"$start"
  tree before.tree
  run setup "$2" --json
  status_is "$1: refused" 78
  json "$1: the error has a hint" '.error.hint | length > 0'
  same_tree "$1: nothing was touched" before.tree
  no_journal "$1: no journal is left"
  run setup "$2" --force
  status_is "$1: refused with --force, too" 78
  same_tree "$1: nothing was touched with --force" before.tree
  run teardown --all
  same_tree "$1: teardown has nothing to take away" before.tree
  echo 0 >"$start"
  foreign_down ours.0 1
  clean
}

# ---- Before ours: in the way ----

profile ours "$backing_null"
# The same function and the same subsystem, with another model and disk.
sed 's/ours\.nqn/ours.0.nqn/g' ours.json >same-names.json
refused 'the same names, other contents' same-names.json
# Only the function has the same name.
refused 'the same function' ours.json
# Only the subsystem has.
sed 's/"name": "ours.0"/"name": "mine.0"/; s/ours\.nqn/ours.0.nqn/g' ours.json >same-subsystem.json
refused 'the same subsystem' same-subsystem.json

begin max_functions=2
check 'equal: a board script sets up' foreign_up ours.0 1
# The machine matches the profile, which is its export.
run export --as exported
status_is 'equal: export' 0
cp out equal.json
tree before.tree
run check equal.json
check_status=$status
run diff equal.json
equal 'equal: check and diff agree' "$check_status" "$status"
run setup equal.json --json
if [ "$status" -eq 0 ]; then
  status_is 'equal: adopted' 0
  check 'equal: a journal is written' test -n "$(journals)"
  same_tree 'equal: adopting changes nothing' before.tree
  run setup equal.json --json
  json 'equal: a second setup has nothing to do' '.changed == false'
  run teardown exported
  status_is 'equal: teardown' 0
  check 'equal: teardown removes it' test ! -e "$config/pci_ep/functions/$driver/ours.0" -a ! -e "$config/nvmet/subsystems/ours.0.nqn"
  no_journal 'equal: no journal is left'
else
  status_is 'equal: refused' 78
  json 'equal: the error has a hint' '.error.hint | length > 0'
  same_tree 'equal: nothing was touched' before.tree
  no_journal 'equal: no journal is left'
fi
foreign_down ours.0 1
clean

# ---- Before ours: beside it ----

begin max_functions=2
check 'beside: a board script sets up' foreign_up other 7
tree before.tree
foreign_part before.tree >foreign.before
# The ids are the same: all functions of a driver share one header.
profile ours "$backing_null" '"msixVectors": 32, "start": false, "controllerFeatures": { "maximumFunctions": 2 }'
run setup ours.json --json
status_is 'beside: setup' 0
tree during.tree
# The loop transport connects through the machine's first loop port, so that ours is there as well.
foreign_part during.tree | grep -v -F 'ports/7/subsystems/ours.nqn' >foreign.during
check 'beside: the foreign set-up is untouched' cmp foreign.before foreign.during
diff -U 0 foreign.before foreign.during >tree.diff
diag_file tree tree.diff
run check ours.json
status_is 'beside: check' 0
run status --json
json 'beside: status has both functions' '[.endpoints[].functions[].name] | sort == ["other", "ours.0"]'
run teardown ours --json
status_is 'beside: teardown' 0
same_tree 'beside: only ours is gone' before.tree
no_journal 'beside: no journal is left'
# A host uses the foreign function: what would take its link down needs --force, or is refused.
echo 1 >"$start"
tree before.tree
profile ours "$backing_null" '"msixVectors": 32, "controllerFeatures": { "maximumFunctions": 2 }'
run setup ours.json --json
status_is 'beside a started function: not without asking' 64 78
same_tree 'beside a started function: nothing was touched' before.tree
echo 0 >"$start"
foreign_down other 7
clean

# ---- Under ours ----

# under TITLE WHAT COMMAND…: with something foreign in an object of ours, teardown names it and leaves it, or leaves it and is done.
under() {
  title=$1
  what=$2
  shift 2
  begin max_functions=2
  # Theirs before and after. What a port computes when its first subsystem comes is there already.
  mkdir "$config/nvmet/subsystems/other.nqn" "$config/nvmet/ports/7"
  # With pci_epf_nvme a loop port would be ours as well.
  echo tcp >"$config/nvmet/ports/7/addr_trtype"
  echo ipv4 >"$config/nvmet/ports/7/addr_adrfam"
  echo 127.0.0.1 >"$config/nvmet/ports/7/addr_traddr"
  echo 4420 >"$config/nvmet/ports/7/addr_trsvcid"
  ln -s "$config/nvmet/subsystems/other.nqn" "$config/nvmet/ports/7/subsystems/other.nqn"
  tree before.tree
  profile ours "$backing_null"
  run setup ours.json
  status_is "$title: setup" 0
  check "$title: put in" "$@"
  run teardown ours --json
  if [ "$status" -eq 0 ]; then
    status_is "$title: teardown goes around it" 0
  else
    status_is "$title: teardown cannot finish" 76 74
    says "$title: and names what is in the way" "$what"
  fi
  check "$title: it is still there" test -e "$there"
}
put_namespace() { mkdir "$there"; }
ours=$config/nvmet/subsystems/ours.nqn
there=$ours/namespaces/9
under 'a namespace' namespaces/9 put_namespace
rmdir "$there"
run teardown ours
status_is 'a namespace: removed by its owner, teardown works' 0
same_tree 'a namespace: nothing else was touched' before.tree
no_journal 'a namespace: no journal is left'

put_link() { ln -s "$ours" "$there"; }
there=$config/nvmet/ports/7/subsystems/ours.nqn
under 'a port of others' ports/7 put_link
rm "$there"
run teardown ours
status_is 'a port of others: removed by its owner, teardown works' 0
same_tree 'a port of others: nothing else was touched' before.tree
no_journal 'a port of others: no journal is left'

# A function of others on our controller: the controller is theirs as much.
put_function() {
  function=$config/pci_ep/functions/pci_epf_test/other
  mkdir "$function" && cd "$config/pci_ep" && ln -s functions/pci_epf_test/other "controllers/$controller/other"
}
if modprobe -q pci-epf-test; then
  there=$config/pci_ep/controllers/$controller/other
  begin max_functions=2
  profile ours "$backing_null" '"msixVectors": 32, "start": false'
  tree before.tree
  run setup ours.json
  status_is 'a function of others: setup' 0
  check 'a function of others: put in' put_function
  run teardown ours --json
  status_is 'a function of others: teardown of ours' 0
  check 'a function of others: it is still there' test -L "$there"
  rm "$there"
  rmdir "$config/pci_ep/functions/pci_epf_test/other"
  same_tree 'a function of others: nothing else was touched' before.tree
  no_journal 'a function of others: no journal is left'
  rmmod pci-epf-test
fi

# A value of ours that others have changed is theirs.
begin
profile ours "$backing_null"
tree before.tree
run setup ours.json
echo 'Board script' >"$ours/attr_model" 2>/dev/null
run check ours.json
if [ "$(sed -n 1p "$ours/attr_model")" = 'Board script' ]; then status_is 'a changed value: check' 1; else status_is 'a value that is frozen: check' 0; fi
run teardown ours
status_is 'a changed value: teardown' 0
same_tree 'a changed value: nothing is left' before.tree
clean

# ---- After ours ----

# A script's start over a live set-up. With the same names a careful one stops at its first mkdir. The public ones go on and write
# attr_qid_max of a subsystem with a live controller, which crashes nvmet_pci_epf's kernel and costs pci_epf_nvme its connection.
begin
profile over "$backing_null"
sed 's/over\.nqn/over.0.nqn/g' over.json >same-names.json
run setup same-names.json
status_is 'over a live set-up: setup' 0
# The scripts load null_blk as a module, and ours is in use.
tree standing.tree
check "over a live set-up, the same names: the script stops" sh -c "! mkdir $config/nvmet/subsystems/over.0.nqn"
same_tree 'over a live set-up, the same names: nothing has changed' standing.tree
run check same-names.json
status_is 'over a live set-up, the same names: check' 0
# Other names: everything works but the link, for which the controller has no place.
mkdir "$config/nvmet/subsystems/other.nqn" "$config/nvmet/ports/7" "$config/pci_ep/functions/$driver/other"
echo "$transport" >"$config/nvmet/ports/7/addr_trtype"
ln -s "$config/nvmet/subsystems/other.nqn" "$config/nvmet/ports/7/subsystems/other.nqn"
tree left.tree
check 'over a live set-up, other names: the link is refused' \
  sh -c "cd $config/pci_ep && ! ln -s functions/$driver/other controllers/$controller/other"
run check same-names.json
status_is 'over a live set-up, other names: check' 0
run setup same-names.json --json
json 'over a live set-up, other names: setup has nothing to do' '.changed == false'
same_tree 'over a live set-up, other names: and changes nothing' left.tree
run teardown over
status_is 'over a live set-up: teardown' 0
if ! is_nvmet_pci_epf; then
  foreign_half=$(find "$config" -name 'other*' | sort)
  run setup same-names.json
  status_is 'a script that continues: setup' 0
  check 'a script that continues: attr_qid_max' sh -c "echo 4 >$config/nvmet/subsystems/over.0.nqn/attr_qid_max"
  wait_for 'a script that continues: the connection has gone' sh -c '! grep -l over.0.nqn /sys/class/nvme/nvme*/subsysnqn'
  run check same-names.json --json
  status_is 'a script that continues: check' 1
  json 'a script that continues: check names the connection' '[.cases[] | select(.passed | not) | .id] | any(startswith("connection "))'
  run diff same-names.json
  status_is 'a script that continues: diff' 1
  run doctor --json
  json 'a script that continues: doctor names the connection' '[.findings[].id] | index("connection-lost") != null'
  run status --json
  json 'a script that continues: status has no connection' '.endpoints[].functions[] | select(.name == "over.0") | .connection == null'
  run setup same-names.json
  status_is 'a script that continues: the fix disrupts a host' 64
  run setup same-names.json --force
  status_is 'a script that continues: setup --force' 0
  run check same-names.json
  status_is 'a script that continues: afterwards' 0
  run teardown over
  status_is 'a script that continues: teardown' 0
  equal 'a script that continues: the foreign half is still there' "$foreign_half" "$(find "$config" -name 'other*' | sort)"
fi
for left in nvmet/subsystems/other.nqn nvmet/ports/7/subsystems/other.nqn "pci_ep/functions/$driver/other"; do
  check "over a live set-up: $left of others stays" test -e "$config/$left"
done
no_journal 'over a live set-up: no journal is left'
check 'over a live set-up: ours is gone' test ! -e "$config/nvmet/subsystems/over.0.nqn" -a ! -e "$config/pci_ep/functions/$driver/over.0"
clean
# The suites that follow load it as usual.
rmmod null_blk
