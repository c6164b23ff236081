// SPDX-License-Identifier: MIT
/*
 * From the kernel's stack to main: arguments, environment, auxiliary vector, thread-local
 * storage, constructors, main, exit.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "startup.h"

extern int main(int argc, char **argv, char **envp);
extern void (*const __preinit_array_start[])(void) __attribute__((weak));
extern void (*const __preinit_array_end[])(void) __attribute__((weak));
extern void (*const __init_array_start[])(int, char **, char **) __attribute__((weak));
extern void (*const __init_array_end[])(int, char **, char **) __attribute__((weak));

char **environ;
const unsigned long *__auxv;
const char *program_invocation_short_name = "";

_Noreturn void __start_c(long *stack);

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

_Noreturn void __start_c(long *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	char **end = argv + argc + 1;

	environ = end;
	while (*end)
		end++;
	__auxv = (const unsigned long *)(end + 1);
	__tls_init();
	if (argc > 0)
		program_invocation_short_name = last_part(argv[0]);
	for (void (*const *f)(void) = __preinit_array_start; f < __preinit_array_end; f++)
		(*f)();
	for (void (*const *f)(int, char **, char **) = __init_array_start; f < __init_array_end;
		f++)
		(*f)(argc, argv, environ);
	exit(main(argc, argv, environ));
}

unsigned long __auxv_find(unsigned long type)
{
	const unsigned long *pair = __auxv;

	while (pair[0] != AT_NULL && pair[0] != type)
		pair += 2;
	return pair[0] == AT_NULL ? 0 : pair[1];
}

unsigned long getauxval(unsigned long type)
{
	unsigned long value = __auxv_find(type);

	if (!value)
		errno = ENOENT;
	return value;
}
