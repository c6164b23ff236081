// SPDX-License-Identifier: MIT
/*
 * Who a process is: the set*id family, and supplementary groups.
 *
 * Users and groups have the same three numbers and the same rules, so each rule is written once,
 * over a triple.  Effective uid 0 is all the privilege that there is.  With the identity changes
 * what memory may be locked, so the limits of the process's memory are set anew.
 *
 * The identity is the process's, not the thread's as on Linux, where the C library sees to it that
 * all threads make the same call.  Here the second thread to do so finds it done, and may.  Two
 * that change different parts do so one after the other: from users_to_change() to become_user()
 * nobody else does.
 */
#include <abi/errno.h>
#include <kernel/kmem.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include <kernel/user.h>

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

/* Changes are rare and soon done: one lock for all processes. */
static struct mutex changing = MUTEX_INIT("identity", RANK_PROCESS_EXEC);

static struct triple users_to_change(void)
{
	mutex_lock(&changing);
	return users();
}

static struct triple groups_to_change(void)
{
	mutex_lock(&changing);
	return groups();
}

/* Who has become another does not die of what the old one asked for, nor can be looked into. */
static void forget_old_rights(struct process *p)
{
	p->pdeath_signal = 0;
	p->dumpable = false;
}

/* The account of a real user: its threads are charged there, and what is queued from now on. */
static int change_account(struct process *p, uint32_t uid)
{
	struct user *user = user_get(uid), *old;

	if (!user)
		return -EAGAIN;
	spin_lock(&p->lock);
	old = p->user;
	p->user = user;
	__atomic_fetch_sub(&old->n_threads, p->n_counted, __ATOMIC_RELAXED);
	__atomic_fetch_add(&user->n_threads, p->n_counted, __ATOMIC_RELAXED);
	spin_unlock(&p->lock);
	user_put(old);
	return 0;
}

static int set_users(const struct triple *now)
{
	struct process *p = process_current();
	struct credentials *c = &p->cred;
	int err = now->real != c->uid ? change_account(p, now->real) : 0;

	if (err)
		return err;
	spin_lock(&p->lock);
	if (c->euid != now->effective || c->fsuid != now->effective)
		forget_old_rights(p);
	c->uid = now->real;
	c->euid = c->fsuid = now->effective;
	c->suid = now->saved;
	spin_unlock(&p->lock);
	process_limit_vm(p, p->vm);
	return 0;
}

static void set_group_ids(const struct triple *now)
{
	struct process *p = process_current();
	struct credentials *c = &p->cred;

	spin_lock(&p->lock);
	if (c->egid != now->effective || c->fsgid != now->effective)
		forget_old_rights(p);
	c->gid = now->real;
	c->egid = c->fsgid = now->effective;
	c->sgid = now->saved;
	spin_unlock(&p->lock);
}

/* The end of a change: what a rule has made of the triple, unless that was an error. */
static long become_user(int err, const struct triple *now)
{
	if (!err)
		err = set_users(now);
	mutex_unlock(&changing);
	return err;
}

static long become_group(int err, const struct triple *now)
{
	if (!err)
		set_group_ids(now);
	mutex_unlock(&changing);
	return err;
}

static bool has(const struct triple *t, uint32_t id)
{
	return id == t->real || id == t->effective || id == t->saved;
}

/* --- The rules: from what is there, in *t, to what shall be ----------------------------------- */

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
 * setreuid(2): the real one to the real or the effective, the effective one to any of the three;
 * the saved one follows the effective if the real one is set, or the effective to something else
 * than the real one was.
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

/* --- The calls -------------------------------------------------------------------------------- */

long sys_setuid(unsigned long id)
{
	struct triple t = users_to_change();

	return become_user(set_one(&t, (uint32_t)id), &t);
}

long sys_setgid(unsigned long id)
{
	struct triple t = groups_to_change();

	return become_group(set_one(&t, (uint32_t)id), &t);
}

long sys_setreuid(unsigned long real, unsigned long effective)
{
	struct triple t = users_to_change();

	return become_user(set_two(&t, (uint32_t)real, (uint32_t)effective), &t);
}

long sys_setregid(unsigned long real, unsigned long effective)
{
	struct triple t = groups_to_change();

	return become_group(set_two(&t, (uint32_t)real, (uint32_t)effective), &t);
}

long sys_setresuid(unsigned long real, unsigned long effective, unsigned long saved)
{
	struct triple t = users_to_change();

	return become_user(set_three(&t, (uint32_t)real, (uint32_t)effective, (uint32_t)saved), &t);
}

long sys_setresgid(unsigned long real, unsigned long effective, unsigned long saved)
{
	struct triple t = groups_to_change();

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

/* --- For files only --------------------------------------------------------------------------- */

/* setfsuid(2), setfsgid(2): the old one, whether or not it could be changed. */
static long set_for_files(uint32_t *now, uint32_t id, const struct triple *t)
{
	struct process *p = process_current();
	uint32_t old = *now;

	if (id != KEEP && (id == old || has(t, id) || process_is_privileged(p))) {
		spin_lock(&p->lock);
		if (id != old)
			forget_old_rights(p);
		*now = id;
		spin_unlock(&p->lock);
	}
	return old;
}

long sys_setfsuid(unsigned long id)
{
	struct triple t = users();

	return set_for_files(&process_current()->cred.fsuid, (uint32_t)id, &t);
}

long sys_setfsgid(unsigned long id)
{
	struct triple t = groups();

	return set_for_files(&process_current()->cred.fsgid, (uint32_t)id, &t);
}

/* --- Supplementary groups --------------------------------------------------------------------- */

#define NGROUPS_MAX 65536

long sys_getgroups(long size, uaddr_t to)
{
	const struct group_list *list = process_current()->groups;
	unsigned n = list ? list->n : 0;

	if ((int)size < 0)
		return -EINVAL;
	if (!(int)size || !n)
		return n;
	if (n > (unsigned)size)
		return -EINVAL;
	return copy_out(to, list->ids, n * sizeof list->ids[0]) ? -EFAULT : (long)n;
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t t = *a;

	*a = *b;
	*b = t;
}

/* Let the id at `root` of a heap of n sink to its place. */
static void sink(uint32_t *ids, unsigned root, unsigned n)
{
	for (unsigned child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && ids[child + 1] > ids[child])
			child++;
		if (ids[root] >= ids[child])
			break;
		swap(&ids[root], &ids[child]);
	}
}

/* Heapsort: up to 65,536 of them, in the order of their caller's choice. */
static void sort(uint32_t *ids, unsigned n)
{
	for (unsigned i = n / 2; i-- > 0;)
		sink(ids, i, n);
	for (unsigned last = n; last-- > 1;) {
		swap(&ids[0], &ids[last]);
		sink(ids, 0, last);
	}
}

static bool is_same(const struct group_list *a, const struct group_list *b)
{
	return a && a->n == b->n && !__builtin_memcmp(a->ids, b->ids, a->n * sizeof a->ids[0]);
}

/* Takes the list over. */
static void set_groups(struct process *p, struct group_list *list)
{
	spin_lock(&p->lock);
	if (!is_same(p->groups, list)) {
		list->replaced = p->groups;
		__atomic_store_n(&p->groups, list, __ATOMIC_RELEASE);
		list = NULL;
	}
	spin_unlock(&p->lock);
	kfree(list);
}

long sys_setgroups(long size, uaddr_t from)
{
	struct process *p = process_current();
	unsigned n = (unsigned)size;

	if (!process_is_privileged(p))
		return -EPERM;
	if (n > NGROUPS_MAX)
		return -EINVAL;
	struct group_list *list = kmalloc(sizeof *list + n * sizeof list->ids[0]);
	if (!list)
		return -ENOMEM;
	list->n = n;
	if (copy_in(list->ids, from, n * sizeof list->ids[0])) {
		kfree(list);
		return -EFAULT;
	}
	sort(list->ids, n);
	set_groups(p, list);
	return 0;
}
