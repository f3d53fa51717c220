// SPDX-License-Identifier: Apache-2.0
#if Libudev
  internal import CUdev
#endif
internal import CLinux
internal import LibC
public import SystemPackage

/// The uevents of this machine from now on.
///
/// With the package trait `Libudev` they are from udev, after its rules have run, if it is running; otherwise from the kernel's netlink
/// socket.
@safe public struct DeviceMonitor: ~Copyable {
  #if Libudev
    private let context: OpaquePointer
    private let monitor: OpaquePointer
  #else
    private let socket: CInt
  #endif

  public init() throws(Errno) {
    #if Libudev
      guard let context = unsafe udev_new() else { throw .noMemory }
      // Without udevd no events are forwarded.
      let source = unsafe access("/run/udev/control", F_OK) == 0 ? "udev" : "kernel"
      guard let monitor = unsafe udev_monitor_new_from_netlink(context, source) else {
        let error = Errno(rawValue: errno)
        _ = unsafe udev_unref(context)
        throw error
      }
      let status = unsafe udev_monitor_enable_receiving(monitor)
      guard status >= 0 else {
        _ = unsafe udev_monitor_unref(monitor)
        _ = unsafe udev_unref(context)
        throw Errno(rawValue: -status)
      }
      unsafe self.context = context
      unsafe self.monitor = monitor
    #else
      let socket = epfnvme_open_uevents()
      guard socket >= 0 else { throw Errno(rawValue: -socket) }
      self.socket = socket
    #endif
  }

  deinit {
    #if Libudev
      _ = unsafe udev_monitor_unref(monitor)
      _ = unsafe udev_unref(context)
    #else
      close(socket)
    #endif
  }

  /// The descriptor for `poll(2)`.
  var descriptor: CInt {
    #if Libudev
      unsafe udev_monitor_get_fd(monitor)
    #else
      socket
    #endif
  }

  /// The next event that has arrived; nil if there is none.
  public func next() -> DeviceEvent? {
    #if Libudev
      guard let device = unsafe udev_monitor_receive_device(monitor) else { return nil }
      defer { _ = unsafe udev_device_unref(device) }
      return unsafe DeviceEvent(
        action: text(udev_device_get_action(device)),
        subsystem: text(udev_device_get_subsystem(device)),
        path: text(udev_device_get_devpath(device)))
    #else
      while true {
        let message = unsafe withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 1) {
          buffer -> (isLast: Bool, event: DeviceEvent?) in
          guard let start = buffer.baseAddress else { return (true, nil) }
          let count = unsafe epfnvme_receive_uevent(
            socket, start.assumingMemoryBound(to: CChar.self), buffer.count)
          // ENOBUFS: events were lost, but others follow.
          if count < 0 { return (count != Int64(-ENOBUFS), nil) }
          return unsafe (false, DeviceEvent(message: buffer[..<Int(count)]))
        }
        if message.isLast || message.event != nil { return message.event }
      }
    #endif
  }

  /// Waits until an event has arrived.
  /// - Returns: whether one has, before the limit.
  public func wait(upTo limit: Duration) -> Bool { waitForInput(descriptor, upTo: limit) }
}

#if Libudev
  private func text(_ string: UnsafePointer<CChar>?) -> String {
    unsafe string.map { unsafe String(cString: $0) } ?? ""
  }
#endif

/// Waits for input on a descriptor, or just for the time with -1.
/// - Returns: whether there is input. A signal ends the wait early.
func waitForInput(_ descriptor: CInt, upTo limit: Duration) -> Bool {
  let (seconds, attoseconds) = limit.components
  let milliseconds = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
  return unsafe poll(&request, 1, CInt(clamping: max(0, milliseconds))) > 0
}
