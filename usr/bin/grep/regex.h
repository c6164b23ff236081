// SPDX-License-Identifier: MIT
// Regular expressions of POSIX, basic and extended, without back-references.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct regex;

enum regex_flags {
	REGEX_EXTENDED = 1, // + ? | ( ) { } are operators without a backslash
	REGEX_FOLD = 2,     // upper and lower case are one
	REGEX_LITERAL = 4,  // no operators at all
};

// Returns NULL and says why in *ERROR when PATTERN is not a regular expression.
struct regex *regex_new(const char *pattern, int flags, const char **error);

// Whether some part of TEXT, a line of N bytes without its newline, matches.
bool regex_search(struct regex *regex, const char *text, size_t n);
