// SPDX-License-Identifier: MIT
/*
 * Numbers of processes, threads, groups and sessions.
 *
 * A hash table of struct pid, chained, doubled when it is full; new numbers are handed out in
 * rising order and wrap at PID_MAX, so that a number is not used again soon.
 */
#include <kernel/kmem.h>
#include <kernel/process.h>

struct spinlock tree_lock = SPINLOCK_INIT("process tree", RANK_PROCESS_TREE);

#define FIRST_BUCKETS 64

/* All [t]. */
static struct pid *first_buckets[FIRST_BUCKETS];
static struct pid **buckets = first_buckets;
static unsigned n_buckets = FIRST_BUCKETS; /* a power of two */
static unsigned n_pids;
static pid_t last_nr;
static uint64_t n_given;

static struct pid **bucket_of(pid_t nr)
{
	return &buckets[(unsigned)nr & (n_buckets - 1)];
}

static void insert(struct pid *pid)
{
	struct pid **bucket = bucket_of(pid->nr);

	pid->hash_next = *bucket;
	*bucket = pid;
}

/* Without memory the chains just get longer. */
static void grow(void)
{
	struct pid **old = buckets, **bigger = kcalloc(2 * n_buckets, sizeof *bigger);
	unsigned n = n_buckets;

	if (!bigger)
		return;
	buckets = bigger;
	n_buckets *= 2;
	for (unsigned i = 0; i < n; i++) {
		for (struct pid *pid = old[i], *next; pid; pid = next) {
			next = pid->hash_next;
			insert(pid);
		}
	}
	if (old != first_buckets)
		kfree(old);
}

void pid_counts(struct pid_counts *out)
{
	spin_assert_held(&tree_lock);
	*out = (struct pid_counts){.last = last_nr, .given = n_given};
}

struct pid *pid_find(pid_t nr)
{
	spin_assert_held(&tree_lock);
	if (nr <= 0)
		return NULL;
	for (struct pid *pid = *bucket_of(nr); pid; pid = pid->hash_next)
		if (pid->nr == nr)
			return pid;
	return NULL;
}

/* 0: all are taken. */
static pid_t free_number(void)
{
	for (pid_t tried = 1; tried < PID_MAX; tried++) {
		last_nr = last_nr + 1 < PID_MAX ? last_nr + 1 : 1;
		if (!pid_find(last_nr))
			return last_nr;
	}
	return 0;
}

struct pid *pid_alloc(void)
{
	struct pid *pid = kzalloc(sizeof *pid);

	if (!pid)
		return NULL;
	pid->refs = 1;
	list_init(&pid->group);
	list_init(&pid->session);
	spin_lock(&tree_lock);
	pid->nr = free_number();
	if (pid->nr) {
		n_given++;
		if (++n_pids > n_buckets)
			grow();
		insert(pid);
	}
	spin_unlock(&tree_lock);
	if (!pid->nr) {
		kfree(pid);
		return NULL;
	}
	return pid;
}

void pid_ref(struct pid *pid)
{
	spin_assert_held(&tree_lock);
	pid->refs++;
}

void pid_unref(struct pid *pid)
{
	struct pid **p;

	spin_assert_held(&tree_lock);
	if (--pid->refs)
		return;
	for (p = bucket_of(pid->nr); *p != pid; p = &(*p)->hash_next)
		;
	*p = pid->hash_next;
	n_pids--;
	kfree(pid);
}

struct process *process_next(pid_t nr)
{
	struct process *best = NULL;

	spin_assert_held(&tree_lock);
	for (unsigned i = 0; i < n_buckets; i++)
		for (struct pid *pid = buckets[i]; pid; pid = pid->hash_next)
			if (pid->process && pid->nr >= nr && (!best || pid->nr < best->pid->nr))
				best = pid->process;
	return best;
}

void process_for_each(void (*fn)(struct process *p, void *arg), void *arg)
{
	spin_assert_held(&tree_lock);
	for (unsigned i = 0; i < n_buckets; i++)
		for (struct pid *pid = buckets[i]; pid; pid = pid->hash_next)
			if (pid->process)
				fn(pid->process, arg);
}
