// SPDX-License-Identifier: Apache-2.0
import Provisioning
import SimulatedKernel
import TestSupport
import Testing

/// Every call of setup and teardown of every shipped profile with everything that can happen at it: `make faults` runs all cases.
@Suite struct FaultCampaignTests {
  @Test(
    "an errno, a signal or a clock jump at any call: everything is done or nothing, or what is left is listed",
    arguments: ShippedProfile.all, FaultCampaign.Phase.allCases)
  func call(_ shipped: ShippedProfile, _ phase: FaultCampaign.Phase) throws {
    let campaign = try FaultCampaign(shipped, phase)
    let cases = campaign.calls.indices.flatMap { index in
      Disturbance.all(of: campaign.calls[index].operation).map { (index + 1, $0) }
    }
    let tried = TestScale.some(of: cases, oneIn: 101, full: 9, offset: cases.count)
    for (call, disturbance) in tried { try campaign.disturb(call: call, disturbance) }
    print("fault campaign: \(shipped), \(phase.rawValue): \(tried.count) of \(cases.count) cases")
    #expect(!tried.isEmpty)
  }
}
