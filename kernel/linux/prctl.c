// SPDX-License-Identifier: MIT
/*
 * prctl: a thread's name, and what a process wants to happen to it; personality.
 */
#include <abi/errno.h>
#include <abi/personality.h>
#include <abi/prctl.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

/* --- The name of a thread --------------------------------------------------------------------- */

static long set_name(uaddr_t from)
{
	struct task *t = task_current();
	char name[sizeof t->thread->name];
	long len = copy_in_string(name, from, sizeof name);

	if (len == -ENAMETOOLONG)
		name[sizeof name - 1] = 0;
	else if (len < 0)
		return len;
	else
		__builtin_memset(name + len, 0, sizeof name - (size_t)len);
	__builtin_memcpy(t->thread->name, name, sizeof name);
	if (t->pid == t->process->pid)
		__builtin_memcpy(t->process->name, name, sizeof name);
	return 0;
}

static long get_name(uaddr_t to)
{
	const char *name = thread_current()->name;

	return copy_out(to, name, sizeof thread_current()->name);
}

/* --- The process ------------------------------------------------------------------------------ */

static long set_flag(bool *flag, unsigned long on)
{
	if (on > 1)
		return -EINVAL;
	__atomic_store_n(flag, on != 0, __ATOMIC_RELAXED);
	return 0;
}

static long set_death_signal(unsigned long sig)
{
	if (sig >= NSIG)
		return -EINVAL;
	__atomic_store_n(&process_current()->pdeath_signal, (uint8_t)sig, __ATOMIC_RELAXED);
	return 0;
}

static long get_death_signal(uaddr_t to)
{
	int sig = process_current()->pdeath_signal;

	return put_user(to, &sig);
}

/* What is given must be as it is here, so that more can be given one day. */
static long no_new_privs(unsigned long on, unsigned long a3, unsigned long a4, unsigned long a5)
{
	return on != 1 || a3 || a4 || a5 ? -EINVAL : set_flag(&process_current()->no_new_privs, 1);
}

long sys_prctl(long option, unsigned long a2, unsigned long a3, unsigned long a4, unsigned long a5)
{
	struct process *p = process_current();

	switch ((int)option) {
	case PR_SET_NAME:
		return set_name(uaddr(a2));
	case PR_GET_NAME:
		return get_name(uaddr(a2));
	case PR_SET_PDEATHSIG:
		return set_death_signal(a2);
	case PR_GET_PDEATHSIG:
		return get_death_signal(uaddr(a2));
	case PR_SET_DUMPABLE:
		return set_flag(&p->dumpable, a2);
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_NO_NEW_PRIVS:
		return no_new_privs(a2, a3, a4, a5);
	case PR_GET_NO_NEW_PRIVS:
		return a2 || a3 || a4 || a5 ? -EINVAL : p->no_new_privs;
	default:
		return -EINVAL;
	}
}

/* --- personality ------------------------------------------------------------------------------ */

#define ASK 0xffffffffUL

/*
 * The old one.  Only what means something here is taken; that Linux takes all
 * is no use to anybody.
 */
long sys_personality(unsigned long wanted)
{
	struct process *p = process_current();
	uint32_t old = p->personality;

	if ((uint32_t)wanted == ASK)
		return old;
	if ((uint32_t)wanted & ~(uint32_t)ADDR_NO_RANDOMIZE)
		return -EINVAL;
	p->personality = (uint32_t)wanted;
	return old;
}
