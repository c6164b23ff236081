// SPDX-License-Identifier: MIT
/*
 * Who a process is: the set*id family.
 *
 * Users and groups have the same three numbers and the same rules, so each rule is written once, over
 * a triple.  Effective uid 0 is all the privilege that there is.  With the identity changes what
 * memory may be locked, so the limits of the process's memory are set anew.
 */
#include <abi/errno.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

#define KEEP (~0u)

struct triple {
	uint32_t real, effective, saved;
};

static struct triple users(void)
{
	const struct credentials *c = &process_current()->cred;

	return (struct triple){c->uid, c->euid, c->suid};
}

static struct triple groups(void)
{
	const struct credentials *c = &process_current()->cred;

	return (struct triple){c->gid, c->egid, c->sgid};
}

static long become_user(int err, const struct triple *now)
{
	struct credentials *c = &process_current()->cred;

	if (err)
		return err;
	c->uid = now->real;
	c->euid = c->fsuid = now->effective;
	c->suid = now->saved;
	process_limit_vm(process_current(), process_current()->vm);
	return 0;
}

static long become_group(int err, const struct triple *now)
{
	struct credentials *c = &process_current()->cred;

	if (err)
		return err;
	c->gid = now->real;
	c->egid = c->fsgid = now->effective;
	c->sgid = now->saved;
	return 0;
}

static bool has(const struct triple *t, uint32_t id)
{
	return id == t->real || id == t->effective || id == t->saved;
}

/* --- The rules: from what is there, in *t, to what shall be ------------------------------------- */

/* setuid(2): the privileged set all three, others may only change the effective one. */
static int set_one(struct triple *t, uint32_t id)
{
	if (id == KEEP)
		return -EINVAL;
	if (process_is_privileged(process_current()))
		*t = (struct triple){id, id, id};
	else if (id == t->real || id == t->saved)
		t->effective = id;
	else
		return -EPERM;
	return 0;
}

/*
 * setreuid(2): the real one to the real or the effective, the effective one to any of the three; the
 * saved one follows the effective if the real one is set, or the effective to something else than
 * the real one was.
 */
static int set_two(struct triple *t, uint32_t real, uint32_t effective)
{
	struct triple old = *t;

	if (!process_is_privileged(process_current())) {
		if (real != KEEP && real != old.real && real != old.effective)
			return -EPERM;
		if (effective != KEEP && !has(&old, effective))
			return -EPERM;
	}
	if (real != KEEP)
		t->real = real;
	if (effective != KEEP)
		t->effective = effective;
	if (real != KEEP || (effective != KEEP && effective != old.real))
		t->saved = t->effective;
	return 0;
}

/* setresuid(2): each to any of the three. */
static int set_three(struct triple *t, uint32_t real, uint32_t effective, uint32_t saved)
{
	struct triple old = *t;

	if (!process_is_privileged(process_current()) &&
		((real != KEEP && !has(&old, real)) ||
			(effective != KEEP && !has(&old, effective)) ||
			(saved != KEEP && !has(&old, saved))))
		return -EPERM;
	if (real != KEEP)
		t->real = real;
	if (effective != KEEP)
		t->effective = effective;
	if (saved != KEEP)
		t->saved = saved;
	return 0;
}

/* --- The calls ----------------------------------------------------------------------------------- */

long sys_setuid(unsigned long id)
{
	struct triple t = users();

	return become_user(set_one(&t, (uint32_t)id), &t);
}

long sys_setgid(unsigned long id)
{
	struct triple t = groups();

	return become_group(set_one(&t, (uint32_t)id), &t);
}

long sys_setreuid(unsigned long real, unsigned long effective)
{
	struct triple t = users();

	return become_user(set_two(&t, (uint32_t)real, (uint32_t)effective), &t);
}

long sys_setregid(unsigned long real, unsigned long effective)
{
	struct triple t = groups();

	return become_group(set_two(&t, (uint32_t)real, (uint32_t)effective), &t);
}

long sys_setresuid(unsigned long real, unsigned long effective, unsigned long saved)
{
	struct triple t = users();

	return become_user(set_three(&t, (uint32_t)real, (uint32_t)effective, (uint32_t)saved), &t);
}

long sys_setresgid(unsigned long real, unsigned long effective, unsigned long saved)
{
	struct triple t = groups();

	return become_group(
		set_three(&t, (uint32_t)real, (uint32_t)effective, (uint32_t)saved), &t);
}

static long tell(const struct triple *t, uaddr_t real_to, uaddr_t effective_to, uaddr_t saved_to)
{
	if (put_user(real_to, &t->real) || put_user(effective_to, &t->effective))
		return -EFAULT;
	return put_user(saved_to, &t->saved);
}

long sys_getresuid(uaddr_t real_to, uaddr_t effective_to, uaddr_t saved_to)
{
	struct triple t = users();

	return tell(&t, real_to, effective_to, saved_to);
}

long sys_getresgid(uaddr_t real_to, uaddr_t effective_to, uaddr_t saved_to)
{
	struct triple t = groups();

	return tell(&t, real_to, effective_to, saved_to);
}
