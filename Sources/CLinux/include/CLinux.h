// SPDX-License-Identifier: Apache-2.0
// System calls, structures and macros of Linux that are missing in the C library's Swift module, as functions. Each returns -errno on
// failure.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The magic number of the file system at a path (`statfs`), or -errno.
int64_t epfnvme_filesystem_magic(const char *path);

/// Mounts configfs at a path.
int epfnvme_mount_configfs(const char *path);

/// Reads up to `length` bytes of a file from its beginning; returns how many.
int64_t epfnvme_read_file(const char *path, char *buffer, size_t length);

/// The size in bytes of an open block device (`BLKGETSIZE64`).
int64_t epfnvme_block_size_bytes(int descriptor);

/// The logical block size of an open block device (`BLKSSZGET`).
int epfnvme_block_sector_size(int descriptor);

/// Whether an open block device is read-only (`BLKROGET`): 0 or 1.
int epfnvme_block_is_read_only(int descriptor);

/// Opens a file for reading with `O_DIRECT`; returns the descriptor.
int epfnvme_open_direct(const char *path);

/// Opens for direct I/O, and exclusively: a block device in use gives EBUSY.
int epfnvme_open_exclusive(const char *path);

/// The number of an unbound loop device (`LOOP_CTL_GET_FREE`); a hint, not a reservation.
int epfnvme_loop_get_free(int control);

/// Binds an open loop device to an open file (`LOOP_CONFIGURE`, since Linux 5.8).
int epfnvme_loop_configure(int device, int file, const char *name, uint64_t offset,
                           uint32_t block_size, int read_only, int direct_io);

/// Unbinds an open loop device (`LOOP_CLR_FD`).
int epfnvme_loop_clear(int device);

/// The major and minor number of a device number.
unsigned epfnvme_major(uint64_t device);
unsigned epfnvme_minor(uint64_t device);

/// Removes a module from the kernel unless it is in use (`delete_module`).
int epfnvme_delete_module(const char *name);

/// A descriptor on which the kernel's uevents arrive, non-blocking.
int epfnvme_open_uevents(void);

/// Receives one uevent that the kernel itself sent; returns its length, 0 for one to be passed over.
int64_t epfnvme_receive_uevent(int descriptor, char *buffer, size_t length);

/// `uname -r` into a buffer, with its NUL.
int epfnvme_kernel_release(char *buffer, size_t length);
/// Remembers SIGINT, SIGTERM and SIGHUP instead of dying of them; system calls are interrupted, not restarted.
void epfnvme_remember_signals(void);

/// The first remembered signal, or 0.
int epfnvme_caught_signal(void);

/// The number of remembered signals that have arrived.
int epfnvme_caught_signal_count(void);

/// A range of a file reads zero afterwards; its length stays. -1 and errno on failure.
int epfnvme_zero_range(int descriptor, long long offset, long long count);

/// The same, and deallocates the storage.
int epfnvme_punch_hole(int descriptor, long long offset, long long count);


/// Identify through an open node of the nvme driver (`NVME_IOCTL_ADMIN_CMD`): 0, the 15 bits of the status field, or -errno.
int epfnvme_nvme_identify(int descriptor, uint32_t structure, uint32_t namespace_id, void *buffer,
                          uint32_t length);

/// One load or store of 4 bytes that the compiler neither drops, splits nor moves.
uint32_t epfnvme_mmio_read32(const void *address);
void epfnvme_mmio_write32(void *address, uint32_t value);

/// At most so many descriptors travel with one message; more are closed.
enum { EPFNVME_DESCRIPTORS = 32 };

/// A Unix stream socket bound to a path, mode 0600, not listening yet.
int epfnvme_unix_bind(const char *path);
int epfnvme_unix_listen(int descriptor);

/// A Unix stream socket that is connected to the one at a path.
int epfnvme_unix_connect(const char *path);

/// The next connection to a listening socket; -EAGAIN if there is none.
int epfnvme_unix_accept(int descriptor);

/// Whether a descriptor is a Unix stream socket that listens.
int epfnvme_is_unix_listener(int descriptor);

/// The path of a Unix socket, with a final NUL; @ and the name of an abstract one. The buffer has 110 bytes.
int epfnvme_unix_name(int descriptor, char *name);

/// Receives bytes with their descriptors; 0 is the end, -EAGAIN if none are available.
int64_t epfnvme_receive(int descriptor, void *buffer, size_t length, int *descriptors,
                        int *descriptor_count);

/// Sends bytes, with descriptors attached to the first; -EAGAIN if there is no room.
int64_t epfnvme_send(int descriptor, const void *buffer, size_t length, const int *descriptors,
                     int descriptor_count);

/// Memory of a length as a file without a name.
int epfnvme_memory_descriptor(const char *name, uint64_t length);

/// The same, with a sealed length: a receiver cannot truncate it.
int epfnvme_fixed_memory_descriptor(const char *name, uint64_t length);

/// An event counter (`eventfd`), non-blocking.
int epfnvme_event_descriptor(void);

/// Waits for descriptors (`struct pollfd`), forever if the time is negative. After a signal the wait is restarted.
int epfnvme_poll(void *descriptors, unsigned count, int64_t nanoseconds);

/// Asks for turns of 0.1 ms on a processor, so that this thread, which sleeps mostly, runs soon after it wakes beside threads that never sleep.
/// Without an effect before Linux 6.12.
void epfnvme_take_short_turns(void);

/// Blocks SIGINT, SIGTERM and SIGHUP; they arrive at the descriptor instead.
int epfnvme_signal_descriptor(void);

/// The number of a signal that has arrived, or 0.
int epfnvme_read_signal(int descriptor);

/// At most so many pieces of one guest's memory are mapped, and of all guests of a process: a guest that uses up its own leaves the others
/// theirs.
enum { EPFNVME_GUEST_MAPPINGS = 4096, EPFNVME_GUARDED_MAPPINGS = 8 * EPFNVME_GUEST_MAPPINGS };

/// Maps a part of a guest's memory file, shared. The file must be long enough; if it is truncated, the missing part reads zero.
int epfnvme_map_guest_memory(int descriptor, uint64_t offset, uint64_t length, int is_writable,
                             void **start);
void epfnvme_unmap_guest_memory(void *start, uint64_t length);

/// Binds a TCP socket to an IP address and closes it: whether this machine has the address (-EADDRNOTAVAIL).
int epfnvme_bind_address(const char *address);
