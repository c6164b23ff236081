// SPDX-License-Identifier: MIT
/*
 * The virtual address map, the one place that describes it.
 *
 *   0x0000000000001000  USER_BASE      user space
 *   0x0000003ffffff000  USER_END       one page short of the end of the low half
 *        (hole: not canonical)
 *   0xffffffc000000000  DIRECT_BASE    direct map: VA = PA + DIRECT_BASE. RAM is read-write here,
 *                                      in large leaves; the kernel image lies in it too (text R-X,
 *                                      rodata R--, data RW-), so no writable alias of text exists.
 *                                      Device registers appear here as they are claimed.
 *   0xffffffffc0000000  KSTACK_BASE    kernel stacks: slots of 2 * KSTACK_BYTES, of which the upper
 *                                      half is the stack and the lower half is never mapped
 *
 * The kernel half has the same root entries in every address space. They are complete when the
 * first user space is made and never change afterwards (only tables below them do), so no space
 * ever needs to learn of a kernel mapping.
 */
#pragma once

#include <arch/types.h>

#define USER_BASE 0x1000UL
#define USER_END  0x3ffffff000UL
#define USER_TOP  0x4000000000UL /* of the low half: nothing is mapped from USER_END on */

#define DIRECT_BASE 0xffffffc000000000UL
#define DIRECT_SIZE 0x3fc0000000UL

#define KSTACK_BASE  0xffffffffc0000000UL
#define KSTACK_BYTES 16384UL
#define KSTACK_SLOT  (2 * KSTACK_BYTES)
#define KSTACK_SLOTS 16384

static inline void *phys_to_virt(paddr_t pa)
{
	return (void *)(pa + DIRECT_BASE);
}

/* Only for addresses in the direct map (the kernel image included; stacks excluded). */
static inline paddr_t virt_to_phys(const void *va)
{
	return (paddr_t)va - DIRECT_BASE;
}

/* Does [addr, addr + len) lie in user space? An empty range at or below USER_END does. */
static inline bool user_range_ok(vaddr_t addr, size_t len)
{
	return len <= USER_END && addr <= USER_END - len;
}
