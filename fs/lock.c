// SPDX-License-Identifier: MIT
/*
 * Advisory locks of files.
 *
 * What is kept.  A vnode that has locks points to a set of them: for each kind a list of the
 * ranges that are held, ordered by their start, and the requests that wait, in the order in which
 * they came.  A vnode without locks has no set, so that closing a file costs one load.
 *
 *	vnode ---> set --+-- held[RECORD]   [0,1) P shared   [0,1) Q shared   [9,oo) P exclusive
 *	                 +-- held[WHOLE]    [0,oo) F exclusive
 *	                 `-- waiters        Q: [9,12) exclusive,  F: ...
 *
 * Invariants (file_lock_check()).
 *  - The ranges of one owner and kind do not overlap, and where two touch, their modes differ: what
 *    could be one range is one.
 *  - The ranges of different owners overlap only if both are shared.
 *  - Each waiter conflicts with some range that is held: otherwise it would have been granted.
 *
 * Setting a range.  apply() cuts the range out of what the owner has there, and joins it with
 * what it has of the same mode beside it.  A cut in the middle leaves two pieces, so a request may
 * need two pieces of memory: its own and the second rest.  They are allocated before anything
 * changes; a waiter brings them along, so that granting cannot fail.
 *
 * Waiting.  A request is granted by whoever makes room, in his call: he goes through the waiters,
 * the oldest first, and gives those their locks that fit by now.  Nobody is woken in vain, and
 * between waiters the order is that of their coming.  A request that comes and fits does not queue
 * up behind waiters: F_SETLK must not fail for a lock that nobody has.  (So a stream of readers
 * can starve a writer, as on Linux.)  How a thread sleeps and what ends its sleep is the host's
 * business; if it gives up, it says so.
 *
 * Deadlock.  Of record locks that belong to processes: before a request waits, a search goes from
 * it along "waits for": from a request to the owners of all ranges that it conflicts with, from
 * an owner to its waiting requests.  If the search comes back to the request's own owner, the
 * request fails.  Each waiter is visited once; the set of waiters is the set of sleeping threads.
 * Locks of open files cannot take part: no thread belongs to them.  That an owner may have another
 * thread that would free the lock is not known here; nor does POSIX expect it to be.
 *
 * Conversion.  A record lock changes its mode in one step, and keeps the old one as long as it
 * waits.  A flock() first gives the old lock back and then asks for the new one, which it may not
 * get: so it is in BSD, and so programs find it described.
 *
 * The lock.  One mutex for all sets, FSH_RANK_LEAF: the search walks through several files, and
 * holds are as long as users make their lists.  Not taken by files without locks.
 */
#include "private.h"
#include <fs/lock.h>
#include <errno.h>

struct file_lock {
	struct file_lock *next;
	enum file_lock_mode mode;
	bool by_process;
	int32_t pid;
	uint64_t start, end;
	const void *owner;
};

struct file_lock_set {
	struct vnode *vnode;
	struct file_lock *held[FILE_LOCK_KINDS];
	struct file_lock_waiter *waiters;
	struct file_lock_set *next, **prev;
};

static struct fsh_mutex mutex;
static struct file_lock_set *all_sets; /* guarded by mutex, and so are they */
static uint64_t n_searches;

void file_lock_init(void)
{
	fsh_mutex_init(&mutex, "file locks", FSH_RANK_LEAF);
}

/* --- Memory ---------------------------------------------------------------------------------- */

static void free_spares(struct file_lock *spare)
{
	while (spare) {
		struct file_lock *next = spare->next;
		fsh_free(spare);
		spare = next;
	}
}

/* What apply() can need. */
static int make_spares(const struct file_lock_request *r, struct file_lock **spares)
{
	unsigned n = (r->mode != FILE_LOCK_FREE) + (r->start > 0 && r->end < FILE_LOCK_END);

	*spares = NULL;
	while (n--) {
		struct file_lock *l = fsh_alloc(sizeof(*l));

		if (!l) {
			free_spares(*spares);
			return -ENOLCK;
		}
		l->next = *spares;
		*spares = l;
	}
	return 0;
}

/* The vnode's set, made if there is none; NULL: no memory.  Mutex held. */
static struct file_lock_set *set_get(struct vnode *v)
{
	struct file_lock_set *s = v->locks;

	if (s)
		return s;
	s = fsh_alloc(sizeof(*s));
	if (!s)
		return NULL;
	s->vnode = v;
	s->next = all_sets;
	s->prev = &all_sets;
	if (all_sets)
		all_sets->prev = &s->next;
	all_sets = s;
	fs_write(v->locks, s);
	return s;
}

/* Nobody has or wants anything any more: the set goes.  Mutex held. */
static void set_put(struct file_lock_set *s)
{
	if (s->held[FILE_LOCK_RECORD] || s->held[FILE_LOCK_WHOLE] || s->waiters)
		return;
	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	fs_write(s->vnode->locks, NULL);
	fsh_free(s);
}

/* --- Ranges: mutex held ----------------------------------------------------------------------- */

static bool overlaps(const struct file_lock *l, const struct file_lock_request *r)
{
	return l->start < r->end && r->start < l->end;
}

static bool conflicts(const struct file_lock *l, const struct file_lock_request *r)
{
	return r->mode != FILE_LOCK_FREE && l->owner != r->owner && overlaps(l, r) &&
	       (l->mode == FILE_LOCK_EXCLUSIVE || r->mode == FILE_LOCK_EXCLUSIVE);
}

/* The first lock from l on that conflicts, or NULL. */
static struct file_lock *next_conflict(struct file_lock *l, const struct file_lock_request *r)
{
	while (l && l->start < r->end && !conflicts(l, r))
		l = l->next;
	return l && l->start < r->end ? l : NULL;
}

static struct file_lock *first_conflict(
	const struct file_lock_set *s, const struct file_lock_request *r)
{
	return next_conflict(s->held[r->kind], r);
}

static void insert(struct file_lock **at, struct file_lock *l)
{
	while (*at && (*at)->start <= l->start)
		at = &(*at)->next;
	l->next = *at;
	*at = l;
}

static struct file_lock *take_spare(struct file_lock **spares)
{
	struct file_lock *l = *spares;

	*spares = l->next;
	return l;
}

/* Cut the request's range out of *at, a lock of another mode.  Returns where to go on. */
static struct file_lock **cut(
	struct file_lock **at, const struct file_lock_request *r, struct file_lock **spares)
{
	struct file_lock *l = *at, whole = *l;

	if (whole.start < r->start) {
		l->end = r->start;
		at = &l->next;
	} else {
		*at = l->next;
		l->next = *spares;
		*spares = l;
	}
	if (whole.end > r->end) {
		struct file_lock *rest = take_spare(spares);

		*rest = whole;
		rest->start = r->end;
		insert(at, rest);
	}
	return at;
}

/*
 * Give the owner the range in this mode; nothing conflicts.  Uses and returns spares.  True: others
 * may have got room by it.
 */
static bool apply(
	struct file_lock_set *s, const struct file_lock_request *r, struct file_lock **spares)
{
	struct file_lock **at = &s->held[r->kind], *l;
	uint64_t start = r->start, end = r->end;
	bool gave = false;

	while ((l = *at) != NULL && l->start <= end) {
		if (l->owner != r->owner || l->end < start) {
			at = &l->next;
		} else if (l->mode == r->mode) {
			start = l->start < start ? l->start : start;
			end = l->end > end ? l->end : end;
			*at = l->next;
			l->next = *spares;
			*spares = l;
		} else if (overlaps(l, r)) {
			gave |= l->mode == FILE_LOCK_EXCLUSIVE || r->mode == FILE_LOCK_FREE;
			at = cut(at, r, spares);
		} else {
			at = &l->next;
		}
	}
	if (r->mode == FILE_LOCK_FREE)
		return gave;
	l = take_spare(spares);
	*l = (struct file_lock){
		.mode = r->mode,
		.by_process = r->by_process,
		.pid = r->pid,
		.start = start,
		.end = end,
		.owner = r->owner,
	};
	insert(&s->held[r->kind], l);
	return gave;
}

/* --- Waiters: mutex held ---------------------------------------------------------------------- */

/* Some lock went or became weaker: grant what fits now. */
static void grant_waiters(struct file_lock_set *s)
{
	struct file_lock_waiter **at = &s->waiters, *w;

	while ((w = *at) != NULL) {
		if (first_conflict(s, &w->request)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->set = NULL;
		if (apply(s, &w->request, &w->spare))
			at = &s->waiters;
		w->granted(w);
	}
}

/* Remember the waiting requests of an owner for this search, once each. */
static void search_owner(const void *owner, struct file_lock_waiter **todo)
{
	for (struct file_lock_set *s = all_sets; s; s = s->next) {
		for (struct file_lock_waiter *w = s->waiters; w; w = w->next) {
			if (w->request.owner != owner || w->searched == n_searches)
				continue;
			w->searched = n_searches;
			w->search = *todo;
			*todo = w;
		}
	}
}

/* Does the request wait for `me`?  Whom else it waits for is remembered. */
static bool search_request(const struct file_lock_set *s, const struct file_lock_request *r,
	const void *me, struct file_lock_waiter **todo)
{
	struct file_lock *l = first_conflict(s, r);

	for (; l; l = next_conflict(l->next, r)) {
		if (l->owner == me)
			return true;
		if (l->by_process)
			search_owner(l->owner, todo);
	}
	return false;
}

/* Would the request's owner wait for itself? */
static bool would_deadlock(const struct file_lock_set *s, const struct file_lock_request *r)
{
	struct file_lock_waiter *todo = NULL, *w;
	bool found;

	if (!r->by_process)
		return false;
	n_searches++;
	found = search_request(s, r, r->owner, &todo);
	while (!found && (w = todo) != NULL) {
		todo = w->search;
		found = search_request(w->set, &w->request, r->owner, &todo);
	}
	return found;
}

static void enqueue(struct file_lock_set *s, struct file_lock_waiter *w)
{
	struct file_lock_waiter **at = &s->waiters;

	while (*at)
		at = &(*at)->next;
	w->set = s;
	w->next = NULL;
	*at = w;
}

/* --- The calls ------------------------------------------------------------------------------- */

/* flock() of another mode: the old lock goes first, to whoever waits. */
static void convert_whole(struct file_lock_set *s, const struct file_lock_request *r)
{
	struct file_lock_request free = *r;
	struct file_lock *l = s->held[FILE_LOCK_WHOLE], *spares = NULL;

	while (l && l->owner != r->owner)
		l = l->next;
	if (!l || l->mode == r->mode)
		return;
	free.mode = FILE_LOCK_FREE;
	(void)apply(s, &free, &spares);
	free_spares(spares);
	grant_waiters(s);
}

/* Mutex held.  w: where to wait, or NULL. */
static int set_locked(struct vnode *v, const struct file_lock_request *r,
	struct file_lock_waiter *w, struct file_lock **spares)
{
	struct file_lock_set *s = set_get(v);
	int result = 0;

	if (!s)
		return -ENOLCK;
	if (r->kind == FILE_LOCK_WHOLE)
		convert_whole(s, r);
	if (!first_conflict(s, r)) {
		if (apply(s, r, spares))
			grant_waiters(s);
	} else if (!w) {
		result = -EAGAIN;
	} else if (would_deadlock(s, r)) {
		result = -EDEADLK;
	} else {
		w->spare = *spares;
		*spares = NULL;
		enqueue(s, w);
		result = 1;
	}
	set_put(s);
	return result;
}

static int set(struct vnode *v, const struct file_lock_request *r, struct file_lock_waiter *w)
{
	struct file_lock *spares;
	int result = make_spares(r, &spares);

	if (result)
		return result;
	fsh_mutex_lock(&mutex);
	result = set_locked(v, r, w, &spares);
	fsh_mutex_unlock(&mutex);
	free_spares(spares);
	return result;
}

int file_lock_set(struct vnode *v, const struct file_lock_request *r)
{
	return set(v, r, NULL);
}

int file_lock_wait(struct vnode *v, struct file_lock_waiter *w)
{
	return set(v, &w->request, w);
}

bool file_lock_give_up(struct file_lock_waiter *w)
{
	struct file_lock_waiter **at;
	struct file_lock_set *s;

	fsh_mutex_lock(&mutex);
	s = w->set;
	if (s) {
		for (at = &s->waiters; *at != w;)
			at = &(*at)->next;
		*at = w->next;
		w->set = NULL;
		set_put(s);
	}
	fsh_mutex_unlock(&mutex);
	free_spares(w->spare);
	return s != NULL;
}

static void describe(
	const struct file_lock *l, enum file_lock_kind kind, struct file_lock_request *out)
{
	*out = (struct file_lock_request){
		.kind = kind,
		.mode = l->mode,
		.start = l->start,
		.end = l->end,
		.owner = l->owner,
		.pid = l->pid,
		.by_process = l->by_process,
	};
}

bool file_lock_test(
	struct vnode *v, const struct file_lock_request *r, struct file_lock_request *blocker)
{
	struct file_lock *l;

	fsh_mutex_lock(&mutex);
	l = v->locks ? first_conflict(v->locks, r) : NULL;
	if (l)
		describe(l, r->kind, blocker);
	fsh_mutex_unlock(&mutex);
	return l != NULL;
}

void file_lock_release(struct vnode *v, const void *owner)
{
	struct file_lock_request all = {.end = FILE_LOCK_END, .owner = owner};
	struct file_lock *spares = NULL;
	struct file_lock_set *s;
	bool gave = false;

	fsh_mutex_lock(&mutex);
	s = v->locks;
	if (s) {
		for (all.kind = 0; all.kind < FILE_LOCK_KINDS; all.kind++)
			gave |= apply(s, &all, &spares);
		if (gave)
			grant_waiters(s);
		set_put(s);
	}
	fsh_mutex_unlock(&mutex);
	free_spares(spares);
}

/* --- Looking --------------------------------------------------------------------------------- */

typedef void visit_fn(
	void *arg, const struct vnode *v, const struct file_lock_request *r, bool waits);

static void visit(const struct file_lock_set *s, visit_fn *fn, void *arg)
{
	struct file_lock_request r;

	for (enum file_lock_kind kind = 0; kind < FILE_LOCK_KINDS; kind++) {
		for (const struct file_lock *l = s->held[kind]; l; l = l->next) {
			describe(l, kind, &r);
			fn(arg, s->vnode, &r, false);
		}
	}
	for (const struct file_lock_waiter *w = s->waiters; w; w = w->next)
		fn(arg, s->vnode, &w->request, true);
}

void file_lock_for_each(const struct vnode *of, visit_fn *fn, void *arg)
{
	fsh_mutex_lock(&mutex);
	for (const struct file_lock_set *s = all_sets; s; s = s->next)
		if (!of || s->vnode == of)
			visit(s, fn, arg);
	fsh_mutex_unlock(&mutex);
}

static void check_pair(const struct file_lock *a, const struct file_lock *b)
{
	bool overlap = b->start < a->end;

	fsh_assert(a->start <= b->start);
	if (a->owner == b->owner)
		fsh_assert(!overlap && (b->start > a->end || a->mode != b->mode));
	else if (overlap)
		fsh_assert(a->mode == FILE_LOCK_SHARED && b->mode == FILE_LOCK_SHARED);
}

static void check_set(const struct file_lock_set *s)
{
	fsh_assert(s->vnode->locks == s);
	for (enum file_lock_kind kind = 0; kind < FILE_LOCK_KINDS; kind++) {
		for (const struct file_lock *a = s->held[kind]; a; a = a->next) {
			fsh_assert(a->start < a->end && a->end <= FILE_LOCK_END);
			fsh_assert(a->mode != FILE_LOCK_FREE);
			for (const struct file_lock *b = a->next; b; b = b->next)
				check_pair(a, b);
		}
	}
	for (const struct file_lock_waiter *w = s->waiters; w; w = w->next)
		fsh_assert(w->set == s && first_conflict(s, &w->request));
}

void file_lock_check(void)
{
	fsh_mutex_lock(&mutex);
	for (const struct file_lock_set *s = all_sets; s; s = s->next)
		check_set(s);
	fsh_mutex_unlock(&mutex);
}
