// SPDX-License-Identifier: MIT
/*
 * Whose rights to files a process has. Both return who that was, and fail without a word.
 */
#pragma once

#include <sys/types.h>

int setfsuid(uid_t uid);
int setfsgid(gid_t gid);
