// SPDX-License-Identifier: MIT
/* Write-back: from DIRTY to clean.  Theory at the head of writeback.c. */
#pragma once

#include "object.h"

void writeback_init(void);

/* Put the object on the list of unclean objects, or take it off; its lock is held. */
void unclean_list_move(struct mvm_object *obj, bool on);

/* Have its dirty pages count as old: the next mvm_writeback() writes them.  No lock held. */
void writeback_urgent(struct mvm_object *obj);
