// SPDX-License-Identifier: MIT
/* Text out through OpenSBI, and the end of everything. */
#pragma once

/* %s, %d (a long), %x (a long), %%. */
void print(const char *format, ...);

/* Print why, and leave QEMU with status 1. */
void panic(const char *why) __attribute__((noreturn));

/* Leave QEMU with this status. */
void power_off(unsigned status) __attribute__((noreturn));
