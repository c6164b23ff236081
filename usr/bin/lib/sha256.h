// SPDX-License-Identifier: MIT
// SHA-256 (FIPS 180-4).
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

// The digest of N bytes at DATA, which may be NULL when N is 0.
void sha256(const void *data, size_t n, uint8_t digest[SHA256_BYTES]);
