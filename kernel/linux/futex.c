// SPDX-License-Identifier: MIT
/*
 * Futexes: threads that wait until a word of memory changes.
 *
 * A lock of the C library is a word in user memory. Who gets it free of others makes no system
 * call; who must wait says so in the word, and calls FUTEX_WAIT with the value that it saw; who
 * lets the lock go and sees that somebody waits calls FUTEX_WAKE. The kernel keeps nothing between
 * the calls but those who wait.
 *
 *	key ---hash---> bucket: lock, list of waiters (first come, first woken)
 *	                             waiter: key, bit set, thread   (on its thread's stack)
 *
 * Identity.  A key says which word it is (mm/vm.h): space and address, or, of memory that others
 * may map too, object and offset. FUTEX_PRIVATE_FLAG promises that nobody else does, and spares the
 * look at the areas. A waiter keeps the object of its key, which so is no other's meanwhile.
 *
 * No wake-up is lost.  A waiter enters the queue, looks at the word, and leaves again if it has
 * changed; a waker has changed the word before it looks at the queue. A full fence stands between
 * the two steps of each: one of them sees the other. The waiter holds the bucket's lock over its
 * steps, so that whoever is found in a queue really waits, and no wake-up is spent on one who does
 * not. The word is read with faults off for that; where the page is missing, the lock is dropped,
 * the page brought in, and all begins anew.
 *
 * Leaving.  A waker takes the waiter out, marks it woken, makes its thread runnable and last clears
 * its bucket, all under the lock. A waiter goes on only when its bucket is cleared, or after it
 * took itself out: till then others look at its stack. FUTEX_REQUEUE moves it to another bucket
 * under the locks of both, so who has locked the bucket that a waiter names looks again whether it
 * still does.
 *
 * The buckets are as many as memory is large; the waiters, as they bring their own place, any
 * number. Refused with ENOSYS: the priority-inheriting operations, which need an owner that the
 * scheduler knows.
 */
#include <abi/errno.h>
#include <abi/futex.h>
#include <arch/cpu.h>
#include <kernel/frames.h>
#include <kernel/futex.h>
#include <kernel/list.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include <kernel/vmspace.h>

/* Threads' stacks may be a sixteenth of memory: so many that four wait in a bucket if all wait. */
#define BYTES_A_BUCKET (1UL << 20)
#define LEAST_BUCKETS  256

struct bucket {
	struct spinlock lock; /* RANK_FUTEX */
	struct list waiters;  /* [lock] looked at without it only whether it is empty */
};

/* [b]: lock of its bucket; [I]: immutable */
struct futex_waiter {
	struct list link;      /* [b] */
	struct bucket *bucket; /* [b] of both when it changes; NULL: nobody looks at it any more */
	struct mvm_key key;    /* [b] its object is referenced */
	struct thread *thread; /* [I] */
	uint32_t bitset;       /* [I] */
	bool woken;            /* [a] */
};

static struct bucket *buckets;
static unsigned hash_shift; /* 64 - the logarithm of their number */

void futex_init(void)
{
	size_t n = LEAST_BUCKETS;

	hash_shift = 56;
	while (n * BYTES_A_BUCKET < frames_total() * PAGE_SIZE) {
		n *= 2;
		hash_shift--;
	}
	paddr_t at = frames_take_end(n * sizeof(struct bucket));
	if (!at)
		panic("no memory for futexes");
	buckets = phys_to_virt(at);
	for (size_t i = 0; i < n; i++) {
		spin_init(&buckets[i].lock, "futex", RANK_FUTEX);
		list_init(&buckets[i].waiters);
	}
}

/* --- Keys and buckets ------------------------------------------------------------------------- */

/* In the key of private memory: as on Linux, the promise is part of the identity. */
#define NOT_CALLED_PRIVATE 1

static int key_get_shared(struct mvm_space *space, uaddr_t word, struct mvm_key *key)
{
	int err = mvm_futex_key(space, word.addr, key);

	if (!err && !key->object)
		key->where |= NOT_CALLED_PRIVATE;
	return err;
}

/* After success key_put() is owed.  -EINVAL (not aligned), -EFAULT. */
static inline int key_get(uaddr_t word, bool shared, struct mvm_key *key)
{
	struct mvm_space *space = process_current()->vm->space;

	if (word.addr % sizeof(uint32_t))
		return -EINVAL;
	if (!user_range_ok(word.addr, sizeof(uint32_t)))
		return -EFAULT;
	*key = (struct mvm_key){.what = space, .where = word.addr};
	return shared ? key_get_shared(space, word, key) : 0;
}

static inline void key_put(struct mvm_key *key)
{
	if (key->object)
		mvm_object_unref(key->object);
}

static bool same_key(const struct mvm_key *a, const struct mvm_key *b)
{
	return a->where == b->where && a->what == b->what;
}

/* Fibonacci hashing: the top bits of the product. */
static struct bucket *bucket_of(const struct mvm_key *key)
{
	const uint64_t factor = 0x9e3779b97f4a7c15UL;

	return &buckets[((uint64_t)key->what ^ key->where * factor) * factor >> hash_shift];
}

/* By address, so that nobody waits for both in a circle. */
static void lock_two(struct bucket *a, struct bucket *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock_nested(a < b ? &b->lock : &a->lock);
}

static void unlock_two(struct bucket *a, struct bucket *b)
{
	if (a != b)
		spin_unlock(&b->lock);
	spin_unlock(&a->lock);
}

/* --- The word --------------------------------------------------------------------------------- */

/* A bucket is locked: -EFAULT means that the page must be brought in first. */
static int load_locked(uaddr_t word, uint32_t *value)
{
	thread_faults_off();
	int err = user_load32((const void *)word.addr, value);
	thread_faults_on();
	return err;
}

static int bring_in(uaddr_t word, unsigned access)
{
	return vmspace_prefault(process_current()->vm, word.addr, sizeof(uint32_t), access);
}

/* --- Waking ----------------------------------------------------------------------------------- */

static void wake_waiter(struct futex_waiter *w)
{
	list_remove(&w->link);
	__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
	thread_wakeup(w->thread);
	__atomic_store_n(&w->bucket, NULL, __ATOMIC_RELEASE);
}

/* The bucket is locked.  As on Linux, one is woken also where the caller says "none". */
static int wake_locked(struct bucket *b, const struct mvm_key *key, int most, uint32_t bitset)
{
	int n = 0;

	list_for_each_safe (node, &b->waiters) {
		struct futex_waiter *w = list_entry(node, struct futex_waiter, link);
		if (!same_key(&w->key, key) || !(w->bitset & bitset))
			continue;
		wake_waiter(w);
		if (++n >= most)
			break;
	}
	return n;
}

static int wake(const struct mvm_key *key, int most, uint32_t bitset)
{
	struct bucket *b = bucket_of(key);

	fence_full(); /* the word was changed, then the queue is looked at */
	if (__atomic_load_n(&b->waiters.next, __ATOMIC_RELAXED) == &b->waiters)
		return 0;
	spin_lock(&b->lock);
	int n = wake_locked(b, key, most, bitset);
	spin_unlock(&b->lock);
	return n;
}

static inline long futex_wake(uaddr_t word, bool shared, int most, uint32_t bitset)
{
	struct mvm_key key;

	if (!bitset)
		return -EINVAL;
	int err = key_get(word, shared, &key);
	if (err)
		return err;
	int n = wake(&key, most, bitset);
	key_put(&key);
	return n;
}

void futex_wake_shared(uaddr_t word)
{
	(void)futex_wake(word, true, 1, FUTEX_BITSET_MATCH_ANY);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/*
 * Queue w, about to sleep, if the word has the value.  -EAGAIN if not, -EFAULT, -EINTR: w is in no
 * queue.
 */
static int enter(struct futex_waiter *w, uaddr_t word, uint32_t expected)
{
	struct bucket *b = bucket_of(&w->key);
	uint32_t value;

	for (;;) {
		spin_lock(&b->lock);
		w->bucket = b;
		list_push_back(&b->waiters, &w->link);
		fence_full(); /* the queue was entered, then the word is looked at */
		int err = load_locked(word, &value);
		if (!err && value == expected)
			break;
		list_remove(&w->link);
		spin_unlock(&b->lock);
		if (!err)
			return -EAGAIN;
		err = bring_in(word, MVM_READ);
		if (err)
			return err;
	}
	thread_prepare_sleep();
	spin_unlock(&b->lock);
	return 0;
}

/* True: w was still queued, hence nobody woke it. */
static bool leave(struct futex_waiter *w)
{
	struct bucket *b;

	while ((b = __atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE)) != NULL) {
		spin_lock(&b->lock);
		bool queued = w->bucket == b;
		if (queued) {
			list_remove(&w->link);
			w->bucket = NULL;
		}
		spin_unlock(&b->lock);
		if (queued)
			return true;
	}
	return false;
}

/* Until woken: 0; else -EINTR or -ETIMEDOUT. */
static int sleep_queued(struct futex_waiter *w, uint64_t deadline)
{
	int err = 0;

	while (!err && !__atomic_load_n(&w->woken, __ATOMIC_ACQUIRE)) {
		err = thread_block(SLEEP_INTERRUPTIBLE, deadline);
		thread_prepare_sleep();
	}
	thread_finish_sleep();
	return leave(w) ? err : 0;
}

static int wait(uaddr_t word, bool shared, uint32_t expected, uint64_t deadline, uint32_t bitset)
{
	struct futex_waiter w = {.thread = thread_current(), .bitset = bitset};
	int err = key_get(word, shared, &w.key);

	if (err)
		return err;
	err = enter(&w, word, expected);
	if (!err)
		err = sleep_queued(&w, deadline);
	key_put(&w.key);
	return err;
}

/* A wait that a signal without handler interrupts goes on, to the same moment. */
static long futex_wait(
	uaddr_t word, bool shared, uint32_t expected, uint64_t deadline, uint32_t bitset)
{
	if (!bitset)
		return -EINVAL;
	deadline = syscall_deadline(deadline);
	int err = wait(word, shared, expected, deadline, bitset);
	if (err != -EINTR)
		return err;
	if (deadline == NO_DEADLINE)
		return syscall_restart(RESTART_SA);
	return syscall_restart_until(RESTART_SILENTLY, deadline);
}

/* --- Moving waiters from one word to another -------------------------------------------------- */

/* Both buckets are locked.  The waiter gives a reference to its old object to the caller. */
static void move(struct futex_waiter *w, struct bucket *to, const struct mvm_key *key)
{
	if (key->object)
		mvm_object_ref(key->object);
	w->key = *key;
	if (w->bucket == to)
		return;
	list_remove(&w->link);
	list_push_back(&to->waiters, &w->link);
	__atomic_store_n(&w->bucket, to, __ATOMIC_RELEASE);
}

/* Both buckets are locked.  How many were woken or moved; *moved of them moved. */
static int requeue_locked(
	const struct mvm_key *from, const struct mvm_key *to, int wakes, int moves, int *moved)
{
	struct bucket *a = bucket_of(from), *b = bucket_of(to);
	int n = 0;

	*moved = 0;
	list_for_each_safe (node, &a->waiters) {
		struct futex_waiter *w = list_entry(node, struct futex_waiter, link);
		if (!same_key(&w->key, from))
			continue;
		if (n - wakes >= moves)
			break;
		if (n++ < wakes) {
			wake_waiter(w);
		} else {
			move(w, b, to);
			++*moved;
		}
	}
	return n;
}

static long requeue_keys(struct mvm_key *from, struct mvm_key *to, uaddr_t word, int wakes,
	int moves, const uint32_t *expected)
{
	struct bucket *a = bucket_of(from), *b = bucket_of(to);
	long result = 0;
	uint32_t value;
	int moved = 0;

	for (;;) {
		lock_two(a, b);
		int err = expected ? load_locked(word, &value) : 0;
		if (!err && expected && value != *expected)
			result = -EAGAIN;
		else if (!err)
			result = requeue_locked(from, to, wakes, moves, &moved);
		unlock_two(a, b);
		if (!err)
			break;
		err = bring_in(word, MVM_READ);
		if (err)
			return err;
	}
	while (moved--)
		key_put(from);
	return result;
}

/* expected: NULL does not compare. */
static long futex_requeue(
	uaddr_t word, uaddr_t word2, bool shared, int wakes, int moves, const uint32_t *expected)
{
	struct mvm_key from, to;

	if (wakes < 0 || moves < 0)
		return -EINVAL;
	long result = key_get(word, shared, &from);
	if (result)
		return result;
	result = key_get(word2, shared, &to);
	if (!result) {
		result = requeue_keys(&from, &to, word, wakes, moves, expected);
		key_put(&to);
	}
	key_put(&from);
	return result;
}

static long futex_requeue_if(
	uaddr_t word, uaddr_t word2, bool shared, int wakes, int moves, uint32_t expected)
{
	return futex_requeue(word, word2, shared, wakes, moves, &expected);
}

/* --- Waking after an operation on a second word ----------------------------------------------- */

struct word_op {
	unsigned op, compare;
	int operand, comparand;
};

static int sign_extend_12(uint32_t bits)
{
	return (int32_t)(bits << 20) >> 20;
}

/* -ENOSYS: not an operation. */
static int decode_op(uint32_t encoded, struct word_op *o)
{
	o->op = encoded >> 28 & 7;
	o->compare = encoded >> 24 & 15;
	o->operand = sign_extend_12(encoded >> 12);
	o->comparand = sign_extend_12(encoded);
	if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
		o->operand = (int)(1u << (o->operand & 31));
	return o->op > FUTEX_OP_XOR || o->compare > FUTEX_OP_CMP_GE ? -ENOSYS : 0;
}

static uint32_t apply(const struct word_op *o, uint32_t old)
{
	uint32_t operand = (uint32_t)o->operand;

	switch (o->op) {
	case FUTEX_OP_SET:
		return operand;
	case FUTEX_OP_ADD:
		return old + operand;
	case FUTEX_OP_OR:
		return old | operand;
	case FUTEX_OP_ANDN:
		return old & ~operand;
	default:
		return old ^ operand;
	}
}

static bool compare(const struct word_op *o, int old)
{
	switch (o->compare) {
	case FUTEX_OP_CMP_EQ:
		return old == o->comparand;
	case FUTEX_OP_CMP_NE:
		return old != o->comparand;
	case FUTEX_OP_CMP_LT:
		return old < o->comparand;
	case FUTEX_OP_CMP_LE:
		return old <= o->comparand;
	case FUTEX_OP_CMP_GT:
		return old > o->comparand;
	default:
		return old >= o->comparand;
	}
}

/* Buckets are locked.  -EFAULT: bring the page in. */
static int operate_locked(const struct word_op *o, uaddr_t word, uint32_t *old)
{
	uint32_t expected;
	int err = load_locked(word, old);

	thread_faults_off();
	do {
		expected = *old;
		if (!err)
			err = user_swap_if32((void *)word.addr, expected, apply(o, expected), old);
	} while (!err && *old != expected);
	thread_faults_on();
	return err;
}

static long wake_op_keys(const struct mvm_key *key, const struct mvm_key *key2, uaddr_t word2,
	const struct word_op *o, int most, int most2)
{
	struct bucket *a = bucket_of(key), *b = bucket_of(key2);
	uint32_t old;

	for (;;) {
		int n = 0;
		lock_two(a, b);
		int err = operate_locked(o, word2, &old);
		if (!err)
			n = wake_locked(a, key, most, FUTEX_BITSET_MATCH_ANY);
		if (!err && compare(o, (int)old))
			n += wake_locked(b, key2, most2, FUTEX_BITSET_MATCH_ANY);
		unlock_two(a, b);
		if (!err)
			return n;
		err = bring_in(word2, MVM_WRITE);
		if (err)
			return err;
	}
}

static long futex_wake_op(
	uaddr_t word, uaddr_t word2, bool shared, int most, int most2, uint32_t encoded)
{
	struct mvm_key key, key2;
	struct word_op o;

	long result = key_get(word, shared, &key);
	if (result)
		return result;
	result = key_get(word2, shared, &key2);
	if (!result) {
		result = decode_op(encoded, &o);
		if (!result)
			result = wake_op_keys(&key, &key2, word2, &o, most, most2);
		key_put(&key2);
	}
	key_put(&key);
	return result;
}

/* --- The call --------------------------------------------------------------------------------- */

static bool is_shared(unsigned op)
{
	return !(op & FUTEX_PRIVATE_FLAG);
}

/* FUTEX_WAIT's time is a duration, FUTEX_WAIT_BITSET's a moment. */
static int wait_deadline(unsigned op, uaddr_t timeout, uint64_t *deadline)
{
	if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT)
		return deadline_of_user(timeout, deadline);
	return deadline_of_user_moment(timeout, op & FUTEX_CLOCK_REALTIME, deadline);
}

static long futex_wait_for(
	uaddr_t word, unsigned op, uint32_t expected, uaddr_t timeout, uint32_t bitset)
{
	uint64_t deadline = NO_DEADLINE;
	int err = uaddr_is_null(timeout) ? 0 : wait_deadline(op, timeout, &deadline);

	return err ? err : futex_wait(word, is_shared(op), expected, deadline, bitset);
}

/* The operations that are called most come first, and what they need is theirs to find out. */
long sys_futex(uaddr_t word, unsigned long operation, unsigned long value, uaddr_t timeout,
	uaddr_t word2, unsigned long value3)
{
	unsigned op = (unsigned)operation, command = op & FUTEX_CMD_MASK;
	int n = (int)value, n2 = (int)timeout.addr; /* of who takes no timeout */
	uint32_t last = (uint32_t)value3;

	if ((op & FUTEX_CLOCK_REALTIME) && command != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	if (command == FUTEX_WAKE)
		return futex_wake(word, is_shared(op), n, FUTEX_BITSET_MATCH_ANY);
	if (command == FUTEX_WAIT)
		return futex_wait_for(word, op, (uint32_t)value, timeout, FUTEX_BITSET_MATCH_ANY);
	switch (command) {
	case FUTEX_WAIT_BITSET:
		return futex_wait_for(word, op, (uint32_t)value, timeout, last);
	case FUTEX_WAKE_BITSET:
		return futex_wake(word, is_shared(op), n, last);
	case FUTEX_REQUEUE:
		return futex_requeue(word, word2, is_shared(op), n, n2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue_if(word, word2, is_shared(op), n, n2, last);
	case FUTEX_WAKE_OP:
		return futex_wake_op(word, word2, is_shared(op), n, n2, last);
	default:
		return -ENOSYS;
	}
}
