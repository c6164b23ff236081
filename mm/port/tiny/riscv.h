// SPDX-License-Identifier: MIT
/* The machine: control registers, OpenSBI's calls, entries of Sv39 tables. */
#pragma once

#include <stdint.h>

#define PAGE_BYTES 4096ul

#define csr_read(name)                                          \
	({                                                      \
		uint64_t value_;                                \
		asm volatile("csrr %0, " #name : "=r"(value_)); \
		value_;                                         \
	})
#define csr_write(name, value) \
	asm volatile("csrw " #name ", %0" : : "r"((uint64_t)(value)) : "memory")

#define SIE_TIMER   (1ul << 5)
#define SSTATUS_PIE (1ul << 5)

#define CAUSE_TIMER       (1ul << 63 | 5)
#define CAUSE_ECALL       8
#define CAUSE_FETCH_FAULT 12
#define CAUSE_LOAD_FAULT  13
#define CAUSE_STORE_FAULT 15

typedef uint64_t pte_t;
#define PTE_V         (1ul << 0)
#define PTE_R         (1ul << 1)
#define PTE_W         (1ul << 2)
#define PTE_X         (1ul << 3)
#define PTE_U         (1ul << 4)
#define PTE_A         (1ul << 6)
#define PTE_D         (1ul << 7)
#define PTE_RIGHTS    (PTE_R | PTE_W | PTE_X)
#define PTE_OF(frame) ((pte_t)(frame) << 10)
#define PTE_FRAME(e)  ((uint32_t)((e) >> 10))
#define SATP_SV39     (8ul << 60)

static inline void sfence_vma(void)
{
	asm volatile("sfence.vma" : : : "memory");
}

static inline uint64_t time_now(void)
{
	return csr_read(time);
}

static inline long sbi_call(long extension, long function, long x, long y, long z)
{
	register long a0 asm("a0") = x, a1 asm("a1") = y, a2 asm("a2") = z;
	register long a6 asm("a6") = function, a7 asm("a7") = extension;

	asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
	return a0;
}

#define SBI_PUTCHAR 1
#define SBI_TIMER   0x54494d45 /* function 0: set */
#define SBI_HARTS   0x48534d   /* function 0: start */
