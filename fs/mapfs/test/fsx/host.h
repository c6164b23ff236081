// SPDX-License-Identifier: MIT
/*
 * The exerciser's system inside this process: mapfs on a test disk, mm's spaces on the machine of
 * mm/port/posix.
 */
#pragma once

#include <stdint.h>

/* A bug was planted, and is to be found: a failure is what was wanted. */
extern bool host_is_to_fail;

/*
 * A new file system for an episode.  How large it is, how little memory and how small a cache of
 * metadata there is, follows from seed and number: in some episodes the disk may be full at any
 * time.
 */
void host_begin(uint64_t seed, unsigned episode);

/* Every block, inode and frame must have come back. */
void host_end(void);
