# SPDX-License-Identifier: Apache-2.0
#
# All targets work on a fresh Debian machine with only the Swift toolchain: .ci/packages installs the other packages.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PREFIX ?= /usr/local
destination = $(DESTDIR)$(PREFIX)
share = $(destination)/share/epfnvme
bash_completions = $(destination)/share/bash-completion/completions
zsh_completions = $(destination)/share/zsh/site-functions
fish_completions = $(destination)/share/fish/vendor_completions.d
manual = $(destination)/share/man/man1
documentation = $(destination)/share/doc/epfnvme
units = $(destination)/lib/systemd/system
rules = $(destination)/lib/udev/rules.d
# The kernel module: DKMS looks for sources in /usr/src, whatever PREFIX is.
module = Sources/epfnvme-epc
module_version = $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' $(module)/dkms.conf)
module_sources = $(DESTDIR)/usr/src/epfnvme-epc-$(module_version)
# The date in the manual: that of the last commit, if there is one.
epoch = $${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || date +%s)}
swift_sources = Sources Tests Package.swift

# A target may import only its dependencies in Package.swift.
debug = --explicit-target-dependency-import-check error
release = -c release --static-swift-stdlib -Xlinker --strip-all --product epfnvme

# SwiftPM passes the traits' definitions to the compiler in the order of a set, which is another one in half of its runs, and would then compile
# everything again. Tests keep the random order.
swift_build = SWIFT_DETERMINISTIC_HASHING=1 swift build

# A static executable for small boards: without shared libraries, libkmod and libudev.
static = -c release --disable-default-traits -Xswiftc -static-executable -Xlinker --strip-all --product epfnvme \
  --scratch-path .build/static

# Tests in an optimised build, and with a sanitizer.
optimized_tests = -c release -Xswiftc -enable-testing --scratch-path .build/optimized
sanitized = --scratch-path .build
evidence = .ci/evidence
tests_counted = tests '^.*Test run with ([0-9]+) tests.* passed'

.PHONY: help build test test-all faults asan tsan coverage evidence check fmt generate demo lab lab-diff lab-host lab-pair examples bench bench-serve bench-link fuzz fuzz-sessions install static packages \
  install-module uninstall-module

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 24

build: packages ## build everything, tests included; a warning is an error
	@mkdir -p .build
	$(swift_build) $(debug) --build-tests 2>&1 | tee .build/build.log
	@if grep -n 'warning:' .build/build.log; then echo 'the build has warnings' >&2; exit 1; fi

# Optimised: the run takes a third of a debug build's. One suite alone: swift test --disable-xctest --filter SUITE.
test: packages ## run the tests (an optimised build)
	@mkdir -p .build; rm -f .build/tests.xml
	$(swift_build) $(optimized_tests) --build-tests
	$(evidence) run test 'tests, with short tables' 'make test' $(tests_counted) -- \
	  .ci/run-tests .build/tests.log swift test $(optimized_tests) --skip-build --disable-xctest --xunit-output .build/tests.xml
	@grep -q '<testsuite .*tests="[1-9]' .build/tests.xml || { echo 'no test ran' >&2; exit 1; }

# Tables of faults, crashes and signals, and property tests have a short form and a full one, with every case and thousands of generated
# profiles.
test-all: packages ## run the tests with the full form of tables and property tests
	$(swift_build) $(optimized_tests) --build-tests
	EPFNVME_TEST_SCALE=full $(evidence) run test-all 'tests, with full tables' 'make test-all' $(tests_counted) -- \
	  .ci/run-tests .build/test-all.log swift test $(optimized_tests) --disable-xctest --skip-build

# Each call of setup and teardown of every shipped profile, with every errno, signal, crash and torn or full journal.
faults: packages ## run the fault campaign: errnos, signals, crashes, torn journals, a full /run
	$(swift_build) $(optimized_tests) --build-tests
	EPFNVME_TEST_SCALE=campaign $(evidence) run faults 'faults at every call of setup and teardown' 'make faults' cases \
	  '^[a-z]+ [a-z ]+: .*: ([0-9]+) (of|cases|moments|signals)' -- \
	  .ci/run-tests .build/faults.log swift test $(optimized_tests) --disable-xctest --skip-build --filter 'Fault.*Tests|CrashTests|SignalTests'

# The sanitizers need separate builds. The thread sanitizer's library has no annotations of Swift's Mutex.
asan: packages ## run the tests with the address sanitizer
	$(swift_build) $(sanitized)/address --sanitize=address --build-tests
	$(evidence) run asan 'tests with the address sanitizer' 'make asan' $(tests_counted) -- \
	  Tests/Sanitizers/run.sh address .build/address

tsan: packages ## run the tests with the thread sanitizer
	$(swift_build) $(sanitized)/thread --sanitize=thread --build-tests
	$(evidence) run tsan 'tests with the thread sanitizer' 'make tsan' $(tests_counted) -- \
	  Tests/Sanitizers/run.sh thread .build/thread

coverage: packages ## measure the line coverage of each library target by the tests
	swift test $(debug) --enable-code-coverage --disable-xctest --scratch-path .build/coverage
	Tests/Sanitizers/coverage.sh .build/coverage

evidence: ## put the results of the last runs into Docs/Reference/evidence.md
	.ci/evidence page

check: packages ## check the format, build without warnings, run the tests
	swift format lint --strict -r $(swift_sources)
	$(MAKE) build
	$(MAKE) test

fmt: ## format the Swift sources in place
	swift format format -i -r $(swift_sources)

generate: packages ## write the JSON Schema, the guide's tables of profile keys and the page of kernel releases anew
	swift run $(debug) SchemaDocuments .

demo: packages ## plan, set up, show and tear down an endpoint on the simulated kernel
	$(swift_build) $(debug) --product epfnvme
	@.ci/demo "$$(swift build $(debug) --show-bin-path)/epfnvme"

lab: packages ## run the suite on a real kernel in QEMU
	$(evidence) run lab 'the tool on a real kernel' 'make lab' cases '^# lab: ([0-9]+) passed' -- Tests/Lab/run.sh

# Options: make lab-diff DIFF='--seed 7 --operations 50000 --pairs 500'; Tests/DiffLab/run.sh lists them.
DIFF ?=

lab-diff: packages ## compare the simulated kernel with a real one in QEMU: random calls, random profiles
	Tests/DiffLab/run.sh $(DIFF)

lab-host: packages ## serve the endpoint to a stock Linux in QEMU and test it there
	$(evidence) run lab-host 'the emulated disk in a stock Linux$(if $(HOSTLAB_FILTER), ($(HOSTLAB_FILTER)))' 'make lab-host' cases \
	  '^# .*: ([0-9]+) passed' -- Tests/HostLab/run.sh

lab-pair: packages ## join a board's real driver and a stock Linux, each in QEMU, by a PCIe link in software
	$(evidence) run lab-pair 'the real driver before a stock Linux$(if $(PAIRLAB_FILTER), ($(PAIRLAB_FILTER)))' 'make lab-pair' cases \
	  '^# .*: ([0-9]+) passed' -- Tests/PairLab/run.sh

examples: packages ## build and run the examples of the library
	cd Tests/Examples && swift run ProvisionEndpoint && swift run DriveController && swift run ServeDisk

bench: packages ## measure the emulated controller's commands
	cd Tests/Benchmarks && swift package benchmark --no-progress --target Commands

bench-serve: packages ## measure a host in process at the reference controller's socket
	cd Tests/Benchmarks && swift run -c release ServedDisk

bench-link: packages ## measure the endpoint link, and check that it does not allocate
	$(evidence) run bench-link 'operations of the link without an allocation' 'make bench-link' operations '^([0-9]+) operations without an allocation' -- \
	  bash -c 'cd Tests/Benchmarks && swift run -c release LinkOperations'

# libFuzzer on what takes foreign bytes, FUZZ_SECONDS for each target of FUZZ_TARGETS (all), then mutated sessions at the sockets:
# make fuzz FUZZ_SECONDS=1200 FUZZ_TARGETS='profile journal' FUZZ_MESSAGES=1000000 FUZZ_SEED=7
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
FUZZ_MESSAGES ?= 100000
FUZZ_SEED ?= 1

# The compiler takes only one of several --sanitize options: -sanitize= has both.
fuzz: packages ## fuzz what takes foreign bytes, and attack the sockets with mutated sessions
	$(swift_build) -c release --product FuzzInputs --scratch-path .build/fuzz/build --sanitize=fuzzer --sanitize=address \
	  -Xswiftc -sanitize=fuzzer,address -Xswiftc -DLIBFUZZER
	FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_TARGETS='$(FUZZ_TARGETS)' Tests/Fuzz/run.sh .build/fuzz
	$(MAKE) fuzz-sessions

fuzz-sessions: packages ## attack the vfio-user server and both sides of the endpoint link with mutated sessions
	$(evidence) run fuzz-sessions 'mutated sessions at the sockets, seed $(FUZZ_SEED)' 'make fuzz-sessions' messages \
	  '^.*: ([0-9]+) messages in' -- bash -c 'cd Tests/Fuzz && swift run -c release FuzzVFIOUser --messages $(FUZZ_MESSAGES) \
	  --seed $(FUZZ_SEED) --connects 1000'

install: packages ## install to DESTDIR/PREFIX (PREFIX=/usr/local)
	$(swift_build) $(release)
	$(MAKE) install-files EPFNVME="$$(swift build $(release) --show-bin-path)/epfnvme"

.PHONY: install-files uninstall

# The steps of `make install` for a program that is already built: make install-files EPFNVME=PROGRAM. That program generates the
# completions and the manual.
install-files:
	@test -x "$(EPFNVME)" || { echo 'set EPFNVME=PROGRAM, an epfnvme that runs on this machine' >&2; exit 64; }
	install -D -m 755 "$(EPFNVME)" $(destination)/bin/epfnvme
	install -d $(share)/profiles $(share)/schema $(manual) $(units) $(rules) $(documentation)/Guides \
	  $(documentation)/Reference/Kernel $(documentation)/Reference/Protocols
	install -d $(bash_completions) $(zsh_completions) $(fish_completions)
	install -m 644 Configs/profiles/*.json $(share)/profiles
	install -m 644 Configs/schema/*.json $(share)/schema
	"$(EPFNVME)" --generate-completion-script bash >$(bash_completions)/epfnvme
	"$(EPFNVME)" --generate-completion-script zsh >$(zsh_completions)/_epfnvme
	"$(EPFNVME)" --generate-completion-script fish >$(fish_completions)/epfnvme.fish
	SOURCE_DATE_EPOCH=$(epoch) "$(EPFNVME)" manual $(manual)
	chmod 644 $(manual)/epfnvme*.1 $(bash_completions)/epfnvme $(zsh_completions)/_epfnvme $(fish_completions)/epfnvme.fish
	sed 's|=/usr/local/bin/|=$(PREFIX)/bin/|' Configs/systemd/epfnvme@.service >$(units)/epfnvme@.service
	install -m 644 Configs/systemd/epfnvme.target $(units)
	chmod 644 $(units)/epfnvme@.service
	install -m 644 Configs/udev/70-epfnvme.rules $(rules)
	install -m 644 LICENSE README.md CHANGELOG.md $(documentation)
	install -m 644 Docs/Guides/*.md $(documentation)/Guides
	install -m 644 Docs/Reference/*.md $(documentation)/Reference
	install -m 644 Docs/Reference/Kernel/*.md $(documentation)/Reference/Kernel
	install -m 644 Docs/Reference/Protocols/*.md $(documentation)/Reference/Protocols

uninstall: ## remove the installed files from DESTDIR/PREFIX
	rm -f $(destination)/bin/epfnvme $(bash_completions)/epfnvme $(zsh_completions)/_epfnvme
	rm -f $(fish_completions)/epfnvme.fish $(manual)/epfnvme.1 $(manual)/epfnvme-*.1
	rm -f $(units)/epfnvme@.service $(units)/epfnvme.target $(rules)/70-epfnvme.rules
	rm -rf $(share) $(documentation)

# Sources only: the machine that runs the module has another kernel than this one, and a kernel update builds it again.
install-module: ## install the sources of the kernel module to DESTDIR/usr/src, for DKMS
	install -d $(module_sources)
	install -m 644 $(module)/dkms.conf $(module)/Kbuild $(module)/Makefile $(module)/COPYING $(module)/*.[ch] $(module_sources)
	@if [ -n "$(DESTDIR)" ]; then :; elif command -v dkms >/dev/null; then \
	  echo 'build and install it with: dkms install epfnvme-epc/$(module_version)'; \
	else \
	  echo 'without DKMS: make -C $(module_sources) && make -C $(module_sources) modules_install && depmod'; \
	fi

uninstall-module: ## remove the sources of the kernel module
	@[ ! -d $(DESTDIR)/var/lib/dkms/epfnvme-epc/$(module_version) ] || { \
	  echo 'first: dkms remove epfnvme-epc/$(module_version) --all' >&2; exit 1; }
	rm -rf $(module_sources)

static: packages ## build .build/static/epfnvme, which needs no shared library
	$(swift_build) $(static)
	cp "$$(swift build $(static) --show-bin-path)/epfnvme" .build/static/epfnvme

packages:
	@.ci/packages
