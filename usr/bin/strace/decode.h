// SPDX-License-Identifier: MIT
// A call as text: its arguments by the kinds and names of the table of calls.
#pragma once

#include <stdio.h>

#include <abi/strace.h>

// "name(a, b) = result", without a newline. EXIT is NULL of a call that did not return.
void print_call(FILE *to, const struct strace_record *enter, const struct strace_record *exit);
