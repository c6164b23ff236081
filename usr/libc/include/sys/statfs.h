// SPDX-License-Identifier: MIT
#pragma once

#include <abi/statfs.h>

int statfs(const char *path, struct statfs *to);
int fstatfs(int fd, struct statfs *to);
