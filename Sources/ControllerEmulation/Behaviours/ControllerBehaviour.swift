// SPDX-License-Identifier: Apache-2.0
internal import LibC
internal import NVMe
internal import PCI

/// The steps in which one controller differs from another: the driver's or the specification's part of every step of ``Controller``.
///
/// Each conforming type is a file or a folder that reads beside its source. A requirement is a step of the controller, or a constant;
/// the defaults below are those that two of the three share. ``Controller`` is generic over the behaviour, so that every requirement is
/// a direct call or a constant.
protocol ControllerBehaviour: SendableMetatype {
  static var behaviour: Behaviour { get }
  static func makeController(
    _ model: ControllerModel, memory: HostMemory
  ) -> any EmulatedController

  // MARK: Model

  /// VS of a new model.
  static var version: UInt32 { get }
  /// The largest transfer of a new model, bytes.
  static var maximumTransfer: Int { get }
  /// Whether a largest transfer of less than 8 KiB wraps in MDTS; otherwise it is raised to 8 KiB.
  static func wrapsSmallTransferField(_ quirks: QuirkSet) -> Bool
  /// Queue pairs for which the driver has doorbells.
  static var doorbellPairs: Int { get }
  /// Queue pairs that have doorbells in BAR 0.
  static func doorbellPairs(of model: ControllerModel) -> Int
  /// The part of BAR 0 that is memory, bytes.
  static func memoryBytes(of model: ControllerModel) -> Int

  // MARK: Setup

  /// The driver's request for BAR 0, from the bytes that it needs.
  static func requestedBytes(_ needed: UInt64) -> UInt64
  /// The number of queues, with the driver's messages about it.
  static func queues(of setup: DriverSetup, target: Int) -> DriverSetup.Queues
  /// The subject of the driver's messages about interrupts.
  static var interruptSubject: String { get }

  // MARK: Link

  /// The link has come up.
  static func linkUp(_ controller: inout Controller<Self>)
  /// The link has gone down, and register polling has ended.
  static func linkDown(_ controller: inout Controller<Self>)
  /// The controller is removed: the driver's messages.
  static func willRemove(_ controller: inout Controller<Self>)

  // MARK: Registers

  /// CC before the host has written it.
  static var initialConfiguration: UInt32 { get }
  /// Whether the host reads doorbells as it wrote them; otherwise they read zero.
  static var hasReadableDoorbells: Bool { get }
  /// The host writes a register below the doorbells.
  static func writeRegister(_ controller: inout Controller<Self>, _ offset: Int, _ value: UInt32)
  /// CC has changed.
  static func transition(
    _ controller: inout Controller<Self>, from old: ControllerConfiguration,
    to new: ControllerConfiguration)
  /// Whether an unchanged CC still has a shutdown that has not been acted upon.
  static func hasLateShutdown(_ controller: borrowing Controller<Self>) -> Bool

  // MARK: Enable, disable

  /// Checks the settings at enable, and records a failure.
  static func mayEnable(_ controller: inout Controller<Self>) -> Bool
  /// Whether a completion queue can be mapped completely and permanently.
  static func canMap(
    _ controller: inout Controller<Self>, completionQueue id: Int, at address: UInt64,
    depth: UInt32
  ) -> Bool
  /// Sets the features to their values after an enable.
  static func resetFeatures(_ controller: inout Controller<Self>)
  /// CSTS after an enable.
  static func becomeReady(_ controller: inout Controller<Self>)
  /// The controller will be disabled; its queues still exist.
  static func willDisable(_ controller: inout Controller<Self>, isShutdown: Bool)
  /// The controller has been disabled; RDY is clear.
  static func didDisable(_ controller: inout Controller<Self>, isShutdown: Bool)

  // MARK: Polling

  /// The polling interval of CC; nil if the controller acts on each write.
  static var registerPeriod: VirtualTime.Milliseconds? { get }
  /// The polling interval of an idle submission queue; nil if the controller acts on each write.
  static func queuePeriod(_ queue: Int) -> VirtualTime.Milliseconds?
  /// The duration of a poll of a queue.
  static func spin(_ queue: Int) -> VirtualTime.Milliseconds
  /// The keep-alive timer is due.
  static func keepAliveExpired(_ controller: inout Controller<Self>)

  // MARK: Submission queues

  /// The host has moved the tail of a live queue.
  static func submissionDoorbell(_ controller: inout Controller<Self>, _ queue: Int)
  /// A tail is beyond the queue.
  static func invalidTail(_ controller: inout Controller<Self>, _ tail: UInt32, of queue: Int)
  /// Whether the entries of a submission queue can be fetched.
  static func canFetch(_ controller: inout Controller<Self>) -> Bool
  /// A command has been fetched.
  static func didFetch(_ controller: inout Controller<Self>)

  // MARK: Completion queues

  /// Whether a head beyond the queue is ignored.
  static var ignoresInvalidHeads: Bool { get }
  /// The host has moved the head of a live queue.
  static func completionDoorbell(_ controller: inout Controller<Self>, _ queue: Int)
  /// A doorbell without a queue, or an invalid value.
  static func reportDoorbell(_ controller: inout Controller<Self>, _ error: DoorbellError)
  /// The completion queue of a submission queue.
  static func completionQueue(_ controller: borrowing Controller<Self>, of queue: Int) -> Int
  /// Whether a completion is written when the command ends; otherwise at the end of the batch.
  static var writesCompletionsAtOnce: Bool { get }
  /// Whether the test for a full queue compares without the wrap, and so may overwrite the entry at its end.
  static func ignoresWrap(_ controller: borrowing Controller<Self>) -> Bool
  /// A queue is full: the first of its pending completions were written.
  static func keepWaiting(_ controller: inout Controller<Self>, _ queue: Int, written: Int)

  // MARK: Interrupts

  /// A pending completion has been written.
  static func didPost(_ controller: inout Controller<Self>, to queue: Int)
  /// The end of a batch of completions.
  static func didPostBatch(_ controller: inout Controller<Self>, to queue: Int, count: Int)
  /// The driver's message about an interrupt that cannot be raised.
  static func failedInterrupt(_ controller: borrowing Controller<Self>, _ queue: Int) -> String
  /// Whether the host has masked a vector.
  static func isMasked(_ controller: borrowing Controller<Self>, _ vector: UInt16) -> Bool
  /// The level of the interrupt pin; nil if it is pulsed for each interrupt.
  static func pinLevel(_ controller: borrowing Controller<Self>) -> Bool?
  /// The slot in ``CoalescingState`` for the vector of a new completion queue.
  static func takeSlot(_ controller: inout Controller<Self>, for vector: UInt16) -> Int
  static func giveSlot(_ controller: inout Controller<Self>, _ slot: Int)

  // MARK: Data pointers

  static func parseSGL(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, _ count: Int
  ) -> Status
  /// The bytes from the start of PRP1's page that two entries describe without a list.
  static func directBytes(pageSize: UInt64) -> UInt64
  /// Whether an address of zero is an address.
  static var acceptsZeroPRPs: Bool { get }
  /// Whether the address of a list must be a multiple of 8.
  static var checksListAlignment: Bool { get }
  /// Checks a transfer that needs a list.
  static func refuseList(
    _ controller: inout Controller<Self>, _ first: PRP, count: Int, rest: UInt64
  ) -> Status?
  /// The driver's message about an invalid list.
  static func logList(_ controller: inout Controller<Self>, _ error: StaticString)
  /// The status for a list in memory that the host does not have.
  static var unreadableList: Status { get }
  /// Checks an SGL segment descriptor.
  /// - Parameter lists: the segments of the command so far, this one included.
  static func refuseSegment(
    _ controller: inout Controller<Self>, length: Int, lists: Int
  ) -> Status?
  /// Whether a Last Segment descriptor ends the chain.
  static var endsAtLastSegment: Bool { get }
  /// Checks the length of an SGL.
  static func refuseLength(
    _ controller: inout Controller<Self>, _ total: Int, for count: Int
  ) -> Status?
  /// The status of a command whose data cannot be transferred through the outbound windows.
  static func refuseTransfer(_ controller: inout Controller<Self>) -> Status?

  // MARK: The end of a command

  /// The status that the host sees of a failed transfer.
  static func statusOfFailedTransfer(
    _ controller: borrowing Controller<Self>, _ status: Status
  ) -> Status
  /// The target will refuse a command, which is not executed.
  static func willRefuse(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ status: Status)
  /// Whether a command that failed before its execution completes without its ids.
  static func blanksFailures(_ controller: borrowing Controller<Self>) -> Bool
  /// A command that transfers data to the host has failed in its execution.
  static func readFailed(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16)
  /// The target refused a command: the driver's message.
  static func logRefusal(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ status: Status)
  /// A command failed: the driver's message.
  static func logFailure(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ status: Status)
  /// Whether the Error Information log has entries.
  static var keepsErrorLog: Bool { get }

  // MARK: Admin commands

  /// Checks before the opcode.
  static func refuseAdmin(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Status?
  /// A command that not all behaviours have.
  static func executeOther(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome
  static func createCompletionQueue(
    _ controller: inout Controller<Self>, _ request: CompletionQueueRequest
  ) -> Outcome
  static func createSubmissionQueue(
    _ controller: inout Controller<Self>, _ request: SubmissionQueueRequest
  ) -> Outcome
  /// Deletes a completion queue that submission queues refer to.
  static func deleteUsedCompletionQueue(_ controller: inout Controller<Self>, _ id: Int) -> Outcome

  // MARK: Features

  static func getFeature(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome
  static func setFeature(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome
  /// Whether Get Features, Host Identifier, transfers data.
  static var transfersHostIdentifier: Bool { get }

  // MARK: Events

  static func requestEvent(_ controller: inout Controller<Self>, _ command: SubmissionEntry)
  /// Asynchronous Event Configuration before the host has set it.
  static var eventConfiguration: UInt32 { get }
  /// The state of events after an enable and a disable.
  static func resetEvents(_ controller: inout Controller<Self>)
  /// Whether the host is notified of changed namespaces.
  static var notifiesOfNamespaces: Bool { get }
  /// Takes the pending request that the next event completes; there is one.
  static func takeRequest(_ events: inout EventState) -> UInt16

  // MARK: Identify

  /// The behaviour's fields of Identify Controller.
  static func describe(
    _ controller: borrowing Controller<Self>, in data: inout IdentifyController)
  /// The behaviour's fields of Identify Namespace.
  static func describe(_ namespace: Namespace, in data: inout IdentifyNamespace)
  /// Whether Identify Namespace of an ID is an error, independent of the namespaces.
  static func isInvalidNamespaceID(_ id: UInt32) -> Bool
  /// The status for a namespace ID that is invalid, or has no namespace.
  static var noSuchNamespace: Status { get }
  /// The status for a namespace that is not enabled.
  static var namespaceNotEnabled: Status { get }
  /// A data structure that not all behaviours have.
  static func identifyOther(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Outcome

  // MARK: Log pages

  /// Fills the zeroed buffer with a page.
  static func logPage(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, count: Int
  ) -> Outcome

  // MARK: I/O commands

  /// Checks before the opcode.
  /// - Parameter index: the index of the namespace in the model; -1 if there is none.
  static func refuseIO(
    _ controller: borrowing Controller<Self>, _ command: SubmissionEntry, _ index: Int
  ) -> Status?
  /// An unknown opcode.
  static func refuseIOOpcode(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry
  ) -> Status
  /// Read and Write.
  static func transferBlocks(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ index: Int)
  /// Dataset Management.
  static func manageDataset(
    _ controller: inout Controller<Self>, _ command: SubmissionEntry, on queue: UInt16,
    _ index: Int)
  /// The status for blocks beyond a namespace.
  static func statusBeyondEnd(of namespace: Namespace) -> Status
  /// The status for a backend's failure.
  static func status(of errno: CInt) -> Status
}
