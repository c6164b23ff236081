// SPDX-License-Identifier: MIT
/*
 * Moving bytes between files and user memory: what read, write and their relatives share
 * (syscall/sys_file.c).
 */
#pragma once

#include <kernel/uaccess.h>

#define AT_POSITION  (-1)                              /* as an offset: the file's own */
#define TRANSFER_MAX (INT32_MAX & ~(int64_t)PAGE_MASK) /* bytes a call */

/*
 * The whole of a readv (MVM_WRITE: to the user's memory) or writev (MVM_READ) of n pieces, at
 * an offset that is not negative or AT_POSITION.
 */
long transfer_pieces(long fd, uaddr_t pieces, long n, int64_t offset, unsigned access);

/*
 * What a call returns that has moved `done` bytes when it met err (or 0).  If nothing was moved,
 * -EPIPE and -EFBIG also send their signals, and -EINTR may mean to restart.
 */
long transfer_result(size_t done, int err);
