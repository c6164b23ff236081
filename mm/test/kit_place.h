// SPDX-License-Identifier: MIT
/*
 * What every placement must keep (mm/place.h): a policy's choice lies inside the space, on a page
 * boundary, over no area, no claim and no gap below a stack; there is one whenever there is room; a
 * free hint is taken; below the space's top first; the same again when entropy is the same; and the
 * top itself is random within its bound.
 *
 * mm/test/plugs.cmake builds one program of it for each policy; docs/plugging.md tells how to add
 * one.
 */
#pragma once

#include <stdint.h>

/*
 * After mvm_init().  The kit's random operations: their seed, and how many.
 * Returns the failures.
 */
int kit_place(uint64_t seed, unsigned ops);
