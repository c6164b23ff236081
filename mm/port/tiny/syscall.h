// SPDX-License-Identifier: MIT
/* System calls: the kernel's side and the user program's. */
#pragma once

#include <stdint.h>

#define USER_BASE 0x10000ul /* where the program is; user.ld says it too */

enum syscall {
	SYS_EXIT,
	SYS_FORK,
	SYS_WAIT,  /* &status: the child's number, or -1 */
	SYS_KILL,  /* child */
	SYS_YIELD, /* */
	SYS_MAP,   /* bytes, rights, shared, file (-1: none): the address */
	SYS_UNMAP, /* address, bytes */
	SYS_SYNC,  /* address, bytes */
	SYS_READ,  /* file, offset, address, bytes: how many */
	SYS_WRITE, /* the same */

	/* What tests look at and bring about: */
	SYS_CHECK,       /* right, its name: a line of output */
	SYS_ON_DISK,     /* file, offset: the byte on the disk */
	SYS_EVICT,       /* file: forget its clean pages */
	SYS_EVICTED,     /* how many pages reclaim has freed so far */
	SYS_HOLD_INODE,  /* file: keep its lock until SYS_LET_GO */
	SYS_HELD,        /* is it held? */
	SYS_LET_GO,      /* */
	SYS_STOP_DISK,   /* or let it go on */
	SYS_ASLEEP,      /* child: does it sleep in the kernel? */
	SYS_DIE_AT_DOOR, /* from now on: be killed on the way into a killable sleep */
};

/* The call with this number; what it returns is the program's a0. */
long syscall(uint64_t number, const uint64_t *arguments);
