// SPDX-License-Identifier: MIT
/*
 * Users, as far as the kernel counts by them: what all processes of one real user id hold together;
 * and how many processes and threads there may be of all users.
 */
#pragma once

#include <arch/types.h>

struct user {
	uint32_t uid;       /* [I] */
	uint32_t refs;      /* [a] */
	uint32_t n_threads; /* [a] for RLIMIT_NPROC; a zombie counts as one */
	uint32_t n_signals; /* [a] queued siginfos, for RLIMIT_SIGPENDING */
	struct user *next;  /* the table's lock */
};

/* Its account, with a reference; NULL: no memory, but never for uid 0. */
struct user *user_get(uint32_t uid);
struct user *user_ref(struct user *user);
/* Any lock may be held. */
void user_put(struct user *user);

/*
 * One thread more, of a new process or of one that is there: to be counted before anything is made
 * for it.  -EAGAIN: the user would have more than `most`, or all together more than fit.
 */
int user_add_thread(struct user *user, uint64_t most, bool new_process)
	__attribute__((warn_unused_result));
/* It has ended; last: its process has been waited for, too, or never was there. */
void user_drop_thread(struct user *user, bool last);

/* How many threads fit, if one process has them all: /proc/sys/kernel/threads-max. */
uint32_t threads_max(void);
