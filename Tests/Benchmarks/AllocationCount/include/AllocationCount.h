// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

/// Counts the heap allocations of the calling thread from now on, or no longer.
void count_allocations_of_this_thread(void);
void ignore_allocations_of_this_thread(void);

/// The number of allocations of all threads that are counted.
uint64_t counted_allocations(void);
