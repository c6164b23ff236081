// SPDX-License-Identifier: MIT
/*
 * A host of mm to start from: every hook that it must have, each with its contract in short
 * (mm/host.h has it in full) and with a body that stops and says its name.  So mm links at once,
 * and what the next call runs into is what to write next; docs/porting.md says in which order that
 * goes well.
 *
 * Write host_stop() first.
 */
#include <mm/host.h>
#include <mm/vm.h>

#if MVM_VERSION != 4
#error "this host was written for version 4 of mm's headers; docs/porting.md says what changed"
#endif

/* Say so, and stop the machine. */
void host_stop(const char *text) __attribute__((noreturn, weak));

void host_stop(const char *text)
{
	for (;;)
		__asm__ volatile("" : : "r"(text));
}

static void not_written(const char *hook) __attribute__((noreturn));

/* "mvmh_HOOK: not written yet" */
static void not_written(const char *hook)
{
	static char text[64];
	char *to = text;

	for (const char *from = "mvmh_"; *from;)
		*to++ = *from++;
	while (*hook)
		*to++ = *hook++;
	for (const char *from = ": not written yet"; *from;)
		*to++ = *from++;
	*to = '\0';
	host_stop(text);
}

/* --- Frames ----------------------------------------------------------------------------------- */

/*
 * 2^order free frames in a row, aligned to their size; the first one's number, or MVM_NO_FRAME.
 * Under a lock: neither sleeps nor reclaims.
 */
mvm_frame_t mvmh_frame_alloc(unsigned order)
{
	(void)order;
	not_written("frame_alloc");
}

/* Nothing reaches them any more.  Under a lock. */
void mvmh_frame_free(mvm_frame_t frame, unsigned order)
{
	(void)frame, (void)order;
	not_written("frame_free");
}

/* Free frames, and how many there are; a guess will do. */
size_t mvmh_frame_count(size_t *total)
{
	(void)total;
	not_written("frame_count");
}

/* --- Windows ---------------------------------------------------------------------------------- */

/*
 * An address at which the frame can be read and written; cannot fail.  Two at a time, briefly.
 */
void *mvmh_window_map(mvm_frame_t frame)
{
	(void)frame;
	not_written("window_map");
}

void mvmh_window_unmap(void *window)
{
	(void)window;
	not_written("window_unmap");
}

/* --- Metadata --------------------------------------------------------------------------------- */

/* A zeroed page for mm's own structures, mapped for good; or NULL.  Under a lock. */
void *mvmh_meta_alloc(void)
{
	not_written("meta_alloc");
}

void mvmh_meta_free(void *page)
{
	(void)page;
	not_written("meta_free");
}

/* --- Translation: under the space's lock, but for create, destroy and tlb_sync ---------------- */

/* Empty tables; *pmap is zeroed.  0 or -MVM_ENOMEM.  No lock held, may sleep. */
int mvmh_pmap_create(struct mvmh_pmap *pmap)
{
	(void)pmap;
	not_written("pmap_create");
}

/* Free the tables; nothing is mapped in them, no hart runs on them.  No lock held, may sleep. */
void mvmh_pmap_destroy(struct mvmh_pmap *pmap)
{
	(void)pmap;
	not_written("pmap_destroy");
}

/*
 * Map.  The same frame is there already: add the rights, take none away.  Another one: change
 * nothing, -MVM_EEXIST.  No memory for a table: change nothing, -MVM_ENOMEM.
 */
int mvmh_pmap_enter(
	struct mvmh_pmap *pmap, mvm_vaddr_t va, mvm_frame_t frame, unsigned rights, unsigned order)
{
	(void)pmap, (void)va, (void)frame, (void)rights, (void)order;
	not_written("pmap_enter");
}

/*
 * Remove up to MVM_HOLD_PAGES entries from start on, note them in the batch; the address to go on
 * from, `end` when done.  Skips empty tables whole.
 */
mvm_vaddr_t mvmh_pmap_remove(
	struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end, struct mvmh_tlb *batch)
{
	(void)pmap, (void)start, (void)end, (void)batch;
	not_written("pmap_remove");
}

/* The same, but takes away all rights but these; gives none. */
mvm_vaddr_t mvmh_pmap_protect(struct mvmh_pmap *pmap, mvm_vaddr_t start, mvm_vaddr_t end,
	unsigned rights, struct mvmh_tlb *batch)
{
	(void)pmap, (void)start, (void)end, (void)rights, (void)batch;
	not_written("pmap_protect");
}

/* Was the page used since the last call?  false where the machine does not tell. */
bool mvmh_pmap_test_and_clear(struct mvmh_pmap *pmap, mvm_vaddr_t va)
{
	(void)pmap, (void)va;
	not_written("pmap_test_and_clear");
}

/*
 * When this returns, no hart uses what the batch notes (batch->whole: anything of the pmap); the
 * batch is empty.  No lock held, may wait.
 */
void mvmh_tlb_sync(struct mvmh_pmap *pmap, struct mvmh_tlb *batch)
{
	(void)pmap, (void)batch;
	not_written("tlb_sync");
}

/* --- Locks and waiting ------------------------------------------------------------------------ */

void mvmh_lock_init(struct mvmh_lock *lock, enum mvmh_rank rank)
{
	(void)lock, (void)rank;
	not_written("lock_init");
}

/*
 * Up to three are held, of rising rank; between lock and unlock little happens.  Not from
 * interrupts.
 */
void mvmh_lock(struct mvmh_lock *lock)
{
	(void)lock;
	not_written("lock");
}

void mvmh_unlock(struct mvmh_lock *lock)
{
	(void)lock;
	not_written("unlock");
}

/*
 * Release the lock, sleep until mvmh_wake(chan), take it again.  A wake-up after the release is not
 * lost.  0; with killable, -MVM_EINTR once the thread must die.
 */
int mvmh_wait(const void *chan, struct mvmh_lock *lock, bool killable)
{
	(void)chan, (void)lock, (void)killable;
	not_written("wait");
}

/* Wake all who wait on chan.  No lock of mm held. */
void mvmh_wake(const void *chan)
{
	(void)chan;
	not_written("wake");
}

/* --- Odds and ends ---------------------------------------------------------------------------- */

/* Which hart, below MVMH_MAX_HARTS; a hint. */
unsigned mvmh_cpu(void)
{
	not_written("cpu");
}

/* Nanoseconds that never run backwards. */
uint64_t mvmh_now(void)
{
	not_written("now");
}

/* Random bits; a constant: no address-space randomization. */
uint64_t mvmh_entropy(void)
{
	not_written("entropy");
}

/* A line without its newline.  Under a lock. */
void mvmh_log(const char *line)
{
	(void)line;
	not_written("log");
}

/* mm is broken; does not return. */
void mvmh_panic(const char *why)
{
	(void)why;
	not_written("panic");
}
