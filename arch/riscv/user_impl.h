// SPDX-License-Identifier: MIT
/*
 * user.S: the loads and stores below arch/user.h, for ranges that were checked.
 */
#pragma once

#include <arch/types.h>

/* Either side may be user memory; how many bytes were not reached. */
size_t user_copy(void *to, const void *from, size_t n);
size_t user_clear(void *to, size_t n);
/* As copy_string_from_user(), but n when there is no terminator, and -1 for a fault. */
long user_string(char *to, const char *from, size_t n);
/* 0, or -1 for a fault. */
int user_get32(const void *from, uint32_t *to);
int user_get64(const void *from, uint64_t *to);
int user_put32(void *to, uint32_t value);
int user_put64(void *to, uint64_t value);
int user_cas32(void *user, uint32_t expected, uint32_t desired, uint32_t *old);
