// SPDX-License-Identifier: MIT
/*
 * Address types and the page size, as every layer above arch spells them.
 *
 * vaddr_t and paddr_t are the two scalars whose confusion is a disaster, hence their own names.
 */
#pragma once

#include <stdint.h>
#include <stddef.h>
#include <stdbool.h>

typedef uintptr_t vaddr_t;
typedef uintptr_t paddr_t;

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (PAGE_SIZE - 1)

/* Most harts the kernel runs; hart sets are uint64_t masks of hart indices, not of hart ids. */
#define MAX_HARTS 8

/* A rare path of a hot function: out of line, so that it costs the hot one no registers to save. */
#define COLD __attribute__((cold, noinline))

#define page_align_down(x) ((x) & ~PAGE_MASK)
#define page_align_up(x)   (((x) + PAGE_MASK) & ~PAGE_MASK)
