// SPDX-License-Identifier: MIT
// The table of system calls (abi/syscalls.def) as data: for strace, and for the fuzzer.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum arg_kind {
	ARG_NONE, // ends a list of arguments
	ARG_FD,
	ARG_PID,
	ARG_SIG,
	ARG_INT,
	ARG_UINT,
	ARG_FLAGS,
	ARG_MODE,
	ARG_LONG,
	ARG_SIZE,
	ARG_OFF,
	ARG_ADDR,
	ARG_PATH,
	ARG_STR,
	ARG_IN,
	ARG_OUT,
	ARG_INOUT,
};

#define CALL_ARGS  6
#define CALL_SLOTS 512 // more than the highest number

struct call_arg {
	enum arg_kind kind;
	const char *type, *name; // as in the prototype
};

// A line of the table. What is said of a call follows it.
struct call_row {
	enum { ROW_CALL, ROW_ABSENT, ROW_VALUES, ROW_BITS, ROW_REFUSES, ROW_ERRORS, ROW_END } is;
	int number;                  // of a call
	const char *name;            // of a call; of the argument that is spoken of
	const struct call_arg *args; // ends with ARG_NONE
	const char *names;           // "A, B, C": those of the values
	const long *values;
	size_t n;
};

extern const struct call_row call_rows[];

// NULL: Linux has no such number. Of a call that is absent the row is ROW_ABSENT.
const struct call_row *call_of(long number);

// The next line about the call, after ROW; NULL when there is none.
const struct call_row *call_more(const struct call_row *row);

// Name I of a row's names, and its length.
const char *call_name_of(const struct call_row *row, size_t i, int *len);
