// SPDX-License-Identifier: MIT
/*
 * The one path by which the kernel touches user memory.
 *
 * Each routine checks that the range lies in user space, opens access to user pages for just its
 * own loads and stores, and recovers from faults: a fault goes to trap_user_copy_fault() first,
 * which may bring the page in (so these may sleep, and are called with interrupts on and no spin
 * lock held), and when that says no, the copy ends short.
 *
 * Between thread_faults_off() and thread_faults_on() of the kernel, a fault ends the copy at once
 * and nothing sleeps: for copies under a spin lock or with a busy page. Prefault and retry.
 *
 * They act in the active pmap, the running thread's. All addresses may have any alignment.
 */
#pragma once

#include <arch/types.h>
#include <arch_impl/user.h>

/*
 * Inline, from arch_impl/user.h. They return the number of bytes NOT copied, or zeroed: 0 is
 * success. What was not copied to is unchanged.
 *
 * size_t copy_from_user(void *to, const void *user_from, size_t bytes)
 * size_t copy_to_user(void *user_to, const void *from, size_t bytes)
 * size_t clear_user(void *user_to, size_t bytes)
 *
 * And either of the first two for a range that the caller has checked (user_range_ok()), once for
 * all the pieces that it copies:
 *
 * size_t user_copy(void *to, const void *from, size_t bytes)
 */

/*
 * Copy a string of at most size - 1 bytes and its terminator. Returns its length, -EFAULT, or
 * -ENAMETOOLONG when no terminator was among the first size bytes.
 */
long copy_string_from_user(char *to, const char *user_from, size_t size)
	__attribute__((warn_unused_result));

/*
 * One naturally aligned value, in one access; inline, too. 0 or -EFAULT (misaligned: -EFAULT too).
 *
 * int user_load32(const void *user_from, uint32_t *value)
 * int user_load64(const void *user_from, uint64_t *value)
 * int user_store32(void *user_to, uint32_t value)
 * int user_store64(void *user_to, uint64_t value)
 */

/*
 * Atomic on one aligned word: *old receives what was there. swap_if stores desired if the word
 * equals expected. 0 or -EFAULT.
 */
int user_swap_if32(void *user, uint32_t expected, uint32_t desired, uint32_t *old)
	__attribute__((warn_unused_result));
