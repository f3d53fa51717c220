// SPDX-License-Identifier: Apache-2.0
#if !Libudev
  internal import LinuxFiles
#endif
public import SystemPackage

/// A PCI function of class 0108 on this machine's bus: an NVMe controller as its host sees it.
public enum DiskFunction {
  /// The names of those with the given ids, in order: `0000:01:00.0`.
  public static func names(vendorID: UInt16, deviceID: UInt16) throws(Errno) -> [String] {
    let wanted = [
      "class": "0x010802", "vendor": hexadecimal(vendorID), "device": hexadecimal(deviceID),
    ]
    #if Libudev
      return try enumerateDevices(of: "pci", where: wanted).map(\.name).sorted()
    #else
      let directory = FilePath("/sys/bus/pci/devices")
      let names: [String]
      do { names = try directoryNames(directory) } catch .noSuchFileOrDirectory { return [] }
      return names.filter { name in
        wanted.allSatisfy { attribute, value in
          (try? readFile(directory.appending(name).appending(attribute)))?.trimmed == value
        }
      }.sorted()
    #endif
  }

  /// As sysfs prints it.
  private static func hexadecimal(_ number: UInt16) -> String {
    let text = String(number, radix: 16)
    return "0x" + String(repeating: "0", count: 4 - text.count) + text
  }
}
