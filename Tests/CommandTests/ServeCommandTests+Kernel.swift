// SPDX-License-Identifier: Apache-2.0
import ControllerEmulation
import Foundation
import HostDriver
import Provisioning
import ServedHost
import SimulatedKernel
import SystemPackage
import TestSupport
import Testing

/// A simulated kernel in a file, on which something was set up.
extension ServeCommandTests {
  @Test("a function that is set up on the simulated kernel is served", arguments: drivers)
  func afterSetup(_ driver: String) throws {
    let place = Place()
    if driver == "pci_epf_nvme" { _ = try place.program.kernel(.linux6_12) }
    let up = try place.program(
      "setup", ShippedProfile.directory.appending("\(profileName(driver)).json").string)
    #expect(up.status == 0, "\(up.errors)")
    let server = try place.program.start(["serve", "--socket", place.socket])
    try waitUntil("it is ready") { !server.outputSoFar.isEmpty || !server.isRunning }
    let guest = try place.guest()
    let found = try guest.host.probe()
    if driver == "pci_epf_nvme" {
      // The how-to's disk keeps nothing.
      #expect(found.namespaces[0].blocks == 256_000 << 11)
    } else {
      #expect(try guest.host.verify(found.namespaces[0], transfers: 8) == 8 * 4096)
    }
    server.send(signal: SIGTERM)
    let result = try server.finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains(driver))
  }

  private func profileName(_ driver: String) -> String {
    driver == "pci_epf_nvme" ? "null_blk-loop" : "null_blk-pci"
  }

  @Test("without a simulated kernel in the file, setup is named")
  func noKernel() throws {
    let place = Place()
    let result = try place.program("serve", "--socket", place.socket)
    #expect(result.status == 66)
    #expect(result.errors.contains("ENOENT"))
    #expect(result.errors.contains("epfnvme setup --kernel simulated="))
  }

  @Test("a kernel without a bound function is an error with a hint")
  func nothingBound() throws {
    let place = Place()
    _ = try place.program.kernel()
    let result = try place.program("serve", "--socket", place.socket)
    #expect(result.status == 66, "\(result.errors)")
    #expect(result.errors.contains("no function is bound"))
    #expect(result.errors.contains("epfnvme setup first"))
  }

  @Test("a missing function is refused with the names of the existing ones")
  func wrongName() throws {
    let place = Place()
    let result = try place.program(
      "serve", try place.profile(), "--socket", place.socket, "--function", "other")
    #expect(result.status == 66)
    #expect(result.errors.contains("there is no bound function other"))
    #expect(result.errors.contains("there is: served"))
  }

  @Test("of several functions one must be named")
  func several() throws {
    let place = Place()
    let profile = ShippedProfile.directory.appending("two-functions.json").string
    let result = try place.program("serve", profile, "--socket", place.socket)
    #expect(result.status == 78, "\(result.errors)")
    #expect(result.errors.contains("a socket serves one"))
    #expect(result.errors.contains("--function "))
  }

  @Test("a missing file without create is named")
  func noDisk() throws {
    let place = Place()
    let profile = try place.profile()
    let text = try String(contentsOfFile: profile, encoding: .utf8)
    let other = try place.program.write(
      text.replacingOccurrences(of: #", "sizeMiB": 16, "create": true"#, with: ""), to: "other.json"
    )
    let result = try place.program("serve", other, "--socket", place.socket)
    #expect(result.status == 66, "\(result.errors)")
    #expect(result.errors.contains(place.disk))
    #expect(result.errors.contains(#""create": true"#))
  }
}
