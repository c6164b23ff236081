// SPDX-License-Identifier: MIT
/*
 * A pager that fails when it is told to (mm/modules/faulty.c, optional): to see what an error of a
 * device, a full disk or a slow one does to whoever maps it.
 *
 * It stands in front of another pager and fails calls by rules, one for each kind of call, that may
 * be changed at any time.  The object is the other pager's in everything else: it has its owner,
 * and its unreserve() and release() are called without a detour.
 *
 *	static struct mvm_faulty faulty;
 *
 *	mvm_faulty_init(&faulty, &my_pager);
 *	err = mvm_object_new(&faulty.ops, my_owner, size, &obj);
 *	...
 *	struct mvm_faulty_rule rule = {.when = MVM_FAULTY_ONCE, .nth = 3, .last = ~(mvm_pgoff_t)0,
 *		.error = -MVM_EIO};
 *	mvm_faulty_set(&faulty, MVM_FAULTY_FILL, &rule);    the third fill from now on fails
 *
 * The structure may serve several objects at once, and outlives them.
 */
#pragma once

#include <mm/host.h>
#include <mm/pager.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The calls of a pager that may fail. */
enum mvm_faulty_call {
	MVM_FAULTY_FILL,
	MVM_FAULTY_MAKE_WRITABLE,
	MVM_FAULTY_SETTLE,
	MVM_FAULTY_WRITE,
	MVM_FAULTY_CALLS
};

enum mvm_faulty_when {
	MVM_FAULTY_NEVER,
	MVM_FAULTY_ONCE,  /* the nth call */
	MVM_FAULTY_EVERY, /* each nth */
	MVM_FAULTY_FROM,  /* the nth and all after it */
};

/* Which calls are picked, and what becomes of them. */
struct mvm_faulty_rule {
	enum mvm_faulty_when when;
	uint64_t nth;            /* from 1; counts the calls that touch these pages: */
	mvm_pgoff_t first, last; /* both included; settle() touches all pages */
	int error;               /* negative: fail so, the other pager is not asked; 0: ask it */
	bool later; /* fill and write: MVM_PENDING now, the rest in mvm_faulty_answer() */
};

#define MVM_FAULTY_LATE 4 /* so many calls may be waiting; one more is answered at once */

struct mvm_faulty_late {
	struct mvm_object *obj;
	mvm_pgoff_t index;
	unsigned n, flags; /* n == 0: nothing is waiting here */
	enum mvm_faulty_call call;
	int error;
};

struct mvm_faulty {
	struct mvm_pager_ops ops; /* for mvm_object_new(), in place of the other pager's */

	/* The rest is its own.  [I] immutable  [f] its lock */
	const struct mvm_pager_ops *inner; /* [I] */
	struct mvmh_lock lock;
	struct mvm_faulty_rule rule[MVM_FAULTY_CALLS]; /* [f] */
	uint64_t calls[MVM_FAULTY_CALLS];              /* [f] that touched the rule's pages */
	uint64_t picked[MVM_FAULTY_CALLS];             /* [f] by all rules so far */
	struct mvm_faulty_late late[MVM_FAULTY_LATE];  /* [f] */
};

/*
 * Stand in front of `inner`.  NULL: of a medium of zeros that accepts writes and keeps nothing, so
 * that only what is cached can be read back.  No rules yet.
 */
void mvm_faulty_init(struct mvm_faulty *f, const struct mvm_pager_ops *inner);

/* Set the rule for a kind of call, counting from now on. */
void mvm_faulty_set(
	struct mvm_faulty *f, enum mvm_faulty_call call, const struct mvm_faulty_rule *rule);

/* How many calls of this kind were picked so far. */
uint64_t mvm_faulty_picked(struct mvm_faulty *f, enum mvm_faulty_call call);

/*
 * Answer all calls that wait, in thread context with no lock of mm held, as the other pager does or
 * the rule said.  Returns how many there were.
 */
unsigned mvm_faulty_answer(struct mvm_faulty *f);

#ifdef __cplusplus
}
#endif
