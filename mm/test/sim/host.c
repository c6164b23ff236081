// SPDX-License-Identifier: MIT
/*
 * mm's hooks for memory, locks and waiting, as the simulated machine has them, and what mm may not
 * do with them:
 *
 *	locks     taken twice, against the order of ranks, released by another, held over a sleep,
 *	          over a wake-up, or where a hook forbids it
 *	windows   a third one, or one held over a sleep
 *	waiting   a waiter that nobody wakes blocks for ever; when all do, the scheduler says who
 *	          waits for what
 *	frames    given back twice, or while a translation or a TLB still reaches them
 *	metadata  touched after it was given back, whole pages and slab pieces alike: a shadow byte
 *	          for each 16 bytes says what is in use, and tsan.c asks it for every access
 *	leaks     at the end of a schedule everything has come back
 *
 * For the shadow of slab pieces the linker puts wrappers around slab_alloc(),
 * slab_alloc_some(), slab_free(), slab_free_some() and slab_check() of meta.c, which alone may look
 * into pieces that are free.
 */
#include "host.h"

#include "anon.h"
#include "area.h"
#include "meta.h"
#include "object.h"
#include "space.h"

#include <stdio.h>
#include <string.h>

#define META_PAGES 256
#define GRANULE    16

/* Who wants many at once leaves so many to those who need one. */
#define FRAMES_KEPT 64

#define JUNK     0xa5
#define MAX_HELD 4

struct machine machine;

/* What a fiber has in hand. */
struct hands {
	struct mvmh_lock *held[MAX_HELD];
	unsigned n_held, windows;
	unsigned in_slab; /* it runs meta.c */
	bool dead, sleeps_killable;
	bool stays; /* from mvmh_stay() to mvmh_stay_end() */
};

static struct hands hands[FIBERS];
static char frames[SIM_FRAMES][MVM_PAGE_BYTES] __attribute__((aligned(4096)));
static char meta[META_PAGES][MVM_PAGE_BYTES] __attribute__((aligned(4096)));
static unsigned char in_use[sizeof meta / GRANULE]; /* the shadow */
static struct {
	bool taken[SIM_FRAMES], meta_taken[META_PAGES];
	unsigned n_frames, n_meta, next_frame, next_meta;
} memory;

static struct hands *my_hands(void)
{
	return &hands[sched_self()];
}

/* --- A fresh start ---------------------------------------------------------------------------- */

/* mm's variables: mvm_config.h puts them into these sections, and the linker names their ends. */
#define SECTION_END(name) extern char name[] __attribute__((weak))
SECTION_END(__start_mvm_bss);
SECTION_END(__stop_mvm_bss);
SECTION_END(__start_mvm_data);
SECTION_END(__stop_mvm_data);

/* The variables that have initial values get them back. */
static void put_data_back(void)
{
	static char saved[4096];
	static bool have_saved;
	size_t n = (size_t)(__stop_mvm_data - __start_mvm_data);

	if (n > sizeof saved)
		sim_fail("mm has %zu bytes of data", n);
	if (have_saved)
		memcpy(__start_mvm_data, saved, n);
	else
		memcpy(saved, __start_mvm_data, n);
	have_saved = true;
}

void host_begin(const struct machine *like)
{
	memset(__start_mvm_bss, 0, (size_t)(__stop_mvm_bss - __start_mvm_bss));
	put_data_back();
	memset(hands, 0, sizeof hands);
	memset(&memory, 0, sizeof memory);
	memset(in_use, 0, sizeof in_use);
	machine = *like;
	tlb_begin();
}

void host_check_empty(void)
{
	for (unsigned i = 0; i < FIBERS; i++) {
		if (hands[i].n_held || hands[i].windows)
			sim_fail("fiber %u ended with a lock or a window", i);
	}
	tlb_check_empty();
}

size_t host_frames_used(void)
{
	return memory.n_frames;
}

size_t host_meta_used(void)
{
	return memory.n_meta;
}

/* --- Frames ----------------------------------------------------------------------------------- */

char *host_frame_data(mvm_frame_t frame)
{
	return frames[frame];
}

bool host_frame_taken(mvm_frame_t frame)
{
	return frame < SIM_FRAMES && memory.taken[frame];
}

bool host_is_frame(const void *at)
{
	return (uintptr_t)at - (uintptr_t)frames < sizeof frames;
}

/* A free slot of n, from *next on in turn, so that what was given back rests a while. */
static unsigned find_free(const bool *taken, unsigned n, unsigned *next)
{
	while (taken[*next])
		*next = (*next + 1) % n;
	return *next;
}

/* The first of n free frames side by side, aligned. */
static mvm_frame_t find_block(unsigned n)
{
	for (mvm_frame_t first = 0; first + n <= machine.frames; first += n) {
		if (!memchr(&memory.taken[first], true, n))
			return first;
	}
	return MVM_NO_FRAME;
}

mvm_frame_t mvmh_frame_alloc(unsigned order)
{
	mvm_frame_t first;
	unsigned n = 1u << order;

	sched_point(POINT_HOOK);
	if (memory.n_frames + (order ? n + FRAMES_KEPT : n) > machine.frames)
		return MVM_NO_FRAME;
	memory.next_frame = random_below(&machine.random, machine.frames);
	first = order ? find_block(n) : find_free(memory.taken, machine.frames, &memory.next_frame);
	if (first == MVM_NO_FRAME)
		return MVM_NO_FRAME;
	memset(&memory.taken[first], true, n);
	memory.n_frames += n;
	memset(frames[first], JUNK, n * MVM_PAGE_BYTES);
	sim_trace("%u frames from %u on taken", n, first);
	return first;
}

void mvmh_frame_free(mvm_frame_t first, unsigned order)
{
	unsigned n = 1u << order;

	sched_point(POINT_HOOK);
	sim_trace("%u frames from %u on given back", n, first);
	for (mvm_frame_t frame = first; frame < first + n; frame++) {
		if (!host_frame_taken(frame))
			sim_fail("mvmh_frame_free: frame %u is free", frame);
		tlb_check_gone(frame);
		memory.taken[frame] = false;
	}
	memory.n_frames -= n;
}

size_t mvmh_frame_count(size_t *total)
{
	if (total)
		*total = machine.frames;
	return machine.frames - memory.n_frames;
}

void *mvmh_window_map(mvm_frame_t frame)
{
	if (!host_frame_taken(frame))
		sim_fail("mvmh_window_map: frame %u is free", frame);
	if (++my_hands()->windows > 2)
		sim_fail("mvmh_window_map: a third window");
	return frames[frame];
}

void mvmh_window_unmap(void *window)
{
	if (!host_is_frame(window) || my_hands()->windows-- == 0)
		sim_fail("mvmh_window_unmap: no such window");
}

/* --- Metadata --------------------------------------------------------------------------------- */

static void set_in_use(const void *at, size_t n, bool used)
{
	memset(in_use + ((uintptr_t)at - (uintptr_t)meta) / GRANULE, used, n / GRANULE);
}

void host_check_access(const void *at)
{
	uintptr_t offset = (uintptr_t)at - (uintptr_t)meta;

	if (offset < sizeof meta && !in_use[offset / GRANULE] && !my_hands()->in_slab)
		sim_fail("mm touches a structure that it has given back");
}

void *mvmh_meta_alloc(void)
{
	unsigned page;

	sched_point(POINT_HOOK);
	if (memory.n_meta == META_PAGES)
		return NULL;
	page = find_free(memory.meta_taken, META_PAGES, &memory.next_meta);
	memory.meta_taken[page] = true;
	memory.n_meta++;
	memset(meta[page], 0, MVM_PAGE_BYTES);
	set_in_use(meta[page], MVM_PAGE_BYTES, true);
	return meta[page];
}

void mvmh_meta_free(void *page)
{
	size_t i = (size_t)((char *)page - meta[0]) / MVM_PAGE_BYTES;

	sched_point(POINT_HOOK);
	if (i >= META_PAGES || page != meta[i] || !memory.meta_taken[i])
		sim_fail("mvmh_meta_free: no such page");
	memset(page, JUNK, MVM_PAGE_BYTES);
	set_in_use(page, MVM_PAGE_BYTES, false);
	memory.meta_taken[i] = false;
	memory.n_meta--;
}

static size_t piece_bytes(enum slab_kind kind)
{
	static const size_t bytes[SLAB_N] = {
		[SLAB_NODE] = sizeof(struct node),
		[SLAB_AREA] = sizeof(struct area),
		[SLAB_OBJECT] = sizeof(struct mvm_object),
		[SLAB_SPACE] = sizeof(struct mvm_space),
		[SLAB_HISTORY] = sizeof(struct history),
		[SLAB_JOINT] = sizeof(struct joint),
	};

	return bytes[kind] + GRANULE - 1;
}

#define REAL(name) __real_mvm_i_##name
#define WRAP(name) __wrap_mvm_i_##name

void *REAL(slab_alloc)(enum slab_kind kind);
void *REAL(slab_alloc_some)(enum slab_kind kind, unsigned n);
void REAL(slab_free)(enum slab_kind kind, void *piece);
void *REAL(slab_free_some)(enum slab_kind kind, void *chain, unsigned n);
void REAL(slab_check)(void);
void *WRAP(slab_alloc)(enum slab_kind kind);
void *WRAP(slab_alloc_some)(enum slab_kind kind, unsigned n);
void WRAP(slab_free)(enum slab_kind kind, void *piece);
void *WRAP(slab_free_some)(enum slab_kind kind, void *chain, unsigned n);
void WRAP(slab_check)(void);

void *WRAP(slab_alloc)(enum slab_kind kind)
{
	void *piece;

	my_hands()->in_slab++;
	piece = REAL(slab_alloc)(kind);
	my_hands()->in_slab--;
	if (piece)
		set_in_use(piece, piece_bytes(kind), true);
	return piece;
}

void *WRAP(slab_alloc_some)(enum slab_kind kind, unsigned n)
{
	void *chain;

	my_hands()->in_slab++;
	chain = REAL(slab_alloc_some)(kind, n);
	my_hands()->in_slab--;
	for (void *piece = chain; piece; piece = *(void **)piece)
		set_in_use(piece, piece_bytes(kind), true);
	return chain;
}

void WRAP(slab_free)(enum slab_kind kind, void *piece)
{
	host_check_access(piece);
	set_in_use(piece, piece_bytes(kind), false);
	my_hands()->in_slab++;
	REAL(slab_free)(kind, piece);
	my_hands()->in_slab--;
}

void *WRAP(slab_free_some)(enum slab_kind kind, void *chain, unsigned n)
{
	void *piece = chain, *rest;

	for (unsigned i = 0; i < n; i++, piece = *(void **)piece) {
		host_check_access(piece);
		set_in_use(piece, piece_bytes(kind), false);
	}
	my_hands()->in_slab++;
	rest = REAL(slab_free_some)(kind, chain, n);
	my_hands()->in_slab--;
	return rest;
}

void WRAP(slab_check)(void)
{
	my_hands()->in_slab++;
	REAL(slab_check)();
	my_hands()->in_slab--;
}

/* --- Locks ------------------------------------------------------------------------------------ */

void host_check_free(const char *who)
{
	if (my_hands()->n_held)
		sim_fail("%s: a lock of mm is held", who);
	if (my_hands()->windows)
		sim_fail("%s: a window is open", who);
	if (my_hands()->stays)
		sim_fail("%s: inside mvmh_stay", who);
}

const struct mvmh_lock *host_space_lock(void)
{
	const struct hands *h = my_hands();

	return h->n_held && h->held[0]->rank == MVMH_RANK_SPACE ? h->held[0] : NULL;
}

void mvmh_lock_init(struct mvmh_lock *lock, enum mvmh_rank rank)
{
	*lock = (struct mvmh_lock){.rank = rank};
}

void mvmh_lock(struct mvmh_lock *lock)
{
	struct hands *h = my_hands();

	host_check_access(lock);
	if (h->stays && lock->rank == MVMH_RANK_SPACE)
		sim_fail("mvmh_lock: a space's, inside mvmh_stay");
	for (unsigned i = 0; i < h->n_held; i++) {
		if (h->held[i] == lock)
			sim_fail("mvmh_lock: taken twice");
		if (h->held[i]->rank >= lock->rank)
			sim_fail("mvmh_lock: rank %u after rank %u", lock->rank, h->held[i]->rank);
	}
	sched_point(POINT_LOCK);
	while (lock->owner) {
		sim_trace("waits for lock %p of fiber %u", (void *)lock, lock->owner - 1);
		sched_block("lock", &lock->owner);
	}
	lock->owner = sched_self() + 1;
	h->held[h->n_held++] = lock;
	sim_trace("takes lock %p, rank %u", (void *)lock, lock->rank);
}

static void release(struct mvmh_lock *lock)
{
	struct hands *h = my_hands();
	unsigned i = 0;

	host_check_access(lock);
	while (i < h->n_held && h->held[i] != lock)
		i++;
	if (i == h->n_held)
		sim_fail("mvmh_unlock: not held by this fiber");
	for (h->n_held--; i < h->n_held; i++)
		h->held[i] = h->held[i + 1];
	lock->owner = 0;
	sim_trace("releases lock %p", (void *)lock);
	sched_wake(&lock->owner); /* not the lock's own address, which may be a channel */
}

void mvmh_unlock(struct mvmh_lock *lock)
{
	release(lock);
	sched_point(POINT_LOCK);
}

bool host_stays(void)
{
	return my_hands()->stays;
}

unsigned sim_stay(void)
{
	host_check_free("mvmh_stay");
	my_hands()->stays = true;
	return sched_self();
}

/* Where sim_await() sleeps. */
static char stays_end;

void sim_stay_end(void)
{
	if (!my_hands()->stays || my_hands()->n_held)
		sim_fail("mvmh_stay_end: no stay, or a lock is held");
	my_hands()->stays = false;
	sched_wake(&stays_end);
	sched_point(POINT_HOOK);
}

bool sim_lock_waited(struct mvmh_lock *lock)
{
	host_check_access(lock);
	return sched_concurrent && random_below(&machine.random, 4) < machine.joins;
}

void sim_await(const uint32_t *word)
{
	if (!host_space_lock())
		sim_fail("mvmh_await: the space's lock is not held");
	while (*word)
		sched_block("stay", &stays_end);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static int killed(bool killable)
{
	return killable && my_hands()->dead ? -MVM_EINTR : 0;
}

int mvmh_wait(const void *chan, struct mvmh_lock *lock, bool killable)
{
	struct hands *h = my_hands();

	if (h->n_held != 1 || h->held[0] != lock)
		sim_fail("mvmh_wait: exactly the one lock is to be held");
	if (h->windows)
		sim_fail("mvmh_wait: a window is open");
	if (killed(killable))
		return -MVM_EINTR;
	sim_trace("waits for channel %p", chan);
	release(lock);
	h->sleeps_killable = killable;
	if (random_below(&machine.random, 16) < machine.wake_early)
		sched_point(POINT_HOOK);
	else
		sched_block("channel", chan);
	h->sleeps_killable = false;
	mvmh_lock(lock);
	return killed(killable);
}

void mvmh_wake(const void *chan)
{
	host_check_free("mvmh_wake");
	sched_point(POINT_HOOK);
	sim_trace("wakes channel %p", chan);
	sched_wake(chan);
}

void host_kill(unsigned fiber, bool dead)
{
	hands[fiber].dead = dead;
	if (dead && hands[fiber].sleeps_killable)
		sched_wake_fiber(fiber);
}

bool host_is_dead(void)
{
	return my_hands()->dead;
}

/* --- Odds and ends ---------------------------------------------------------------------------- */

unsigned mvmh_cpu(void)
{
	return sched_self();
}

uint64_t mvmh_now(void)
{
	return sched_points();
}

uint64_t mvmh_entropy(void)
{
	return random_next(&machine.random);
}

void mvmh_log(const char *line)
{
	printf("# %s\n", line);
}

void mvmh_panic(const char *why)
{
	sim_fail("panic: %s", why);
}
