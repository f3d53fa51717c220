# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Every system call of a setup that changes configfs fails once, and kills the program once: strace injects both, on the
# real kernel. Also counts those calls.
# shellcheck source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=profiles.sh
. "${0%/*}/profiles.sh"

if ! has_controller || ! has_driver; then
  skip 'every step' 'no virtual controller, or no NVMe function driver'
  exit 0
fi
begin "$@"
profile steps "$backing_null"
tree before.tree
# One call for a directory or a link, a write and a read-back for a value.
run plan steps.json --format json
allowed=$(jq '[.steps[] | {create: 1, link: 1, write: 2}[.operation] // 0] | add' out)
calls=mkdir,mkdirat,symlink,symlinkat,rmdir,unlink,unlinkat,open,openat,read,pread64,write,pwrite64

if ! strace -f -y -qq -e "trace=$calls" -o trace -s 300 epfnvme setup steps.json >out 2>err; then
  fail 'setup under strace works'
  ran='strace epfnvme setup steps.json' status=$?
  explain
  diag_file trace trace
  clean
  exit 0
fi
pass 'setup under strace works'
# On configfs itself: the journal's lines speak of its paths, too.
grep -E "^[0-9]+ +[a-z0-9]+\((AT_FDCWD[^,]*, |[0-9]+<$config/|\"$config/)" trace | grep "$config/" |
  grep -v -E "^[0-9]+ +[a-z0-9]+\([0-9]+</run/" >trace.configfs
# count CALLS: how often a group of calls that worked touched configfs.
count() { grep -v ' = -1 ' trace.configfs | grep -c -E "^[0-9]+ +($1)\("; }
effects=$(count 'mkdir|mkdirat|symlink|symlinkat|write|pwrite64')
# A read that reaches the end of the file brings nothing back.
reads=$(grep -v -E ' = (-1|0)( |$)' trace.configfs | grep -c -E '^[0-9]+ +(read|pread64)\(')
all=$(grep -c . trace.configfs)
diag "setup: $effects changes, $reads reads, $(count 'open|openat') files opened, $all calls in all on configfs"
if [ "$((effects + reads))" -le "${allowed:-0}" ]; then
  pass "configfs calls: at most the plan's writes and one read-back each"
else
  fail "configfs calls: at most the plan's writes and one read-back each ($effects changes, $reads reads, allowed $allowed)"
  sed -n 's/.*<\(\/sys\/kernel\/config\/[^>]*\)>.*/\1/p' trace.configfs | sort | uniq -c | sort -rn >often
  diag_file path often
fi
run teardown steps
status_is 'teardown' 0
same_tree 'nothing is left' before.tree

# The paths of the changes, for -P: only calls on these are counted and injected into.
grep -v ' = -1 ' trace.configfs | grep -E '^[0-9]+ +(write|pwrite64)\(' |
  sed -n 's/^[^<]*<\([^>]*\)>.*/\1/p' >paths
grep -v ' = -1 ' trace.configfs | grep -E '^[0-9]+ +(mkdir|mkdirat|symlink|symlinkat)\(' |
  sed 's/ = .*//; s/, 0[0-7]*)$//' | grep -o '"[^"]*"' | tr -d '"' | grep "^$config/" >>paths
set --
while read -r path; do set -- "$@" -P "$path"; done <paths
# Every change as `CALL NUMBER`: strace counts each kind of call separately.
for call in mkdir mkdirat symlink symlinkat write pwrite64; do
  count=$(grep -c -E "^[0-9]+ +$call\(" trace.configfs)
  for number in $(seq 1 "$count"); do echo "$call $number"; done
done >changes
changes=$(grep -c . changes)
check 'every change is known' test "$changes" -ge "$effects"

# injected CALL NUMBER ACTION: setup, with something happening to one of its changes.
injected() {
  ran="strace -e inject=$1:$3:when=$2 epfnvme setup steps.json"
  status=0
  doing "$ran"
  # shellcheck disable=SC2086
  timeout 300 strace -f -qq -o /dev/null $paths_options -e "trace=$1" -e "inject=$1:$3:when=$2" \
    epfnvme setup steps.json --json >out 2>err </dev/null || status=$?
}
paths_options=$*

bad=0
cases=0
while read -r call step; do
  # EBUSY is left out: it is what tells that a controller lives.
  case $((step % 4)) in
    0) error=EINVAL ;; 1) error=EIO ;; 2) error=ENOSPC ;; *) error=EACCES ;;
  esac
  injected "$call" "$step" "error=$error"
  cases=$((cases + 1))
  tree after.tree
  if [ "$status" -eq 74 ] && diff -U 0 before.tree after.tree >tree.diff && [ -z "$(journals)" ] &&
    is_true out ".error | .path and .hint and ((.errno | tostring) + .message | test(\"$error\"))"; then
    continue
  fi
  bad=$((bad + 1))
  if [ "$bad" -le 5 ]; then
    diag "$call $step, $error: status $status, journal '$(journals)'"
    explain
    diag_file tree tree.diff
  fi
  clean
done <changes
equal "each of $cases changes fails: exit 74, reported, undone" 0 "$bad"

bad=0
cases=0
while read -r call step; do
  injected "$call" "$step" signal=KILL
  cases=$((cases + 1))
  killed=$status
  # Every other time a new setup has to cope, not a teardown.
  if [ $((step % 2)) -eq 0 ]; then
    run setup steps.json
    setup_status=$status
  else
    setup_status=0
  fi
  # Before its first effect there is no journal, and a name without one is an error.
  if [ -n "$(journals)" ]; then run teardown steps; else status=0; fi
  tree after.tree
  if [ "$killed" -eq 137 ] && [ "$setup_status" -eq 0 ] && [ "$status" -eq 0 ] &&
    diff -U 0 before.tree after.tree >tree.diff && [ -z "$(journals)" ]; then
    continue
  fi
  bad=$((bad + 1))
  if [ "$bad" -le 5 ]; then
    diag "killed (status $killed) at $call $step: setup $setup_status, teardown $status, journal '$(journals)'"
    explain
    diag_file tree tree.diff
  fi
  clean
done <changes
equal "killed at each of $cases changes: the next run recovers" 0 "$bad"
clean
