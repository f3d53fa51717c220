// SPDX-License-Identifier: Apache-2.0
// The allocator of glibc, behind functions that count. A program that links this uses them everywhere, also in its shared libraries.
#include "AllocationCount.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

extern void *__libc_malloc(size_t count);
extern void *__libc_calloc(size_t items, size_t count);
extern void *__libc_realloc(void *start, size_t count);
extern void *__libc_memalign(size_t alignment, size_t count);

static _Thread_local int is_counted;
static _Atomic uint64_t allocations;

void count_allocations_of_this_thread(void) { is_counted = 1; }

void ignore_allocations_of_this_thread(void) { is_counted = 0; }

uint64_t counted_allocations(void) { return atomic_load(&allocations); }

static void note(void) {
  if (is_counted) atomic_fetch_add(&allocations, 1);
}

void *malloc(size_t count) {
  note();
  return __libc_malloc(count);
}

void *calloc(size_t items, size_t count) {
  note();
  return __libc_calloc(items, count);
}

void *realloc(void *start, size_t count) {
  note();
  return __libc_realloc(start, count);
}

void *memalign(size_t alignment, size_t count) {
  note();
  return __libc_memalign(alignment, count);
}

void *aligned_alloc(size_t alignment, size_t count) { return memalign(alignment, count); }

int posix_memalign(void **start, size_t alignment, size_t count) {
  *start = memalign(alignment, count);
  return *start == NULL && count > 0 ? ENOMEM : 0;
}
