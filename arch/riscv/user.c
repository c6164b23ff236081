// SPDX-License-Identifier: MIT
/*
 * user.h: the checks around the loads and stores of user.S.
 */
#include <arch/layout.h>
#include <arch/user.h>
#include <errno.h>

#include "user_impl.h"

long copy_string_from_user(char *to, const char *user_from, size_t size)
{
	vaddr_t from = (vaddr_t)user_from;
	size_t room = from < USER_END ? USER_END - from : 0;
	size_t n = size < room ? size : room;
	long length = n ? user_string(to, user_from, n) : -1;

	if (length < 0 || ((size_t)length == n && n < size))
		return -EFAULT;
	return (size_t)length == n ? -ENAMETOOLONG : length;
}

static bool word_ok(const void *user, size_t bytes)
{
	return ((vaddr_t)user & (bytes - 1)) == 0 && user_range_ok((vaddr_t)user, bytes);
}

int user_load32(const void *user_from, uint32_t *value)
{
	return word_ok(user_from, 4) && user_get32(user_from, value) == 0 ? 0 : -EFAULT;
}

int user_load64(const void *user_from, uint64_t *value)
{
	return word_ok(user_from, 8) && user_get64(user_from, value) == 0 ? 0 : -EFAULT;
}

int user_store32(void *user_to, uint32_t value)
{
	return word_ok(user_to, 4) && user_put32(user_to, value) == 0 ? 0 : -EFAULT;
}

int user_store64(void *user_to, uint64_t value)
{
	return word_ok(user_to, 8) && user_put64(user_to, value) == 0 ? 0 : -EFAULT;
}

int user_swap_if32(void *user, uint32_t expected, uint32_t desired, uint32_t *old)
{
	if (!word_ok(user, 4) || user_cas32(user, expected, desired, old))
		return -EFAULT;
	return 0;
}
