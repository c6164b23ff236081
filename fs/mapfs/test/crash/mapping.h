// SPDX-License-Identifier: MIT
/*
 * What a program does with files through memory: shared mappings in a space of mm's POSIX port,
 * with its tables, TLBs and faults.  A file is mapped at its first store or msync, and stays so:
 * later stores meet pages that write-back has protected, that a cut took away, whose file has no
 * name any more.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct file;

/* Store what operation `index` writes there (op.h).  -EFAULT: SIGBUS. */
int mapping_store(struct file *file, uint64_t offset, size_t n, unsigned index);

/* As the kernel's msync(MS_SYNC). */
int mapping_sync(struct file *file, uint64_t offset, size_t n);

/* The program ends: nothing is mapped any more. */
void mapping_end(void);
