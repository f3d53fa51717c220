// SPDX-License-Identifier: Apache-2.0
internal import Numbers
package import ControllerEmulation
package import HostDriver
internal import LibC
internal import NVMe
internal import PCI
package import Provisioning
internal import SimulatedKernel

extension Emulation {
  /// One function and its host.
  package final class Endpoint {
    package let name: String
    package let function: NVMeFunction
    package let player: ScenarioPlayer

    init(name: String, _ device: SimulatedKernel.Device, _ way: Way) {
      self.name = name
      function =
        way.isReference ? device.function.reference(memory: device.memory) : device.function
      if way.isRealTime { function.runInRealTime() }
      let board = Board(function, isRealTime: way.isRealTime)
      player = ScenarioPlayer(function, memory: device.memory, clock: board, link: board)
      function.setTracing(true)
    }

    /// Lets one thing happen.
    package func play(_ step: Scenario.Step) throws(ProvisioningError) {
      do { try player.play(step) } catch {
        throw ProvisioningError(
          .different, "the controller failed: \(error)", operation: error.step,
          path: name,
          hint: Self.hint(error))
      }
    }

    private static func hint(_ error: HostError) -> String {
      if error.message.contains("Asymmetric Access") {
        return
          "the namespace's ANA group has this state on the function's port: set it to \"optimized\" in the port's \"anaGroups\""
      }
      if error.message.contains("Duplicate cntlid") {
        return
          "two boards have one identity: use \"identity\": \"machine\", or another \"identitySeed\" on each board"
      }
      return
        "see the trace; a quirk of the driver (epfnvme emulate --list-quirks) or a bug of its kernel release (epfnvme predict) may be the cause"
    }

    /// The results of nvme-cli commands. A command that crashes the board's kernel is not sent, so that the others have results.
    package func answers(
      _ found: ProbeResult
    ) throws(ProvisioningError) -> [(inquiry: Inquiry, result: Result)] {
      let inquiries = Inquiry.all(for: found)
      let crashes = inquiries.map { inquiry in
        inquiry.isIO ? nil : function.model.crash(of: inquiry.entry)?.rawValue
      }
      let sent = zip(inquiries, crashes).filter { $0.1 == nil }.map(\.0)
      do {
        var answers = try player.host.answers(to: sent)[...]
        return zip(inquiries, crashes).compactMap { inquiry, crash in
          if let crash { return (inquiry, .crash(crash)) }
          return answers.popFirst().map { (inquiry, .answer($0)) }
        }
      } catch {
        throw ProvisioningError(
          .different, "the controller failed: \(error)", operation: error.step,
          path: name,
          hint: "epfnvme emulate --scenario conformance shows which commands it completes")
      }
    }

    /// The result of a command.
    package enum Result {
      case answer(Inquiry.Answer)
      /// None: the board's kernel crashes; the name of its bug.
      case crash(String)
    }

    /// The registers of BAR 0 as a host finds them after probing.
    package var registers: [JSONValue.Member] {
      Register.all.map {
        .init(
          $0.abbreviation ?? "\($0)",
          .string(hexadecimal(player.host.value(of: $0))))
      }
    }

    /// The function as a host finds it, before any I/O.
    package func prediction(_ found: ProbeResult) -> [JSONValue.Member] {
      func object(_ fields: [(name: String, value: String)]) -> JSONValue {
        .object(fields.map { .init($0.name, .string($0.value)) })
      }
      let model = function.model
      return [
        .init("name", .string(name)),
        .init("cap", .string(hexadecimal(found.capabilities.rawValue))),
        .init("vs", .string(hexadecimal(found.version.rawValue))),
        .init("bar0Size", JSONValue(model.bar0Size)),
        .init("bar0Bits", JSONValue(function.configuration.bars[0]?.is64Bit == false ? 32 : 64)),
        .init(
          "extendedCapabilities",
          .array(function.configuration.extendedCapabilities.map { .string("\($0.id)") })),
        .init("msixTableOffset", JSONValue(model.msixTableOffset)),
        .init("vectors", JSONValue(model.interrupts.vectors)),
        .init("ioQueues", JSONValue(found.ioQueues)),
        .init("maximumTransfer", JSONValue(model.maximumTransfer)),
        .init(
          "identifyController", object(found.identifyController.fields)),
        .init(
          "namespaces",
          .array(
            found.namespaces.map {
              [
                "id": JSONValue($0.id), "blocks": JSONValue($0.blocks),
                "blockSize": JSONValue($0.blockSize),
                "identify": object($0.identify.fieldsAndFormats),
              ]
            })),
      ]
    }
  }

  /// Time passes for the device where the host waits; the link is its own.
  private final class Board: HostClock, LinkControl {
    private let function: NVMeFunction
    private let isRealTime: Bool
    init(_ function: NVMeFunction, isRealTime: Bool) {
      self.function = function
      self.isRealTime = isRealTime
    }
    func linkUp() { function.linkUp() }
    func linkDown() { function.linkDown() }
    func wait(milliseconds: UInt64) {
      guard isRealTime else { return function.advance(to: function.now + .init(milliseconds)) }
      usleep(UInt32(clamping: milliseconds * 1000))
      function.catchUp()
    }
  }
}
