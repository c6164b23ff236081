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

struct exec_request {
	long dir; /* where a relative path begins: a descriptor, or AT_FDCWD */
	const char *path;
	unsigned flags; /* AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW */
	struct exec_strings argv, envp;
};

/*
 * Load the program and make the running thread begin it on its way to user mode; other threads of
 * the process end.  0, or with the old program untouched: errors of opening, -EACCES (not a regular
 * file, no right to execute), -ENOEXEC, -E2BIG, -ELOOP (scripts of scripts), -EFAULT, -ENOMEM;
 * -EAGAIN, -EINTR: the process ends, or another of its threads came first.
 */
int process_exec(const struct exec_request *request) __attribute__((warn_unused_result));
/* The same, of a path in user memory. */
long process_exec_user(struct exec_request *request, uaddr_t path);
