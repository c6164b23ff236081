// SPDX-License-Identifier: MIT
// Small text files, as /proc has them.
#pragma once

// All of it, terminated, in a buffer that the next call uses again; the test fails if it cannot be read.
char *text_of(const char *path);
