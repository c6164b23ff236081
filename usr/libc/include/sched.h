// SPDX-License-Identifier: MIT
/*
 * Scheduling. clone itself is only for the libc: use fork.
 */
#pragma once

#include <sys/types.h>
#include <abi/sched.h>

int sched_yield(void);
