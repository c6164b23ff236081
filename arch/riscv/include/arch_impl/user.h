// SPDX-License-Identifier: MIT
/*
 * The inline part of arch/user.h: the checks around the copies of user.S.
 */
#pragma once

#include <arch/layout.h>

/* user.S, for ranges that were checked. Either side may be user memory; how many bytes were not reached. */
size_t user_copy(void *to, const void *from, size_t n);
size_t user_clear(void *to, size_t n);

static inline __attribute__((warn_unused_result)) size_t copy_from_user(
	void *to, const void *user_from, size_t bytes)
{
	return user_range_ok((vaddr_t)user_from, bytes) ? user_copy(to, user_from, bytes) : bytes;
}

static inline __attribute__((warn_unused_result)) size_t copy_to_user(
	void *user_to, const void *from, size_t bytes)
{
	return user_range_ok((vaddr_t)user_to, bytes) ? user_copy(user_to, from, bytes) : bytes;
}

static inline __attribute__((warn_unused_result)) size_t clear_user(void *user_to, size_t bytes)
{
	return user_range_ok((vaddr_t)user_to, bytes) ? user_clear(user_to, bytes) : bytes;
}
