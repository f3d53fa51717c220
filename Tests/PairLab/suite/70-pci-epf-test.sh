# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Another endpoint function driver than NVMe's: pci-epf-test, and before it the kernel's own selftest. The host has the board's kernel, because
# Debian's has no pci_endpoint_test.

# start_test_host: boots the host with the board's kernel and image.
start_test_host() {
  boots=$((${boots:-0} + 1))
  boot=$output/$suite.$boots.host
  host_boot=$boot
  : >"$boot.console"
  make_pipe host.agent
  (lab_machine "$boot" host) &
  machine=$!
  exec 7<>host.agent.in 8<>host.agent.out
  await_agent host
}
# selftest NAME TEST…: those tests of the selftest pass; build-selftest.sh gives them 600 s each.
selftest() {
  lib_title=$1
  shift
  for lib_test; do
    lib_began=$(date +%s)
    if on host "pci_endpoint_test $lib_test" >selftest.out; then
      diag "$lib_title: $lib_test: $(($(date +%s) - lib_began)) s"
      if grep -q 'SKIP' selftest.out; then
        pass "$lib_title: $lib_test (partly skipped: $(sed -n 's/.*# SKIP *//p' selftest.out | head -n 1))"
      else
        pass "$lib_title: $lib_test"
      fi
    else
      fail "$lib_title: $lib_test"
      diag_file selftest selftest.out
      on host 'dmesg | tail -n 5' >selftest.host
      diag_file host selftest.host
      on board 'dmesg | tail -n 8' >selftest.board
      diag_file board selftest.board
    fi
  done
}

if [ -z "$has_selftest" ]; then
  skip 'pci-epf-test' 'the kernel has no source package in the cache, so that its selftest cannot be built'
  return
fi
for way in dma memory-to-memory windows; do
  case $way in
    dma) module_options= ;;
    memory-to-memory) module_options=dma=0 ;;
    windows) module_options='dma=0 dma_memcpy=0' ;;
  esac
  start_link
  start_board || return
  check "$way: the board binds pci-epf-test" on board "
    mount -t configfs configfs /sys/kernel/config; modprobe epfnvme_epc $module_options && modprobe pci-epf-test &&
    c=/sys/kernel/config/pci_ep && f=\$c/functions/pci_epf_test/test && mkdir \$f &&
    echo 0x104c >\$f/vendorid && echo 0xb500 >\$f/deviceid && echo 32 >\$f/msi_interrupts && echo 64 >\$f/msix_interrupts &&
    e=\$(ls -d \$c/controllers/*) && ln -s \$f \$e/ && echo 1 >\$e/start" || return
  start_test_host || return
  check "$way: the host finds the function" on host 'modprobe pci_endpoint_test && [ -e /dev/pci-endpoint-test.0 ]'
  selftest "$way" '-r pci_ep_basic.LEGACY_IRQ_TEST' '-r pci_ep_basic.MSI_TEST' '-r pci_ep_basic.MSIX_TEST'
  case $way in
    dma) selftest "$way" "-v BAR0 -r pci_ep_bar.BAR0.BAR_TEST" '-r pci_ep_data_transfer.dma.READ_TEST' '-r pci_ep_data_transfer.dma.WRITE_TEST' ;;
    memory-to-memory) selftest "$way" '-r pci_ep_data_transfer.dma.READ_TEST' '-r pci_ep_data_transfer.dma.WRITE_TEST' '-r pci_ep_data_transfer.dma.COPY_TEST' ;;
    windows) selftest "$way" '-r pci_ep_data_transfer.memcpy.READ_TEST' ;;
  esac
  if [ -n "${PAIRLAB_SLOW:-}" ]; then
    case $way in
      dma) selftest "$way" '-r pci_ep_basic.CONSECUTIVE_BAR_TEST' ;;
      windows) selftest "$way" '-r pci_ep_data_transfer.memcpy.WRITE_TEST' '-r pci_ep_data_transfer.memcpy.COPY_TEST' ;;
    esac
  fi
  off host
  end_board "$way"
  stop_link "$way"
done
