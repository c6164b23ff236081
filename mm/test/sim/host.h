// SPDX-License-Identifier: MIT
/*
 * The simulated machine under mm: frames, metadata pages, locks and waiting (host.c), translation
 * and TLBs (tlb.c).  What mm may not do ends in sim_fail().
 */
#pragma once

#include "sched.h"

#include <mm/host.h>
#include <mm/vm.h>

#define SIM_FRAMES 192

/* How this schedule's machine behaves; drawn from the seed. */
struct machine {
	uint64_t random;
	unsigned frames;      /* that there are; the others are taken */
	unsigned speculation; /* of 4 entries about to go, so many are in the TLBs of all harts */
	unsigned spurious; /* of 4 stores to a page that a TLB knows as read-only, so many fault */
	unsigned forget;   /* of 64 accesses, so many find their entry forgotten */
	unsigned joins;    /* of 4 questions whether a lock was waited for, so many are affirmed */
	unsigned wake_early; /* of 16 waits, so many return without a wake-up */
};

extern struct machine machine;

/* A new machine, all of mm's memory as it was at the start of the program. */
void host_begin(const struct machine *like);

/* After everything was given back: nothing is left behind. */
void host_check_empty(void);

size_t host_frames_used(void);
size_t host_meta_used(void);

/* Of every access of mm: not into what was given back. */
void host_check_access(const void *at);
bool host_is_frame(const void *at);

char *host_frame_data(mvm_frame_t frame);
bool host_frame_taken(mvm_frame_t frame);

/* The running fiber holds no lock of mm and no window: it may sleep.  Else a failure of `who`. */
void host_check_free(const char *who);

/* Does the running fiber stay on its hart (mvmh_stay)? */
bool host_stays(void);

/* The lock of the space that the running fiber holds; NULL: none. */
const struct mvmh_lock *host_space_lock(void);

/* The fiber must die: its killable waits end. */
void host_kill(unsigned fiber, bool dead);
bool host_is_dead(void);

/* --- tlb.c ------------------------------------------------------------------------------------ */

void tlb_begin(void);

/* The frame is being freed: nothing reaches it. */
void tlb_check_gone(mvm_frame_t frame);
void tlb_check_empty(void);

/*
 * One load (MVM_READ), store or fetch by the running fiber's hart, by its TLB or the tables; false:
 * it faults.  `touch` is called at the instant of the access, with the page's bytes.
 */
bool tlb_access(struct mvmh_pmap *pmap, mvm_vaddr_t va, unsigned access,
	void (*touch)(char *bytes, void *argument), void *argument);
