// SPDX-License-Identifier: MIT
/*
 * A machine inside a POSIX process, as a host for mm: frames, translation tables, harts that
 * remember translations, and threads that wait.  It is the second real port of mm, the one that
 * its tests and the file system's host tools run on.
 *
 * Every thread that calls mm is a hart of the machine; a hart's number is given at its first call.
 * A hart reaches simulated memory through posix_load() and posix_store(), which look into the
 * hart's own TLB, then into the tables, and else call mvm_fault() as a kernel's trap handler
 * would.  Entries of a TLB go only when mm syncs a batch: a translation that mm forgot to flush
 * stays usable, and a use that reaches a free frame stops the run.
 *
 * What the machine checks by itself, in every test that runs on it: the order of mm's locks, no
 * lock of mm held where a hook forbids it, at most two windows a thread, none over a sleep; no
 * frame freed twice; free frames are never reached; new frames hold junk, never zeros.
 */
#pragma once

#include <mm/types.h>
#include <mm/vm.h>

/* What can be made to fail. */
enum posix_failure { POSIX_FAIL_FRAME, POSIX_FAIL_META, POSIX_FAIL_TABLE, POSIX_FAILURES };

/* Memory for n_frames frames, once a process; before mvm_init(). */
void posix_start(size_t n_frames);

/* The bytes of a frame; valid for the life of the process. */
void *posix_frame_data(mvm_frame_t frame);

/* From now on at most n_frames are out at once, for whoever asks. */
void posix_limit_frames(size_t n_frames);

/* Frames and metadata pages that are out. */
size_t posix_frames_used(void);
size_t posix_meta_used(void);

/*
 * From now on, the nth request of this kind (1: the next one) fails; with `for_good` all that
 * follow, too.  n == 0: no failures any more.
 */
void posix_fail(enum posix_failure what, uint64_t nth, bool for_good);
/* Requests of this kind since the last posix_fail() for it. */
uint64_t posix_requests(enum posix_failure what);

/* Every `one_in`-th look into the tables forgets an entry (0: none): the page-table-is-a-cache
 * test.  Seeded by posix_seed(). */
void posix_forget(unsigned one_in);

/*
 * The same at any moment: every `one_in`-th call of a hook, also in the midst of a call of mm,
 * forgets an entry of any space.  For one thread only.
 */
void posix_forget_anywhere(unsigned one_in);

/*
 * Every `one_in`-th fence (0: none) is slow, so that other threads get between
 * a sweep and its end.
 */
void posix_slow_fences(unsigned one_in);

/* Seeds mvmh_entropy() and the forgetting. */
void posix_seed(uint64_t seed);

/* How an access ended: MVM_FAULT_OK, or what mvm_fault() said. */
enum mvm_fault_result posix_load(struct mvm_space *space, mvm_vaddr_t va, void *to, size_t n);
enum mvm_fault_result posix_store(
	struct mvm_space *space, mvm_vaddr_t va, const void *from, size_t n);
enum mvm_fault_result posix_execute(struct mvm_space *space, mvm_vaddr_t va);

/* The same without faults: how many bytes could be moved (the copy hooks of mm/pagecache.h). */
size_t posix_try_load(struct mvm_space *space, mvm_vaddr_t va, void *to, size_t n);
size_t posix_try_store(struct mvm_space *space, mvm_vaddr_t va, const void *from, size_t n);

/* How often code was synchronized, in whichever space. */
uint64_t posix_code_syncs(void);

/* How many entries map something in the space's tables. */
size_t posix_mapped(struct mvm_space *space);

/*
 * The thread of this hart number must die: killable waits of it end with -MVM_EINTR, now and
 * later, until it is revived.
 */
unsigned posix_hart(void);
void posix_kill(unsigned hart, bool dead);

/* A function to be called by each mvmh_tlb_sync(), which holds no lock; NULL: none. */
void posix_on_fence(void (*fn)(void));

/*
 * The running thread is to die by itself when mm asks for the nth time from now on whether it must
 * (mvmh_killed); 0: it is not.
 */
void posix_die_when_asked(unsigned nth);

/* A function that looks, before a thread waits, whether it may; NULL: none. */
void posix_on_wait(void (*fn)(void));

/* A function for posix_writeback_wanted() to call; NULL: nothing. */
void posix_on_writeback_wanted(void (*fn)(bool now));

/* A function that gets memory for who cannot do without (mvmh_starved); NULL: other threads may. */
void posix_on_starved(void (*fn)(void));

/* What mvmh_log() prints goes to this function; default stderr. */
void posix_on_log(void (*fn)(const char *line));
