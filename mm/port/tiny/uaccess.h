// SPDX-License-Identifier: MIT
/* Reading and writing files from and to user memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inode;

/* Returns how many bytes were moved, or an error. */
long file_io(struct inode *ip, uint64_t offset, uint64_t va, size_t bytes, bool write);
