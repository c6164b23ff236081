// SPDX-License-Identifier: MIT
/*
 * The inline part of arch/user.h: the checks around the copies of user.S.
 */
#pragma once

#include <arch/layout.h>
#include <errno.h>

/*
 * user.S, for ranges that were checked. Either side may be user memory; how
 * many bytes were not reached.
 */
size_t user_copy(void *to, const void *from, size_t n);
size_t user_clear(void *to, size_t n);
/* 0, or -1 for a fault. */
int user_get32(const void *from, uint32_t *to);
int user_get64(const void *from, uint64_t *to);
int user_put32(void *to, uint32_t value);
int user_put64(void *to, uint64_t value);

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

static inline bool user_word_ok(const void *user, size_t bytes)
{
	return ((vaddr_t)user & (bytes - 1)) == 0 && user_range_ok((vaddr_t)user, bytes);
}

static inline __attribute__((warn_unused_result)) int user_load32(
	const void *user_from, uint32_t *value)
{
	return user_word_ok(user_from, 4) && user_get32(user_from, value) == 0 ? 0 : -EFAULT;
}

static inline __attribute__((warn_unused_result)) int user_load64(
	const void *user_from, uint64_t *value)
{
	return user_word_ok(user_from, 8) && user_get64(user_from, value) == 0 ? 0 : -EFAULT;
}

static inline __attribute__((warn_unused_result)) int user_store32(void *user_to, uint32_t value)
{
	return user_word_ok(user_to, 4) && user_put32(user_to, value) == 0 ? 0 : -EFAULT;
}

static inline __attribute__((warn_unused_result)) int user_store64(void *user_to, uint64_t value)
{
	return user_word_ok(user_to, 8) && user_put64(user_to, value) == 0 ? 0 : -EFAULT;
}
