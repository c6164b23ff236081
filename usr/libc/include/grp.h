// SPDX-License-Identifier: MIT
/*
 * Groups of users. -1 and errno on failure.
 */
#pragma once

#include <sys/types.h>

int setgroups(size_t n, const gid_t *groups); /* the supplementary groups of this process */
