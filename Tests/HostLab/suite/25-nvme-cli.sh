# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Every command of nvme-cli that only asks, against what the emulation's prediction says that it prints.
for behaviour in $behaviours; do
  options=$(behaviour_options "$behaviour")
  rm -rf files
  mkdir files
  profile_of_all_backings all.json
  # shellcheck disable=SC2086 # a list of words
  "$server_program" predict all.json $options $identity --commands --json >predicted.json 2>predict.err
  check "$behaviour: a prediction" is_true predicted.json '.functions[0].commands | length > 300' || {
    diag_file predict predict.err
    continue
  }
  check "$behaviour: every answer has a table" sh -c "jq --slurpfile tables '$here/nvme-cli-fields.json' \
    -f '$here/nvme-cli-golden.jq' predicted.json >files/golden.json" || continue
  cp files/golden.json "$output/nvme-cli.$behaviour.golden.json"
  cp "$here/nvme-cli-compare.jq" files/compare.jq
  # For the guest's shell, a line each: place, device, what to run, option for bytes, command. A dash is nothing.
  jq -r 'to_entries[] | .value as $case | [.key, ($case.device // "-"),
    (if $case.status != 0 then "text" elif $case.json == null then "-" else "json" end), ($case.raw // "-"), $case.words]
    | @tsv' files/golden.json >files/commands
  # shellcheck disable=SC2086
  serve all.json $options || continue
  boot "$behaviour" nvme-cli
  served "$behaviour"
done
