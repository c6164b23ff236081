// SPDX-License-Identifier: MIT
/*
 * From a file to any descriptor: the bytes moved, or -1 and errno.
 */
#pragma once

#include <sys/types.h>

/* offset == NULL: at the file's position; else *offset moves along. */
ssize_t sendfile(int out, int in, off_t *offset, size_t n);
