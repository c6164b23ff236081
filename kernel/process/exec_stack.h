// SPDX-License-Identifier: MIT
/*
 * What a new program finds on its stack.
 */
#pragma once

#include "exec_args.h"
#include "exec_elf.h"

#include <kernel/process.h>

struct exec_stack {
	struct vmspace *vm; /* the new one */
	const struct exec_args *args;
	const struct exec_image *image;
	const struct credentials *cred; /* that it will have */
	bool secure;
	vaddr_t sp; /* filled in */
};

/* Map the stack and write all of it.  -ENOMEM. */
int exec_stack_build(struct exec_stack *stack) __attribute__((warn_unused_result));
