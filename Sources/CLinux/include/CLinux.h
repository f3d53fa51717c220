// SPDX-License-Identifier: Apache-2.0
// What Linux has and the C library's Swift module lacks: system calls, structures and macros as plain functions.
#pragma once
#include <stdint.h>

/// The magic number of the file system at a path (`statfs`), or -errno.
int64_t epfnvme_filesystem_magic(const char *path);
