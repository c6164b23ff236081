// SPDX-License-Identifier: MIT
/*
 * Several buffers in one call: the bytes moved, or -1 and errno.
 */
#pragma once

#include <sys/types.h>
#include <abi/uio.h>

ssize_t readv(int fd, const struct iovec *parts, int count);
ssize_t writev(int fd, const struct iovec *parts, int count);
ssize_t preadv(int fd, const struct iovec *parts, int count, off_t offset);
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset);
/* flags: RWF_...; offset -1: the file's position. */
ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags);
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags);
