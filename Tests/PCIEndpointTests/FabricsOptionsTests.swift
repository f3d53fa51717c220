// SPDX-License-Identifier: Apache-2.0
import ConfigFS
import PCIEndpoint
import Testing

@Suite("Fabrics options")
struct FabricsOptionsTests {
  @Test(
    "the text is sent without a line feed and shown with hidden_ns",
    arguments: [
      ("transport=loop,nqn=n1", "transport=loop,nqn=n1", "transport=loop,nqn=n1,hidden_ns\n"),
      // The letters in a name keep the driver from appending the option, so it is spelled out.
      (
        "transport=loop,nqn=my_hidden_ns_test", "transport=loop,nqn=my_hidden_ns_test,hidden_ns",
        "transport=loop,nqn=my_hidden_ns_test,hidden_ns\n"
      ),
      (
        "nr_io_queues=4,nqn=n1,transport=loop,duplicate_connect",
        "transport=loop,nqn=n1,nr_io_queues=4,duplicate_connect",
        "transport=loop,nqn=n1,nr_io_queues=4,duplicate_connect,hidden_ns\n"
      ),
      (
        "transport=tcp,nqn=n1,traddr=10.0.0.1,trsvcid=4420,keep_alive_tmo=30",
        "transport=tcp,nqn=n1,traddr=10.0.0.1,trsvcid=4420,keep_alive_tmo=30",
        "transport=tcp,nqn=n1,traddr=10.0.0.1,trsvcid=4420,keep_alive_tmo=30,hidden_ns\n"
      ),
    ])
  func text(given: String, written: String, shown: String) throws {
    let options = try FabricsOptions(given)
    #expect(options.attributeText == written)
    #expect(options.shownText == shown)
    #expect(FabricsOptions(attributeText: shown) == options)
    #expect(options.problems == [])
  }

  @Test(
    "the driver's text is parsed with any separator of items",
    arguments: [
      "transport=loop,nqn=n1,hidden_ns\n", "transport=loop,nqn=n1\n,hidden_ns\n",
      "transport=loop,nqn=n1,hidden_ns\n\n", "transport=loop\nnqn=n1\n",
      ",transport=loop,,nqn=n1,", "transport=fc,transport=loop,nqn=n1",
    ])
  func separators(shown: String) {
    #expect(FabricsOptions(attributeText: shown) == FabricsOptions(transport: "loop", nqn: "n1"))
  }

  @Test("a new function has no options and shows no bytes")
  func unset() {
    #expect(FabricsOptions(attributeText: "") == FabricsOptions())
    #expect(FabricsOptions().shownText == "")
    #expect(FabricsOptions().problems == ["nqn is missing", "transport is missing"])
  }

  @Test("every option round-trips through writing and reading")
  func everyOption() throws {
    let text =
      "transport=tcp,nqn=n,traddr=a,trsvcid=1,host_traddr=b,host_iface=eth0,hostnqn=h,"
      + "hostid=01234567-89ab-cdef-0123-456789abcdef,queue_size=16,nr_io_queues=1,"
      + "nr_write_queues=2,nr_poll_queues=3,reconnect_delay=4,ctrl_loss_tmo=-1,"
      + "fast_io_fail_tmo=5,keep_alive_tmo=6,tos=7,keyring=8,tls_key=9,"
      + "dhchap_secret=DHHC-1:00:aa:,dhchap_ctrl_secret=DHHC-1:01:bb:,duplicate_connect,"
      + "disable_sqflow,hdr_digest,data_digest,discovery,tls"
    let options = try FabricsOptions(text)
    #expect(options.attributeText == text)
    #expect(options.problems == [])
    #expect(options.hostInterface == "eth0")
    #expect(options.controllerLossTimeout == -1)
    #expect(options.usesTLS)
  }

  @Test(
    "an item that the kernel does not know is an error, but is kept when it is read",
    arguments: [
      "nqn=", "nqn", "queue_size=", "queue_size=many", "queue_size=0x", "tls=1", "ctrl-loss-tmo=5",
      "nr_io_queues=4294967296", " nqn=n1", "hidden_ns=1",
    ])
  func unknown(item: String) {
    let error = #expect(throws: InvalidValue.self) { try FabricsOptions("transport=loop," + item) }
    #expect(
      error?.reason == "has the item \"\(item)\", which the kernel does not know")
    let read = FabricsOptions(attributeText: "transport=loop,\(item),hidden_ns\n")
    #expect(read?.unknownItems == [item])
    #expect(read?.problems.last == "\"\(item)\" is not a fabrics option of the kernel")
  }

  @Test(
    "a secret under a wrong name is hidden, in the description, in errors and in problems",
    arguments: [
      "dhchap_secrte=DHHC-1:00:abcd:", "Dhchap_secret=abcd", "secret", "DHHC-1:00:abcd:",
      "dhchap-secret=DHHC-1:00:abcd:", "DHCHAP_SECRET=abcd", "dhchap_key=abcd",
      "Dhchap_Ctrl_Key=abcd", "tls_key=NVMeTLSkey-1:01:abcd:", "dhhc-1:00:abcd:",
      "foo;dhchap_secret=abcd",
    ])
  func misnamedSecret(item: String) throws {
    let text = "transport=loop,nqn=n,\(item)"
    let error = try #require(throws: InvalidValue.self) { try FabricsOptions(text) }
    let read = try #require(FabricsOptions(attributeText: text))
    let shown = [error.description, read.description, read.reportedText] + read.problems
    for text in shown { #expect(!text.contains("abcd"), "\(text)") }
    #expect(read.attributeText == text)
  }

  @Test("a text is shown with its secrets hidden and is otherwise unchanged")
  func hidden() {
    let text =
      "transport=tcp,nqn=my-dhchap_key\n,keyring=7,dhcap_secrte=abcd,dhchap_secret=DHHC-1:00:abcd:,,hostnqn=DHHC-1:00:abcd:,DHCHAP_CTRL_SECRET=x,hidden_ns\n"
    #expect(
      FabricsOptions.hidingSecrets(in: text)
        == "transport=tcp,nqn=my-dhchap_key\n,keyring=7,dhcap_secrte=(hidden),dhchap_secret=(hidden),,hostnqn=(hidden),DHCHAP_CTRL_SECRET=(hidden),hidden_ns\n"
    )
    #expect(FabricsOptions.hidingSecrets(in: "") == "")
  }

  @Test("a carriage return before a line feed belongs to the item, as in the kernel")
  func carriageReturn() throws {
    let read = try #require(FabricsOptions(attributeText: "transport=loop\r\nnqn=n\n"))
    #expect(read.transport == "loop\r" && read.nqn == "n")
  }

  @Test("numbers are read with base 0", arguments: [("0x20", 32), ("040", 32), ("+32", 32)])
  func base(text: String, value: Int32) throws {
    #expect(try FabricsOptions("queue_size=\(text)").queueSize == value)
  }

  @Test(
    "options that the kernel would refuse at bind are reported before",
    arguments: [
      ("transport=loop,nqn=n,queue_size=15", "queue_size is 15, but has to be from 16 to 1024"),
      ("transport=loop,nqn=n,queue_size=1025", "queue_size is 1025, but has to be from 16 to 1024"),
      ("transport=loop,nqn=n,nr_io_queues=0", "nr_io_queues is 0, but has to be at least 1"),
      ("transport=loop,nqn=n,keep_alive_tmo=-1", "keep_alive_tmo is -1, but has to be at least 0"),
      ("transport=loop,nqn=n,hostid=12", "hostid \"12\" is not a UUID"),
      ("transport=loop,nqn=n,trsvcid=1", "trsvcid is not allowed with loop"),
      ("transport=loop,nqn=n,ctrl_loss_tmo=1", "ctrl_loss_tmo is not allowed with loop"),
      ("transport=loop,nqn=n,hdr_digest", "hdr_digest is not allowed with loop"),
      ("transport=rdma,nqn=n,traddr=a,data_digest", "data_digest is not allowed with rdma"),
      ("transport=tcp,nqn=n", "traddr is missing, tcp needs it"),
      ("transport=fc,nqn=n,traddr=a", "host_traddr is missing, fc needs it"),
      ("transport=pci,nqn=n", "transport \"pci\" is not loop, tcp, rdma or fc"),
      ("transport=loop", "nqn is missing"),
      ("nqn=n", "transport is missing"),
      (
        "transport=loop,nqn=n,dhchap_secret=abc",
        "dhchap_secret does not begin with DHHC-1: or is shorter than 11 bytes"
      ),
    ])
  func problem(text: String, problem: String) throws {
    let options = try FabricsOptions(text)
    #expect(options.problems == [problem])
    let error = #expect(throws: InvalidValue.self) { try options.validate() }
    #expect(error?.reason == "breaks a rule: \(problem)")
  }

  @Test("names hold 222 bytes", arguments: [(222, true), (223, false)])
  func nameLength(length: Int, isGood: Bool) {
    let name = String(repeating: "q", count: length)
    #expect(FabricsOptions(transport: "loop", nqn: name).problems.isEmpty == isGood)
    var options = FabricsOptions(transport: "loop", nqn: "n")
    options.hostNQN = name
    #expect(options.problems.isEmpty == isGood)
  }

  @Test(
    "a value cannot inject another option",
    arguments: ["n,tls", "n\ntls", "n\0", "n\r\ntls", "n,\u{301}tls"])
  func separatorInValue(nqn: String) {
    #expect(
      FabricsOptions(transport: "loop", nqn: nqn).problems
        == ["nqn contains a comma, a line feed or a NUL, which would end it"])
  }

  @Test("secrets are written but not reported")
  func secrets() {
    var options = FabricsOptions(transport: "loop", nqn: "n")
    options.secret = "DHHC-1:00:abcd:"
    #expect(options.attributeText == "transport=loop,nqn=n,dhchap_secret=DHHC-1:00:abcd:")
    #expect(options.reportedText == "transport=loop,nqn=n,dhchap_secret=(hidden)")
  }

  @Test(
    "texts for the same connection are equivalent, others are not",
    arguments: [
      ("transport=loop,nqn=n", "nqn=n,transport=loop", true),
      ("transport=loop,nqn=n", "transport=loop\nnqn=n\n,hidden_ns\n", true),
      ("transport=loop,nqn=n,nr_io_queues=4", "nr_io_queues=0x4,nqn=n,,transport=loop", true),
      ("transport=loop,nqn=n", "transport=tcp,nqn=o,transport=loop,nqn=n,hidden_ns", true),
      ("", "\n", true),
      ("", "transport=loop,nqn=n", false),
      ("transport=loop,nqn=n", "transport=loop,nqn=o", false),
      ("transport=loop,nqn=n,nr_io_queues=4", "transport=loop,nqn=n", false),
      ("transport=loop,nqn=n,tls", "transport=loop,nqn=n", false),
      ("transport=loop,nqn=n,unknown", "transport=loop,nqn=n", false),
      // Without the item the namespaces of this one have device nodes: the letters are in its name.
      ("transport=loop,nqn=hidden_ns", "transport=loop,nqn=hidden_ns,hidden_ns", false),
    ])
  func meaning(_ a: String, _ b: String, _ isSame: Bool) {
    #expect(FabricsOptions.meanSame(a, b) == isSame)
    #expect(FabricsOptions.meanSame(b, a) == isSame)
  }
}
