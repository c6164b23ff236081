// SPDX-License-Identifier: MIT
#include "calls.h"

#include <abi/close_range.h>
#include <abi/errno.h>
#include <abi/eventfd.h>
#include <abi/fcntl.h>
#include <abi/futex.h>
#include <abi/mman.h>
#include <abi/personality.h>
#include <abi/prctl.h>
#include <abi/reboot.h>
#include <abi/resource.h>
#include <abi/sched.h>
#include <abi/signal.h>
#include <abi/statfs.h>
#include <abi/syscall.h>
#include <abi/termios.h>
#include <abi/time.h>
#include <abi/uio.h>
#include <abi/wait.h>

#include <string.h>

#define LIST(...)                              \
	.values = (const long[]){__VA_ARGS__}, \
	.n = sizeof((const long[]){__VA_ARGS__}) / sizeof(long)

const struct call_row call_rows[] = {
#define NO_ARGS                      \
	{                            \
		ARG_NONE, NULL, NULL \
	}
#define ARG(kind, type, name)            \
	{                                \
		ARG_##kind, #type, #name \
	}
#define SYSCALL(call, ...)            \
	{.is = ROW_CALL,              \
		.name = #call,        \
		.number = SYS_##call, \
		.args = (const struct call_arg[]){__VA_ARGS__, {ARG_NONE, NULL, NULL}}},
#define ABSENT(call)     {.is = ROW_ABSENT, .name = #call, .number = SYS_##call},
#define VALUES(arg, ...) {.is = ROW_VALUES, .name = #arg, .names = #__VA_ARGS__, LIST(__VA_ARGS__)},
#define BITS(arg, ...)   {.is = ROW_BITS, .name = #arg, .names = #__VA_ARGS__, LIST(__VA_ARGS__)},
#define REFUSES(arg, error, ...)       \
	{.is = ROW_REFUSES,            \
		.name = #arg,          \
		.number = error,       \
		.names = #__VA_ARGS__, \
		LIST(__VA_ARGS__)},
#define ERRORS(...) {.is = ROW_ERRORS, .names = #__VA_ARGS__, LIST(__VA_ARGS__)},
#include <abi/syscalls.def>
	{.is = ROW_END},
};

static bool is_call(const struct call_row *row)
{
	return row->is == ROW_CALL || row->is == ROW_ABSENT;
}

const struct call_row *call_of(long number)
{
	static const struct call_row *by_number[CALL_SLOTS];

	if (!by_number[call_rows[0].number])
		for (const struct call_row *row = call_rows; row->is != ROW_END; row++)
			if (is_call(row))
				by_number[row->number] = row;
	return number >= 0 && number < CALL_SLOTS ? by_number[number] : NULL;
}

const struct call_row *call_more(const struct call_row *row)
{
	row++;
	return is_call(row) || row->is == ROW_END ? NULL : row;
}

const char *call_name_of(const struct call_row *row, size_t i, int *len)
{
	const char *name = row->names;

	while (i--)
		name = strchr(name, ',') + 2;
	*len = (int)strcspn(name, ",");
	return name;
}
