// SPDX-License-Identifier: MIT
/*
 * The stack of a new program, from its end (vmspace.h) down:
 *
 *	8 zero bytes | path, environment strings, argument strings (in rising order: arguments
 *	first) | 16 random bytes | auxv | envp | argv | argc  <- sp, 16-byte aligned
 *
 * It is written through the new space, while the old one is still active.
 */
#include "exec_stack.h"

#include <abi/auxv.h>
#include <abi/errno.h>
#include <abi/signal.h>
#include <arch/cpu.h>
#include <kernel/kmem.h>
#include <kernel/random.h>

#define STACK_SPARE_BYTES (4 * PAGE_SIZE) /* mapped below sp from the start */

/* Words on their way to the new stack. */
struct words {
	struct vmspace *vm;
	vaddr_t at; /* where the buffered ones go */
	unsigned n;
	int err;
	uint64_t buffer[128];
};

static void words_flush(struct words *w)
{
	size_t bytes = w->n * sizeof w->buffer[0];

	if (!w->err && w->n)
		w->err = mvm_space_write(w->vm->space, w->at, w->buffer, bytes, false);
	w->at += bytes;
	w->n = 0;
}

static void word(struct words *w, uint64_t value)
{
	if (w->n == sizeof w->buffer / sizeof w->buffer[0])
		words_flush(w);
	w->buffer[w->n++] = value;
}

static void aux(struct words *w, uint64_t type, uint64_t value)
{
	word(w, type);
	word(w, value);
}

#define N_AUX 18 /* of aux() below, the end included */

static void write_auxv(struct words *w, struct exec_stack *stack, vaddr_t path, vaddr_t random)
{
	const struct credentials *cred = stack->cred;

	aux(w, AT_HWCAP, arch_hwcap());
	aux(w, AT_PAGESZ, PAGE_SIZE);
	aux(w, AT_CLKTCK, CLOCK_TICKS_PER_SEC);
	aux(w, AT_PHDR, stack->image->headers);
	aux(w, AT_PHENT, sizeof(Elf64_Phdr));
	aux(w, AT_PHNUM, stack->image->n_headers);
	aux(w, AT_BASE, 0);
	aux(w, AT_FLAGS, 0);
	aux(w, AT_ENTRY, stack->image->entry);
	aux(w, AT_UID, cred->uid);
	aux(w, AT_EUID, cred->euid);
	aux(w, AT_GID, cred->gid);
	aux(w, AT_EGID, cred->egid);
	aux(w, AT_SECURE, stack->secure);
	aux(w, AT_RANDOM, random);
	aux(w, AT_EXECFN, path);
	aux(w, AT_MINSIGSTKSZ, MINSIGSTKSZ);
	aux(w, AT_NULL, 0);
}

/* Addresses of n strings from `offset` of the block at `strings` on; then a 0. */
static size_t write_vector(
	struct words *w, const struct exec_args *args, vaddr_t strings, size_t offset, unsigned n)
{
	while (n--) {
		word(w, strings + offset);
		offset += exec_args_string_bytes(args, offset);
	}
	word(w, 0);
	return offset;
}

static int write_strings(struct exec_stack *stack, vaddr_t to)
{
	const struct exec_args *args = stack->args;
	int err = 0;

	for (size_t done = 0; !err && done < args->bytes; done += PAGE_SIZE) {
		size_t n = args->bytes - done < PAGE_SIZE ? args->bytes - done : PAGE_SIZE;
		err = mvm_space_write(
			stack->vm->space, to + done, args->pages[done / PAGE_SIZE], n, false);
	}
	return err;
}

/*
 * Map it, and make the pages that are stored to in any case, at once: those of the strings and
 * vectors, and one below, since what is left of theirs is not enough for a C library to begin.
 */
static int map_stack(struct exec_stack *stack, vaddr_t lowest)
{
	vaddr_t used = page_align_down(lowest) - PAGE_SIZE,
		start = page_align_down(lowest) - STACK_SPARE_BYTES;
	struct mvm_map map = {
		.addr = start,
		.bytes = stack->vm->stack_end - start,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED | MVM_MAP_GROWSDOWN,
	};

	int err = mvm_map(stack->vm->space, &map);
	return err ? err
		   : vmspace_prefault(stack->vm, used, stack->vm->stack_end - used, MVM_WRITE);
}

/* Up to a multiple of 16, and the random bytes there. */
static void write_random(struct words *w)
{
	uint64_t random[2];

	random_bytes(random, sizeof random);
	if ((w->at + w->n * sizeof *w->buffer) % 16)
		word(w, 0);
	word(w, random[0]);
	word(w, random[1]);
}

static void write_words(struct words *w, struct exec_stack *stack, vaddr_t strings, vaddr_t random)
{
	const struct exec_args *args = stack->args;
	size_t offset;

	word(w, args->argc);
	offset = write_vector(w, args, strings, 0, args->argc);
	stack->vm->args_start = strings;
	stack->vm->args_end = strings + offset;
	offset = write_vector(w, args, strings, offset, args->envc);
	stack->vm->env_end = strings + offset;
	write_auxv(w, stack, strings + offset, random);
	write_random(w);
	words_flush(w);
}

int exec_stack_build(struct exec_stack *stack)
{
	const struct exec_args *args = stack->args;
	size_t n_words = 1 + args->argc + 1 + args->envc + 1 + 2 * N_AUX;
	vaddr_t strings = stack->vm->stack_end - 8 - args->bytes;
	vaddr_t random = (strings - 16) & ~15UL;

	if (vmspace_is_random()) {
		uint64_t shift;
		random_bytes(&shift, sizeof shift);
		random -= shift % PAGE_SIZE & ~15UL;
	}
	stack->sp = (random - n_words * sizeof(uint64_t)) & ~15UL;
	int err = map_stack(stack, stack->sp);
	if (!err)
		err = write_strings(stack, strings);
	if (err)
		return err;
	struct words *w = kmalloc(sizeof *w);
	if (!w)
		return -ENOMEM;
	w->vm = stack->vm;
	w->at = stack->sp;
	w->n = 0;
	w->err = 0;
	write_words(w, stack, strings, random);
	err = w->err;
	kfree(w);
	return err;
}
