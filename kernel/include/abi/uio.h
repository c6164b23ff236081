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
