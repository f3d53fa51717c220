# SPDX-License-Identifier: Apache-2.0
#
# Everything here works on a fresh Debian machine that has only the Swift toolchain: .ci/packages installs the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PREFIX ?= /usr/local
share = $(DESTDIR)$(PREFIX)/share/epfnvme
swift_sources = Sources Tests Package.swift

# A target may import only what Package.swift says.
debug = --explicit-target-dependency-import-check error
release = -c release --static-swift-stdlib -Xlinker --strip-all --product epfnvme

# One file for small boards: neither shared libraries nor libkmod and libudev.
static = -c release --disable-default-traits -Xswiftc -static-executable -Xlinker --strip-all --product epfnvme \
  --scratch-path .build/static

.PHONY: help build test check fmt demo lab lab-host bench install static packages

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

build: packages ## build everything, tests included; a warning is an error
	@mkdir -p .build
	swift build $(debug) --build-tests 2>&1 | tee .build/build.log
	@if grep -n 'warning:' .build/build.log; then echo 'the build has warnings' >&2; exit 1; fi

test: packages ## run the tests
	@mkdir -p .build; rm -f .build/tests.xml
	swift test $(debug) --disable-xctest --xunit-output .build/tests.xml
	@grep -q '<testsuite .*tests="[1-9]' .build/tests.xml || { echo 'no test ran' >&2; exit 1; }

check: packages ## what a change has to pass: format, build without warnings, tests
	swift format lint --strict -r $(swift_sources)
	$(MAKE) build
	$(MAKE) test

fmt: ## format the Swift sources in place
	swift format format -i -r $(swift_sources)

demo: packages ## plan, set up, show and tear down an endpoint on the simulated kernel
	swift build $(debug) --product epfnvme
	@.ci/demo "$$(swift build --show-bin-path)/epfnvme"

lab: packages ## run the suite on a real kernel in QEMU
	Tests/Lab/run.sh

lab-host: packages ## serve the endpoint to a stock Linux in QEMU, and use it there
	Tests/HostLab/run.sh

bench: packages ## measure the emulated controller's commands
	cd Tests/Benchmarks && swift package benchmark --no-progress

install: packages ## install to DESTDIR/PREFIX (PREFIX=/usr/local)
	swift build $(release)
	install -D -m 755 "$$(swift build $(release) --show-bin-path)/epfnvme" $(DESTDIR)$(PREFIX)/bin/epfnvme
	install -d $(share)/profiles $(share)/schema
	install -m 644 Configs/profiles/*.json $(share)/profiles
	install -m 644 Configs/schema/*.json $(share)/schema

static: packages ## build .build/static/epfnvme, which needs no shared library
	swift build $(static)
	cp "$$(swift build $(static) --show-bin-path)/epfnvme" .build/static/epfnvme

packages:
	@.ci/packages
