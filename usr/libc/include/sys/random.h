// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>
#include <abi/fcntl.h>

ssize_t getrandom(void *to, size_t n, unsigned flags);
