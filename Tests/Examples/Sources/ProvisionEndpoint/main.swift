// SPDX-License-Identifier: Apache-2.0
//
// Sets a profile up, checks it and removes it: on the simulated kernel, or with `Machine.live()` on this one.
import EndpointProvisioning

let text = """
  {
    "version": 1,
    "name": "example",
    "backings": { "disk": { "nullBlock": { "sizeMiB": 1024 } } },
    "subsystems": [
      { "nqn": "nqn.2026-01.org.example:disk", "namespaces": [{ "id": 1, "backing": "disk" }] }
    ],
    "functions": [
      { "name": "nvme.0", "vendorID": "0x15b7", "deviceID": "0x5fff", "msixVectors": 8,
        "target": { "loop": "nqn.2026-01.org.example:disk" } }
    ]
  }
  """
let profile = try Profile.decode(Array(text.utf8))
let provisioner = Provisioner(.simulated(), run: RunDirectory("/tmp/epfnvme-example"))

let outcome = try provisioner.setUp(profile, force: false) { progress in
  if case .done(let number, let count, let step) = progress {
    print("\(number)/\(count) \(step.operation.sentence)")
  }
}
print("\(outcome.plan.steps.count) steps")

let check = try provisioner.check(profile)
print(check.hasPassed ? "as the profile says" : "failed: \(check.failures)")

_ = try provisioner.tearDown("example") { _ in }
