// SPDX-License-Identifier: MIT
/* SipHash-2-4, a keyed hash of short strings (Aumasson and Bernstein, INDOCRYPT 2012). */
#pragma once

#include <stddef.h>
#include <stdint.h>

uint64_t mapfs_siphash(const uint64_t key[2], const void *data, size_t n);
