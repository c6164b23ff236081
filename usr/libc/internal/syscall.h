// SPDX-License-Identifier: MIT
/*
 * System calls, inline.
 *
 * SYSCALL(name, args...) is the raw call: the result or -errno. SYSCALL_ERRNO(name, args...) is
 * what most stubs want: the result, or -1 with errno set. Every argument becomes a long.
 */
#pragma once

#include <abi/syscall.h>
#include <errno.h>

/* Registers a0..a5 hold the arguments, a7 the number; the kernel changes a0 only. */
static inline long syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = e;
	register long a5 __asm__("a5") = f;
	register long a7 __asm__("a7") = n;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
			 : "memory");
	return a0;
}

static inline long syscall3(long n, long a, long b, long c)
{
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a7 __asm__("a7") = n;

	__asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
	return a0;
}

/* Calls of up to three arguments need not load the other registers. */
#define SYSCALL_0(n)             syscall3(n, 0, 0, 0)
#define SYSCALL_1(n, a)          syscall3(n, (long)(a), 0, 0)
#define SYSCALL_2(n, a, b)       syscall3(n, (long)(a), (long)(b), 0)
#define SYSCALL_3(n, a, b, c)    syscall3(n, (long)(a), (long)(b), (long)(c))
#define SYSCALL_4(n, a, b, c, d) syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYSCALL_5(n, a, b, c, d, e) \
	syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYSCALL_6(n, a, b, c, d, e, f) \
	syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#define SYSCALL_PICK(n, a, b, c, d, e, f, name, ...) name
#define SYSCALL(name, ...)                                                                    \
	SYSCALL_PICK(_, ##__VA_ARGS__, SYSCALL_6, SYSCALL_5, SYSCALL_4, SYSCALL_3, SYSCALL_2, \
		SYSCALL_1, SYSCALL_0)                                                         \
	(SYS_##name, ##__VA_ARGS__)

#define SYSCALL_ERRNO(name, ...) set_errno(SYSCALL(name, ##__VA_ARGS__))

/* The kernel's -4095..-1 are errors, all else (addresses among them) results. */
static inline long set_errno(long result)
{
	if ((unsigned long)result < -4095UL)
		return result;
	errno = (int)-result;
	return -1;
}
