// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
internal import KernelEvents

extension Plan {
  /// A shell script with the same steps: `sh script up` sets up, `sh script down` tears down.
  ///
  /// It has no journal, no lock and no rollback; it is for boards without epfnvme and for reading.
  public var shellScript: String {
    var script = Self.preamble(name)
    let hasLoops = steps.contains { step in
      switch step.operation {
      case .attachLoop, .detachLoop: true
      default: false
      }
    }
    if hasLoops { script += Self.loopFunctions }
    let connects = steps.contains { step in
      if case .expectConnection = step.operation { true } else { false }
    }
    if connects { script += Self.disconnectFunction }
    script += "up() {\n"
    for step in steps {
      script += "  # \(step.reason.withoutLineFeeds)\n"
      for line in Self.commands(for: step.operation) { script += "  \(line)\n" }
    }
    script += "  :\n}\n\ndown() {\n"
    for step in steps.reversed() {
      guard let undo = Self.shellUndo(of: step) else { continue }
      for line in Self.commands(for: undo) { script += "  \(line)\n" }
    }
    script += "  :\n}\n\n"
    script += """
      case "${1:-up}" in
        up) up ;;
        down) down ;;
        *) echo "usage: sh $0 up|down" >&2; exit 64 ;;
      esac

      """
    return script
  }

  private static func preamble(_ name: String) -> String {
    """
    #!/bin/sh
    # The steps of epfnvme for the profile \(quoted(name)), as plain commands. Run as root: sh SCRIPT up, sh SCRIPT down.
    set -eu

    # One write, with the line feed that some attributes need.
    put() { printf '%s\\n' "$1" > "$2"; }
    # One write, unchanged.
    put_raw() { printf '%s' "$1" > "$2"; }
    # Waits up to 5 s for an object that the kernel creates late.
    await() {
      tries=0
      until [ -e "$1" ]; do
        tries=$((tries + 1))
        [ "$tries" -le 50 ] || { echo "$1 did not appear" >&2; exit 75; }
        sleep 0.1
      done
    }
    # A function whose NVMe controller exists rejects changes; a function without one accepts them.
    verify() {
      if put "$(cat "$1/nvme/portid")" "$1/nvme/portid" 2> /dev/null; then
        echo "$1: the NVMe controller was not created; see dmesg" >&2
        exit 74
      fi
    }


    """
  }

  /// Loop devices with the losetup of util-linux or of BusyBox, which has neither `--show` nor `-j`, block sizes nor direct I/O.
  private static let loopFunctions = """
    # Exits unless this losetup has the option $1, which is needed for $2.
    need_losetup() {
      losetup --help 2>&1 | grep -q -e "$1" || {
        echo "losetup has no $1 (BusyBox?), and $2 needs it: install the losetup of util-linux" >&2
        exit 69
      }
    }
    # Binds a free loop device to the file $1 from byte $2 on, with blocks of $3 bytes (0: the kernel's choice), with direct
    # I/O when $4 is yes, and prints its path.
    attach_loop() {
      file=$1 offset=$2 size=$3 direct=$4
      set --
      [ "$offset" = 0 ] || set -- "$@" -o "$offset"
      [ "$size" = 0 ] || { need_losetup --sector-size "a block size of $size"; set -- "$@" --sector-size "$size"; }
      [ "$direct" != yes ] || { need_losetup --direct-io "direct I/O"; set -- "$@" --direct-io=on; }
      loop=$(losetup -f)
      losetup "$@" "$loop" "$file"
      echo "$loop"
    }
    # Releases the loop device that is bound to the file $1; the kernel shows the file's path without symbolic links.
    detach_loop() {
      file=$(readlink -f "$1") || file=$1
      for loop in /sys/block/loop*; do
        [ "$(cat "$loop/loop/backing_file" 2> /dev/null)" = "$file" ] || continue
        losetup -d "/dev/${loop##*/}"
        return
      done
      echo "no loop device is bound to $1" >&2
      exit 74
    }


    """

  /// As `nvme disconnect -n` of nvme-cli, which small systems lack.
  private static let disconnectFunction = """
    # Disconnects from the subsystem $1, which is reached by the transport $2.
    disconnect() {
      for fabric in /sys/class/nvme/nvme*; do
        [ "$(cat "$fabric/subsysnqn" 2> /dev/null)" = "$1" ] || continue
        [ "$(cat "$fabric/transport" 2> /dev/null)" = "$2" ] || continue
        put 1 "$fabric/delete_controller"
      done
    }


    """

  private static func shellUndo(of step: Step) -> Operation? {
    switch step.undo {
    case .nothing, .capture, .ifDifferent: nil
    case .write(let text): .write(path: step.operation.path, value: .text(text), shown: nil)
    case .operation(let undo): undo
    case .inverse:
      // A file that holds data stays, as it does at teardown.
      switch step.operation {
      case .createFile: nil
      case .expectConnection(let address): .disconnect(address, sparing: [])
      default: step.operation.inverse
      }
    }
  }

  private static func commands(for operation: Operation) -> [String] {
    let path = quoted(operation.path)
    switch operation {
    case .mountConfigFS: return ["mountpoint -q \(path) || mount -t configfs none \(path)"]
    case .loadModule(let name, let parameters):
      return [(["modprobe", quoted(name)] + parameters.map(quoted)).joined(separator: " ")]
    case .unloadModule(let name): return ["modprobe -r \(quoted(name))"]
    case .createFile(_, let bytes):
      return ["[ -e \(path) ] || { umask 077; truncate -s \(bytes) \(path); }"]
    case .removeFile: return ["rm \(path)"]
    case .attachLoop(let backing, let loop):
      let direct = loop.usesDirectIO ? "yes" : "no"
      return [
        "\(variable(backing))=$(attach_loop \(path) \(loop.offset) \(loop.blockSize) \(direct))"
      ]
    case .detachLoop: return ["detach_loop \(path)"]
    case .createDirectory: return ["mkdir \(path)"]
    case .removeDirectory: return ["rmdir \(path)"]
    case .restoreDirectory(_, let attributes):
      return ["mkdir \(path)"]
        + attributes.flatMap { attribute in
          commands(for: .write(path: attribute.path, value: attribute.value, shown: nil))
        }
    case .write(_, .text(SecretAttribute.clearing), _): return ["printf '\\0' > \(path)"]
    case .write(_, .text(let text), _):
      return text.last == "\n"
        ? ["put \(quoted(text.withoutTrailingNewline)) \(path)"]
        : ["put_raw \(quoted(text)) \(path)"]
    case .write(_, .loopDevice(let backing), _): return ["put \"$\(variable(backing))\" \(path)"]
    case .link(_, let target): return ["ln -s \(quoted(target)) \(path)"]
    case .unlink: return ["rm \(path)"]
    case .expectConnection: return []
    case .disconnect(let address, _):
      return ["disconnect \(quoted(address.nqn)) \(quoted(address.transport))"]
    case .awaitDirectory, .awaitDevice: return ["await \(path)"]
    case .verifyController(_, let driver):
      return driver == "nvmet_pci_epf" ? ["verify \(path)"] : []
    }
  }

  private static func variable(_ backing: String) -> String {
    "loop_" + String(backing.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }

  /// Quoted if the shell would split or expand it.
  private static func quoted(_ text: String) -> String {
    let isPlain =
      !text.isEmpty
      && text.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "/._-:=,@+".utf8.contains(byte)
        }
      }
    if isPlain { return text }
    return "'"
      + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
      + "'"
  }
}

extension String {
  fileprivate var withoutLineFeeds: String { String(map { $0.isNewline ? " " : $0 }) }
}
