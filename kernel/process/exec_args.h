// SPDX-License-Identifier: MIT
/*
 * The strings of a new program, between the old space and the new one.
 *
 * They are collected in kernel pages one behind the other, each with its NUL: argv's, envp's, then
 * the path of the program.  exec_stack.c then writes them out and knows from the counts which is
 * which.
 */
#pragma once

#include <kernel/exec.h>

/* Strings and their pointers: a quarter of RLIMIT_STACK, but within these. */
#define ARGS_MIN_BYTES (128u << 10)
#define ARGS_MAX_BYTES (6u << 20)
#define ARG_MAX_STRING (128u << 10)

struct exec_args {
	char **pages;
	unsigned n_pages; /* so far; slots are there for as many as the limit lets come */
	size_t bytes;     /* of strings so far */
	size_t limit;     /* of strings and pointers together */
	unsigned argc, envc;
};

/* quarter: of RLIMIT_STACK.  -ENOMEM.  exec_args_free() is owed in any case. */
int exec_args_init(struct exec_args *args, size_t quarter) __attribute__((warn_unused_result));
void exec_args_free(struct exec_args *args);

/* Append one string of the kernel.  -E2BIG, -ENOMEM. */
int exec_args_add(struct exec_args *args, const char *text) __attribute__((warn_unused_result));
/* Append a vector from its n-th string on; *count grows.  Also -EFAULT. */
int exec_args_add_all(struct exec_args *args, const struct exec_strings *strings, unsigned from,
	unsigned *count) __attribute__((warn_unused_result));

/* The length with NUL of the string at `offset`. */
size_t exec_args_string_bytes(const struct exec_args *args, size_t offset);
