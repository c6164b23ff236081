// SPDX-License-Identifier: MIT
/*
 * What getdents64 returns: records of d_reclen bytes, each a multiple of 8.
 */
#pragma once

#include <stdint.h>

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off; /* lseek here to read the entry after this one */
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[]; /* at 19; NUL-terminated */
};

#define DT_UNKNOWN 0
#define DT_FIFO    1
#define DT_CHR     2
#define DT_DIR     4
#define DT_BLK     6
#define DT_REG     8
#define DT_LNK     10
#define DT_SOCK    12
#define DT_WHT     14
