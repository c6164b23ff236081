// SPDX-License-Identifier: MIT
/*
 * Robust futexes: locks that survive their owners.
 *
 * A thread keeps a list, in its own memory, of the locks that it holds, and tells the kernel where
 * it begins. When the thread leaves that memory, by exit or exec, each lock on the list that has
 * its number gets FUTEX_OWNER_DIED, and one waiter is woken. The lock that was just being taken or
 * released stands beside the list, as the pending one.
 *
 * The list is the user's: it may be a circle, or lead anywhere. Only words that hold the thread's
 * own number are changed, through the calls that user memory is always reached by, and no more than
 * ROBUST_LIST_LIMIT are looked at. The first address that cannot be read ends the walk.
 */
#include <abi/errno.h>
#include <abi/futex.h>
#include <kernel/futex.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

#define OF_INHERITING 1UL /* the low bit of a list pointer: a priority-inheriting lock */

/* The word belongs to a thread that is about to end. */
static int release(struct task *t, vaddr_t word, bool inheriting, bool pending)
{
	uint32_t value, seen;

	if (user_load32((const void *)word, &value))
		return -EFAULT;
	/* The owner was between giving it free and waking: nobody else would. */
	if (pending && !inheriting && !value) {
		futex_wake_shared(uaddr(word));
		return 0;
	}
	for (;; value = seen) {
		if ((value & FUTEX_TID_MASK) != (uint32_t)t->pid->nr)
			return 0;
		uint32_t died = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		if (user_swap_if32((void *)word, value, died, &seen))
			return -EFAULT;
		if (seen == value)
			break;
	}
	if (!inheriting && (value & FUTEX_WAITERS))
		futex_wake_shared(uaddr(word));
	return 0;
}

static vaddr_t word_of(const struct robust_list_head *head, vaddr_t entry)
{
	return (entry & ~OF_INHERITING) + (vaddr_t)head->futex_offset;
}

static void release_list(struct task *t, vaddr_t at, const struct robust_list_head *head)
{
	vaddr_t entry = (vaddr_t)head->list.next, pending = (vaddr_t)head->list_op_pending, next;
	int err = 0;

	for (unsigned n = 0; n < ROBUST_LIST_LIMIT && (entry & ~OF_INHERITING) != at; n++) {
		/* The next one first: once it is released, the entry is not ours any more. */
		err = user_load64((const void *)(entry & ~OF_INHERITING), &next);
		if ((entry & ~OF_INHERITING) != (pending & ~OF_INHERITING) &&
			release(t, word_of(head, entry), entry & OF_INHERITING, false))
			return;
		if (err)
			return;
		entry = next;
	}
	if (pending & ~OF_INHERITING)
		(void)release(t, word_of(head, pending), pending & OF_INHERITING, true);
}

void futex_leave_robust(struct task *t)
{
	struct robust_list_head head;
	vaddr_t at = t->robust_list;

	t->robust_list = 0;
	if (at && !get_user(&head, uaddr(at)))
		release_list(t, at, &head);
}

/* Who may look: whoever may see the rest of the thread's memory. */
static bool may_look(const struct process *p)
{
	const struct credentials *self = &process_current()->cred;

	return p == process_current() || process_is_privileged(process_current()) ||
	       (self->uid == p->cred.uid && self->uid == p->cred.euid && self->uid == p->cred.suid);
}

long sys_get_robust_list(long tid, uaddr_t head_to, uaddr_t size_to)
{
	size_t size = sizeof(struct robust_list_head);
	vaddr_t head = 0;
	long err = -ESRCH;

	spin_lock(&tree_lock);
	struct pid *pid = (pid_t)tid ? pid_find((pid_t)tid) : task_current()->pid;
	if (pid && pid->thread) {
		err = may_look(pid->thread->process) ? 0 : -EPERM;
		head = pid->thread->robust_list;
	}
	spin_unlock(&tree_lock);
	if (!err)
		err = put_user(size_to, &size);
	return err ? err : put_user(head_to, &head);
}
