// SPDX-License-Identifier: MIT
/*
 * The errors that mm returns, as negative numbers.  The values are Linux's generic ones, so that
 * a host with that ABI passes them on unchanged; another translates at its system-call boundary.
 */
#pragma once

#define MVM_EPERM  1
#define MVM_EINTR  4 /* the thread must die (mvmh_wait, mvmh_killed) */
#define MVM_EIO    5
#define MVM_EAGAIN 11
#define MVM_ENOMEM 12
#define MVM_EACCES 13
#define MVM_EFAULT 14
#define MVM_EBUSY  16
#define MVM_EEXIST 17
#define MVM_EINVAL 22
#define MVM_EFBIG  27
#define MVM_ENOSPC 28
