// SPDX-License-Identifier: MIT
#include "log.h"

#include "console.h"
#include "proc.h"

static uint8_t disk[N_BLOCKS][BLOCK_BYTES];

struct header {
	uint32_t count;
	uint32_t block[LOG_BLOCKS];
};

static struct {
	struct spinlock lock;
	unsigned running; /* operations */
	bool committing, stopped;
	struct header header;
	uint8_t copy[LOG_BLOCKS][BLOCK_BYTES];
} log;

uint8_t *disk_block(unsigned block)
{
	return disk[block];
}

/* What a real disk would do here is sleep. */
static void disk_wait(void)
{
	acquire(&log.lock);
	while (log.stopped)
		sleep(&log.stopped, &log.lock, false);
	release(&log.lock);
	yield();
}

void disk_stop(bool stop)
{
	acquire(&log.lock);
	log.stopped = stop;
	release(&log.lock);
	wakeup(&log.stopped);
}

/* The log's copy of a block; -1: none. */
static int find(unsigned block)
{
	for (unsigned i = 0; i < log.header.count; i++) {
		if (log.header.block[i] == block)
			return (int)i;
	}
	return -1;
}

void log_read(unsigned block, void *to)
{
	int slot;

	acquire(&log.lock);
	slot = find(block);
	__builtin_memcpy(to, slot < 0 ? disk[block] : log.copy[slot], BLOCK_BYTES);
	release(&log.lock);
	disk_wait();
}

/* This operation writes the slot too.  The log is locked. */
static void count_block(struct proc *p, int slot)
{
	unsigned blocks = 0;

	p->op_blocks |= 1u << slot;
	for (uint32_t left = p->op_blocks; left; left &= left - 1)
		blocks++;
	if (blocks > MAX_OP_BLOCKS)
		panic("log_write: too many blocks in one operation");
}

void log_write(unsigned block, unsigned offset, const void *from, unsigned bytes)
{
	int slot;

	if (!this_proc()->in_op)
		panic("log_write: outside an operation");
	acquire(&log.lock);
	slot = find(block);
	if (slot < 0) {
		if (log.header.count == LOG_BLOCKS)
			panic("log_write: the log is full");
		slot = (int)log.header.count++;
		log.header.block[slot] = block;
		__builtin_memcpy(log.copy[slot], disk[block], BLOCK_BYTES);
	}
	count_block(this_proc(), slot);
	__builtin_memcpy(log.copy[slot] + offset, from, bytes);
	release(&log.lock);
}

void begin_op(void)
{
	struct proc *p = this_proc();

	if (p->in_op)
		panic("begin_op: operations do not nest");
	acquire(&log.lock);
	while (log.committing || log.header.count + (log.running + 1) * MAX_OP_BLOCKS > LOG_BLOCKS)
		sleep(&log, &log.lock, false);
	log.running++;
	release(&log.lock);
	p->in_op = true;
	p->op_blocks = 0;
}

/* Nobody else is in the log. */
static void commit(void)
{
	for (unsigned i = 0; i < log.header.count; i++) {
		__builtin_memcpy(disk[1 + i], log.copy[i], BLOCK_BYTES);
		disk_wait();
	}
	__builtin_memcpy(disk[0], &log.header, sizeof log.header);
	disk_wait();
	for (unsigned i = 0; i < log.header.count; i++) {
		__builtin_memcpy(disk[log.header.block[i]], log.copy[i], BLOCK_BYTES);
		disk_wait();
	}
	__builtin_memset(disk[0], 0, sizeof log.header);
	disk_wait();
}

void end_op(void)
{
	bool last;

	acquire(&log.lock);
	this_proc()->in_op = false;
	last = --log.running == 0;
	log.committing = last;
	release(&log.lock);
	if (last) {
		commit();
		acquire(&log.lock);
		log.committing = false;
		log.header.count = 0;
		release(&log.lock);
	}
	wakeup(&log);
}
