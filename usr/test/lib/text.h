// SPDX-License-Identifier: MIT
// Small text files, as /proc has them, and short ones of a test's own.
#pragma once

// All of it, terminated, in a buffer that the next call uses again; the test fails if it cannot be
// read.
char *text_of(const char *path);

// A new file with this text, and one that must hold it (64 bytes at most) and no more.
void put_text(const char *name, const char *text);
void check_text(const char *name, const char *text);
