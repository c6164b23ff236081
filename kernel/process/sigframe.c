// SPDX-License-Identifier: MIT
/*
 * Signal frames, in the ABI's layout (abi/signal.h), and the alternate stack.
 *
 * The handler returns to the trampoline that every space maps (vmspace.c), which makes the system
 * call rt_sigreturn: sigframe_pop() then takes everything from the frame.  The frame is the
 * user's memory: whatever is in it on return gives user mode nothing that it could not have had.
 *
 *	sp ->  siginfo | flags, link, stack, mask | unused | registers, FPU | unused
 *	       '-- struct sigframe_start -------'            '--- arch ---'
 *
 * It is written and read in place, part by part: garbage collectors live by this path.
 */
#include <abi/errno.h>
#include <arch/context.h>
#include <arch/trap.h>
#include <kernel/process.h>
#include <kernel/sigframe.h>
#include <kernel/uaccess.h>
#include <kernel/vmspace.h>

_Static_assert(sizeof(struct frame_head) == offsetof(ucontext_t, __uc_unused), "the ABI's layout");
_Static_assert(offsetof(struct frame_head, stack_size) ==
		       offsetof(ucontext_t, uc_stack) + offsetof(stack_t, ss_size),
	"the ABI's layout");
_Static_assert(
	offsetof(struct sigframe_start, head) == offsetof(struct rt_sigframe, uc), "one layout");
_Static_assert(sizeof(mcontext_t) == sizeof(struct arch_sigcontext), "one layout");
_Static_assert(offsetof(ucontext_t, uc_mcontext) == 176, "the ABI's layout");
_Static_assert(sizeof(ucontext_t) == 960 && sizeof(siginfo_t) == 128, "the ABI's layout");

/* --- The alternate stack --------------------------------------------------------------------- */

static bool on_altstack(const struct task *t, vaddr_t sp)
{
	vaddr_t start = (vaddr_t)t->altstack.ss_sp;

	/* One that a handler disarms is free to be used again, wherever the handler stands. */
	return !((unsigned)t->altstack.ss_flags & SS_AUTODISARM) && sp > start &&
	       sp - start <= t->altstack.ss_size;
}

void altstack_get(vaddr_t sp, stack_t *stack)
{
	struct task *t = task_current();

	/* with the bytes between its fields: the user sees them, too */
	__builtin_memset(stack, 0, sizeof *stack);
	stack->ss_sp = t->altstack.ss_sp;
	stack->ss_size = t->altstack.ss_size;
	stack->ss_flags = (int)((unsigned)t->altstack.ss_flags & SS_AUTODISARM);
	if (!stack->ss_size)
		stack->ss_flags |= SS_DISABLE;
	else if (on_altstack(t, sp))
		stack->ss_flags |= SS_ONSTACK;
}

int altstack_set(const stack_t *stack, vaddr_t sp)
{
	struct task *t = task_current();
	unsigned mode = (unsigned)stack->ss_flags & ~SS_AUTODISARM;

	if (on_altstack(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode)
		return -EINVAL;
	if (mode == SS_DISABLE)
		t->altstack = (stack_t){.ss_flags = stack->ss_flags};
	else if (stack->ss_size < MINSIGSTKSZ)
		return -ENOMEM;
	else
		t->altstack = *stack;
	return 0;
}

/* --- The frame ------------------------------------------------------------------------------- */

static bool is_altstack(const struct task *t, const stack_t *stack)
{
	return stack->ss_sp == t->altstack.ss_sp && stack->ss_size == t->altstack.ss_size &&
	       stack->ss_flags == t->altstack.ss_flags;
}

/* 0: it would land in whatever is below the alternate stack. */
static vaddr_t frame_address(const struct task *t, const struct sigaction *action, vaddr_t sp)
{
	if (on_altstack(t, sp) && !on_altstack(t, sp - sizeof(struct rt_sigframe)))
		return 0;
	if ((action->sa_flags & SA_ONSTACK) && t->altstack.ss_size && !on_altstack(t, sp))
		sp = (vaddr_t)t->altstack.ss_sp + t->altstack.ss_size;
	return (sp - sizeof(struct rt_sigframe)) & ~15UL;
}

int sigframe_push(struct trapframe *tf, struct sigframe_start *start,
	const struct sigaction *action, uint64_t old_mask)
{
	struct task *t = task_current();
	vaddr_t at = frame_address(t, action, trapframe_sp(tf));
	struct rt_sigframe *frame = (struct rt_sigframe *)at;

	start->head = (struct frame_head){
		.stack_sp = t->altstack.ss_sp,
		.stack_flags = t->altstack.ss_flags,
		.stack_size = t->altstack.ss_size,
		.mask = old_mask,
	};
	if (put_user(uaddr(at), start) ||
		arch_sigcontext_put((struct arch_sigcontext *)&frame->uc.uc_mcontext))
		return -EFAULT;
	if ((unsigned)t->altstack.ss_flags & SS_AUTODISARM)
		t->altstack = (stack_t){.ss_flags = SS_DISABLE};

	trapframe_set_args(tf, start->info.si_signo, (long)&frame->info, (long)&frame->uc);
	trapframe_set_return(tf, t->process->vm->sigreturn);
	trapframe_set_pc(tf, (vaddr_t)action->sa_handler);
	trapframe_set_sp(tf, at);
	trapframe_changed();
	return 0;
}

int sigframe_pop(struct trapframe *tf)
{
	struct rt_sigframe *frame = (struct rt_sigframe *)trapframe_sp(tf);
	struct frame_head head;
	stack_t stack;

	if (get_user(&head, uaddr((vaddr_t)&frame->uc)))
		return -EFAULT;
	signal_set_mask(head.mask);
	int err = arch_sigcontext_get((const struct arch_sigcontext *)&frame->uc.uc_mcontext);
	/* What does not fit there is not taken, as it may be anything by now. */
	stack = (stack_t){head.stack_sp, head.stack_flags, head.stack_size};
	if (!err && !is_altstack(task_current(), &stack))
		(void)altstack_set(&stack, trapframe_sp(tf));
	return err;
}
