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

int user_swap_if32(void *user, uint32_t expected, uint32_t desired, uint32_t *old)
{
	if (!user_word_ok(user, 4) || user_cas32(user, expected, desired, old))
		return -EFAULT;
	return 0;
}
