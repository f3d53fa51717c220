// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

// Linux 5.8; spelled out for older headers.
#ifndef LOOP_CONFIGURE
#define LOOP_CONFIGURE 0x4C0A
struct loop_config {
  __u32 fd;
  __u32 block_size;
  struct loop_info64 info;
  __u64 __reserved[8];
};
#endif
#ifndef LO_FLAGS_DIRECT_IO
#define LO_FLAGS_DIRECT_IO 16
#endif

void epfnvme_take_short_turns(void) {
  // The first version of struct sched_attr, spelled out: the header of the kernel clashes with that of the C library.
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes;
  memset(&attributes, 0, sizeof attributes);
  if (syscall(SYS_sched_getattr, 0, &attributes, (unsigned)sizeof attributes, 0u) != 0) return;
  // SCHED_OTHER
  if (attributes.policy != 0) return;
  attributes.runtime = 100000;
  (void)syscall(SYS_sched_setattr, 0, &attributes, 0u);
}

int64_t epfnvme_filesystem_magic(const char *path) {
  struct statfs status;
  if (statfs(path, &status) != 0) return -errno;
  return (int64_t)(uint32_t)status.f_type;
}

int epfnvme_mount_configfs(const char *path) {
  return mount("configfs", path, "configfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 ? 0 : -errno;
}

int64_t epfnvme_read_file(const char *path, char *buffer, size_t length) {
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return -errno;
  size_t count = 0;
  while (count < length) {
    ssize_t status = read(descriptor, buffer + count, length - count);
    if (status < 0 && errno == EINTR) continue;
    if (status < 0) {
      int error = errno;
      close(descriptor);
      return -error;
    }
    if (status == 0) break;
    count += (size_t)status;
  }
  close(descriptor);
  return (int64_t)count;
}

int64_t epfnvme_block_size_bytes(int descriptor) {
  uint64_t size = 0;
  return ioctl(descriptor, BLKGETSIZE64, &size) == 0 ? (int64_t)size : -errno;
}

int epfnvme_block_sector_size(int descriptor) {
  int size = 0;
  return ioctl(descriptor, BLKSSZGET, &size) == 0 ? size : -errno;
}

int epfnvme_block_is_read_only(int descriptor) {
  int read_only = 0;
  return ioctl(descriptor, BLKROGET, &read_only) == 0 ? read_only != 0 : -errno;
}

int epfnvme_open_direct(const char *path) {
  int descriptor = open(path, O_RDONLY | O_DIRECT | O_NONBLOCK | O_CLOEXEC);
  return descriptor >= 0 ? descriptor : -errno;
}

int epfnvme_open_exclusive(const char *path) {
  int descriptor = open(path, O_RDWR | O_EXCL | O_DIRECT | O_CLOEXEC);
  return descriptor >= 0 ? descriptor : -errno;
}

int epfnvme_loop_get_free(int control) {
  int number = ioctl(control, LOOP_CTL_GET_FREE);
  return number >= 0 ? number : -errno;
}

int epfnvme_loop_configure(int device, int file, const char *name, uint64_t offset,
                           uint32_t block_size, int read_only, int direct_io) {
  struct loop_config config;
  memset(&config, 0, sizeof config);
  config.fd = (__u32)file;
  config.block_size = block_size;
  config.info.lo_offset = offset;
  config.info.lo_flags = (read_only ? LO_FLAGS_READ_ONLY : 0) | (direct_io ? LO_FLAGS_DIRECT_IO : 0);
  // The name that `losetup` shows without sysfs, truncated as usual.
  snprintf((char *)config.info.lo_file_name, sizeof config.info.lo_file_name, "%s", name);
  return ioctl(device, LOOP_CONFIGURE, &config) == 0 ? 0 : -errno;
}

int epfnvme_loop_clear(int device) { return ioctl(device, LOOP_CLR_FD, 0) == 0 ? 0 : -errno; }

unsigned epfnvme_major(uint64_t device) { return major((dev_t)device); }
unsigned epfnvme_minor(uint64_t device) { return minor((dev_t)device); }

int epfnvme_delete_module(const char *name) {
  return syscall(SYS_delete_module, name, O_NONBLOCK) == 0 ? 0 : -errno;
}

int epfnvme_open_uevents(void) {
  int descriptor =
      socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
  if (descriptor < 0) return -errno;
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
  if (bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
    int error = errno;
    close(descriptor);
    return -error;
  }
  return descriptor;
}

int64_t epfnvme_receive_uevent(int descriptor, char *buffer, size_t length) {
  struct sockaddr_nl sender = {0};
  socklen_t sender_length = sizeof sender;
  ssize_t count;
  do {
    count = recvfrom(descriptor, buffer, length, 0, (struct sockaddr *)&sender, &sender_length);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return -errno;
  // Any process may send to a netlink address; the kernel's is 0.
  return sender.nl_pid == 0 ? (int64_t)count : 0;
}

int epfnvme_kernel_release(char *buffer, size_t length) {
  struct utsname name;
  if (uname(&name) != 0) return -errno;
  if ((size_t)snprintf(buffer, length, "%s", name.release) >= length) return -ENAMETOOLONG;
  return 0;
}