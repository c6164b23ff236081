// SPDX-License-Identifier: MIT
/*
 * Signal frames, in the ABI's layout (abi/signal.h), and the alternate stack.
 *
 * The handler returns to the trampoline that every space maps (vmspace.c), which makes the system
 * call rt_sigreturn: sigframe_pop() then takes everything from the frame.  The frame is the
 * user's memory: whatever is in it on return gives user mode nothing that it could not have had.
 */
#include <abi/errno.h>
#include <arch/context.h>
#include <arch/trap.h>
#include <kernel/process.h>
#include <kernel/sigframe.h>
#include <kernel/uaccess.h>
#include <kernel/vmspace.h>

_Static_assert(sizeof(mcontext_t) == sizeof(struct arch_sigcontext), "one layout");
_Static_assert(offsetof(ucontext_t, uc_mcontext) == 176, "the ABI's layout");
_Static_assert(sizeof(ucontext_t) == 960 && sizeof(siginfo_t) == 128, "the ABI's layout");

static bool on_altstack(const struct task *t, vaddr_t sp)
{
	vaddr_t start = (vaddr_t)t->altstack.ss_sp;

	return t->altstack.ss_size && sp > start && sp - start <= t->altstack.ss_size;
}

bool sigframe_on_altstack(vaddr_t sp)
{
	return on_altstack(task_current(), sp);
}

static vaddr_t frame_address(const struct task *t, const struct sigaction *action, vaddr_t sp)
{
	if ((action->sa_flags & SA_ONSTACK) && t->altstack.ss_size && !on_altstack(t, sp))
		sp = (vaddr_t)t->altstack.ss_sp + t->altstack.ss_size;
	return (sp - sizeof(struct rt_sigframe)) & ~15UL;
}

int sigframe_push(struct trapframe *tf, const siginfo_t *info, const struct sigaction *action,
	uint64_t old_mask)
{
	struct task *t = task_current();
	vaddr_t sp = trapframe_sp(tf), at = frame_address(t, action, sp);
	struct rt_sigframe frame = {.info = *info};

	/* Overflowing the alternate stack would land in whatever is below it. */
	if (on_altstack(t, sp) && !on_altstack(t, at + 1))
		return -EFAULT;
	frame.uc.uc_stack = t->altstack;
	frame.uc.uc_stack.ss_flags = !t->altstack.ss_size ? SS_DISABLE
				     : on_altstack(t, sp) ? SS_ONSTACK
							  : 0;
	frame.uc.uc_sigmask.bits = old_mask;
	arch_sigcontext_save((struct arch_sigcontext *)&frame.uc.uc_mcontext);
	if (put_user(uaddr(at), &frame))
		return -EFAULT;

	trapframe_set_args(tf, info->si_signo, (long)(at + offsetof(struct rt_sigframe, info)),
		(long)(at + offsetof(struct rt_sigframe, uc)));
	trapframe_set_return(tf, t->process->vm->sigreturn);
	trapframe_set_pc(tf, (vaddr_t)action->sa_handler);
	trapframe_set_sp(tf, at);
	trapframe_changed();
	return 0;
}

int sigframe_pop(struct trapframe *tf)
{
	struct rt_sigframe frame;

	if (get_user(&frame, uaddr(trapframe_sp(tf))))
		return -EFAULT;
	int err = arch_sigcontext_restore((const struct arch_sigcontext *)&frame.uc.uc_mcontext);
	if (!err)
		signal_set_mask(frame.uc.uc_sigmask.bits);
	return err;
}
