# SPDX-License-Identifier: Apache-2.0
#
# What nvme-cli has to say of a controller, from `epfnvme predict --commands --json` and nvme-cli-fields.json ($tables): an
# array of cases
#   words      nvme-cli's command and options
#   device     "controller" or "namespace": whose node it gets
#   status     the NVMe status; 0 is success
#   json       what -o json prints, if it succeeds; null when it prints none
#   preamble   what nvme-cli prints before its JSON
#   raw        the option for bytes, and
#   bytes      those bytes in hexadecimal
#   rules      of the tables, those that are about this command
# Runs with jq 1.6, which has numbers up to 2^53 and no bitwise operators.

def digit: if . >= 97 then . - 87 else . - 48 end;
def unhex: explode as $c | [range(0; $c | length; 2) | ($c[.] | digit) * 16 + ($c[. + 1] | digit)];
def hexadecimal:
  def digits: if . == 0 then "" else (. / 16 | floor | digits) + "0123456789abcdef"[. % 16:. % 16 + 1] end;
  digits | if . == "" then "0" else . end;
def padded($count): ("0" * ($count - length) // "") + .;
def hex: map(hexadecimal | padded(2)) | join("");
def numeral: ltrimstr("0x") | explode | reduce .[] as $c (0; . * 16 + ($c | digit));

# All of it takes the bytes as its input.
def number($at; $count):
  . as $bytes
  | reduce range($count - 1; -1; -1) as $i (0; . * 256 + $bytes[$at + $i])
  | if . < 9007199254740992 then . else error("a number beyond 2^53 at byte \($at)") end;
def bits($first; $count): . / pow(2; $first) | floor | . % pow(2; $count);
def text: [.[:index(0) // length][]] | implode;
# More than 2^53: digit by digit.
def decimal:
  reduce reverse[] as $byte ([0];
    reduce .[] as $digit ({digits: [], carry: $byte};
      ($digit * 256 + .carry) as $n | {digits: (.digits + [$n % 10]), carry: ($n / 10 | floor)})
    | until(.carry == 0; {digits: (.digits + [.carry % 10]), carry: (.carry / 10 | floor)})
    | .digits)
  | reverse | map(tostring) | join("");

def how($how):
  (if $how.bits then bits($how.bits[0]; $how.bits[1]) else . end) * ($how.times // 1) + ($how.plus // 0)
  | if $how.words then $how.words[[., ($how.words | length) - 1] | min]
    elif $how.text then tostring as $n | $how.text | sub("%"; $n)
    else . end;
def field($field):
  $field as [$key, $at, $count, $how]
  | if $how.as == "text" then .[$at:$at + $count] | text
    elif $how.as == "hex" then .[$at:$at + $count] | hex
    elif $how.as == "uuid" then .[$at:$at + $count] | hex
      | "\(.[0:8])-\(.[8:12])-\(.[12:16])-\(.[16:20])-\(.[20:32])"
    else number($at; $count) | how($how // {}) end;
def is_printed($how):
  $how.when as $when | $when == null or (number($when[0]; 2) as $n | any($when[1:][]; . as $bit | $n | bits($bit; 1) == 1));
def fields($list):
  . as $bytes
  | reduce $list[] as $field ({};
      if $bytes | is_printed($field[3] // {}) then .[$field[0]] = ($bytes | field($field)) else . end);
def structure($table):
  . as $bytes
  | reduce ($table.lists // [])[] as $list ($bytes | fields($table.fields);
      (if $list.count then $bytes | field([null] + $list.count) else ($bytes | length) / $list.stride end) as $count
      | .[$list.key] = [range($count) | ($list.at + . * $list.stride) as $at
        | $bytes[$at:$at + $list.stride] | fields($list.fields)]);

# ---- What is no table ----

def words_until_zero: . as $bytes | [range(0; length; 4) as $at | $bytes | number($at; 4)] | .[:index(0) // length];
# Entries of four bytes whose bit 0 says that there is something, as [index, value].
def supported: . as $bytes | [range(0; length; 4) as $at | [$at / 4, ($bytes | number($at; 4))] | select(.[1] % 2 == 1)];
def descriptors:
  def from($at):
    if .[$at + 1] == 0 then empty else
      .[$at] as $type | .[$at + 1] as $length | .[$at + 4:$at + 4 + $length] as $id
      | (["eui64", "nguid", "uuid", "csi"][$type - 1]) as $name
      | {loc: $at, nidt: $type, nidl: $length, Type: $name}
        + {($name): (if $name == "csi" then "0x\($id[0] | hexadecimal)" | if . == "0x0" then "0" else . end
            elif $name == "uuid" then ($id | field([null, 0, 16, {as: "uuid"}])) else ($id | hex) end)},
        from($at + 4 + $length)
    end;
  [from(0)];
def access_groups($states):
  . as $bytes
  | {at: 16, groups: []}
  | reduce range($bytes | number(8; 2)) as $i (.;
      .at as $at | ($bytes | number($at + 4; 4)) as $count
      | .groups += [{
          grpid: ($bytes | number($at; 4)), nnsids: $count, chgcnt: ($bytes | number($at + 8; 8)),
          state: $states[$bytes[$at + 16] | tostring],
          NSIDS: [range($count) as $n | {nsid: ($bytes | number($at + 32 + 4 * $n; 4))}]}]
      | .at = $at + 32 + 4 * $count);
def effects($names; $word):
  reduce supported[] as [$opcode, $effects] ({};
    .["\($word)_\($opcode) (\($names[$opcode | tostring] // error("no name of opcode \($opcode)")))"] = $effects);
def firmware:
  . as $bytes
  | reduce range(7) as $slot ({"Active Firmware Slot (afi)": .[0]};
      $bytes[8 + 8 * $slot:16 + 8 * $slot] as $revision
      | if $revision[0] == 0 then . else
          .["Firmware Rev Slot \($slot + 1)"] =
            "\($revision | decimal) (\($revision | map(if . >= 33 and . <= 126 then . else 46 end) | implode))" end);

# ---- A command ----

def option($name): .nvme | capture("--\($name)=(?<value>[^ ]*)").value;
def feature($tables):
  option("feature-id") as $id | (option("sel") | tonumber) as $select
  | ($tables.features[$id] // error("no table of feature \($id)")) as $table
  | (if .length > 0 then .bytes else .result as $n | [range(4) as $i | $n | bits(8 * $i; 8)] end) as $bytes
  | {
      "feature: \($id)": [{
        name: $table.name,
        ($tables.select[$select]):
          ("0x\(.result | hexadecimal | padded(8))" | if . == "0x00000000" then "00000000" else . end)}],
      (if $select == 3 then "Feature: \($id): select" else "Feature: \($id)" end):
        (.result as $n
          | if $select == 3 then
              [{b: 0, w: "saveable"}, {b: 1, w: "per-namespace"}, {b: 2, w: "changeable"}]
              | map(. as $can | select($n | bits($can.b; 1) == 1) | .w)
            else [$bytes | fields($table.fields)] end)
    };
# The JSON of a command that succeeds. $all: the answers by command.
def printed($tables; $all):
  (.nvme | split(" ")[0]) as $verb
  | if $verb == "get-feature" then feature($tables)
    elif $verb == "get-property" then
      option("offset") as $offset
      | {property: $offset, name: ($tables.properties[$offset] // error("no name of property \($offset)")),
          value: (.result | hexadecimal)}
    elif $verb == "id-ns" then .bytes | structure($tables.structures[$verb]) as $it
      | $it + {vs: []}
      | .lbafs |= [to_entries[] | .value + {lbaf: .key, in_use: (if .key == $it.flbas then 1 else 0 end)}]
    elif $verb == "nvm-id-ns" then
      ($all["id-ns --namespace-id=" + option("namespace-id")].bytes) as $space | .bytes as $bytes
      | $bytes | structure($tables.structures[$verb])
      | .elbafs = [range(1 + $space[25] + $space[82]) as $i | $bytes | fields([
          ["sts", 12 + 4 * $i, 4, {bits: [0, 7]}], ["pif", 12 + 4 * $i, 4, {bits: [7, 2]}],
          ["qpif", 12 + 4 * $i, 4, {bits: [9, 4]}]])]
      | if $space[24] | bits(5; 1) == 1 then .npdgl = ($bytes | number(268; 4)) else . end
    elif $tables.structures[$verb] then .bytes | structure($tables.structures[$verb])
    elif $verb == "ns-descs" then .bytes | {"ns-descs": descriptors}
    elif $verb == "list-ns" then .bytes | {nsid_list: (words_until_zero | map({nsid: .}))}
    elif $verb == "list-endgrp" then .bytes | number(0; 2) as $count
      | {num_endgrp_id: $count, endgrp_list: [range($count) as $i | {endgrp_id: number(2 + 2 * $i; 2)}]}
    elif $verb == "id-iocs" then
      .bytes as $bytes
      | reduce range(512) as $i ({};
          ($bytes | number(8 * $i; 8)) as $sets
          | if $sets == 0 then . else
              .["I/O Command Set Combination[\($i)]"] = $sets
              | .["IOCSC\($i)"] = ($bytes | fields([
                  ["NVM Command Set", 0], ["Key Value Command Set", 1], ["Zoned Namespace Command Set", 2],
                  ["Subsystem Local Memory Command Set", 3], ["Computational Programs Namespace Command Set", 4]]
                | map([.[0], 8 * $i, 1, {bits: [.[1], 1], words: ["Not selected", "Selected"]}])))
            end)
    elif $verb == "supported-log-pages" then
      .bytes | {supported_logs: (supported | map({("lid_0x\(.[0] | hexadecimal) "): .[1]}))}
    elif $verb == "fid-support-effects-log" then
      .bytes | {fid_support: (supported | map({("fid_\(.[0])"): .[1]}))}
    elif $verb == "fw-log" then .bytes | {nvme0: firmware}
    elif $verb == "changed-ns-list-log" then
      .bytes | words_until_zero
      | {"Changed Attached Namespace List Log": "nvme0",
          nvme0: ([to_entries[]
              | {key: "[\(.key + 1 | tostring | (" " * (4 - length) // "") + .)]", value: "0x\(.value | hexadecimal)"}]
            | from_entries)}
    elif $verb == "effects-log" then
      [{command_set_identifier: (option("csi") | tonumber),
        admin_cmd_set: (.bytes[:1024] | effects($tables.opcodes.admin; "ACS")),
        io_cmd_set: (.bytes[1024:2048] | effects($tables.opcodes.io; "IOCS"))}]
    elif $verb == "ana-log" then
      .bytes | {"Asymmetric Namespace Access Log for NVMe device": "nvme0", chgcnt: number(0; 8), ngrps: number(8; 2),
        "ANA DESC LIST ": access_groups($tables.accessStates).groups}
    elif $verb == "get-log" then null
    else error("no table of \($verb)") end;
def raw($tables):
  (.nvme | split(" ")[0]) as $verb
  | if .status != 0 or .length == 0 then null
    elif $verb == "get-feature" then "--raw-binary" else $tables.raw[$verb] end;

# nvme-cli reads ana-log for as long as there are groups in it, and puts the command set before effects-log.
def shown_bytes:
  if .nvme | startswith("ana-log") then .bytes | .[:access_groups({}).at]
  elif .nvme | startswith("effects-log") then [(option("csi") | tonumber), 0, 0, 0] + .bytes
  else .bytes end;

# ---- What nvme-cli puts together ----

def trimmed: sub(" +$"; "");
def summaries($function; $all):
  $all["id-ctrl"].bytes as $controller
  | ($controller[768:1024] | text) as $nqn
  | {words: "list", device: null, json: {Devices: [$function.namespaces[] as $space
      | ($all["id-ns --namespace-id=\($space.id)"].bytes | number(16; 8)) as $used
      | {NameSpace: $space.id, DevicePath: "/dev/nvme0n\($space.id)", GenericPath: "/dev/ng0n\($space.id)",
          Firmware: ($controller[64:72] | text | trimmed), ModelNumber: ($controller[24:64] | text | trimmed),
          SerialNumber: ($controller[4:24] | text | trimmed),
          UsedBytes: ($used * $space.blockSize), MaximumLBA: $space.blocks,
          PhysicalSize: ($space.blocks * $space.blockSize), SectorSize: $space.blockSize}]}},
    {words: "list-subsys", device: null, json: [{HostNQN: "", HostID: "", Subsystems: [{
      Name: "nvme-subsys0", NQN: $nqn,
      Paths: [{Name: "nvme0", Transport: "pcie", Address: "", State: "live"}]}]}]},
    {words: "show-regs", device: "controller",
      json: ($function.registers | with_entries(.key |= ascii_downcase | .value |= numeral))},
    {words: "effects-log", device: "controller",
      # The last requested value is first.
      json: ($function.cap | numeral
        | [if bits(43; 1) == 1 then 2 else empty end, if bits(37; 1) == 1 then 0 else empty end]
        | map($all["effects-log --csi=\(.)"].printed[0]))};

# ---- All of them ----

$tables[0] as $tables
| .functions[0] as $function
| (if .reference then "reference" elif $function.commands == null then error("without --commands")
    else {"6.12": "pci_epf_nvme", "7.2": "nvmet_pci_epf"}[.kernelRelease] // error("which driver?") end) as $driver
| ($function.commands
    | map(.bytes = ((.data | unhex) as $data | $data + [range($data | length; .length) | 0]))
    | map({key: .nvme, value: .}) | from_entries) as $answers
| ($answers | map_values(if .status == 0 then .printed = printed($tables; $answers) else . end)) as $all
| [($function.commands[].nvme as $words | $all[$words]
      | raw($tables) as $raw
      | {words: .nvme, device: (if .queue == "admin" then "controller" else "namespace" end), status: .status,
          json: .printed, raw: $raw, bytes: (if $raw then shown_bytes | hex else null end)}),
    (summaries($function; $all) | .status = 0)]
| map(.words as $words
    | .rules = [$tables.rules[]
        | select(.behaviour == null or .behaviour == $driver)
        | select(.command as $command | $words | test("^(\($command))( |$)"))])
| map(if .words == "id-iocs" then .preamble = "NVMe Identify I/O Command Set:\n" else . end)
