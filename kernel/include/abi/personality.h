// SPDX-License-Identifier: MIT
/*
 * personality(2): the low byte is a way of doing things, the rest are flags.
 */
#pragma once

#define PER_LINUX 0x0000

#define ADDR_NO_RANDOMIZE 0x0040000 /* exec puts nothing at random places */
