// SPDX-License-Identifier: Apache-2.0
// Unix sockets that carry descriptors, descriptors that are memory, events or signals, and a test of IP addresses.
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int unix_socket(void) {
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return descriptor >= 0 ? descriptor : -errno;
}

static int unix_address(const char *path, struct sockaddr_un *address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
  strcpy(address->sun_path, path);
  return 0;
}

int epfnvme_unix_bind(const char *path) {
  struct sockaddr_un address;
  int status = unix_address(path, &address);
  if (status != 0) return status;
  int descriptor = unix_socket();
  if (descriptor < 0) return descriptor;
  // bind(2) takes the file's mode from the socket's (net/unix/af_unix.c, unix_bind_bsd), so that it is correct from the beginning; a umask
  // would affect all threads, and every child that starts meanwhile.
  status = fchmod(descriptor, 0600) == 0 && bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0
               ? 0
               : -errno;
  if (status == 0) return descriptor;
  close(descriptor);
  return status;
}

int epfnvme_unix_listen(int descriptor) { return listen(descriptor, 8) == 0 ? 0 : -errno; }

int epfnvme_unix_connect(const char *path) {
  struct sockaddr_un address;
  int status = unix_address(path, &address);
  if (status != 0) return status;
  int descriptor = unix_socket();
  if (descriptor < 0) return descriptor;
  // A busy listener may have a full queue: wait for it, with a limit.
  struct timeval limit = {.tv_sec = 5};
  setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  fcntl(descriptor, F_SETFL, 0);
  status = connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
  fcntl(descriptor, F_SETFL, O_NONBLOCK);
  if (status == 0) return descriptor;
  close(descriptor);
  return status;
}

int epfnvme_unix_accept(int descriptor) {
  int connection = accept4(descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  return connection >= 0 ? connection : -errno;
}

int epfnvme_is_unix_listener(int descriptor) {
  int value = 0;
  socklen_t length = sizeof value;
  if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &value, &length) != 0 || value != AF_UNIX) return 0;
  if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &value, &length) != 0 || value != SOCK_STREAM) return 0;
  return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value != 0;
}

int epfnvme_unix_name(int descriptor, char *name) {
  struct sockaddr_un address = {0};
  socklen_t length = sizeof address;
  if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) return -errno;
  size_t count = length > offsetof(struct sockaddr_un, sun_path) ? length - offsetof(struct sockaddr_un, sun_path) : 0;
  if (count > sizeof address.sun_path) count = sizeof address.sun_path;
  memcpy(name, address.sun_path, count);
  name[count] = 0;
  if (count > 0 && name[0] == 0) name[0] = '@';
  return 0;
}

int64_t epfnvme_receive(int descriptor, void *buffer, size_t length, int *descriptors,
                        int *descriptor_count) {
  union {
    char bytes[CMSG_SPACE(EPFNVME_DESCRIPTORS * sizeof(int))];
    struct cmsghdr header;
  } control;
  struct iovec piece = {.iov_base = buffer, .iov_len = length};
  struct msghdr message = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  *descriptor_count = 0;
  ssize_t count;
  do {
    count = recvmsg(descriptor, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return -errno;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    size_t received = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < received; index++) {
      int value;
      memcpy(&value, CMSG_DATA(part) + index * sizeof(int), sizeof value);
      if (*descriptor_count < EPFNVME_DESCRIPTORS) descriptors[(*descriptor_count)++] = value;
      else close(value);
    }
  }
  return count;
}

int64_t epfnvme_send(int descriptor, const void *buffer, size_t length, const int *descriptors,
                     int descriptor_count) {
  union {
    char bytes[CMSG_SPACE(EPFNVME_DESCRIPTORS * sizeof(int))];
    struct cmsghdr header;
  } control;
  if (descriptor_count > EPFNVME_DESCRIPTORS) return -EINVAL;
  struct iovec piece = {.iov_base = (void *)buffer, .iov_len = length};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  if (descriptor_count > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE((size_t)descriptor_count * sizeof(int));
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN((size_t)descriptor_count * sizeof(int));
    memcpy(CMSG_DATA(part), descriptors, (size_t)descriptor_count * sizeof(int));
  }
  ssize_t count;
  do {
    count = sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count >= 0 ? count : -errno;
}

int epfnvme_memory_descriptor(const char *name, uint64_t length) {
  int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -errno;
  if (ftruncate(descriptor, (off_t)length) == 0) return descriptor;
  int error = errno;
  close(descriptor);
  return -error;
}

int epfnvme_fixed_memory_descriptor(const char *name, uint64_t length) {
  int descriptor = epfnvme_memory_descriptor(name, length);
  if (descriptor < 0) return descriptor;
  if (fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) return descriptor;
  int error = errno;
  close(descriptor);
  return -error;
}

int epfnvme_event_descriptor(void) {
  int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return descriptor >= 0 ? descriptor : -errno;
}

int epfnvme_poll(void *descriptors, unsigned count, int64_t nanoseconds) {
  struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  int status;
  do {
    status = ppoll(descriptors, count, nanoseconds < 0 ? NULL : &limit, NULL);
  } while (status < 0 && errno == EINTR);
  return status >= 0 ? status : -errno;
}

static const int stopping_signals[] = {SIGINT, SIGTERM, SIGHUP};

int epfnvme_signal_descriptor(void) {
  sigset_t signals;
  sigemptyset(&signals);
  for (size_t index = 0; index < sizeof stopping_signals / sizeof *stopping_signals; index++)
    sigaddset(&signals, stopping_signals[index]);
  if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) return -errno;
  int descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  return descriptor >= 0 ? descriptor : -errno;
}

int epfnvme_read_signal(int descriptor) {
  struct signalfd_siginfo information;
  ssize_t count = read(descriptor, &information, sizeof information);
  return count == (ssize_t)sizeof information ? (int)information.ssi_signo : 0;
}

int epfnvme_bind_address(const char *address) {
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;
  if (getaddrinfo(address, NULL, &hints, &found) != 0) return -EINVAL;
  int status = 0;
  int descriptor = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // Port 0: any free one, so that only the address decides.
  if (descriptor < 0 || bind(descriptor, found->ai_addr, found->ai_addrlen) != 0) status = -errno;
  if (descriptor >= 0) close(descriptor);
  freeaddrinfo(found);
  return status;
}
