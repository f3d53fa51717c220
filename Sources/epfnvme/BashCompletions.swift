// SPDX-License-Identifier: Apache-2.0

/// An addition to the generated completions for bash.
///
/// readline splits words at `=`, so that `--kernel simulated=FILE` would be split into an option, its value and two more arguments, and
/// completion would stop after it. This calls the generated function with whole words.
enum BashCompletions {
  /// A message of the argument parser; the script for bash gets its addition.
  static func completed(_ message: String) -> String {
    message.hasPrefix("#!/bin/bash\n") ? message + "\n\n" + addition : message
  }

  private static let addition = #"""
    _epfnvme_whole_words() {
        local -a whole=()
        local -i index current=0
        for index in "${!COMP_WORDS[@]}"; do
            local word="${COMP_WORDS[index]}"
            if [[ "${#whole[@]}" -gt 0 && ("${word}" = '=' || "${whole[-1]}" = *=) ]]; then
                whole[-1]+="${word}"
            else
                whole+=("${word}")
            fi
            [[ "${index}" -ne "${COMP_CWORD}" ]] || current="$((${#whole[@]} - 1))"
        done
        local -a COMP_WORDS=("${whole[@]}")
        local -i COMP_CWORD="${current}"
        _epfnvme "${1}" "${whole[current]}" "${whole[current - 1]}"
    }

    complete -o filenames -F _epfnvme_whole_words epfnvme
    """#
}
