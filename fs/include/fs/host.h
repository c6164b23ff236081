// SPDX-License-Identifier: MIT
/*
 * What fs needs of its host: the kernel, or a process that runs the tools and the tests.
 *
 * The host writes a port config (found as <fsh_config.h>) with the structures
 *
 *	struct fsh_mutex	a sleeping lock
 *	struct fsh_rwlock	a sleeping lock, shared or exclusive
 *	struct fsh_cond		a condition that is waited for under a mutex
 *	struct fsh_spin		a lock with short holds
 *	struct fsh_completion	an event that happens once
 *	struct fsh_thread	a thread
 *
 * and the functions below.  A hook that is hot may be a `static inline` in fsh_config.h, which
 * then also says `#define fsh_NAME fsh_NAME`.
 *
 * Unless a line says otherwise a hook may sleep and is called with no fsh_spin held, and none is
 * called from an interrupt.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <mm/types.h>
#include <fsh_config.h>

struct fsh_mutex;
struct fsh_rwlock;
struct fsh_cond;
struct fsh_spin;
struct fsh_completion;
struct fsh_thread;

/* --- Sleeping locks ------------------------------------------------------------------------ */

/*
 * The order of the locks of fs, lowest first.  Two of one rank are held together only where the
 * second was taken with the _nested form, by somebody who has an order of his own.  All come
 * before the locks of mm.
 */
enum fsh_rank {
	FSH_RANK_OFFSET,   /* a file's position */
	FSH_RANK_MOUNT,    /* the mount table */
	FSH_RANK_RENAME,   /* directories that move, one lock a mount */
	FSH_RANK_INODE,    /* directories before what is in them, else by address */
	FSH_RANK_TRUNCATE, /* an inode's blocks against faults and write-back */
	FSH_RANK_TXN,      /* a transaction, which is held like a lock */
	FSH_RANK_EXTENT,   /* an inode's block map */
	FSH_RANK_ALLOC,    /* block and inode bitmaps */
	FSH_RANK_CACHE,    /* a block cache */
	FSH_RANK_LEAF,     /* nothing is taken inside but spin locks */
	FSH_RANK_N,
};

/* `name` is a literal, for reports of the host's lock checker. */
#ifndef fsh_mutex_init
void fsh_mutex_init(struct fsh_mutex *mutex, const char *name, enum fsh_rank rank);
#endif
#ifndef fsh_mutex_destroy
void fsh_mutex_destroy(struct fsh_mutex *mutex);
#endif
#ifndef fsh_mutex_lock
void fsh_mutex_lock(struct fsh_mutex *mutex);
#endif
#ifndef fsh_mutex_lock_nested
void fsh_mutex_lock_nested(struct fsh_mutex *mutex);
#endif
#ifndef fsh_mutex_trylock
bool fsh_mutex_trylock(struct fsh_mutex *mutex);
#endif
#ifndef fsh_mutex_unlock
void fsh_mutex_unlock(struct fsh_mutex *mutex);
#endif

/* For assertions: by the calling thread.  A host that cannot tell returns true. */
#ifndef fsh_mutex_held
bool fsh_mutex_held(const struct fsh_mutex *mutex);
#endif

#ifndef fsh_rwlock_init
void fsh_rwlock_init(struct fsh_rwlock *lock, const char *name, enum fsh_rank rank);
#endif
#ifndef fsh_rwlock_destroy
void fsh_rwlock_destroy(struct fsh_rwlock *lock);
#endif

/*
 * Shared.  One thread may not take it twice: a writer that waits keeps new readers out.
 */
#ifndef fsh_rwlock_lock_shared
void fsh_rwlock_lock_shared(struct fsh_rwlock *lock);
#endif
#ifndef fsh_rwlock_unlock_shared
void fsh_rwlock_unlock_shared(struct fsh_rwlock *lock);
#endif
#ifndef fsh_rwlock_lock
void fsh_rwlock_lock(struct fsh_rwlock *lock);
#endif
#ifndef fsh_rwlock_unlock
void fsh_rwlock_unlock(struct fsh_rwlock *lock);
#endif

#ifndef fsh_cond_init
void fsh_cond_init(struct fsh_cond *cond);
#endif
#ifndef fsh_cond_destroy
void fsh_cond_destroy(struct fsh_cond *cond);
#endif

/* Release the mutex, sleep until woken, take it again.  Spurious returns are allowed. */
#ifndef fsh_cond_wait
void fsh_cond_wait(struct fsh_cond *cond, struct fsh_mutex *mutex);
#endif
#ifndef fsh_cond_broadcast
void fsh_cond_broadcast(struct fsh_cond *cond);
#endif

/* --- Spin locks ---------------------------------------------------------------------------- */

/*
 * For lists and counts: the holder neither sleeps nor allocates, and calls no hook but other
 * fsh_spin ones and those marked "any context".  Not taken in interrupts.  A mutex will do on a
 * host that has no better.
 */
#ifndef fsh_spin_init
void fsh_spin_init(struct fsh_spin *spin, const char *name);
#endif
#ifndef fsh_spin_lock
void fsh_spin_lock(struct fsh_spin *spin);
#endif
#ifndef fsh_spin_lock_nested
void fsh_spin_lock_nested(struct fsh_spin *spin);
#endif
#ifndef fsh_spin_unlock
void fsh_spin_unlock(struct fsh_spin *spin);
#endif

/* --- Completions --------------------------------------------------------------------------- */

#ifndef fsh_completion_init
void fsh_completion_init(struct fsh_completion *completion);
#endif

/* Any context, interrupts included; does not touch the completion after the waiter may go on. */
#ifndef fsh_complete
void fsh_complete(struct fsh_completion *completion);
#endif

/* Returns once fsh_complete() was called; the memory is the caller's again. */
#ifndef fsh_completion_wait
void fsh_completion_wait(struct fsh_completion *completion);
#endif

/* --- Memory -------------------------------------------------------------------------------- */

/*
 * Zeroed memory, aligned for any scalar, NULL when there is none.  Never reclaims, hence is
 * allowed inside a transaction.  fsh_free(NULL) is allowed.  Not under a spin lock.
 */
#ifndef fsh_alloc
void *fsh_alloc(size_t bytes);
#endif
#ifndef fsh_free
void fsh_free(void *memory);
#endif

/*
 * One page, aligned to its size, contents undefined, usable in block requests.  Otherwise as the
 * two above.
 */
#ifndef fsh_page_alloc
void *fsh_page_alloc(void);
#endif
#ifndef fsh_page_free
void fsh_page_free(void *page);
#endif

/*
 * Where the bytes of a page-cache frame are, for block requests and for pagers that fill it: stays
 * valid as long as the caller may use the page.  Any context.
 */
#ifndef fsh_frame_data
void *fsh_frame_data(mvm_frame_t frame);
#endif

/* --- Threads ------------------------------------------------------------------------------- */

/* 0 or -ENOMEM.  `name` is copied. */
#ifndef fsh_thread_start
int fsh_thread_start(struct fsh_thread *thread, const char *name, void (*run)(void *), void *arg);
#endif

/* Wait until run() has returned. */
#ifndef fsh_thread_join
void fsh_thread_join(struct fsh_thread *thread);
#endif

/* --- Odds and ends, in any context ----------------------------------------------------------- */

/* Nanoseconds since 1970, and since some moment in the past, never going back. */
#ifndef fsh_realtime_ns
int64_t fsh_realtime_ns(void);
#endif
#ifndef fsh_monotonic_ns
uint64_t fsh_monotonic_ns(void);
#endif

/* Pages of memory: all that there are, and those that could be had now.  A snapshot. */
#ifndef fsh_page_counts
void fsh_page_counts(uint64_t *all, uint64_t *available);
#endif

/*
 * Something changed that is not durable: somebody should call mount_sync_changed() within the next
 * seconds.  Said once for each such call.  Any lock may be held.
 */
#ifndef fsh_sync_wanted
void fsh_sync_wanted(void);
#endif

#ifndef fsh_random
void fsh_random(void *to, size_t bytes);
#endif

/* The size that the calling thread may give a file at most (RLIMIT_FSIZE); UINT64_MAX: any. */
#ifndef fsh_file_size_limit
uint64_t fsh_file_size_limit(void);
#endif

/* One line of text without a newline: something that an operator should know. */
#ifndef fsh_log
void fsh_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif

/* An invariant of fs is broken.  Does not return. */
#ifndef fsh_panic
void fsh_panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
#endif

#define fsh_assert(condition)                                                   \
	do {                                                                    \
		if (__builtin_expect(!(condition), 0))                          \
			fsh_panic("%s:%d: %s", __FILE__, __LINE__, #condition); \
	} while (0)
