// SPDX-License-Identifier: MIT
/*
 * user.S: the loads and stores below arch/user.h that are not in arch_impl/user.h, for ranges that
 * were checked.
 */
#pragma once

#include <arch/context.h>

/* As copy_string_from_user(), but n when there is no terminator, and -1 for a fault. */
long user_string(char *to, const char *from, size_t n);
/* 0, or -1 for a fault. */
int user_context_put(struct arch_sigcontext *to, const uint64_t *regs, const struct arch_fpu *fpu);
/* Or 1: there is an extension. */
int user_context_get(uint64_t *regs, const struct arch_sigcontext *from, struct arch_fpu *fpu);
int user_cas32(void *user, uint32_t expected, uint32_t desired, uint32_t *old);
