// SPDX-License-Identifier: MIT
/*
 * Users, as far as the kernel counts by them: what all processes of one real user id hold together.
 */
#pragma once

#include <arch/types.h>

struct user {
	uint32_t uid;         /* [I] */
	uint32_t refs;        /* [a] */
	uint32_t n_processes; /* [a] threads, for RLIMIT_NPROC */
	uint32_t n_signals;   /* [a] queued siginfos, for RLIMIT_SIGPENDING */
	struct user *next;    /* the table's lock */
};

/* Its account, with a reference; NULL: no memory, but never for uid 0. */
struct user *user_get(uint32_t uid);
struct user *user_ref(struct user *user);
/* Any lock may be held. */
void user_put(struct user *user);
