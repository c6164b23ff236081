// SPDX-License-Identifier: MIT
/*
 * The accounts of users (kernel/user.h): a hash table of those that have processes, or signals on
 * their way.
 *
 * Room.  A thread is memory that nothing brings back but its end: its stack, its tables, what it
 * copies as soon as it runs.  So all threads together may take half of the memory, by what each
 * takes at least.  That holds for uid 0, too, and is counted before anything is made.  Whoever
 * forks without end is so told -EAGAIN at once, as often as he asks, while there is still memory
 * for all that run; to be told that there is none would take a search for it each time.
 */
#include <abi/errno.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/lock.h>
#include <kernel/thread.h>
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

/* --- Room ------------------------------------------------------------------------------------ */

/* In frames: what a thread that waits has been seen to take, and the smallest process. */
#define THREAD_FRAMES  5  /* stack, structures */
#define PROCESS_FRAMES 18 /* that; translation tables 8, private pages 4, structures 1 */

#define KERNEL_STACKS 256 /* not for users' threads */

static uint32_t taken; /* [a] frames, for all threads */

static uint32_t room(void)
{
	size_t frames = frames_total() / 2, stacks = (KSTACK_SLOTS - KERNEL_STACKS) * THREAD_FRAMES;

	return (uint32_t)(frames < stacks ? frames : stacks);
}

uint32_t threads_max(void)
{
	return room() / THREAD_FRAMES;
}

static bool count_up(uint32_t *count, uint32_t n, uint64_t most)
{
	uint32_t is = __atomic_load_n(count, __ATOMIC_RELAXED);

	do {
		if (is + n > most)
			return false;
	} while (!__atomic_compare_exchange_n(
		count, &is, is + n, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

int user_add_thread(struct user *user, uint64_t most, bool new_process)
{
	if (!count_up(&user->n_threads, 1, most))
		return -EAGAIN;
	if (count_up(&taken, new_process ? PROCESS_FRAMES : THREAD_FRAMES, room()))
		return 0;
	__atomic_fetch_sub(&user->n_threads, 1, __ATOMIC_RELAXED);
	return -EAGAIN;
}

void user_drop_thread(struct user *user, bool last)
{
	__atomic_fetch_sub(&user->n_threads, 1, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&taken, last ? PROCESS_FRAMES : THREAD_FRAMES, __ATOMIC_RELAXED);
}
