// SPDX-License-Identifier: MIT
/*
 * /proc/strace: a stream of the system calls of other processes.
 *
 *	tracer: open, write "PID", read, read ...        traced: enter -> handler -> exit
 *	            |                                                |                  |
 *	            +------ struct strace: a ring of records <------+------------------+
 *
 * Each open file is a stream of its own, with a ring between those who are traced and the one who
 * reads. Who finds the ring full waits until the tracer has read, and can be killed meanwhile. So a
 * tracer that stops reading stops who it traces; when it closes the file, or ends, they go on
 * untraced. Only who is ending waits for nobody: the end of the ring is kept for that record, and
 * what still does not fit is the one thing that is lost.
 *
 * A record says what the pointers of a call point to, which the tracer could not look at: strings
 * whole, of other memory the first bytes, by the kinds of the table of calls (abi/syscalls.def). It
 * is read when the call begins and what the call wrote when it ends, so another thread may have
 * changed it, as with every tracer.
 *
 * A process is traced from when it makes its next call. Its new threads are, and its children if
 * the tracer follows. It reads as the end of the file when no traced process is left. Who executes
 * a program with more rights is traced no longer. Nobody else pays: threads that are traced have a
 * bit set that the trap entry looks at anyway (syscall_traced).
 *
 * Locks: strace.lock is taken alone, but that of a process is held while it gets or loses its
 * stream.
 */
#include <abi/errno.h>
#include <abi/strace.h>
#include <abi/syscall.h>
#include <arch/trap.h>
#include <kernel/kmem.h>
#include <kernel/strace.h>
#include <kernel/thread.h>
#include <kernel/time.h>
#include <kernel/uaccess.h>

#include "procfs/procfs.h"

#define RING_BYTES (64u << 10)
#define KEPT_BYTES (4u << 10) /* of these, for processes that end */

/* [l] lock; [I] immutable; [a] atomic */
struct strace {
	struct spinlock lock; /* RANK_PIPE */
	uint32_t refs;        /* [a] the file's, and one of each process */
	bool follow;          /* [a] children too */
	bool closed;          /* [l] nobody will read */
	unsigned processes;   /* [l] that are traced */
	uint64_t head, tail;  /* [l] bytes read and written so far; only the reader moves head */
	struct waitq readable, writable;
	char ring[RING_BYTES];
};

static void stream_put(struct strace *s)
{
	if (s && __atomic_fetch_sub(&s->refs, 1, __ATOMIC_ACQ_REL) == 1)
		kfree(s);
}

/* --- Records ---------------------------------------------------------------------------------- */

enum shown { NOTHING, STRING, READ, WRITTEN, BOTH };

#define SHOWN_FD    NOTHING
#define SHOWN_PID   NOTHING
#define SHOWN_SIG   NOTHING
#define SHOWN_INT   NOTHING
#define SHOWN_UINT  NOTHING
#define SHOWN_FLAGS NOTHING
#define SHOWN_MODE  NOTHING
#define SHOWN_LONG  NOTHING
#define SHOWN_SIZE  NOTHING
#define SHOWN_OFF   NOTHING
#define SHOWN_ADDR  NOTHING
#define SHOWN_PATH  STRING
#define SHOWN_STR   STRING
#define SHOWN_IN    READ
#define SHOWN_OUT   WRITTEN
#define SHOWN_INOUT BOTH

static const uint8_t shown_of[SYSCALL_SLOTS][STRACE_ARGS] = {
#define NO_ARGS               NOTHING
#define ARG(kind, type, name) SHOWN_##kind
#define SYSCALL(name, ...)    [SYS_##name] = {__VA_ARGS__},
#include <abi/syscalls.def>
};

struct record {
	struct strace_record head;
	char shown[STRACE_ARGS * STRACE_STRING];
};

_Static_assert(sizeof(struct record) == STRACE_RECORD_MAX, "what is shown follows at once");

static void record_begin(struct record *r, enum strace_event event, unsigned long number)
{
	struct task *t = task_current();

	__builtin_memset(&r->head, 0, sizeof r->head);
	r->head.bytes = sizeof r->head;
	r->head.event = event;
	r->head.pid = t->process->nr;
	r->head.tid = t->pid->nr;
	r->head.time_ns = time_now_ns();
	r->head.number = number;
}

/* As much as can be read of a string, cut off at STRACE_STRING bytes. */
static size_t look_at_string(char *to, uaddr_t from)
{
	long n = copy_in_string(to, from, STRACE_STRING);

	return n == -ENAMETOOLONG ? STRACE_STRING : n < 0 ? 0 : (size_t)n + 1;
}

/* Memory may end soon behind a small structure: less is tried then. */
static size_t look_at_memory(char *to, uaddr_t from)
{
	for (size_t n = STRACE_MEMORY; n >= sizeof(int32_t); n /= 2)
		if (copy_in(to, from, n) == 0)
			return n;
	return 0;
}

static void record_show(struct record *r, unsigned i, long value, bool is_string)
{
	char *to = r->shown + (r->head.bytes - sizeof r->head);
	size_t n = 0;

	if (value)
		n = is_string ? look_at_string(to, uaddr((vaddr_t)value))
			      : look_at_memory(to, uaddr((vaddr_t)value));
	r->head.shown[i] = (uint16_t)n;
	r->head.bytes += (uint32_t)n;
}

static void record_end(struct record *r)
{
	uint32_t end = (r->head.bytes + 7) & ~7u;

	__builtin_memset((char *)r + r->head.bytes, 0, end - r->head.bytes);
	r->head.bytes = end;
}

/* --- The ring --------------------------------------------------------------------------------- */

static void put_bytes(struct strace *s, const char *from, size_t n)
{
	size_t at = s->tail % RING_BYTES, first = n < RING_BYTES - at ? n : RING_BYTES - at;

	__builtin_memcpy(s->ring + at, from, first);
	__builtin_memcpy(s->ring, from + first, n - first);
	s->tail += n;
}

/* Lock held. */
static bool has_room(const struct strace *s, const struct record *r, size_t ring_bytes)
{
	return s->closed || s->tail - s->head + r->head.bytes <= ring_bytes;
}

static void stream_write(struct strace *s, struct record *r)
{
	record_end(r);
	spin_lock(&s->lock);
	int err = wait_event_locked(
		&s->writable, &s->lock, has_room(s, r, RING_BYTES - KEPT_BYTES), SLEEP_KILLABLE);
	if (!err && !s->closed)
		put_bytes(s, (const char *)r, r->head.bytes);
	spin_unlock(&s->lock);
	waitq_wake_all(&s->readable);
}

/* The caller is ending: nothing could wake it, and nobody need be there to read. */
static void stream_write_last(struct strace *s, struct record *r)
{
	record_end(r);
	spin_lock(&s->lock);
	if (!s->closed && has_room(s, r, RING_BYTES))
		put_bytes(s, (const char *)r, r->head.bytes);
	spin_unlock(&s->lock);
}

/* Until there is something to read, or nobody is left who could write. */
static int wait_for_bytes(struct strace *s)
{
	spin_lock(&s->lock);
	int err = wait_event_locked(
		&s->readable, &s->lock, s->tail != s->head || !s->processes, SLEEP_INTERRUPTIBLE);
	spin_unlock(&s->lock);
	return err;
}

/* What can be read in one piece, up to n. */
static size_t next_piece(struct strace *s, size_t n)
{
	size_t to_end = RING_BYTES - s->head % RING_BYTES, there;

	spin_lock(&s->lock);
	there = s->tail - s->head;
	spin_unlock(&s->lock);
	if (there > to_end)
		there = to_end;
	return there < n ? there : n;
}

/*
 * Nobody writes where somebody reads, so the copy needs no lock; the file's
 * position lock is held.
 */
static int read_piece(struct strace *s, struct mvm_copy *c, size_t n, size_t *done)
{
	size_t before = *done;
	int err = file_copy(c, s->ring + s->head % RING_BYTES, n, done);

	spin_lock(&s->lock);
	s->head += *done - before;
	spin_unlock(&s->lock);
	waitq_wake_all(&s->writable);
	return err;
}

static int strace_read(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct strace *s = file->private_data;
	int err = s ? wait_for_bytes(s) : 0;
	size_t piece;

	*done = 0;
	while (s && !err && (piece = next_piece(s, n - *done)) > 0)
		err = read_piece(s, c, piece, done);
	*offset += *done;
	return err;
}

/* --- Who is traced ---------------------------------------------------------------------------- */

static struct strace *stream_of(struct process *p)
{
	return __atomic_load_n(&p->strace, __ATOMIC_ACQUIRE);
}

static void join(struct process *p, struct strace *s)
{
	__atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
	spin_lock(&s->lock);
	s->processes++;
	spin_unlock(&s->lock);
	__atomic_store_n(&p->strace, s, __ATOMIC_RELEASE);
}

void strace_inherit(struct process *child, struct process *parent)
{
	struct strace *s = stream_of(parent);

	if (s && __atomic_load_n(&s->follow, __ATOMIC_RELAXED))
		join(child, s);
}

/* Only p's last thread, or its only one, comes here, or who made it and gave it up. */
void strace_leave(struct process *p, int status)
{
	struct strace *s = stream_of(p);
	struct record r;

	if (!s)
		return;
	if (status != -1) {
		record_begin(&r, STRACE_GONE, 0);
		r.head.tid = p->nr;
		r.head.values[0] = status;
		stream_write_last(s, &r);
	}
	__atomic_store_n(&p->strace, NULL, __ATOMIC_RELAXED);
	spin_lock(&s->lock);
	s->processes--;
	spin_unlock(&s->lock);
	waitq_wake_all(&s->readable);
	stream_put(s);
}

/* -EPERM: it is traced already, or one's own; -ESRCH: it is ending. */
static int trace(struct process *p, struct strace *s)
{
	int err = 0;

	spin_lock(&p->lock);
	if (p == process_current() || !proc_may_look(p))
		err = -EPERM;
	else if (!p->n_threads || p->ending)
		err = -ESRCH;
	else if (stream_of(p))
		err = -EPERM;
	else
		join(p, s);
	list_for_each (node, &p->threads)
		if (!err)
			__atomic_fetch_or(&list_entry(node, struct task, link)->thread->arch.work,
				ARCH_WORK_TRACE, __ATOMIC_RELAXED);
	spin_unlock(&p->lock);
	return err;
}

/* --- The calls -------------------------------------------------------------------------------- */

void strace_enter(unsigned long number, const long args[STRACE_ARGS])
{
	struct strace *s = stream_of(process_current());
	struct record r;

	if (!s)
		return;
	record_begin(&r, STRACE_ENTER, number);
	for (unsigned i = 0; i < STRACE_ARGS; i++) {
		enum shown what = number < SYSCALL_SLOTS ? shown_of[number][i] : NOTHING;

		r.head.values[i] = args[i];
		if (what == STRING || what == READ || what == BOTH)
			record_show(&r, i, args[i], what == STRING);
	}
	stream_write(s, &r);
}

void strace_exit(unsigned long number, const long args[STRACE_ARGS], long result)
{
	struct strace *s = stream_of(process_current());
	struct record r;

	if (!s)
		return;
	record_begin(&r, STRACE_EXIT, number);
	r.head.values[0] = result;
	for (unsigned i = 0; i < STRACE_ARGS && result >= 0 && number < SYSCALL_SLOTS; i++)
		if (shown_of[number][i] == WRITTEN || shown_of[number][i] == BOTH)
			record_show(&r, i, args[i], false);
	stream_write(s, &r);
}

/* --- The file --------------------------------------------------------------------------------- */

static struct strace *stream_of_file(struct file *file)
{
	struct strace *s = file->private_data;

	if (!s && (s = kzalloc(sizeof *s)) != NULL) {
		spin_init(&s->lock, "strace", RANK_PIPE);
		waitq_init(&s->readable);
		waitq_init(&s->writable);
		s->refs = 1;
		file->private_data = s;
	}
	return s;
}

static pid_t parse(const char *line, bool *follow)
{
	pid_t nr = 0;

	while (*line >= '0' && *line <= '9' && nr < PID_MAX)
		nr = nr * 10 + (*line++ - '0');
	*follow = __builtin_strcmp(line, " follow") == 0;
	return *follow || !*line ? nr : 0;
}

/* The file's position lock serializes writers. */
static int strace_write(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct strace *s = stream_of_file(file);
	char line[24];
	bool follow = false;
	int err = s ? proc_command(c, n, line, sizeof line) : -ENOMEM;
	pid_t nr = err ? 0 : parse(line, &follow);

	(void)offset;
	if (!err && !nr)
		err = -EINVAL;
	if (!err) {
		struct process *p = proc_find(nr);

		if (follow)
			__atomic_store_n(&s->follow, true, __ATOMIC_RELAXED);
		err = p ? trace(p, s) : -ESRCH;
		if (p)
			process_unref(p);
	}
	*done = err ? 0 : n;
	return err;
}

static void strace_release(struct file *file)
{
	struct strace *s = file->private_data;

	if (!s)
		return;
	spin_lock(&s->lock);
	s->closed = true;
	spin_unlock(&s->lock);
	waitq_wake_all(&s->writable);
	stream_put(s);
}

const struct file_ops proc_strace_ops = {
	.read = strace_read,
	.write = strace_write,
	.release = strace_release,
};
