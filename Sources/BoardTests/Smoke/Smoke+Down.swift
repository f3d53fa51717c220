// SPDX-License-Identifier: Apache-2.0
internal import BlockDevices
internal import KernelEvents
internal import Provisioning
internal import SystemPackage

/// The state of a machine that a run must not change.
struct Footprint {
  var tree: TreeSnapshot
  /// Loop devices and their files.
  var loops: Set<String>

  init(_ provisioner: Provisioner) {
    tree = provisioner.snapshot()
    loops = Set(
      ((try? provisioner.machine.storage.boundLoops()) ?? []).map { "\($0.device) of \($0.file)" })
  }

  func differences(from earlier: Footprint) -> [String] {
    tree.differences(from: earlier.tree)
      + loops.subtracting(earlier.loops).sorted().map { "\($0) is bound" }
      + earlier.loops.subtracting(loops).sorted().map { "\($0) is no longer bound" }
  }
}

/// Teardown, leftovers, and kernel messages.
extension Smoke {
  func tearDown(_ before: Footprint) {
    if options.keeps, record.run == options.runs, !isInterrupted {
      return finish(.cleanTeardown, .skipped("left set up (--keep)"))
    }
    let mark = watch.mark()
    let began = now
    do throws(ProvisioningError) {
      // A host may have enabled it meanwhile, as intended.
      var options = Provisioner.TeardownOptions()
      options.force = true
      _ = try provisioner.tearDown(located.profile.name, options: options) { _ in }
    } catch {
      addSpan("teardown", from: time - (now - began), hasFailed: true)
      return finish(
        .cleanTeardown,
        error.kind == .timedOut ? .timedOut(error.message) : .failed(error.message),
        details: error.leftovers.map { "left over: \($0)" }, since: mark, began: began)
    }
    measure("teardown-time", now - began)
    addSpan("teardown", from: time - (now - began))
    compare(with: before, mark, began)
  }

  /// Whether the machine has its previous state.
  func compare(with before: Footprint, _ mark: KernelLogMark? = nil, _ began: Duration? = nil) {
    var left = Footprint(provisioner).differences(from: before)
    do throws(ProvisioningError) {
      if try provisioner.names().contains(located.profile.name) { left.append("the journal") }
    } catch { left.append(error.message) }
    finish(
      .cleanTeardown,
      left.isEmpty
        ? .passed
        : .failed("\(left.count) \(left.count == 1 ? "thing is" : "things are") left or changed"),
      details: left, since: mark ?? runMark, began: began)
  }

  func checkKernel() {
    guard runMark != nil else {
      return finish(.noKernelErrors, .skipped("this process cannot read the kernel log"))
    }
    let errors = watch.lines(since: runMark).filter(KernelWatch.isError)
    finish(
      .noKernelErrors,
      errors.isEmpty
        ? .passed
        : .failed("\(errors.count) \(errors.count == 1 ? "line" : "lines"): \(errors[0].text)"),
      since: runMark)
  }
}
