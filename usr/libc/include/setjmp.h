// SPDX-License-Identifier: MIT
/*
 * Jumps out of functions. sigsetjmp with save != 0 also keeps the signal mask.
 */
#pragma once

/* ra, sp, s0..s11, fs0..fs11, then whether the mask was saved, and the mask */
typedef unsigned long jmp_buf[28];
typedef jmp_buf sigjmp_buf;

int setjmp(jmp_buf env) __attribute__((returns_twice));
int _setjmp(jmp_buf env) __attribute__((returns_twice));
int sigsetjmp(sigjmp_buf env, int save) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf env, int value); /* setjmp returns value, or 1 for 0 */
_Noreturn void _longjmp(jmp_buf env, int value);
_Noreturn void siglongjmp(sigjmp_buf env, int value);
