// SPDX-License-Identifier: MIT
/* read(2) and write(2) through the page cache, from and to memory that is always there. */
#pragma once

#include <mm/pagecache.h>

/* As mvm_pc_read() and mvm_pc_write(). */
int plain_read(struct mvm_object *obj, uint64_t offset, void *to, size_t n, size_t *done);
int plain_write(struct mvm_object *obj, uint64_t offset, const void *from, size_t n, size_t *done);
