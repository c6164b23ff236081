// SPDX-License-Identifier: MIT
/*
 * A counter behind a descriptor. -1 and errno on failure.
 */
#pragma once

#include <stdint.h>
#include <abi/eventfd.h>

typedef uint64_t eventfd_t;

int eventfd(unsigned count, int flags);
int eventfd_read(int fd, eventfd_t *value);
int eventfd_write(int fd, eventfd_t value);
