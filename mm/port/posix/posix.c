// SPDX-License-Identifier: MIT
/*
 * The machine of posix.h: frames, locks and waiting.  Translation is in posix_pmap.c.
 */
#include "posix_internal.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define N_CHANNELS 64
#define JUNK       0xa5

struct posix_thread {
	unsigned hart;
	unsigned windows;
	unsigned asks_left; /* of mvmh_killed(), until it dies; 0: it does not */
	unsigned n_locks;
	struct mvmh_lock *locks[4];
};

/* One of the hashed places to wait at. */
struct channel {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
};

static struct {
	char *memory;
	size_t n_frames;

	pthread_mutex_t mutex; /* of all below, down to n_harts */
	uint32_t *free_stack;
	size_t n_free, n_meta, limit;
	unsigned char *taken; /* a byte a frame */
	unsigned n_harts;

	bool dead[MVMH_MAX_HARTS]; /* [a] */
	struct channel channels[N_CHANNELS];
	posix_word_t random; /* [a] */
	void (*writeback_wanted)(bool now);
	void (*starved)(void);
	void (*before_wait)(void);
	void (*log)(const char *line);
} machine = {.mutex = PTHREAD_MUTEX_INITIALIZER, .random = 1};

static struct failure {
	posix_word_t requests, nth; /* [a] */
	bool for_good;
} failures[POSIX_FAILURES];

/* More threads than harts share harts, but not inside a stay. */
static pthread_mutex_t stays[MVMH_MAX_HARTS];

static __thread struct posix_thread self = {.hart = ~0u};
__thread const struct mvmh_pmap *posix_code_of;

/*
 * Harts may race about the bytes of simulated memory, with each other and with write-back: that is
 * their programs' affair.  ThreadSanitizer is to watch mm's own structures.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAVE_TSAN 1
void AnnotateBenignRaceSized(
	const char *file, int line, const volatile void *start, size_t bytes, const char *why);
#endif
#endif

static void races_are_benign(void *start, size_t bytes)
{
#ifdef HAVE_TSAN
	AnnotateBenignRaceSized(__FILE__, __LINE__, start, bytes, "simulated memory");
#else
	(void)start, (void)bytes;
#endif
}

/* --- Life ----------------------------------------------------------------------------------- */

void posix_start(size_t n_frames)
{
	size_t bytes = n_frames << MVM_PAGE_SHIFT;

	if (machine.memory)
		mvmh_panic("posix_start: called twice");
	machine.memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	machine.free_stack = calloc(n_frames, sizeof *machine.free_stack);
	machine.taken = calloc(n_frames, 1);
	if (machine.memory == MAP_FAILED || !machine.free_stack || !machine.taken)
		mvmh_panic("posix_start: no memory for the machine");
	races_are_benign(machine.memory, bytes);
	machine.n_frames = machine.n_free = machine.limit = n_frames;
	for (size_t i = 0; i < n_frames; i++)
		machine.free_stack[i] = (uint32_t)(n_frames - 1 - i);
	for (unsigned i = 0; i < N_CHANNELS; i++) {
		pthread_mutex_init(&machine.channels[i].mutex, NULL);
		pthread_cond_init(&machine.channels[i].cond, NULL);
	}
	for (unsigned i = 0; i < MVMH_MAX_HARTS; i++)
		pthread_mutex_init(&stays[i], NULL);
	posix_tlb_init();
}

unsigned posix_hart(void)
{
	if (self.hart == ~0u) {
		pthread_mutex_lock(&machine.mutex);
		self.hart = machine.n_harts % MVMH_MAX_HARTS; /* more threads share harts */
		__atomic_store_n(&machine.n_harts, machine.n_harts + 1, __ATOMIC_RELEASE);
		pthread_mutex_unlock(&machine.mutex);
	}
	return self.hart;
}

unsigned posix_harts(void)
{
	unsigned n = __atomic_load_n(&machine.n_harts, __ATOMIC_ACQUIRE);

	return n < MVMH_MAX_HARTS ? n : MVMH_MAX_HARTS;
}

uint64_t posix_random(void)
{
	uint64_t z =
		__atomic_add_fetch(&machine.random, UINT64_C(0x9e3779b97f4a7c15), __ATOMIC_RELAXED);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9); /* splitmix64 */
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void posix_seed(uint64_t seed)
{
	__atomic_store_n(&machine.random, seed, __ATOMIC_RELAXED);
}

/* --- Planned failures ------------------------------------------------------------------------ */

void posix_fail(enum posix_failure what, uint64_t nth, bool for_good)
{
	failures[what].for_good = for_good;
	__atomic_store_n(&failures[what].requests, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&failures[what].nth, nth, __ATOMIC_SEQ_CST);
}

uint64_t posix_requests(enum posix_failure what)
{
	return __atomic_load_n(&failures[what].requests, __ATOMIC_SEQ_CST);
}

bool posix_must_fail(enum posix_failure what)
{
	struct failure *f = &failures[what];
	uint64_t request = __atomic_add_fetch(&f->requests, 1, __ATOMIC_SEQ_CST);
	uint64_t nth = __atomic_load_n(&f->nth, __ATOMIC_SEQ_CST);

	return nth && (f->for_good ? request >= nth : request == nth);
}

/* --- Frames and metadata --------------------------------------------------------------------- */

void *posix_frame_data(mvm_frame_t frame)
{
	return machine.memory + ((size_t)frame << MVM_PAGE_SHIFT);
}

bool posix_frame_taken(mvm_frame_t frame)
{
	return frame < machine.n_frames && __atomic_load_n(&machine.taken[frame], __ATOMIC_ACQUIRE);
}

/*
 * The first of n frames side by side, aligned, of which none is taken; MVM_NO_FRAME: there are
 * none.
 */
static mvm_frame_t find_block(size_t n)
{
	for (size_t frame = 0; frame + n <= machine.n_frames; frame += n) {
		if (!memchr(&machine.taken[frame], 1, n))
			return (mvm_frame_t)frame;
	}
	return MVM_NO_FRAME;
}

/* Locked. */
static void take_block(mvm_frame_t first, size_t n)
{
	size_t kept = n == 1 ? machine.n_free - 1 : 0; /* the last one, mostly */

	for (size_t i = kept; i < machine.n_free; i++) {
		if (machine.free_stack[i] - first >= n)
			machine.free_stack[kept++] = machine.free_stack[i];
	}
	machine.n_free = kept;
}

mvm_frame_t mvmh_frame_alloc(unsigned order)
{
	mvm_frame_t frame = MVM_NO_FRAME;
	size_t n = (size_t)1 << order;

	posix_perhaps_forget();
	if (posix_must_fail(POSIX_FAIL_FRAME))
		return MVM_NO_FRAME;
	pthread_mutex_lock(&machine.mutex);
	if (machine.n_free >= machine.n_frames - machine.limit + n)
		frame = order ? find_block(n) : machine.free_stack[machine.n_free - 1];
	if (frame != MVM_NO_FRAME) {
		take_block(frame, n);
		for (size_t i = 0; i < n; i++)
			__atomic_store_n(&machine.taken[frame + i], 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&machine.mutex);
	if (frame != MVM_NO_FRAME)
		memset(posix_frame_data(frame), JUNK, n << MVM_PAGE_SHIFT);
	return frame;
}

void mvmh_frame_free(mvm_frame_t first, unsigned order)
{
	mvm_frame_t end = first + ((mvm_frame_t)1 << order);

	if (first & (end - first - 1))
		mvmh_panic("mvmh_frame_free: a block that is not aligned");
	for (mvm_frame_t frame = first; frame < end; frame++) {
		if (!posix_frame_taken(frame))
			mvmh_panic("mvmh_frame_free: the frame is free");
		posix_tlb_check_gone(frame);
	}
	pthread_mutex_lock(&machine.mutex);
	for (mvm_frame_t frame = first; frame < end; frame++) {
		__atomic_store_n(&machine.taken[frame], 0, __ATOMIC_RELEASE);
		machine.free_stack[machine.n_free++] = frame;
	}
	pthread_mutex_unlock(&machine.mutex);
}

void posix_limit_frames(size_t n_frames)
{
	machine.limit = n_frames < machine.n_frames ? n_frames : machine.n_frames;
}

size_t posix_frames_used(void)
{
	return machine.n_frames - __atomic_load_n(&machine.n_free, __ATOMIC_RELAXED);
}

size_t mvmh_frame_count(size_t *total)
{
	size_t used = posix_frames_used();

	if (total)
		*total = machine.limit;
	return used < machine.limit ? machine.limit - used : 0;
}

void *mvmh_window_map(mvm_frame_t frame)
{
	posix_perhaps_forget();
	if (!posix_frame_taken(frame))
		mvmh_panic("mvmh_window_map: the frame is free");
	if (++self.windows > 2)
		mvmh_panic("mvmh_window_map: a third window");
	posix_code_of = NULL;
	return posix_frame_data(frame);
}

void mvmh_window_unmap(void *window)
{
	if (!window || self.windows-- == 0)
		mvmh_panic("mvmh_window_unmap: no such window");
}

void *mvmh_meta_alloc(void)
{
	void *page = NULL;

	if (posix_must_fail(POSIX_FAIL_META))
		return NULL;
	if (posix_memalign(&page, MVM_PAGE_BYTES, MVM_PAGE_BYTES) != 0)
		return NULL;
	memset(page, 0, MVM_PAGE_BYTES);
	__atomic_add_fetch(&machine.n_meta, 1, __ATOMIC_RELAXED);
	return page;
}

void mvmh_meta_free(void *page)
{
	__atomic_sub_fetch(&machine.n_meta, 1, __ATOMIC_RELAXED);
	free(page);
}

size_t posix_meta_used(void)
{
	return __atomic_load_n(&machine.n_meta, __ATOMIC_RELAXED);
}

/* --- Locks and waiting ------------------------------------------------------------------------ */

void mvmh_lock_init(struct mvmh_lock *lock, enum mvmh_rank rank)
{
	pthread_mutex_init(&lock->mutex, NULL);
	lock->rank = rank;
}

void mvmh_lock(struct mvmh_lock *lock)
{
	if (self.n_locks && self.locks[self.n_locks - 1]->rank >= lock->rank)
		mvmh_panic("mvmh_lock: against the order of ranks");
	pthread_mutex_lock(&lock->mutex);
	self.locks[self.n_locks++] = lock;
	posix_perhaps_forget();
}

void mvmh_unlock(struct mvmh_lock *lock)
{
	unsigned i = self.n_locks;

	while (i && self.locks[i - 1] != lock)
		i--;
	if (i == 0)
		mvmh_panic("mvmh_unlock: not locked by this thread");
	for (; i < self.n_locks; i++)
		self.locks[i - 1] = self.locks[i];
	if (--self.n_locks == 0)
		posix_code_of = NULL;
	pthread_mutex_unlock(&lock->mutex);
}

void posix_check_unlocked(const char *who)
{
	if (self.n_locks)
		mvmh_panic(who);
}

unsigned posix_stay(void)
{
	posix_check_unlocked("mvmh_stay: a lock of mm is held");
	pthread_mutex_lock(&stays[posix_hart()]);
	return posix_hart();
}

void posix_stay_end(void)
{
	posix_check_unlocked("mvmh_stay_end: a lock of mm is held");
	pthread_mutex_unlock(&stays[posix_hart()]);
}

/* On this machine always, as soon as there could be somebody: so what comes of it is tested. */
bool posix_lock_waited(struct mvmh_lock *lock)
{
	(void)lock;
	return posix_harts() > 1;
}

void posix_await(const uint32_t *word)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE))
		sched_yield();
}

static struct channel *channel_of(const void *chan)
{
	uint64_t h = (uintptr_t)chan * UINT64_C(0x9e3779b97f4a7c15);

	return &machine.channels[h >> 58];
}

static bool must_die(void)
{
	return __atomic_load_n(&machine.dead[posix_hart()], __ATOMIC_ACQUIRE);
}

void posix_die_when_asked(unsigned nth)
{
	self.asks_left = nth;
}

bool posix_killed(void)
{
	posix_check_unlocked("mvmh_killed: a lock of mm is held");
	if (self.asks_left && --self.asks_left == 0)
		posix_kill(posix_hart(), true);
	return must_die();
}

int mvmh_wait(const void *chan, struct mvmh_lock *lock, bool killable)
{
	struct channel *c = channel_of(chan);

	if (self.n_locks != 1 || self.locks[0] != lock)
		mvmh_panic("mvmh_wait: exactly the one lock is to be held");
	if (self.windows)
		mvmh_panic("mvmh_wait: a window is open");
	if (machine.before_wait)
		machine.before_wait();
	pthread_mutex_lock(&c->mutex); /* a waker needs it: no wake-up falls in between */
	if (killable && must_die()) {
		pthread_mutex_unlock(&c->mutex);
		return -MVM_EINTR;
	}
	mvmh_unlock(lock);
	pthread_cond_wait(&c->cond, &c->mutex);
	pthread_mutex_unlock(&c->mutex);
	mvmh_lock(lock);
	return killable && must_die() ? -MVM_EINTR : 0;
}

void mvmh_wake(const void *chan)
{
	struct channel *c = channel_of(chan);

	posix_check_unlocked("mvmh_wake: a lock of mm is held");
	pthread_mutex_lock(&c->mutex);
	pthread_cond_broadcast(&c->cond);
	pthread_mutex_unlock(&c->mutex);
}

void posix_kill(unsigned hart, bool dead)
{
	__atomic_store_n(&machine.dead[hart], dead, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < N_CHANNELS; i++) {
		pthread_mutex_lock(&machine.channels[i].mutex);
		pthread_cond_broadcast(&machine.channels[i].cond);
		pthread_mutex_unlock(&machine.channels[i].mutex);
	}
}

/* --- Odds and ends ---------------------------------------------------------------------------- */

unsigned mvmh_cpu(void)
{
	return posix_hart();
}

uint64_t mvmh_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t mvmh_entropy(void)
{
	return posix_random();
}

void posix_on_log(void (*fn)(const char *line))
{
	machine.log = fn;
}

void mvmh_log(const char *line)
{
	if (machine.log)
		machine.log(line);
	else
		fprintf(stderr, "%s\n", line);
}

void mvmh_panic(const char *why)
{
	fprintf(stderr, "panic: %s\n", why);
	abort();
}

void posix_on_wait(void (*fn)(void))
{
	machine.before_wait = fn;
}

void posix_on_starved(void (*fn)(void))
{
	machine.starved = fn;
}

void posix_starved(void)
{
	posix_check_unlocked("mvmh_starved: a lock of mm is held");
	if (machine.starved)
		machine.starved();
	else
		sched_yield();
}

void posix_on_writeback_wanted(void (*fn)(bool now))
{
	machine.writeback_wanted = fn;
}

void posix_writeback_wanted(bool now)
{
	posix_check_unlocked("mvmh_writeback_wanted: a lock of mm is held");
	if (machine.writeback_wanted)
		machine.writeback_wanted(now);
}
