// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import LinuxFiles
internal import SystemPackage

/// The modules of the running kernel.
///
/// Through libkmod with the package trait `Libkmod`, else through the program named in `/proc/sys/kernel/modprobe`. Both load the
/// dependencies of a module and apply the options of `/etc/modprobe.d`.
public struct LiveModules: ModuleControl {
  public init() {}

  public func state(of name: String) throws(ModuleError) -> ModuleState {
    let name = Self.canonical(name)
    if let present = presentState(of: name) { return present }
    #if Libkmod
      do { return try ModuleIndex().state(of: name) } catch {
        throw ModuleError(.lookUp, name, error)
      }
    #else
      return ModuleFiles.ofRunningKernel.state(of: name)
    #endif
  }

  public func load(_ name: String, parameters: [String]) throws(ModuleError) {
    let name = Self.canonical(name)
    #if Libkmod
      let index: ModuleIndex
      do { index = try ModuleIndex() } catch { throw ModuleError(.load, name, error) }
      try index.load(name, parameters: parameters)
    #else
      try LoaderProgram.ofRunningKernel.load(name, parameters: parameters)
    #endif
  }

  /// Unloads this module only. EAGAIN while something uses it, ENOENT when it is not loaded, EBUSY while it starts.
  /// - Source: `kernel/module/main.c`, `delete_module`.
  public func unload(_ name: String) throws(ModuleError) {
    let name = Self.canonical(name)
    let status = unsafe epfnvme_delete_module(name)
    guard status == 0 else {
      let errno = Errno(rawValue: -status)
      throw ModuleError(.unload, name, errno, reason: FailureReason.unloading(errno, module: name))
    }
  }

  /// The parameters of a loaded or built-in module, as far as this process may read them; for any other, the options of
  /// `/etc/modprobe.d`.
  /// - Source: `kernel/params.c`, `param_attr_show`.
  public func parameters(of name: String) -> [String: String] {
    let name = Self.canonical(name)
    guard presentState(of: name) != nil else { return configuredParameters(of: name) }
    let directory = FilePath("/sys/module").appending(name).appending("parameters")
    var values: [String: String] = [:]
    for parameter in (try? directoryNames(directory)) ?? [] {
      if let text = try? readFile(directory.appending(parameter)) {
        values[parameter] = text.trimmed
      }
    }
    return values
  }

  private func configuredParameters(of name: String) -> [String: String] {
    #if Libkmod
      let options = (try? ModuleIndex().options(of: name)) ?? ""
    #else
      let options = LoaderProgram.ofRunningKernel.options(of: name)
    #endif
    return ModuleOptions.values(of: options.split(whereSeparator: \.isWhitespace))
  }

  /// According to `/sys/module`: a loaded module has a state; a directory without one belongs to a built-in module with parameters or a
  /// version.
  /// - Source: `kernel/module/sysfs.c`, `modinfo_initstate`; `kernel/params.c`, `locate_module_kobject`.
  private func presentState(of name: String) -> ModuleState? {
    let directory = FilePath("/sys/module").appending(name)
    if let state = try? readFile(directory.appending("initstate")) {
      return state.trimmed == "live" ? .loaded : nil
    }
    return (try? directoryNames(directory)) == nil ? nil : .builtIn
  }

  /// Module names as the kernel spells them, with `_` for `-`.
  static func canonical(_ name: String) -> String {
    String(name.map { $0 == "-" ? "_" : $0 })
  }
}
