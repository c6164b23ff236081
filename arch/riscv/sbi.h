// SPDX-License-Identifier: MIT
/*
 * Calls into the SBI firmware (RISC-V Supervisor Binary Interface Specification 1.0).
 */
#pragma once

#include <arch/types.h>

enum sbi_extension {
	SBI_TIME = 0x54494d45,
	SBI_IPI = 0x735049,
	SBI_RFENCE = 0x52464e43,
	SBI_HSM = 0x48534d,
	SBI_RESET = 0x53525354,
};

enum { SBI_RFENCE_VMA = 1 };

/* The error of the call (0 or negative, the specification's numbers). */
static inline long sbi_call(enum sbi_extension extension, unsigned function, uint64_t arg0,
	uint64_t arg1, uint64_t arg2, uint64_t arg3, uint64_t arg4)
{
	register uint64_t a0 __asm__("a0") = arg0;
	register uint64_t a1 __asm__("a1") = arg1;
	register uint64_t a2 __asm__("a2") = arg2;
	register uint64_t a3 __asm__("a3") = arg3;
	register uint64_t a4 __asm__("a4") = arg4;
	register uint64_t a6 __asm__("a6") = function;
	register uint64_t a7 __asm__("a7") = extension;

	__asm__ volatile("ecall"
			 : "+r"(a0), "+r"(a1)
			 : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
			 : "memory");
	return (long)a0;
}
