// SPDX-License-Identifier: MIT
/*
 * The hooks of fs/host.h over the kernel: those that are not inline in fsh_config.h.
 */
#include <fs/host.h>
#include <kernel/frames.h>
#include <kernel/pageout.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/random.h>
#include <kernel/thread.h>
#include <kernel/format.h>
#include <mm/vm.h>
#include <stdarg.h>

/* --- Sleeping locks -------------------------------------------------------------------------- */

static const enum lock_rank ranks[] = {
	[FSH_RANK_MOUNT] = RANK_FS_MOUNT,
	[FSH_RANK_OFFSET] = RANK_FILE_OFFSET,
	[FSH_RANK_RENAME] = RANK_FS_RENAME,
	[FSH_RANK_INODE] = RANK_FS_INODE,
	[FSH_RANK_TRUNCATE] = RANK_FS_TRUNCATE,
	[FSH_RANK_TXN] = RANK_FS_TXN,
	[FSH_RANK_EXTENT] = RANK_FS_EXTENT,
	[FSH_RANK_ALLOC] = RANK_FS_ALLOC,
	[FSH_RANK_CACHE] = RANK_FS_CACHE,
	[FSH_RANK_LEAF] = RANK_FS_LEAF,
};

_Static_assert(sizeof(ranks) / sizeof(*ranks) == FSH_RANK_N, "a rank of fs has no place");

void fsh_mutex_init(struct fsh_mutex *mutex, const char *name, enum fsh_rank rank)
{
	mutex_init(&mutex->mutex, name, ranks[rank]);
}

void fsh_rwlock_init(struct fsh_rwlock *lock, const char *name, enum fsh_rank rank)
{
	mutex_init(&lock->gate, name, ranks[rank]);
	waitq_init(&lock->no_readers);
	lock->readers = 0;
}

void fsh_rwlock_lock_shared(struct fsh_rwlock *lock)
{
	mutex_lock(&lock->gate);
	__atomic_fetch_add(&lock->readers, 1, __ATOMIC_ACQUIRE);
	mutex_share(&lock->gate);
}

void fsh_rwlock_unlock_shared(struct fsh_rwlock *lock)
{
	mutex_unshare(&lock->gate);
	if (__atomic_sub_fetch(&lock->readers, 1, __ATOMIC_RELEASE) == 0)
		waitq_wake_all(&lock->no_readers);
}

void fsh_rwlock_lock(struct fsh_rwlock *lock)
{
	mutex_lock(&lock->gate);
	if (__atomic_load_n(&lock->readers, __ATOMIC_ACQUIRE))
		wait_event(
			&lock->no_readers, __atomic_load_n(&lock->readers, __ATOMIC_ACQUIRE) == 0);
}

void fsh_rwlock_unlock(struct fsh_rwlock *lock)
{
	mutex_unlock(&lock->gate);
}

void fsh_cond_init(struct fsh_cond *cond)
{
	waitq_init(&cond->queue);
}

void fsh_cond_wait(struct fsh_cond *cond, struct fsh_mutex *mutex)
{
	struct waiter waiter = {0};

	waitq_prepare(&cond->queue, &waiter);
	mutex_unlock(&mutex->mutex);
	(void)thread_block(SLEEP_FOREVER, NO_DEADLINE);
	waitq_finish(&cond->queue, &waiter);
	mutex_lock(&mutex->mutex);
}

void fsh_cond_broadcast(struct fsh_cond *cond)
{
	waitq_wake_all(&cond->queue);
}

/* --- Completions ----------------------------------------------------------------------------- */

/*
 * The waiter may free the memory as soon as it goes on, and the waker still has the queue in its
 * hands when the waiter sees that it happened; so the waker says when it has let go.
 */
enum completion_state { COMPLETION_OPEN, COMPLETION_HAPPENED, COMPLETION_LEFT };

void fsh_completion_init(struct fsh_completion *completion)
{
	waitq_init(&completion->queue);
	completion->state = COMPLETION_OPEN;
}

void fsh_complete(struct fsh_completion *completion)
{
	__atomic_store_n(&completion->state, COMPLETION_HAPPENED, __ATOMIC_RELEASE);
	waitq_wake_all(&completion->queue);
	__atomic_store_n(&completion->state, COMPLETION_LEFT, __ATOMIC_RELEASE);
}

static uint32_t state_of(struct fsh_completion *completion)
{
	return __atomic_load_n(&completion->state, __ATOMIC_ACQUIRE);
}

void fsh_completion_wait(struct fsh_completion *completion)
{
	if (state_of(completion) == COMPLETION_OPEN)
		wait_event(&completion->queue, state_of(completion) != COMPLETION_OPEN);
	while (state_of(completion) != COMPLETION_LEFT)
		thread_yield();
}

/* --- Memory ---------------------------------------------------------------------------------- */

void *fsh_page_alloc(void)
{
	paddr_t page = frame_alloc(0);

	return page ? phys_to_virt(page) : NULL;
}

void fsh_page_free(void *page)
{
	if (page)
		frame_free(virt_to_phys(page), 0);
}

/* --- Threads --------------------------------------------------------------------------------- */

static void thread_main(void *arg)
{
	struct fsh_thread *thread = arg;

	thread->run(thread->arg);
}

int fsh_thread_start(struct fsh_thread *thread, const char *name, void (*run)(void *), void *arg)
{
	int err = thread_create(name, thread_main, thread, &thread->thread);

	if (err)
		return err;
	thread->run = run;
	thread->arg = arg;
	thread_start(thread->thread);
	return 0;
}

void fsh_thread_join(struct fsh_thread *thread)
{
	thread_join(thread->thread);
	thread_unref(thread->thread);
}

/* --- Odds and ends --------------------------------------------------------------------------- */

uint64_t fsh_file_size_limit(void)
{
	/* Kernel threads write on nobody's account. */
	return task_current() ? process_limit(process_current(), RLIMIT_FSIZE) : UINT64_MAX;
}

void fsh_sync_wanted(void)
{
	writeback_wanted(false);
}

/* The cache that can be dropped as it is counts as free, as in /proc/meminfo. */
void fsh_page_counts(uint64_t *all, uint64_t *available)
{
	struct mvm_stats s;
	uint64_t clean;

	mvm_stats(&s);
	clean = s.cached_pages - s.kept_pages - s.dirty_pages - s.writeback_pages;
	if (clean > s.cached_pages)
		clean = 0; /* the counters were not read in one step */
	*all = s.total_frames;
	*available = s.free_frames + clean;
}

void fsh_random(void *to, size_t bytes)
{
	random_bytes(to, bytes);
}

void fsh_log(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintk(LOG_WARNING, format, args);
	va_end(args);
}

void fsh_panic(const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	kvsnprintf(text, sizeof(text), format, args);
	va_end(args);
	panic("%s", text);
}
