// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import ConfigFS
public import KernelEvents
internal import LinuxFiles
internal import NVMeTarget
internal import PCIEndpoint
internal import SystemPackage

/// The current state: endpoint controllers, their functions, subsystems and backings.
///
/// Read without a lock, so a value that vanishes while it is read is shown as absent.
public struct MachineStatus: Hashable, Sendable {
  public struct Endpoint: Hashable, Sendable {
    public var name: String
    public var isStarted: Bool
    public var functions: [Function]
  }

  public struct Function: Hashable, Sendable {
    public var name: String
    public var driver: String
    /// The controller that it is bound to.
    public var controller: String?
    public var vendorID: String?
    public var deviceID: String?
    public var subsystemVendorID: String?
    public var subsystemID: String?
    public var msixVectors: Int?
    public var msiVectors: Int?
    public var mdtsKiB: Int?
    /// The subsystem that it serves.
    public var nqn: String?
    /// `pci port 1`, `loop`, `tcp 192.0.2.1:4420`.
    public var path: String?
    /// Whether its NVMe controller exists; nil if the kernel does not show it.
    public var hasController: Bool?
    /// The connection to its target that binding opened, with `pci_epf_nvme`; nil if there is none.
    public var connection: FabricsConnection?
  }

  public struct Subsystem: Hashable, Sendable {
    public var nqn: String
    public var model: String?
    public var serial: String?
    public var maximumQueueID: Int?
    public var ports: [String]
    public var namespaces: [Namespace]
  }

  public struct Namespace: Hashable, Sendable {
    public var id: String
    public var devicePath: String?
    public var isEnabled: Bool
    public var backing: String?
    public var sizeBytes: UInt64?
    /// Whether the disk keeps what a host writes; false for null_blk without memory, nil if unknown.
    public var keepsData: Bool?
    /// The state of its ANA group on the port of a function that serves it; nil without such a function.
    public var anaState: String?

    /// Whether hosts of the function can use it.
    public var isAccessible: Bool {
      anaState.map { ANAState(rawValue: $0)?.isAccessible == true } ?? true
    }
  }

  public struct Device: Hashable, Sendable {
    public var name: String
    public var isPowered: Bool
    public var sizeMiB: Int?
  }

  public var isConfigFSMounted = false
  public var endpoints: [Endpoint] = []
  public var unboundFunctions: [Function] = []
  public var subsystems: [Subsystem] = []
  public var nullBlockDevices: [Device] = []
  /// The profiles that epfnvme has set up, or began to.
  public var profiles: [String] = []
  /// The reason why they are unknown.
  public var profilesProblem: ProvisioningError?
  /// The profiles whose last run did not finish.
  public var interruptions: [Interruption] = []
}

extension Provisioner {
  /// The current state of the machine; changes nothing.
  /// - Parameter withoutWriting: writes nothing, not even a current value, so that ``MachineStatus/Function/hasController`` of
  ///   `nvmet_pci_epf` functions is unknown.
  /// - Throws: ``ProvisioningError`` of kind `needsPrivileges` when the tree cannot be read.
  public func status(
    withoutWriting: Bool = false
  ) throws(ProvisioningError) -> MachineStatus {
    var status = MachineStatus()
    do { status.profiles = try run.names() } catch { status.profilesProblem = error }
    status.interruptions = ((try? journals()) ?? []).compactMap(\.interruption)
    status.isConfigFSMounted = machine.isConfigFSMounted()
    guard status.isConfigFSMounted else { return status }
    let reader = StatusReader(machine: machine, isWithoutWriting: withoutWriting)
    do {
      status.subsystems = try reader.subsystems()
      status.nullBlockDevices = try reader.nullBlockDevices()
      let functions = try reader.functions()
      reader.addAccess(of: functions, to: &status.subsystems)
      let endpoints = EndpointTree(on: machine.configFS)
      guard endpoints.isAvailable else { return status }
      for controller in try endpoints.controllers() {
        status.endpoints.append(
          MachineStatus.Endpoint(
            name: controller.name, isStarted: (try? controller.isStarted.read()) ?? false,
            functions: functions.filter { $0.controller == controller.name }))
      }
      status.unboundFunctions = functions.filter { $0.controller == nil }
    } catch {
      throw ProvisioningError(
        error, kind: error.errno == .permissionDenied ? .needsPrivileges : .operationFailed)
    }
    return status
  }
}

private struct StatusReader {
  let machine: Machine
  let isWithoutWriting: Bool

  func text(_ path: FilePath) -> String? {
    guard let text = try? machine.configFS.read(path) else { return nil }
    return text.withoutTrailingNewline
  }

  func functions() throws(ConfigFSError) -> [MachineStatus.Function] {
    let tree = EndpointTree(on: machine.configFS)
    guard tree.isAvailable else { return [] }
    var bound: [FilePath: String] = [:]
    for controller in try tree.controllers() {
      for link in try controller.directory.links() { bound[link.target] = controller.name }
    }
    var found: [MachineStatus.Function] = []
    for function in try tree.allFunctions() {
      let primary =
        (try? function.primary.directory.links().first?.target.name) ?? nil
      found.append(
        self.function(function, controller: bound[function.directory.path] ?? primary))
    }
    return found
  }

  func function(_ item: EndpointFunction, controller: String?) -> MachineStatus.Function {
    var status = MachineStatus.Function(
      name: item.name, driver: item.driver.name, controller: controller,
      vendorID: text(item.vendorID.path), deviceID: text(item.deviceID.path),
      subsystemVendorID: text(item.subsystemVendorID.path),
      subsystemID: text(item.subsystemID.path),
      msixVectors: (try? item.msixVectors.read()).map(Int.init),
      msiVectors: (try? item.msiVectors.read()).map(Int.init))
    let group = item.directory.child("nvme")
    status.mdtsKiB = text(group.path.appending("mdts_kb")).flatMap { Int($0) }
    if item.driver == .nvmetPCIEPF {
      let target = TargetGroup(directory: group)
      status.nqn = text(target.subsystemNQN.path)
      status.path = text(target.portID.path).map { "pci port \($0)" }
      // The only reliable test: the attributes of a function with a controller are busy. Unbound functions are not tested.
      if controller == nil {
        status.hasController = false
      } else if !isWithoutWriting {
        status.hasController = Hazard.isBusy(target.portID.path, machine)
      }
    } else if item.driver == .pciEPFNVMe,
      let options = try? FabricsGroup(directory: group).controllerOptions.read()
    {
      status.nqn = options.nqn
      if controller != nil {
        let open = ((try? machine.fabrics.connections()) ?? []).filter {
          $0.address == options.destination
        }
        status.connection = open.first(where: \.isLive) ?? open.first
      }
      let address = options.address.map { " \($0):\(options.serviceID ?? "8009")" }
      status.path = options.transport.map { "\($0)\(address ?? "")" }
    }
    return status
  }

  func subsystems() throws(ConfigFSError) -> [MachineStatus.Subsystem] {
    let tree = TargetTree(on: machine.configFS)
    guard tree.isAvailable else { return [] }
    var ports: [String: [String]] = [:]
    for port in try tree.ports.all() {
      let transport = text(port.transport.path) ?? ""
      for link in try port.subsystems.directory.links() {
        ports[link.target.name, default: []].append(
          "\(transport) port \(port.name)")
      }
    }
    var found: [MachineStatus.Subsystem] = []
    for item in try tree.subsystems.all() {
      var spaces: [MachineStatus.Namespace] = []
      for space in try item.namespaces.all() { spaces.append(namespace(space)) }
      found.append(
        MachineStatus.Subsystem(
          nqn: item.name, model: text(item.model.path),
          serial: text(item.serial.path).map { String($0.prefix { $0 != " " }) },
          maximumQueueID: (try? item.maximumQueueID.read()).map(Int.init),
          ports: (ports[item.name] ?? []).sorted(),
          namespaces: spaces.sorted {
            $0.id.count == $1.id.count ? $0.id < $1.id : $0.id.count < $1.id.count
          }))
    }
    return found.sorted { $0.nqn < $1.nqn }
  }

  func namespace(_ space: TargetNamespace) -> MachineStatus.Namespace {
    let path = text(space.devicePath.path).flatMap { $0 == "(null)" ? nil : $0 }
    var status = MachineStatus.Namespace(
      id: space.name, devicePath: path, isEnabled: (try? space.isEnabled.read()) ?? false)
    guard let path, let found = try? machine.storage.describe(FilePath(path)) else { return status }
    status.sizeBytes = found.size
    let isLoop = path.hasPrefix("/dev/loop")
    let file = isLoop ? (try? machine.storage.loopFile(of: FilePath(path))) ?? nil : nil
    let device = NullBlockTree(on: machine.configFS).devices[FilePath(path).name]
    let isNull = device.exists
    // The module's own devices have no directory.
    let isOfModule = !isNull && path.hasPrefix("/dev/nullb")
    status.keepsData =
      isOfModule
      ? nil
      : isNull ? text(device.directory.path.appending("memory_backed")).map { $0 == "1" } : true
    status.backing =
      file.map { "loop device of \($0)" }
      ?? (isNull ? "null_blk" : found.kind == .regularFile ? "file" : "block device")
    return status
  }

  /// The ANA states of namespaces on the ports of bound functions.
  /// - Source: `drivers/nvme/target/core.c`, `nvmet_check_ana_state`; `loop.c`, `nvme_loop_find_port`.
  func addAccess(
    of functions: [MachineStatus.Function], to subsystems: inout [MachineStatus.Subsystem]
  ) {
    let tree = TargetTree(on: machine.configFS)
    for function in functions where function.controller != nil {
      guard let index = subsystems.firstIndex(where: { $0.nqn == function.nqn }) else { continue }
      // `pci port 1`; a loop connection goes through the first loop port.
      let word = function.path == "loop" ? "loop port " : "pci port "
      guard function.path == "loop" || function.path?.hasPrefix(word) == true,
        let port = function.path == "loop"
          ? subsystems[index].ports.first(where: { $0.hasPrefix(word) }) : function.path
      else { continue }
      let groups = tree.ports.directory.path.appending(String(port.dropFirst(word.count)))
        .appending("ana_groups")
      guard (try? machine.configFS.kind(of: groups)) == .directory else { continue }
      let names = ((try? machine.configFS.entries(of: groups)) ?? []).map(\.name)
      let spaces = tree.subsystems.directory.path.appending(subsystems[index].nqn)
        .appending("namespaces")
      for place in subsystems[index].namespaces.indices {
        let id = subsystems[index].namespaces[place].id
        guard
          let group = text(spaces.appending(id).appending("ana_grpid"))?
            .kernelInteger(UInt32.self)
        else { continue }
        let found = NVMeTarget.Port.anaState(of: group, among: names) {
          text(groups.appending($0).appending("ana_state"))
        }
        subsystems[index].namespaces[place].anaState =
          found.state?.rawValue
          ?? found.name.flatMap { text(groups.appending($0).appending("ana_state")) }
      }
    }
  }

  func nullBlockDevices() throws(ConfigFSError) -> [MachineStatus.Device] {
    let tree = NullBlockTree(on: machine.configFS)
    guard tree.isAvailable else { return [] }
    return try tree.devices.all().map { device in
      MachineStatus.Device(
        name: device.name, isPowered: (try? device.isPowered.read()) ?? false,
        sizeMiB: (try? device.size.read()).map { Int($0) })
    }
  }
}

extension MachineStatus {
  public var json: JSONValue {
    [
      "configFSMounted": .bool(isConfigFSMounted),
      "profiles": profilesProblem == nil ? .array(profiles.map { .string($0) }) : .null,
      "profilesProblem": JSONValue(profilesProblem?.message),
      "interrupted": .array(
        interruptions.map { item in
          [
            "profile": .string(item.name), "step": JSONValue(item.step),
            "earlierBoot": .bool(item.isOfEarlierBoot),
          ]
        }),
      "endpoints": .array(
        endpoints.map { endpoint in
          [
            "name": .string(endpoint.name), "started": .bool(endpoint.isStarted),
            "functions": .array(endpoint.functions.map(\.json)),
          ]
        }), "unboundFunctions": .array(unboundFunctions.map(\.json)),
      "subsystems": .array(
        subsystems.map { subsystem in
          [
            "nqn": .string(subsystem.nqn), "model": JSONValue(subsystem.model),
            "serial": JSONValue(subsystem.serial),
            "maximumQueueID": subsystem.maximumQueueID.map { JSONValue($0) } ?? .null,
            "ports": .array(subsystem.ports.map { .string($0) }),
            "namespaces": .array(
              subsystem.namespaces.map { space in
                [
                  "id": Int64(space.id).map { .integer($0) } ?? .string(space.id),
                  "enabled": .bool(space.isEnabled), "devicePath": JSONValue(space.devicePath),
                  "backing": JSONValue(space.backing),
                  "sizeBytes": space.sizeBytes.map { JSONValue($0) } ?? .null,
                  "keepsData": space.keepsData.map { .bool($0) } ?? .null,
                  "anaState": JSONValue(space.anaState),
                ]
              }),
          ]
        }),
      "nullBlockDevices": .array(
        nullBlockDevices.map { device in
          [
            "name": .string(device.name), "powered": .bool(device.isPowered),
            "sizeMiB": device.sizeMiB.map { JSONValue($0) } ?? .null,
          ]
        }),
    ]
  }
}

extension MachineStatus.Function {
  public var json: JSONValue {
    func number(_ value: Int?) -> JSONValue { value.map { JSONValue($0) } ?? .null }
    return [
      "name": .string(name), "driver": .string(driver), "bound": .bool(controller != nil),
      "controller": JSONValue(controller),
      "ids": [
        "vendorID": JSONValue(vendorID), "deviceID": JSONValue(deviceID),
        "subsystemVendorID": JSONValue(subsystemVendorID), "subsystemID": JSONValue(subsystemID),
      ], "vectors": ["msix": number(msixVectors), "msi": number(msiVectors)],
      "mdtsKiB": number(mdtsKiB), "nqn": JSONValue(nqn), "path": JSONValue(path),
      "hasController": hasController.map { .bool($0) } ?? .null,
      "connection": connection.map {
        ["name": .string($0.name), "state": JSONValue($0.state), "live": .bool($0.isLive)]
      } ?? .null,
    ]
  }
}
