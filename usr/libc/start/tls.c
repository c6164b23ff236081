// SPDX-License-Identifier: MIT
/*
 * Thread-local storage of the main thread.
 *
 * riscv64 uses "variant I" with tp at the first byte of the program's TLS block:
 *
 *     ... struct thread | .tdata image | .tbss zeros
 *                       ^ tp
 *
 * The compiler reaches variables at tp + constant offset. Below tp the libc keeps its own
 * bookkeeping, so that threads can later find theirs without a system call. The block of the main
 * thread is static when it fits, so that a small program starts without mmap.
 */
#include <abi/auxv.h>
#include <abi/elf.h>
#include <abi/mman.h>
#include <stdint.h>
#include <string.h>

#include "startup.h"
#include "syscall.h"

_Thread_local int errno;

struct thread {
	struct thread *self;
	void *tls_block;
};

#define STATIC_TLS_BYTES 512

static _Alignas(64) char static_block[STATIC_TLS_BYTES];

static const Elf64_Phdr *find_tls(void)
{
	const Elf64_Phdr *ph = (const Elf64_Phdr *)__auxv_find(AT_PHDR);
	unsigned long n = __auxv_find(AT_PHNUM);

	for (unsigned long i = 0; ph && i < n; i++) {
		if (ph[i].p_type == PT_TLS)
			return &ph[i];
	}
	return NULL;
}

/* Memory for a block of `size` bytes, page-aligned or better than 64; never fails and returns:
 * without TLS not even an error could be reported. */
static char *block_alloc(size_t size)
{
	long r;

	if (size <= sizeof(static_block))
		return static_block;
	r = SYSCALL(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r < 0 && r > -4096)
		SYSCALL(exit_group, 127);
	return (char *)r;
}

void __tls_init(void)
{
	const Elf64_Phdr *tls = find_tls();
	size_t align = tls && tls->p_align > 16 ? tls->p_align : 16;
	size_t offset = (sizeof(struct thread) + align - 1) & -align;
	char *block = block_alloc(offset + (tls ? tls->p_memsz : 0) + align);
	char *tp = (char *)(((uintptr_t)block + offset + align - 1) & -align);
	struct thread *self = (struct thread *)tp - 1;

	if (tls)
		memcpy(tp, (const void *)tls->p_vaddr, tls->p_filesz);
	self->self = self;
	self->tls_block = block;
	__asm__ volatile("mv tp, %0" : : "r"(tp) : "memory");
}
