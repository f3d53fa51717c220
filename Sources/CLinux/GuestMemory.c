// SPDX-License-Identifier: Apache-2.0
// Mappings of files of another process, which may truncate them at any time: an access then causes SIGBUS. The handler replaces such a
// page, and all pages after it, by zeroes, and the access continues.
#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// Read by the handler on any thread, changed under the lock. An empty row has end 0.
static struct {
  _Atomic uintptr_t start, end;
} guarded[EPFNVME_GUARDED_MAPPINGS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction former;
static int is_installed;

static void replace_page(int number, siginfo_t *information, void *context) {
  uintptr_t address = (uintptr_t)information->si_addr;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  int error = errno;
  for (size_t row = 0; row < EPFNVME_GUARDED_MAPPINGS; row++) {
    uintptr_t end = atomic_load_explicit(&guarded[row].end, memory_order_acquire);
    if (end == 0 || address >= end) continue;
    if (address < atomic_load_explicit(&guarded[row].start, memory_order_acquire)) continue;
    uintptr_t first = address & ~(page - 1);
    // To the end, since a file is cut at its end: page by page, they would be more than the kernel allows in a process.
    void *place = mmap((void *)first, end - first, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (place == MAP_FAILED) break;
    errno = error;
    return;
  }
  // Another mapping: restore the default handler. The access is repeated, and ends the process.
  (void)context;
  sigaction(number, &former, NULL);
}

static int guard(void *start, size_t length) {
  int status = -ENOSPC;
  pthread_mutex_lock(&lock);
  if (!is_installed) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = replace_page;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &former) == 0) is_installed = 1;
  }
  for (size_t row = 0; is_installed && row < EPFNVME_GUARDED_MAPPINGS; row++) {
    if (atomic_load(&guarded[row].end) != 0) continue;
    atomic_store(&guarded[row].start, (uintptr_t)start);
    atomic_store(&guarded[row].end, (uintptr_t)start + length);
    status = 0;
    break;
  }
  pthread_mutex_unlock(&lock);
  return status;
}

static void unguard(void *start) {
  pthread_mutex_lock(&lock);
  for (size_t row = 0; row < EPFNVME_GUARDED_MAPPINGS; row++) {
    if (atomic_load(&guarded[row].end) == 0) continue;
    if (atomic_load(&guarded[row].start) != (uintptr_t)start) continue;
    atomic_store(&guarded[row].end, 0);
    break;
  }
  pthread_mutex_unlock(&lock);
}

int epfnvme_map_guest_memory(int descriptor, uint64_t offset, uint64_t length, int is_writable,
                             void **start) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return -errno;
  uint64_t size = status.st_size < 0 ? 0 : (uint64_t)status.st_size;
  if (!S_ISREG(status.st_mode) || length == 0 || offset > size || length > size - offset) return -EINVAL;
  void *place = mmap(NULL, length, PROT_READ | (is_writable ? PROT_WRITE : 0), MAP_SHARED | MAP_NORESERVE,
                     descriptor, (off_t)offset);
  if (place == MAP_FAILED) return -errno;
  int guarded_status = guard(place, length);
  if (guarded_status != 0) {
    munmap(place, length);
    return guarded_status;
  }
  *start = place;
  return 0;
}

void epfnvme_unmap_guest_memory(void *start, uint64_t length) {
  unguard(start);
  munmap(start, length);
}
