// SPDX-License-Identifier: MIT
/*
 * Limits, usage, priorities. -1 and errno on failure.
 */
#pragma once

#include <sys/types.h>
#include <abi/resource.h>

typedef uint64_t rlim_t;

int getrlimit(int resource, struct rlimit *to);
int setrlimit(int resource, const struct rlimit *from);
int prlimit(pid_t pid, int resource, const struct rlimit *new, struct rlimit *old);
int getrusage(int who, struct rusage *to);
int getpriority(int which, id_t who); /* -1 may be a priority: set errno to 0 before */
int setpriority(int which, id_t who, int priority);
