// SPDX-License-Identifier: MIT
/*
 * Who called whom, and printing registers.
 *
 * With frame pointers s0 points above a function's frame: the return address is in the word below
 * it, the caller's s0 in the one below that. A leaf function may have stored only the caller's s0,
 * so the innermost return address comes in by itself. User programs are walked so, and the kernel
 * where it is built for it (MAPACHE_FRAME_POINTERS).
 *
 * Elsewhere the kernel's stack is searched for return addresses: words that point behind a call in
 * its text. What is found are all callers, and among them perhaps some that have returned.
 */
#include <arch/layout.h>
#include <arch/trap.h>
#include <arch/user.h>

#define MAX_FRAME (1UL << 20)

extern const char __text_start[], __text_end[];

/* Where to go on from, and who is told. */
struct walk {
	vaddr_t ra, sp, fp;
	unsigned left; /* how many may still be told */
	void (*fn)(void *ctx, vaddr_t pc);
	void *ctx;
};

static void tell(struct walk *w, vaddr_t pc)
{
	if (w->left) {
		w->left--;
		w->fn(w->ctx, pc);
	}
}

static bool is_code(vaddr_t pc, bool user)
{
	if (user)
		return pc >= USER_BASE && pc < USER_END;
	return pc >= (vaddr_t)__text_start && pc < (vaddr_t)__text_end;
}

/* --- By frame pointers ----------------------------------------------------------------------- */

/* Read the pair below fp: *fp and *pc of the caller. */
static bool read_frame(vaddr_t *fp, vaddr_t *pc, bool user)
{
	uint64_t pair[2];

	if (*fp & 7)
		return false;
	if (user) {
		if (*fp < 16 || copy_from_user(pair, (void *)(*fp - 16), sizeof(pair)))
			return false;
	} else {
		if (*fp < DIRECT_BASE)
			return false;
		pair[0] = ((uint64_t *)*fp)[-2];
		pair[1] = ((uint64_t *)*fp)[-1];
	}
	if (pair[0] <= *fp)
		pair[0] = 0; /* stacks grow down: a caller's frame is above */
	*fp = pair[0];
	*pc = pair[1];
	return true;
}

/*
 * The word below the innermost fp of a leaf is its caller's fp, which is a little above in the
 * stack, where no code is.
 */
static bool is_leaf(vaddr_t word, vaddr_t fp, vaddr_t ra, bool user)
{
	return word >= fp && word - fp < MAX_FRAME && is_code(ra, user);
}

static void walk_frames(struct walk *w, bool user)
{
	bool innermost = true;

	while (w->left && w->fp) {
		vaddr_t caller, here = w->fp;

		if (!read_frame(&w->fp, &caller, user))
			break;
		if (innermost && is_leaf(caller, here, w->ra, user)) {
			w->fp = caller;
			caller = w->ra;
		}
		innermost = false;
		if (!is_code(caller, user))
			break;
		tell(w, caller);
	}
}

static void walk_user(struct walk *w)
{
	/* Built without frame pointers: one step is known. */
	if (!w->fp && is_code(w->ra, true))
		tell(w, w->ra);
	else
		walk_frames(w, true);
}

/* --- By return addresses --------------------------------------------------------------------- */

#ifdef MAPACHE_FRAME_POINTERS

static void walk_kernel(struct walk *w)
{
	walk_frames(w, false);
}

#else

#define SEARCHED_BYTES 4096 /* of a stack that is no thread's */

/* Is the instruction before pc a call: JAL or JALR to ra or t0 (arch_call_rare()), or C.JALR? */
static bool follows_call(vaddr_t pc)
{
	const uint16_t *at = (const uint16_t *)pc;

	if (!is_code(pc, false) || !is_code(pc - 4, false) || (pc & 1))
		return false;
	return (at[-2] & 0xdff) == 0x0ef || (at[-2] & 0xdff) == 0x0e7 ||
	       (at[-1] & 0xf07f) == 0x9002;
}

/* The part of the stack that sp is in, or was in before it overflowed. */
static const vaddr_t *stack_part(vaddr_t sp, const vaddr_t **end)
{
	vaddr_t top = sp + SEARCHED_BYTES;

	if (sp >= KSTACK_BASE) {
		top = (sp | (KSTACK_SLOT - 1)) + 1;
		if (sp < top - KSTACK_BYTES)
			sp = top - KSTACK_BYTES;
	}
	*end = (const vaddr_t *)top;
	return (const vaddr_t *)(sp & ~7UL);
}

static void walk_kernel(struct walk *w)
{
	const vaddr_t *end, *at = stack_part(w->sp, &end);

	if (w->ra && follows_call(w->ra))
		tell(w, w->ra);
	for (; w->left && at != end; at++)
		if (follows_call(*at))
			tell(w, *at);
}

#endif

void arch_backtrace(
	const struct trapframe *tf, unsigned max, void (*fn)(void *ctx, vaddr_t pc), void *ctx)
{
	struct walk w = {
		.ra = tf->x[X_RA],
		.sp = tf->x[X_SP],
		.fp = tf->x[X_FP],
		.left = max,
		.fn = fn,
		.ctx = ctx,
	};

	tell(&w, tf->x[X_PC]);
	if (trapframe_from_user(tf))
		walk_user(&w);
	else
		walk_kernel(&w);
}

/* The caller's frame begins where this one ends; its fp is stored here. */
__attribute__((noinline)) void arch_backtrace_here(
	unsigned max, void (*fn)(void *ctx, vaddr_t pc), void *ctx)
{
	const vaddr_t *end = __builtin_frame_address(0);
	struct walk w = {.sp = (vaddr_t)end, .fp = end[-2], .left = max, .fn = fn, .ctx = ctx};

	walk_kernel(&w);
}

static const char *const names[32] = {"pc", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1",
	"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8",
	"s9", "s10", "s11", "t3", "t4", "t5", "t6"};

static char *put_name(char *at, const char *name)
{
	unsigned n = 0;

	for (; name[n]; n++)
		*at++ = name[n];
	for (; n < 7; n++)
		*at++ = ' ';
	return at;
}

static char *put_register(char *at, const char *name, uint64_t value)
{
	at = put_name(at, name);
	for (int shift = 60; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[value >> shift & 15];
	*at++ = ' ';
	*at++ = ' ';
	*at = '\0';
	return at;
}

void trapframe_print(const struct trapframe *tf, void (*fn)(void *ctx, const char *line), void *ctx)
{
	char line[112];
	char *at = line;

	for (unsigned i = 0; i < 32; i++) {
		at = put_register(at, names[i], tf->x[i]);
		if (i % 4 == 3) {
			fn(ctx, line);
			at = line;
		}
	}
	at = put_register(line, "status", tf->status);
	at = put_register(at, "cause", tf->cause);
	put_register(at, "value", tf->value);
	fn(ctx, line);
}
