// SPDX-License-Identifier: MIT
/*
 * The end of a program: atexit functions in reverse order, destructors, stdio, _exit.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "startup.h"
#include "syscall.h"

#define ATEXIT_MAX 64

extern void (*const __fini_array_start[])(void) __attribute__((weak));
extern void (*const __fini_array_end[])(void) __attribute__((weak));

static void (*functions[ATEXIT_MAX])(void);
static int function_count;

int atexit(void (*function)(void))
{
	if (function_count == ATEXIT_MAX)
		return -1;
	functions[function_count++] = function;
	return 0;
}

/* A function may register more; those run next. */
void exit(int status)
{
	while (function_count > 0)
		functions[--function_count]();
	for (void (*const *f)(void) = __fini_array_end; f > __fini_array_start;)
		(*--f)();
	if (__stdio_exit)
		__stdio_exit();
	_exit(status);
}

void _exit(int status)
{
	for (;;)
		SYSCALL(exit_group, status);
}

void _Exit(int status)
{
	_exit(status);
}

/* SIGABRT first as it is, then as the default: a handler that returns does not save anyone. */
void abort(void)
{
	raise(SIGABRT);
	signal(SIGABRT, SIG_DFL);
	raise(SIGABRT);
	_exit(127);
}
