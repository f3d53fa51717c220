// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <sys/statfs.h>

int64_t epfnvme_filesystem_magic(const char *path) {
  struct statfs status;
  if (statfs(path, &status) != 0) return -errno;
  return (int64_t)(uint32_t)status.f_type;
}
