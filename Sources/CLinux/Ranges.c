// SPDX-License-Identifier: Apache-2.0
// Ranges of files. fallocate(2) is a GNU extension, which the Glibc module lacks.
#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <linux/falloc.h>

int epfnvme_zero_range(int descriptor, long long offset, long long count) {
  return fallocate(descriptor, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, count);
}

int epfnvme_punch_hole(int descriptor, long long offset, long long count) {
  return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, count);
}
