// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>

struct arch_thread;
struct trapframe;

/*
 * An illegal instruction of user mode: if the FPU was off and the thread has FPU state, load it,
 * and return true: try again.
 */
bool fpu_turn_on(struct trapframe *tf);
/* The running thread's state in memory is up to date; its registers stay valid. */
void fpu_save_current(struct arch_thread *self);
