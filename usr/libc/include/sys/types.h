// SPDX-License-Identifier: MIT
/*
 * The scalar types of POSIX, as wide as Linux/riscv64 has them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef long ssize_t;
typedef int64_t off_t;
typedef int32_t pid_t;
typedef uint32_t uid_t;
typedef uint32_t gid_t;
typedef uint32_t id_t;
typedef uint32_t mode_t;
typedef uint32_t nlink_t;
typedef uint64_t dev_t;
typedef uint64_t ino_t;
typedef int64_t blkcnt_t;
typedef int32_t blksize_t;
typedef uint64_t fsblkcnt_t;
typedef uint64_t fsfilcnt_t;
typedef int64_t time_t;
typedef int64_t suseconds_t;
typedef uint32_t useconds_t;
typedef long clock_t;
typedef int clockid_t;
