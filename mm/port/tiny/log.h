// SPDX-License-Identifier: MIT
/*
 * A disk in memory under a redo log.
 *
 * A file-system operation writes blocks between begin_op() and end_op(): into the log's copies,
 * which are what log_read() returns from then on.  When the last running operation ends, all go to
 * the log's place on the disk, then the header, which is the commit, then to their own places.
 * An operation may write MAX_OP_BLOCKS different blocks; begin_op() lets in only as many
 * operations as the log can hold.  Operations do not nest.  Nothing here recovers, for this disk
 * does not outlive its kernel.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BLOCK_BYTES   1024u
#define N_BLOCKS      384u
#define MAX_OP_BLOCKS 5u
#define LOG_BLOCKS    10u
#define FIRST_BLOCK   (1 + LOG_BLOCKS) /* the header and the log come before it */

void begin_op(void);
void end_op(void);

/* The block's newest contents.  Takes a disk's time: sleeps. */
void log_read(unsigned block, void *to);

/* Part of a block; inside an operation.  Does not sleep. */
void log_write(unsigned block, unsigned offset, const void *from, unsigned bytes);

/* The block as it is on the disk, for those who make the file system or check it. */
uint8_t *disk_block(unsigned block);

/* Let the disk stand still, or go on. */
void disk_stop(bool stop);
