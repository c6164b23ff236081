// SPDX-License-Identifier: MIT
/*
 * The accounts of users (kernel/user.h): a hash table of those that have processes, or signals on
 * their way.
 */
#include <kernel/kmem.h>
#include <kernel/lock.h>
#include <kernel/user.h>

#define BUCKETS 16

static struct spinlock lock = SPINLOCK_INIT("users", RANK_USERS);
static struct user root = {.refs = 1};
static struct user *buckets[BUCKETS] = {&root}; /* [lock] */

/* With a reference, or NULL. */
static struct user *find_locked(uint32_t uid)
{
	struct user *user = buckets[uid % BUCKETS];

	while (user && user->uid != uid)
		user = user->next;
	return user ? user_ref(user) : NULL;
}

/* `fresh` joins the table, unless somebody else was faster.  The one that is there. */
static struct user *enter(struct user *fresh)
{
	struct user **bucket = &buckets[fresh->uid % BUCKETS], *there;

	spin_lock(&lock);
	there = find_locked(fresh->uid);
	if (!there) {
		fresh->next = *bucket;
		*bucket = fresh;
	}
	spin_unlock(&lock);
	return there ? there : fresh;
}

struct user *user_get(uint32_t uid)
{
	struct user *user, *fresh;

	spin_lock(&lock);
	user = find_locked(uid);
	spin_unlock(&lock);
	if (user)
		return user;
	fresh = kzalloc(sizeof *fresh);
	if (!fresh)
		return NULL;
	fresh->uid = uid;
	fresh->refs = 1;
	user = enter(fresh);
	if (user != fresh)
		kfree(fresh);
	return user;
}

struct user *user_ref(struct user *user)
{
	__atomic_fetch_add(&user->refs, 1, __ATOMIC_RELAXED);
	return user;
}

/* The table finds users without a reference of its own: the last one goes under its lock. */
void user_put(struct user *user)
{
	struct user **at = user ? &buckets[user->uid % BUCKETS] : NULL;
	bool last;

	if (!user)
		return;
	spin_lock(&lock);
	last = __atomic_sub_fetch(&user->refs, 1, __ATOMIC_ACQ_REL) == 0;
	if (last) {
		while (*at != user)
			at = &(*at)->next;
		*at = user->next;
	}
	spin_unlock(&lock);
	if (last)
		kfree(user);
}
