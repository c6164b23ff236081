// SPDX-License-Identifier: MIT
/*
 * Threads on one space at once: map calls, moves, advice, locks, faults, forks, truncate,
 * write-back and reclaim.
 *
 * Each thread has a slice of the space's addresses that only it maps and stores to, and knows what
 * must be there; there is a range that all map, unmap, move and store to at once, and one that is
 * now and then made new, in every page of which each thread has a word of its own; besides, all
 * share a mapping of one file, where it is the same.  One thread cuts the file short and grows it
 * again, so a word there is its owner's last value or zero.  A child must show its parent's slice
 * as it was at the fork.
 *
 * Built twice: with the other tests, and with everything in it under the thread sanitizer.
 * Options: --ops N (a thread), --seed S.  Threads make the order of things new each time, so a seed
 * only repeats what each thread tries.
 */
#include "map_fixed.h"
#include "posix.h"
#include "testfile.h"

#include <mm/host.h>
#include <mm/vm.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS     4
#define SLICE_PAGES 24
#define FILE_PAGES  16
#define NEW_PAGES   32
#define FRAMES      1500
#define BASE        ((mvm_vaddr_t)0x10000000)
#define FILE_AT     ((mvm_vaddr_t)0x20000000)
#define COMMON_AT   ((mvm_vaddr_t)0x30000000)
#define PIECES_AT   ((mvm_vaddr_t)0x40000000)
#define NEW_AT      ((mvm_vaddr_t)0x50000000)

#define COMMON_PAGES   (MVM_HOLD_PAGES + 16) /* more than one hold sweeps */
#define SNAPSHOT_PAGES (COMMON_PAGES + THREADS * SLICE_PAGES)

static struct mvm_space *space;
static struct test_file *file;
static uint64_t ops = 3000, seed;

#define MUST_BE(condition)                                                              \
	do {                                                                            \
		if (!(condition)) {                                                     \
			printf("not ok 1 - %s:%d: %s (seed %lu)\n", __FILE__, __LINE__, \
				#condition, (unsigned long)seed);                       \
			_exit(1);                                                       \
		}                                                                       \
	} while (0)

struct thread {
	unsigned number;
	uint64_t random;
	bool mapped[SLICE_PAGES], writable[SLICE_PAGES];
	uint64_t slice[SLICE_PAGES]; /* the first word of each page */
	uint64_t word[FILE_PAGES];   /* ours in each page of the file */
	uint64_t new[NEW_PAGES];     /* and of the pages that are made new, */
	unsigned made;               /* which was the case so many times */
};

static unsigned draw(struct thread *t, unsigned below)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (unsigned)(t->random >> 20) % below;
}

static mvm_vaddr_t slice_at(struct thread *t, unsigned page)
{
	return BASE + (t->number * SLICE_PAGES + page) * MVM_PAGE_BYTES;
}

static void some_range(struct thread *t, unsigned *first, unsigned *n)
{
	*first = draw(t, SLICE_PAGES);
	*n = 1 + draw(t, SLICE_PAGES - *first);
}

static void op_map(struct thread *t)
{
	unsigned first, n;

	some_range(t, &first, &n);
	MUST_BE(map_fixed(space, slice_at(t, first), n, MVM_READ | MVM_WRITE, 0, NULL, 0) == 0);
	for (unsigned i = first; i < first + n; i++) {
		t->mapped[i] = t->writable[i] = true;
		t->slice[i] = 0;
	}
}

static void op_unmap(struct thread *t)
{
	unsigned first, n;

	some_range(t, &first, &n);
	MUST_BE(mvm_unmap(space, slice_at(t, first), n * MVM_PAGE_BYTES) == 0);
	for (unsigned i = first; i < first + n; i++)
		t->mapped[i] = t->writable[i] = false;
}

static void op_protect(struct thread *t)
{
	unsigned first, n, end;
	bool writable = draw(t, 2);

	some_range(t, &first, &n);
	for (end = first; end < first + n && t->mapped[end]; end++)
		t->writable[end] = writable;
	MUST_BE(mvm_protect(space, slice_at(t, first), n * MVM_PAGE_BYTES,
			writable ? MVM_READ | MVM_WRITE : MVM_READ) ==
		(end == first + n ? 0 : -MVM_ENOMEM));
}

static bool all_mapped(const struct thread *t, unsigned first, unsigned n)
{
	while (n > 0 && t->mapped[first + n - 1])
		n--;
	return n == 0;
}

/* To another place of the slice.  One area is moved: what was mapped at once need not be one. */
static void op_move(struct thread *t)
{
	unsigned n = 1 + draw(t, 4), from = draw(t, SLICE_PAGES / 2 - n + 1),
		 to = SLICE_PAGES / 2 + draw(t, SLICE_PAGES / 2 - n + 1), swap = from;
	mvm_vaddr_t new_addr;
	int err;

	if (draw(t, 2)) {
		from = to;
		to = swap;
	}
	new_addr = slice_at(t, to);
	err = mvm_remap(space, slice_at(t, from), n * MVM_PAGE_BYTES, n * MVM_PAGE_BYTES,
		MVM_REMAP_MAYMOVE | MVM_REMAP_FIXED, &new_addr);
	MUST_BE(err == -MVM_EFAULT || (err == 0 && all_mapped(t, from, n)));
	if (err) /* what was there may have gone before */
		MUST_BE(mvm_unmap(space, slice_at(t, to), n * MVM_PAGE_BYTES) == 0);
	for (unsigned i = 0; i < n; i++) {
		t->mapped[to + i] = t->mapped[from + i] && !err;
		t->writable[to + i] = t->writable[from + i] && !err;
		t->slice[to + i] = t->slice[from + i];
		if (!err)
			t->mapped[from + i] = t->writable[from + i] = false;
	}
}

/* Advice that changes nothing that a program sees. */
static void op_advise(struct thread *t)
{
	static const enum mvm_advice advice[] = {
		MVM_ADVISE_NORMAL, MVM_ADVISE_RANDOM, MVM_ADVISE_SEQUENTIAL, MVM_ADVISE_WILLNEED};
	unsigned first, n;

	some_range(t, &first, &n);
	MUST_BE(mvm_advise(space, slice_at(t, first), n * MVM_PAGE_BYTES, advice[draw(t, 4)]) ==
		(all_mapped(t, first, n) ? 0 : -MVM_ENOMEM));
}

static void op_lock(struct thread *t)
{
	unsigned first, n;
	int err;

	some_range(t, &first, &n);
	if (draw(t, 2))
		err = mvm_mlock(space, slice_at(t, first), n * MVM_PAGE_BYTES, draw(t, 2));
	else
		err = mvm_munlock(space, slice_at(t, first), n * MVM_PAGE_BYTES);
	MUST_BE(err == (all_mapped(t, first, n) ? 0 : -MVM_ENOMEM));
}

/* All slices, the range that all fight for, and the file. */
static void op_lock_all(struct thread *t)
{
	unsigned flags = MVM_LOCK_CURRENT;

	flags |= draw(t, 2) ? MVM_LOCK_ONFAULT : 0;
	flags |= draw(t, 2) ? MVM_LOCK_FUTURE : 0;
	if (draw(t, 2))
		MUST_BE(mvm_mlockall(space, flags) == 0);
	else
		mvm_munlockall(space);
}

static void op_load(struct thread *t)
{
	unsigned i = draw(t, SLICE_PAGES);
	uint64_t word = 0;

	if (t->mapped[i]) {
		MUST_BE(posix_load(space, slice_at(t, i), &word, 8) == MVM_FAULT_OK);
		MUST_BE(word == t->slice[i]);
	} else {
		MUST_BE(posix_load(space, slice_at(t, i), &word, 8) == MVM_FAULT_MAPERR);
	}
}

static void op_store(struct thread *t)
{
	unsigned i = draw(t, SLICE_PAGES);
	uint64_t word = t->random;
	enum mvm_fault_result want = MVM_FAULT_OK;

	if (!t->mapped[i])
		want = MVM_FAULT_MAPERR;
	else if (!t->writable[i])
		want = MVM_FAULT_ACCERR;
	MUST_BE(posix_store(space, slice_at(t, i), &word, 8) == want);
	if (!want)
		t->slice[i] = word;
}

static void op_space_write(struct thread *t)
{
	unsigned i = draw(t, SLICE_PAGES);
	uint64_t word = t->random;

	if (!t->writable[i])
		return;
	MUST_BE(mvm_space_write(space, slice_at(t, i), &word, 8, false) == 0);
	t->slice[i] = word;
}

static void op_fork(struct thread *t)
{
	struct mvm_space *child;
	uint64_t word;
	unsigned first = draw(t, SLICE_PAGES);

	MUST_BE(mvm_space_fork(space, &child) == 0);
	for (unsigned i = 0; i < SLICE_PAGES; i++) {
		if (t->mapped[i]) {
			MUST_BE(posix_load(child, slice_at(t, i), &word, 8) == MVM_FAULT_OK);
			MUST_BE(word == t->slice[i]);
		}
	}
	for (unsigned i = first; i < SLICE_PAGES; i++) {
		word = ~t->slice[i];
		if (t->writable[i])
			MUST_BE(posix_store(child, slice_at(t, i), &word, 8) == MVM_FAULT_OK);
	}
	op_store(t);
	mvm_space_unref(child);
	op_load(t);
}

/*
 * Other threads store to the parent's slices and the common range all the time; what the child
 * shows of them does not move once the fork has returned.
 */
static void op_snapshot(struct thread *t)
{
	uint64_t first[SNAPSHOT_PAGES], word;
	struct mvm_space *child;

	(void)t;
	MUST_BE(mvm_space_fork(space, &child) == 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < SNAPSHOT_PAGES; i++) {
			word = 1;
			(void)posix_load(child,
				i < COMMON_PAGES ? COMMON_AT + i * MVM_PAGE_BYTES
						 : BASE + (i - COMMON_PAGES) * MVM_PAGE_BYTES,
				&word, 8);
			MUST_BE(round == 0 || word == first[i]);
			first[i] = word;
		}
	}
	mvm_space_unref(child);
}

/* --- A range that all fight for --------------------------------------------------------------- */

/* There are only zeros and words with this mark, or nothing. */
#define COMMON_MARK UINT64_C(0xc0de000000000000)

static mvm_vaddr_t common_at(struct thread *t)
{
	return COMMON_AT + draw(t, COMMON_PAGES) * MVM_PAGE_BYTES;
}

static void op_common_map(struct thread *t)
{
	struct mvm_map m = {
		.addr = common_at(t),
		.bytes = (1 + draw(t, draw(t, 4) ? 6 : COMMON_PAGES)) * MVM_PAGE_BYTES,
		.rights = draw(t, 4) ? MVM_READ | MVM_WRITE : MVM_READ,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED | (draw(t, 2) ? MVM_MAP_POPULATE : 0),
	};

	if (draw(t, 3))
		MUST_BE(mvm_map(space, &m) == 0);
	else if (draw(t, 2))
		(void)!mvm_protect(space, COMMON_AT, COMMON_PAGES * MVM_PAGE_BYTES, m.rights);
	else
		MUST_BE(mvm_unmap(space, m.addr, m.bytes) == 0);
}

/* What it does depends on who was here before; what the words may be does not. */
static void op_common_advise(struct thread *t)
{
	mvm_vaddr_t va = common_at(t), to = common_at(t);
	size_t bytes = (1 + draw(t, 6)) * MVM_PAGE_BYTES;

	switch (draw(t, 4)) {
	case 0:
		(void)!mvm_remap(space, va, bytes, bytes, MVM_REMAP_MAYMOVE | MVM_REMAP_FIXED, &to);
		break;
	case 1:
		(void)!mvm_remap(space, va, bytes, MVM_PAGE_BYTES, 0, &to);
		break;
	case 2:
		(void)!mvm_mlock(space, va, bytes, draw(t, 2));
		break;
	default:
		(void)!mvm_advise(space, va, bytes, draw(t, MVM_ADVISE_NOHUGE + 1));
	}
}

static void op_common_access(struct thread *t)
{
	mvm_vaddr_t va = common_at(t);
	uint64_t word = COMMON_MARK | draw(t, 1000);

	for (unsigned i = 0; i < 8; i++) {
		if (draw(t, 2))
			(void)posix_store(space, va, &word, 8);
		else if (posix_load(space, va, &word, 8) == MVM_FAULT_OK)
			MUST_BE(word == 0 || (word & COMMON_MARK) == COMMON_MARK);
		word = COMMON_MARK | draw(t, 1000);
	}
}

/*
 * Pieces of the file, mapped and unmapped by all, to be read, or privately written.  What they show
 * is others' affair; that nothing stays mapped where a piece went is mvm_check()'s.
 */
static void op_piece_map(struct thread *t)
{
	struct mvm_map m = {
		.addr = PIECES_AT + draw(t, FILE_PAGES) * MVM_PAGE_BYTES,
		.bytes = (1 + draw(t, FILE_PAGES)) * MVM_PAGE_BYTES,
		.rights = MVM_READ,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED,
		.object = file->object,
	};

	if (draw(t, 2))
		m.rights |= MVM_WRITE;
	else
		m.flags |= MVM_MAP_SHARED;
	if (draw(t, 2))
		MUST_BE(mvm_map(space, &m) == 0);
	else
		MUST_BE(mvm_unmap(space, m.addr, m.bytes) == 0);
}

static void op_piece_access(struct thread *t)
{
	mvm_vaddr_t va = PIECES_AT + draw(t, 2 * FILE_PAGES) * MVM_PAGE_BYTES;
	uint64_t word = 0;

	for (unsigned i = 0; i < 8; i++) {
		if (draw(t, 4))
			(void)posix_load(space, va, &word, 8);
		else
			(void)posix_store(space, va, &word, 8);
	}
}

/* --- The file --------------------------------------------------------------------------------- */

static mvm_vaddr_t word_offset(struct thread *t, unsigned page)
{
	return page * MVM_PAGE_BYTES + 64 * t->number;
}

static void op_file_store(struct thread *t)
{
	unsigned i = draw(t, FILE_PAGES);
	uint64_t word = t->random;
	enum mvm_fault_result result = posix_store(space, FILE_AT + word_offset(t, i), &word, 8);

	MUST_BE(result == MVM_FAULT_OK || result == MVM_FAULT_BUS);
	if (result == MVM_FAULT_OK)
		t->word[i] = word;
}

static void op_file_load(struct thread *t)
{
	unsigned i = draw(t, FILE_PAGES);
	uint64_t word = 0;
	enum mvm_fault_result result = posix_load(space, FILE_AT + word_offset(t, i), &word, 8);

	MUST_BE(result == MVM_FAULT_OK || result == MVM_FAULT_BUS);
	if (word == 0)
		t->word[i] = 0;
	MUST_BE(word == t->word[i]);
}

static void op_file_read(struct thread *t)
{
	unsigned i = draw(t, FILE_PAGES);
	uint64_t word = 0;
	size_t done;

	MUST_BE(test_file_read(file, word_offset(t, i), &word, 8, &done) == 0);
	if (done == 0)
		return; /* behind the end; what a mapping shows there goes later */
	if (word == 0)
		t->word[i] = 0;
	MUST_BE(word == t->word[i]);
}

/* Only thread 0 changes the size: it is the one with the inode lock. */
static void op_resize(struct thread *t)
{
	uint64_t size = 8 * draw(t, FILE_PAGES * MVM_PAGE_BYTES / 8); /* never half a word */

	MUST_BE(mvm_pc_truncate(file->object, size) == 0);
	test_file_free_blocks(file, size);
	MUST_BE(mvm_pc_truncate(file->object, FILE_PAGES * MVM_PAGE_BYTES) == 0);
}

static void op_flush(struct thread *t)
{
	MUST_BE(mvm_pc_flush(file->object, 0, draw(t, FILE_PAGES), draw(t, 2) ? MVM_PC_WAIT : 0) ==
		0);
}

static void op_reclaim(struct thread *t)
{
	(void)mvm_reclaim(draw(t, 20));
}

/* Operations hold it for reading; the check, which wants mm at rest, for writing. */
static pthread_rwlock_t at_rest = PTHREAD_RWLOCK_INITIALIZER;
static unsigned times_made; /* written while mm is at rest */

/* All forget what they stored to these pages, so that the page of zeros is there again. */
static void make_new(void)
{
	struct mvm_map m = {
		.addr = NEW_AT,
		.bytes = NEW_PAGES * MVM_PAGE_BYTES,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED,
	};

	MUST_BE(mvm_map(space, &m) == 0);
	times_made++;
}

static void op_new_access(struct thread *t)
{
	unsigned page = draw(t, NEW_PAGES);
	mvm_vaddr_t at = NEW_AT + word_offset(t, page);
	uint64_t word = t->random;

	if (t->made != times_made)
		memset(t->new, 0, sizeof t->new);
	t->made = times_made;
	if (draw(t, 4) == 0) {
		MUST_BE(posix_store(space, at, &word, 8) == MVM_FAULT_OK);
		t->new[page] = word;
	}
	MUST_BE(posix_load(space, at, &word, 8) == MVM_FAULT_OK);
	MUST_BE(word == t->new[page]);
}

static void op_check(struct thread *t)
{
	if (draw(t, 4) != 0)
		return;
	pthread_rwlock_unlock(&at_rest);
	pthread_rwlock_wrlock(&at_rest);
	mvm_check();
	make_new();
}

static void (*const all_ops[])(struct thread *) = {
	op_common_map,
	op_common_advise,
	op_common_access,
	op_common_access,
	op_piece_map,
	op_piece_access,
	op_piece_access,
	op_snapshot,
	op_new_access,
	op_new_access,
	op_map,
	op_unmap,
	op_protect,
	op_move,
	op_advise,
	op_lock,
	op_lock_all,
	op_load,
	op_store,
	op_store,
	op_space_write,
	op_fork,
	op_file_store,
	op_file_load,
	op_file_read,
	op_flush,
	op_reclaim,
	op_check,
	op_resize,
};

#define OPS (sizeof all_ops / sizeof *all_ops)

static void *run(void *argument)
{
	struct thread *t = argument;

	for (uint64_t n = 0; n < ops; n++) {
		unsigned op = draw(t, t->number == 0 ? OPS : OPS - 1);
		pthread_rwlock_rdlock(&at_rest);
		all_ops[op](t);
		pthread_rwlock_unlock(&at_rest);
	}
	return NULL;
}

static void map_file(void)
{
	struct mvm_map m = {
		.addr = FILE_AT,
		.bytes = FILE_PAGES * MVM_PAGE_BYTES,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED | MVM_MAP_SHARED,
	};

	file = test_file_new(FILE_PAGES, FILE_PAGES * MVM_PAGE_BYTES);
	file->at_once = true;
	file->slow_writes = true;
	m.object = file->object;
	MUST_BE(mvm_map(space, &m) == 0);
}

int main(int argc, char **argv)
{
	struct thread threads[THREADS];
	pthread_t ids[THREADS];

	seed = (uint64_t)getpid();
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--ops"))
			ops = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 0);
	}
	setvbuf(stdout, NULL, _IOLBF, 0); /* the seed is there, whatever ends the program */
	printf("TAP version 13\n1..1\n# seed %lu\n", (unsigned long)seed);
	posix_start(FRAMES);
	posix_slow_fences(3);
	MUST_BE(mvm_init() == 0);
	size_t frames = posix_frames_used();
	MUST_BE(mvm_space_new(0x1000, (mvm_vaddr_t)1 << 38, &space) == 0);
	map_file();
	make_new();
	for (unsigned i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){.number = i, .random = (seed + 1) * 2654435761u + i};
		MUST_BE(pthread_create(&ids[i], NULL, run, &threads[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	mvm_check();
	mvm_space_unref(space);
	test_file_free(file);
	mvm_check();
	MUST_BE(posix_frames_used() == frames);
	printf("ok 1 - %d threads on one space\n", THREADS);
	return 0;
}
