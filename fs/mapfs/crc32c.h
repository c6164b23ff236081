// SPDX-License-Identifier: MIT
/* CRC-32C (Castagnoli; RFC 3720, B.4), which guards every metadata block. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`: a checksum of pieces is that of the whole.  The first call starts at ~0. */
uint32_t mapfs_crc32c(uint32_t crc, const void *data, size_t n);
