// SPDX-License-Identifier: Apache-2.0
//
// The thread sanitizer does not see the contended paths of Swift's Mutex, since the library that has them is not instrumented: it would
// report each contended mutex as a race. This library is loaded before it (LD_PRELOAD) and states what these calls synchronise.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

// Of the sanitizer's runtime; not there in programs without it, to which LD_PRELOAD is passed on.
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

static void *next(const char *name)
{
  void *found = dlsym(RTLD_NEXT, name);
  if (!found) abort();
  return found;
}

SWIFT void lock_slow(uint32_t owner, SELF void *mutex) __asm__(LOCK);
SWIFT void lock_slow(uint32_t owner, SELF void *mutex)
{
  SWIFT void (*real)(uint32_t, SELF void *) = next(LOCK);
  real(owner, mutex);
  if (__tsan_acquire) __tsan_acquire(mutex);
}

SWIFT bool try_lock_slow(SELF void *mutex) __asm__(TRY_LOCK);
SWIFT bool try_lock_slow(SELF void *mutex)
{
  SWIFT bool (*real)(SELF void *) = next(TRY_LOCK);
  bool is_locked = real(mutex);
  if (is_locked && __tsan_acquire) __tsan_acquire(mutex);
  return is_locked;
}

SWIFT void unlock_slow(SELF void *mutex) __asm__(UNLOCK);
SWIFT void unlock_slow(SELF void *mutex)
{
  SWIFT void (*real)(SELF void *) = next(UNLOCK);
  if (__tsan_release) __tsan_release(mutex);
  real(mutex);
}
