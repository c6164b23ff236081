// SPDX-License-Identifier: MIT
/*
 * Running a program in the place of the running process.
 */
#pragma once

#include <kernel/uaccess.h>

/* Where argv and envp come from: user memory, or, for pid 1, the kernel's. */
struct exec_strings {
	bool from_kernel;
	uaddr_t user;              /* of a vector of addresses, or null: empty */
	const char *const *kernel; /* ended by NULL */
};

/*
 * Load the program at path and make the running thread, its process's only one, begin it on its
 * way to user mode.  0, or with the old program untouched: errors of opening, -EACCES (not a
 * regular file, no right to execute), -ENOEXEC, -E2BIG, -ELOOP (scripts of scripts), -EFAULT,
 * -ENOMEM.
 */
int process_exec(const char *path, const struct exec_strings *argv, const struct exec_strings *envp)
	__attribute__((warn_unused_result));
