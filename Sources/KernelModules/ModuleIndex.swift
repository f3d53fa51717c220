// SPDX-License-Identifier: Apache-2.0
#if Libkmod
  internal import CKMod
  internal import SystemPackage

  /// The modules of the running kernel in libkmod, and the messages of libkmod.
  @safe struct ModuleIndex: ~Copyable {
    private let context: OpaquePointer
    private let messages: UnsafeMutablePointer<epfnvme_kmod_messages>

    /// - Parameter directory: the directory of the modules; nil for `/lib/modules/` and the kernel release.
    init(in directory: String? = nil) throws(Errno) {
      guard let context = unsafe kmod_new(directory, nil) else { throw .noMemory }
      // Without a log function libkmod writes to stderr.
      unsafe messages = .allocate(capacity: 1)
      unsafe epfnvme_kmod_collect(context, messages)
      unsafe self.context = context
    }

    deinit {
      _ = unsafe kmod_unref(context)
      unsafe messages.deallocate()
    }

    /// The state of a module that is not in `/sys/module`.
    func state(of name: String) throws(Errno) -> ModuleState {
      let module = unsafe try find(name)
      defer { _ = unsafe kmod_module_unref(module) }
      // KMOD_MODULE_BUILTIN is from the list `modules.builtin`, the other states from the kernel.
      switch unsafe kmod_module_get_initstate(module) {
      case CInt(KMOD_MODULE_BUILTIN.rawValue): return .builtIn
      case 0...: return .loaded
      default: return unsafe hasFile(module) ? .loadable : .missing
      }
    }

    private func hasFile(_ module: OpaquePointer) -> Bool {
      guard let path = unsafe kmod_module_get_path(module) else { return false }
      return ModuleFiles.isThere(unsafe String(cString: path))
    }

    /// Loads a module and its dependencies; a loaded module is not changed.
    func load(_ name: String, parameters: [String]) throws(ModuleError) {
      let module: OpaquePointer
      do { unsafe module = try find(name) } catch { throw ModuleError(.load, name, error) }
      defer { _ = unsafe kmod_module_unref(module) }
      if unsafe kmod_module_get_initstate(module) == CInt(KMOD_MODULE_BUILTIN.rawValue) { return }
      guard unsafe hasFile(module) else {
        throw ModuleError(
          .load, name, .noSuchFileOrDirectory, reason: "there is no such module for this kernel")
      }
      let options = parameters.joined(separator: " ")
      let status = unsafe kmod_module_probe_insert_module(module, 0, options, nil, nil, nil)
      guard status != 0 else { return }
      // -errno; a positive status means a blacklist, which is not requested here.
      let errno = status < 0 ? Errno(rawValue: -status) : .notPermitted
      let said = unsafe String(cString: epfnvme_kmod_text(messages)).split(separator: "\n")
        .joined(separator: "; ")
      let reason = [FailureReason.loading(errno), said.isEmpty ? nil : said].compactMap(\.self)
      throw ModuleError(
        .load, name, errno, reason: reason.isEmpty ? nil : reason.joined(separator: "; "))
    }

    /// The options that the machine's configuration has for a module.
    func options(of name: String) throws(Errno) -> String {
      let module = unsafe try find(name)
      defer { _ = unsafe kmod_module_unref(module) }
      guard let options = unsafe kmod_module_get_options(module) else { return "" }
      return unsafe String(cString: options)
    }

    private func find(_ name: String) throws(Errno) -> OpaquePointer {
      var module: OpaquePointer?
      let status = unsafe kmod_module_new_from_name(context, name, &module)
      guard status >= 0 else { throw Errno(rawValue: -status) }
      guard let module = unsafe module else { throw .noSuchFileOrDirectory }
      return unsafe module
    }
  }
#endif
