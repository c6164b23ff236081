// SPDX-License-Identifier: MIT
/*
 * Walking frame pointers, and printing registers.
 *
 * With -fno-omit-frame-pointer, s0 points above a function's frame: the return address is in the
 * word below it, the caller's s0 in the one below that. A leaf function may have stored only the
 * caller's s0, so the innermost return address comes in by itself.
 */
#include <arch/layout.h>
#include <arch/trap.h>
#include <arch/user.h>

#define MAX_FRAME (1UL << 20)

extern const char __text_start[], __text_end[];

vaddr_t arch_frame_return(vaddr_t fp)
{
	return ((uint64_t *)fp)[-1];
}

vaddr_t arch_frame_caller(vaddr_t fp)
{
	return ((uint64_t *)fp)[-2];
}

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

static bool is_code(vaddr_t pc, bool user)
{
	if (user)
		return pc >= USER_BASE && pc < USER_END;
	return pc >= (vaddr_t)__text_start && pc < (vaddr_t)__text_end;
}

/*
 * The word below the innermost fp of a leaf is its caller's fp, which is a little above in the
 * stack, where no code is.
 */
static bool is_leaf(vaddr_t word, vaddr_t fp, vaddr_t ra, bool user)
{
	return word >= fp && word - fp < MAX_FRAME && is_code(ra, user);
}

void arch_backtrace(vaddr_t pc, vaddr_t ra, vaddr_t fp, unsigned max,
	void (*fn)(void *ctx, vaddr_t pc), void *ctx)
{
	bool user = pc < USER_END;

	fn(ctx, pc);
	/* Built without frame pointers: one step is known. */
	if (user && !fp && is_code(ra, user)) {
		fn(ctx, ra);
		return;
	}
	for (unsigned i = 1; i < max && fp; i++) {
		vaddr_t caller, here = fp;

		if (!read_frame(&fp, &caller, user))
			break;
		if (i == 1 && is_leaf(caller, here, ra, user)) {
			fp = caller;
			caller = ra;
		}
		if (!is_code(caller, user))
			break;
		fn(ctx, caller);
	}
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
