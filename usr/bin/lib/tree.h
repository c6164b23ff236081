// SPDX-License-Identifier: MIT
// Whole trees of files: what cp -r, rm -r and mv between file systems have in common.
#pragma once

#include <stdbool.h>

// Both go on after a failure, having complained about it, and return -1 at the end.
int tree_copy(const char *from, const char *to, bool recursive);
int tree_remove(const char *path);

// The path that cp, mv and ln mean by DEST: DEST/leaf(SOURCE) when DEST is a folder. New string.
char *tree_target(const char *source, const char *dest);

// Whether PATH is a folder, following symbolic links.
bool is_folder(const char *path);
