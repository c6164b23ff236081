// SPDX-License-Identifier: MIT
/*
 * The program file: checked, and mapped into a new space.
 */
#pragma once

#include <abi/elf.h>
#include <fs/file.h>
#include <kernel/vmspace.h>

/* What the rest of exec wants to know of the program. */
struct exec_image {
	vaddr_t entry;
	vaddr_t headers; /* where its program headers are in memory; 0: nowhere */
	unsigned n_headers;
	vaddr_t end; /* of the highest segment */
};

/*
 * Map the program of the file, whose first bytes are `head`, into the space.  -ENOEXEC: not a
 * static RISC-V ELF program, truncated, misaligned, or outside user space; -EIO, -ENOMEM.
 */
int exec_elf_map(struct file *file, const void *head, size_t head_bytes, struct vmspace *vm,
	struct exec_image *image) __attribute__((warn_unused_result));

/* Read exactly n bytes of the file at offset.  -ENOEXEC when it is shorter. */
int exec_read(struct file *file, uint64_t offset, void *to, size_t n)
	__attribute__((warn_unused_result));
