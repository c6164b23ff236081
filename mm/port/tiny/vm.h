// SPDX-License-Identifier: MIT
/*
 * Page tables.  Every table maps the memory of the kernel where it is (one large leaf), out of
 * users' reach; users have the addresses below it.
 */
#pragma once

#include "riscv.h"

#include <stdbool.h>

#define KERNEL_BASE 0x80000000ul
#define LEAF_BYTES  (512 * PAGE_BYTES) /* what one table of the last level maps */

extern pte_t *kernel_table; /* no user memory */

void kvm_init(void);

/* A table without user memory, or NULL. */
pte_t *uvm_create(void);

/* Free the tables; panics on a page that is still mapped. */
void uvm_free(pte_t *table);

/* The entry for a page; NULL: there is no table for it, or with `make` no memory for one. */
pte_t *walk(pte_t *table, uint64_t va, bool make);

/* Translate by this table from now on, and by nothing that was remembered. */
void use_table(pte_t *table);
