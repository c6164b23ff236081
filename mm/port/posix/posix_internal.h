// SPDX-License-Identifier: MIT
/*
 * What the two halves of the machine (posix.c, posix_pmap.c) share.
 */
#pragma once

#include "posix.h"

#include <mm/host.h>

/* 64 bits that are read and written at once, also where the ABI aligns them to 4 bytes only. */
typedef uint64_t posix_word_t __attribute__((aligned(8)));

uint64_t posix_random(void);
bool posix_must_fail(enum posix_failure what);
bool posix_frame_taken(mvm_frame_t frame);

/* Panics with `who` when the running thread holds a lock of mm. */
void posix_check_unlocked(const char *who);

/*
 * The pmap for which the running thread has synchronized code in this hold, and has opened no
 * window since: what is in frames now is what it was synchronized for.  NULL: none.
 */
extern __thread const struct mvmh_pmap *posix_code_of;

/* Harts that have run; at most MVMH_MAX_HARTS. */
unsigned posix_harts(void);

/* posix_forget_anywhere(): perhaps now. */
void posix_perhaps_forget(void);

void posix_tlb_init(void);
/* Panics when a TLB still reaches the frame. */
void posix_tlb_check_gone(mvm_frame_t frame);
