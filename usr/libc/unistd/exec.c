// SPDX-License-Identifier: MIT
/*
 * The exec family: lists become arrays on the stack, names without a slash are looked for in PATH.
 */
#include <alloca.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "syscall.h"

#define DEFAULT_PATH "/bin"

int execve(const char *path, char *const argv[], char *const envp[])
{
	return (int)SYSCALL_ERRNO(execve, path, argv, envp);
}

int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	return (int)SYSCALL_ERRNO(execveat, dir, path, argv, envp, flags);
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
	return execveat(fd, "", argv, envp, AT_EMPTY_PATH);
}

int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

/* A program for another machine, or one that was cut off: not a script, whatever it is. */
static int is_elf(const char *path)
{
	char magic[SELFMAG] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, magic, sizeof(magic)) < 0)
		magic[0] = 0;
	close(fd);
	return memcmp(magic, ELFMAG, SELFMAG) == 0;
}

/* A file that is executable and yet no program is a shell script: sh path arg... */
static void exec_or_script(const char *path, char *const argv[], char *const envp[])
{
	size_t n = 0;
	char **script;

	execve(path, argv, envp);
	if (errno != ENOEXEC)
		return;
	if (is_elf(path)) {
		errno = ENOEXEC;
		return;
	}
	while (argv[n])
		n++;
	n = n ? n : 1; /* without even a name: as if there were one */
	script = alloca((n + 2) * sizeof(char *));
	script[0] = "sh";
	script[1] = (char *)path;
	if (argv[0])
		memcpy(script + 2, argv + 1, n * sizeof(char *));
	else
		script[2] = NULL;
	execve("/bin/sh", script, envp);
	errno = ENOEXEC;
}

/* Goes on after a folder that does not have it; a file that may not be run is remembered. */
int execvpe(const char *file, char *const argv[], char *const envp[])
{
	const char *path = getenv("PATH"), *next;
	int denied = 0;
	char name[PATH_MAX];

	if (!*file) {
		errno = ENOENT;
		return -1;
	}
	if (strchr(file, '/')) {
		exec_or_script(file, argv, envp);
		return -1;
	}
	for (path = path ? path : DEFAULT_PATH; path; path = *next ? next + 1 : NULL) {
		size_t n;

		next = strchrnul(path, ':');
		n = (size_t)(next - path);
		if (n + strlen(file) + 2 > sizeof(name))
			continue;
		memcpy(name, path, n);
		name[n] = '/';
		strcpy(name + n + (n > 0), file);
		exec_or_script(name, argv, envp);
		denied |= errno == EACCES;
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			return -1;
	}
	errno = denied ? EACCES : ENOENT;
	return -1;
}

int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

/* The lists. An array is made on the stack of the function that has the list: LIST_TO_ARRAY reads
 * it up to and with the NULL. */

static size_t list_length(va_list args)
{
	size_t n = 2;
	va_list copy;

	va_copy(copy, args);
	while (va_arg(copy, char *))
		n++;
	va_end(copy);
	return n;
}

#define LIST_TO_ARRAY(argv, first, args)                   \
	do {                                               \
		size_t n_ = list_length(args);             \
		(argv) = alloca(n_ * sizeof(char *));      \
		(argv)[0] = (char *)(first);               \
		for (size_t i_ = 1; i_ < n_; i_++)         \
			(argv)[i_] = va_arg(args, char *); \
	} while (0)

int execl(const char *path, const char *arg, ...)
{
	va_list args;
	char **argv;

	va_start(args, arg);
	LIST_TO_ARRAY(argv, arg, args);
	va_end(args);
	return execv(path, argv);
}

int execlp(const char *file, const char *arg, ...)
{
	va_list args;
	char **argv;

	va_start(args, arg);
	LIST_TO_ARRAY(argv, arg, args);
	va_end(args);
	return execvp(file, argv);
}

int execle(const char *path, const char *arg, ...)
{
	va_list args;
	char **argv, **envp;

	va_start(args, arg);
	LIST_TO_ARRAY(argv, arg, args);
	envp = va_arg(args, char **);
	va_end(args);
	return execve(path, argv, envp);
}
