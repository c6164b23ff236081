// SPDX-License-Identifier: MIT
/* The border to user mode. */
#pragma once

/* Go (back) to the user program of this process. */
void return_to_user(void) __attribute__((noreturn));

/* start.S: where traps go, and what it calls. */
void user_vector(void);
void kernel_vector(void);
void user_trap(void) __attribute__((noreturn));
void kernel_trap(void) __attribute__((noreturn));
