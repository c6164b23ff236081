// SPDX-License-Identifier: MIT
/*
 * readv, writev and their relatives.
 */
#pragma once

#include <stddef.h>

struct iovec {
	void *iov_base;
	size_t iov_len;
};

#define UIO_MAXIOV 1024

/* preadv2, pwritev2 */
#define RWF_HIPRI  1
#define RWF_DSYNC  2
#define RWF_SYNC   4
#define RWF_NOWAIT 8
#define RWF_APPEND 16
