// SPDX-License-Identifier: Apache-2.0
// Devices of other drivers: NVMe pass-through, registers in memory.
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <linux/nvme_ioctl.h>
#include <string.h>
#include <sys/ioctl.h>

int epfnvme_nvme_identify(int descriptor, uint32_t structure, uint32_t namespace_id, void *buffer,
                          uint32_t length) {
  struct nvme_admin_cmd command;
  memset(&command, 0, sizeof command);
  command.opcode = 0x06;
  command.nsid = namespace_id;
  command.addr = (uint64_t)(uintptr_t)buffer;
  command.data_len = length;
  command.cdw10 = structure;
  int result = ioctl(descriptor, NVME_IOCTL_ADMIN_CMD, &command);
  return result < 0 ? -errno : result;
}

uint32_t epfnvme_mmio_read32(const void *address) { return *(const volatile uint32_t *)address; }

void epfnvme_mmio_write32(void *address, uint32_t value) { *(volatile uint32_t *)address = value; }
