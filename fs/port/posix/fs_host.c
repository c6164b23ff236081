// SPDX-License-Identifier: MIT
/*
 * The hooks of fs/host.h over POSIX threads.
 *
 * Every thread keeps a stack of the ranks it holds; taking a lock out of order, sleeping under a
 * spin lock, waiting for a page in a transaction, or releasing what one does not hold aborts.
 */
#include "fs_posix.h"
#include <fs/host.h>
#include <mm/vm.h>
#include <posix.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define MAX_HELD 32

static _Thread_local struct {
	unsigned char rank[MAX_HELD];
	unsigned n, spins;
	char mark; /* its address names the thread */
} held;

static uintptr_t me(void)
{
	return (uintptr_t)&held.mark;
}

/* --- The order of locks ---------------------------------------------------------------------- */

static void check_sleep(const char *what)
{
	if (held.spins)
		fsh_panic("%s may sleep, and %u spin locks are held", what, held.spins);
}

static unsigned highest_held(void)
{
	unsigned highest = 0;

	for (unsigned i = 0; i < held.n; i++)
		if (held.rank[i] > highest)
			highest = held.rank[i];
	return highest;
}

static void note_lock(const char *name, unsigned rank, bool nested)
{
	check_sleep(name);
	if (held.n && (nested ? rank < highest_held() : rank <= highest_held()))
		fsh_panic("lock order: %s (rank %u) under rank %u", name, rank, highest_held());
	fsh_assert(held.n < MAX_HELD);
	held.rank[held.n++] = rank;
}

static void note_unlock(const char *name, unsigned rank)
{
	for (unsigned i = held.n; i-- > 0;) {
		if (held.rank[i] == rank) {
			memmove(&held.rank[i], &held.rank[i + 1], held.n - i - 1);
			held.n--;
			return;
		}
	}
	fsh_panic("%s is released and was not held", name);
}

void fsh_posix_check_wait(void)
{
	if (held.n && highest_held() >= FSH_RANK_TXN)
		fsh_panic("a thread waits for a page and holds rank %u", highest_held());
}

/* --- Sleeping locks -------------------------------------------------------------------------- */

void fsh_mutex_init(struct fsh_mutex *mutex, const char *name, enum fsh_rank rank)
{
	pthread_mutex_init(&mutex->lock, NULL);
	atomic_init(&mutex->owner, 0);
	mutex->name = name;
	mutex->rank = rank;
}

void fsh_mutex_destroy(struct fsh_mutex *mutex)
{
	fsh_assert(atomic_load(&mutex->owner) == 0);
	pthread_mutex_destroy(&mutex->lock);
}

static void mutex_lock(struct fsh_mutex *mutex, bool nested)
{
	if (fsh_mutex_held(mutex))
		fsh_panic("%s is taken twice", mutex->name);
	note_lock(mutex->name, mutex->rank, nested);
	pthread_mutex_lock(&mutex->lock);
	atomic_store(&mutex->owner, me());
}

void fsh_mutex_lock(struct fsh_mutex *mutex)
{
	mutex_lock(mutex, false);
}

void fsh_mutex_lock_nested(struct fsh_mutex *mutex)
{
	mutex_lock(mutex, true);
}

bool fsh_mutex_trylock(struct fsh_mutex *mutex)
{
	if (pthread_mutex_trylock(&mutex->lock))
		return false;
	fsh_assert(held.n < MAX_HELD);
	held.rank[held.n++] = mutex->rank;
	atomic_store(&mutex->owner, me());
	return true;
}

void fsh_mutex_unlock(struct fsh_mutex *mutex)
{
	fsh_assert(fsh_mutex_held(mutex));
	note_unlock(mutex->name, mutex->rank);
	atomic_store(&mutex->owner, 0);
	pthread_mutex_unlock(&mutex->lock);
}

bool fsh_mutex_held(const struct fsh_mutex *mutex)
{
	return atomic_load(&mutex->owner) == me();
}

void fsh_rwlock_init(struct fsh_rwlock *lock, const char *name, enum fsh_rank rank)
{
	pthread_rwlock_init(&lock->lock, NULL);
	lock->name = name;
	lock->rank = rank;
}

void fsh_rwlock_destroy(struct fsh_rwlock *lock)
{
	pthread_rwlock_destroy(&lock->lock);
}

void fsh_rwlock_lock_shared(struct fsh_rwlock *lock)
{
	note_lock(lock->name, lock->rank, false);
	pthread_rwlock_rdlock(&lock->lock);
}

void fsh_rwlock_unlock_shared(struct fsh_rwlock *lock)
{
	note_unlock(lock->name, lock->rank);
	pthread_rwlock_unlock(&lock->lock);
}

void fsh_rwlock_lock(struct fsh_rwlock *lock)
{
	note_lock(lock->name, lock->rank, false);
	pthread_rwlock_wrlock(&lock->lock);
}

void fsh_rwlock_unlock(struct fsh_rwlock *lock)
{
	note_unlock(lock->name, lock->rank);
	pthread_rwlock_unlock(&lock->lock);
}

void fsh_cond_init(struct fsh_cond *cond)
{
	pthread_cond_init(&cond->cond, NULL);
}

void fsh_cond_destroy(struct fsh_cond *cond)
{
	pthread_cond_destroy(&cond->cond);
}

void fsh_cond_wait(struct fsh_cond *cond, struct fsh_mutex *mutex)
{
	fsh_assert(fsh_mutex_held(mutex));
	check_sleep("fsh_cond_wait");
	atomic_store(&mutex->owner, 0);
	pthread_cond_wait(&cond->cond, &mutex->lock);
	atomic_store(&mutex->owner, me());
}

void fsh_cond_broadcast(struct fsh_cond *cond)
{
	pthread_cond_broadcast(&cond->cond);
}

/* --- Spin locks ------------------------------------------------------------------------------ */

void fsh_spin_init(struct fsh_spin *spin, const char *name)
{
	(void)name;
	pthread_mutex_init(&spin->lock, NULL);
}

void fsh_spin_lock(struct fsh_spin *spin)
{
	pthread_mutex_lock(&spin->lock);
	held.spins++;
}

void fsh_spin_lock_nested(struct fsh_spin *spin)
{
	fsh_spin_lock(spin);
}

void fsh_spin_unlock(struct fsh_spin *spin)
{
	held.spins--;
	pthread_mutex_unlock(&spin->lock);
}

/* --- Completions ----------------------------------------------------------------------------- */

void fsh_completion_init(struct fsh_completion *completion)
{
	sem_init(&completion->done, 0, 0);
}

void fsh_complete(struct fsh_completion *completion)
{
	sem_post(&completion->done);
}

void fsh_completion_wait(struct fsh_completion *completion)
{
	check_sleep("fsh_completion_wait");
	while (sem_wait(&completion->done) && errno == EINTR)
		continue;
}

/* --- Memory ---------------------------------------------------------------------------------- */

long fsh_posix_fail_after;
bool fsh_posix_fail_for_good;
uint64_t fsh_posix_refused;

static bool allocation_fails(void)
{
	long left;

	check_sleep("an allocation");
	if (__atomic_load_n(&fsh_posix_fail_after, __ATOMIC_RELAXED) == 0)
		return false;
	left = __atomic_sub_fetch(&fsh_posix_fail_after, 1, __ATOMIC_RELAXED);
	if (left == 0) {
		fsh_posix_refused++;
		if (fsh_posix_fail_for_good)
			fsh_posix_fail_after = 1;
	}
	return left == 0;
}

void *fsh_alloc(size_t bytes)
{
	return allocation_fails() ? NULL : calloc(1, bytes ? bytes : 1);
}

void fsh_free(void *memory)
{
	free(memory);
}

void *fsh_page_alloc(void)
{
	return allocation_fails() ? NULL : aligned_alloc(MVM_PAGE_BYTES, MVM_PAGE_BYTES);
}

void fsh_page_free(void *page)
{
	free(page);
}

void *fsh_frame_data(mvm_frame_t frame)
{
	return posix_frame_data(frame);
}

/* --- Threads --------------------------------------------------------------------------------- */

static void *thread_main(void *arg)
{
	struct fsh_thread *thread = arg;

	thread->run(thread->arg);
	return NULL;
}

int fsh_thread_start(struct fsh_thread *thread, const char *name, void (*run)(void *), void *arg)
{
	(void)name;
	thread->run = run;
	thread->arg = arg;
	return pthread_create(&thread->thread, NULL, thread_main, thread) ? -ENOMEM : 0;
}

void fsh_thread_join(struct fsh_thread *thread)
{
	pthread_join(thread->thread, NULL);
}

/* --- Odds and ends --------------------------------------------------------------------------- */

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t fsh_posix_fixed_time_ns;

int64_t fsh_realtime_ns(void)
{
	return fsh_posix_fixed_time_ns ? fsh_posix_fixed_time_ns : clock_ns(CLOCK_REALTIME);
}

uint64_t fsh_monotonic_ns(void)
{
	return (uint64_t)clock_ns(CLOCK_MONOTONIC);
}

uint64_t fsh_file_size_limit(void)
{
	return UINT64_MAX;
}

unsigned long fsh_posix_syncs_wanted;
void (*fsh_posix_on_sync_wanted)(void);

void fsh_sync_wanted(void)
{
	__atomic_fetch_add(&fsh_posix_syncs_wanted, 1, __ATOMIC_RELAXED);
	if (fsh_posix_on_sync_wanted)
		fsh_posix_on_sync_wanted();
}

void fsh_page_counts(uint64_t *all, uint64_t *available)
{
	struct mvm_stats s;

	mvm_stats(&s);
	*all = s.total_frames;
	*available = s.free_frames;
}

void fsh_random(void *to, size_t bytes)
{
	while (bytes) {
		ssize_t n = getrandom(to, bytes, 0);

		if (n > 0) {
			to = (char *)to + n;
			bytes -= (size_t)n;
		}
	}
}

void (*fsh_posix_log)(const char *line);

void fsh_log(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (fsh_posix_log)
		fsh_posix_log(line);
	else
		fprintf(stderr, "%s\n", line);
}

void fsh_panic(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "panic: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}
