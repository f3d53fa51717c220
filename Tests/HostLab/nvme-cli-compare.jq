# SPDX-License-Identifier: Apache-2.0
#
# Holds what nvme-cli did against what was predicted ($golden, of nvme-cli-golden.jq), and prints a line `ok` or `not ok`, a
# tab and the name for each of its words, and after it a line `#`, a tab and the text for each difference.
# Input, raw: for each command, with unit separators between and a record separator after them: its place in $golden, exit
# status, stderr, stdout, and the bytes in hexadecimal.

def leaves:
  . as $value
  | [paths((type != "object" and type != "array") or length == 0)]
  | map(. as $path | {key: ($path | map(tostring) | join(".")), value: ($value | getpath($path))})
  | from_entries;

# The kernel looks at all namespaces at once, and numbers and lists them as they were found.
def unnumbered: sub("n[0-9]+$"; "n");
def in_order:
  if type == "object" and has("Devices") then
    .Devices |= (sort_by(.NameSpace) | map(.DevicePath |= unnumbered | .GenericPath |= unnumbered))
  else . end;

def broken($rule; $expected):
  if $rule == "at least" then (type == "number" and . >= $expected | not)
  elif $rule == "above 0" then (type == "number" and . > 0 | not)
  elif $rule == "number" then type != "number"
  elif $rule == "text" then (type == "string" and length > 0 | not)
  else error("no rule \($rule)") end;

def differences($expected; $rules):
  (in_order | leaves) as $found | ($expected | in_order | leaves) as $expected
  | ($found + $expected | keys[]) as $key | $found[$key] as $printed | $expected[$key] as $predicted
  | if ($found | has($key) | not) then "\($key): not printed, \($predicted | tojson) predicted"
    elif ($expected | has($key) | not) then "\($key): \($printed | tojson) printed, nothing predicted"
    else
      ([$rules[] | select(.keys) | select(.keys as $keys | $key | test("^(\($keys))$"))][0].rule) as $rule
      | if $rule == null then
          if $printed == $predicted then empty
          else "\($key): \($printed | tojson) printed, \($predicted | tojson) predicted" end
        elif $printed | broken($rule; $predicted) then
          "\($key): \($printed | tojson) printed, \($rule)\(if $rule == "at least" then " \($predicted)" else "" end) wanted"
        else empty end
    end;

def masked($rules):
  reduce ($rules[].bytes // [])[] as [$at, $count] (.; .[:2 * $at] + "--" * $count + .[2 * ($at + $count):]);
def byte_differences($expected; $rules):
  masked($rules) as $found | ($expected | masked($rules)) as $expected
  | if $found == $expected then empty
    elif ($found | length) != ($expected | length) then
      "bytes: \(($found | length) / 2) printed, \(($expected | length) / 2) predicted"
    else
      first(range(0; $found | length; 2) | select($found[.:. + 2] != $expected[.:. + 2])) as $at
      | "bytes from \($at / 2) on: \($found[$at:$at + 32]) printed, \($expected[$at:$at + 32]) predicted"
    end;

def numeral: ltrimstr("0x") | explode | reduce .[] as $c (0; . * 16 + (if $c >= 97 then $c - 87 else $c - 48 end));
# As nvme-cli writes it.
def status:
  def digits: if . == 0 then "" else (. / 16 | floor | digits) + "0123456789abcdef"[. % 16:. % 16 + 1] end;
  "0x\(digits)";
def status_number: [scan("\\((0x[0-9a-f]+)\\)")] | last // [] | .[0];
# What is different about one command.
def judged($case):
  if $case.status != 0 then
    (.stderr | status_number) as $number
    | if .exit == 0 then "succeeds, \($case.status | status) predicted"
      elif $number == null then "exit status \(.exit) without an NVMe status, \($case.status | status) predicted: \(.stderr)"
      elif ($number | numeral) != $case.status then "refused with \($number), \($case.status | status) predicted"
      else empty end
  elif .exit != 0 then "exit status \(.exit), success predicted: \(.stderr)\(.stdout)"
  else
    (if $case.json == null then empty
      else
        ($case.preamble // "") as $preamble
        | if .stdout | startswith($preamble) then
            (try (.stdout | ltrimstr($preamble) | fromjson) catch null) as $json
            | if $json == null then "no JSON: \(.stdout[:200])" else $json | differences($case.json; $case.rules) end
          else "does not begin with \($preamble | tojson)" end
      end),
    (if $case.raw then .bytes | byte_differences($case.bytes; $case.rules) else empty end)
  end;

$golden[0] as $cases
| [split("\u001e")[] | select(. != "") | split("\u001f")
    | {case: $cases[.[0] | tonumber], exit: (.[1] | tonumber), stderr: .[2], stdout: .[3], bytes: .[4]}]
| (if length == ($cases | length) then empty
    else "not ok\tevery command was run", "#\t\(length) of \($cases | length)" end),
  (group_by(.case.words | split(" ")[0])[]
    | (.[0].case.words | split(" ")[0]) as $verb
    | [.[] | .case.words as $words | judged(.case) | "\($words): \(.)"] as $found
    | length as $count
    | (map(select(.case.status != 0)) | length) as $refused
    | "\(if $found == [] then "ok" else "not ok" end)\tnvme \($verb) as predicted (\($count) commands, \($refused) refused)",
      ($found[] | gsub("[\n\t]+"; " ") | "#\t\(.)"))
