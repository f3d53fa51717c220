// SPDX-License-Identifier: Apache-2.0

/// Interrupt coalescing and arbitration as features set them.
struct CoalescingState {
  struct Vector {
    /// The vector that has the slot while completion queues refer to it; nvmet_pci_epf only.
    var vector: UInt16 = 0
    var references = 0
    var count = 0
    /// Interrupt Vector Configuration, CD.
    var isDisabled = false
  }

  /// Completions for an interrupt.
  var threshold = 8
  /// Arbitration burst as Get Features shows it. Queues are served one after the other, each until it is empty: since commands take no
  /// time, the burst has no visible effect.
  var burstExponent: UInt32 = 3
  var vectors: [Vector] = []

  /// nvmet_pci_epf resets both; the disabled state of a vector is kept.
  mutating func resetAtEnable() {
    threshold = 8
    burstExponent = 3
    for vector in vectors.indices { vectors[vector].count = 0 }
  }

  /// The slot in use for a vector, or a free one. There are as many as completion queues, so that one is free.
  mutating func take(_ vector: UInt16) -> Int {
    var slot = 0
    for index in vectors.indices.reversed() where vectors[index].references == 0 { slot = index }
    for index in vectors.indices
    where vectors[index].references > 0 && vectors[index].vector == vector { slot = index }
    if vectors[slot].references == 0 {
      vectors[slot].vector = vector
      vectors[slot].count = 0
    }
    vectors[slot].references += 1
    return slot
  }

  mutating func give(_ slot: Int) {
    if vectors[slot].references > 0 { vectors[slot].references -= 1 }
  }

  mutating func releaseAll() {
    for vector in vectors.indices { vectors[vector].references = 0 }
  }

  mutating func reset() {
    resetAtEnable()
    for vector in vectors.indices { vectors[vector].isDisabled = false }
  }
}
