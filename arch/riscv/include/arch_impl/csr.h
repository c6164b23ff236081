// SPDX-License-Identifier: MIT
/*
 * Control and status registers (RISC-V Privileged Architecture 1.12, chapter 4), for C and
 * assembly.
 */
#pragma once

#define SSTATUS_SIE      0x2    /* interrupts on */
#define SSTATUS_SPIE     0x20   /* interrupts on before the trap */
#define SSTATUS_SPP      0x100  /* trap came from supervisor mode */
#define SSTATUS_FS       0x6000 /* FPU: off, initial, clean, dirty */
#define SSTATUS_FS_OFF   0x0
#define SSTATUS_FS_CLEAN 0x4000
#define SSTATUS_FS_DIRTY 0x6000
#define SSTATUS_SUM      0x40000 /* supervisor may touch user pages */

#define SIE_SOFT     0x2
#define SIE_TIMER    0x20
#define SIE_EXTERNAL 0x200

#define CAUSE_IRQ_SOFT     1 /* with the top bit */
#define CAUSE_IRQ_TIMER    5
#define CAUSE_IRQ_EXTERNAL 9
#define CAUSE_FETCH_ALIGN  0
#define CAUSE_FETCH_ACCESS 1
#define CAUSE_ILLEGAL      2
#define CAUSE_BREAKPOINT   3
#define CAUSE_LOAD_ALIGN   4
#define CAUSE_LOAD_ACCESS  5
#define CAUSE_STORE_ALIGN  6
#define CAUSE_STORE_ACCESS 7
#define CAUSE_USER_CALL    8
#define CAUSE_FETCH_FAULT  12
#define CAUSE_LOAD_FAULT   13
#define CAUSE_STORE_FAULT  15

#define SATP_SV39       (8UL << 60)
#define SATP_ASID_SHIFT 44
#define SATP_ASID_MASK  0xffffUL

#ifndef __ASSEMBLER__

#include <stdint.h>

#define csr_read(csr)                                                        \
	({                                                                   \
		uint64_t value_;                                             \
		__asm__ volatile("csrr %0, " #csr : "=r"(value_)::"memory"); \
		value_;                                                      \
	})
#define csr_write(csr, value) __asm__ volatile("csrw " #csr ", %0" ::"rK"(value) : "memory")
#define csr_set(csr, bits)    __asm__ volatile("csrs " #csr ", %0" ::"rK"(bits) : "memory")
#define csr_clear(csr, bits)  __asm__ volatile("csrc " #csr ", %0" ::"rK"(bits) : "memory")
#define csr_read_clear(csr, bits)                                                                  \
	({                                                                                         \
		uint64_t value_;                                                                   \
		__asm__ volatile("csrrc %0, " #csr ", %1" : "=r"(value_) : "rK"(bits) : "memory"); \
		value_;                                                                            \
	})

#endif
