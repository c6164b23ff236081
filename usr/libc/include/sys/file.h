// SPDX-License-Identifier: MIT
#pragma once

#include <abi/fcntl.h>

/* A lock on the open file, shared with its duplicates. */
int flock(int fd, int operation);
