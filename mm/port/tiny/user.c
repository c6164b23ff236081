// SPDX-License-Identifier: MIT
/*
 * The user program: every stage of mm, as processes see it.  Files are known by numbers; 0 is this
 * program itself.  A child that a bad access ended has minus the fault's result as its status.
 */
#include "fs.h"
#include "syscall.h"

#include <mm/vm.h>

#define RW         (MVM_READ | MVM_WRITE)
#define FILE_BYTES (MAX_FILE_PAGES * PAGE_BYTES)

typedef volatile unsigned char *bytes;

void start(void);

static long call(long number, long x, long y, long z, long u)
{
	register long a0 asm("a0") = x, a1 asm("a1") = y, a2 asm("a2") = z, a3 asm("a3") = u;
	register long a7 asm("a7") = number;

	asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a7) : "memory");
	return a0;
}

static void checked(bool right, const char *name)
{
	call(SYS_CHECK, right, (long)name, 0, 0);
}

static bytes map(unsigned long size, unsigned rights, bool shared, long file)
{
	return (bytes)call(SYS_MAP, (long)size, rights, shared, file);
}

static void unmap(bytes p, unsigned long size)
{
	call(SYS_UNMAP, (long)p, (long)size, 0, 0);
}

static int child_status(void)
{
	int status;

	return call(SYS_WAIT, (long)&status, 0, 0, 0) > 0 ? status : 1000;
}

/* The status of a child that looks at this byte, or stores there. */
static int status_of_access(bytes p, bool store)
{
	if (call(SYS_FORK, 0, 0, 0, 0) == 0) {
		if (store)
			*p = 1;
		else
			(void)*p;
		call(SYS_EXIT, 0, 0, 0, 0);
	}
	return child_status();
}

/* What byte i of file f is made to be. */
static unsigned char pattern(unsigned f, unsigned long i)
{
	return (unsigned char)(f * 31 + i / PAGE_BYTES * 7 + i % PAGE_BYTES + 1);
}

/* Does every stride-th byte have its pattern? */
static bool has_pattern(bytes p, unsigned f, unsigned long size, unsigned long stride)
{
	for (unsigned long i = 0; i < size; i += stride) {
		if (p[i] != pattern(f, i))
			return false;
	}
	return true;
}

static bool read_at(unsigned f, unsigned long offset, unsigned char *c)
{
	return call(SYS_READ, f, (long)offset, (long)c, 1) == 1;
}

/* --- Stages ----------------------------------------------------------------------------------- */

static void test_anonymous(void)
{
	bytes p = map(8 * PAGE_BYTES, RW, false, -1);
	bool zero = true;

	for (unsigned i = 0; i < 8 * PAGE_BYTES; i += 512)
		zero = zero && p[i] == 0;
	checked(zero, "anonymous memory is zero");
	for (unsigned i = 0; i < 8; i++)
		p[i * PAGE_BYTES] = (unsigned char)(i + 1);
	unmap(p + 3 * PAGE_BYTES, PAGE_BYTES);
	checked(p[2 * PAGE_BYTES] == 3 && p[4 * PAGE_BYTES] == 5, "unmap leaves the neighbours");
	checked(status_of_access(p + 3 * PAGE_BYTES, false) == -MVM_FAULT_MAPERR,
		"what was unmapped is gone");
	unmap(p, 8 * PAGE_BYTES);
}

static void test_fork(void)
{
	bytes p = map(2 * PAGE_BYTES, RW, false, -1);
	bytes shared = map(PAGE_BYTES, RW, true, 3);

	p[0] = 1;
	*shared = 0;
	if (call(SYS_FORK, 0, 0, 0, 0) == 0) {
		while (*shared == 0) /* until the parent has stored */
			call(SYS_YIELD, 0, 0, 0, 0);
		p[PAGE_BYTES] = 3;
		call(SYS_EXIT, p[0], 0, 0, 0);
	}
	p[0] = 2;
	*shared = 1;
	checked(child_status() == 1, "a child keeps what the parent overwrites");
	checked(p[0] == 2 && p[PAGE_BYTES] == 0, "a parent does not see what the child writes");
	unmap(p, 2 * PAGE_BYTES);
	unmap(shared, PAGE_BYTES);
}

/* Files 1 and 2 get their contents by write(). */
static void write_files(void)
{
	bytes p = map(FILE_BYTES, RW, false, -1);
	long done = 0;

	for (unsigned f = 1; f <= 2; f++) {
		for (unsigned long at = 0; at < FILE_BYTES; at += 4 * PAGE_BYTES) {
			unsigned long n = FILE_BYTES - at;

			n = n < 4 * PAGE_BYTES ? n : 4 * PAGE_BYTES;
			for (unsigned long i = 0; i < n; i++)
				p[i] = pattern(f, at + i);
			done += call(SYS_WRITE, f, (long)at, (long)p, (long)n);
		}
	}
	checked(done == 2 * (long)FILE_BYTES, "write()");
	unmap(p, FILE_BYTES);
}

static void test_private_file(void)
{
	bytes p = map(4 * PAGE_BYTES, RW, false, 1);
	unsigned char c = 0;

	checked(has_pattern(p, 1, 4 * PAGE_BYTES, 16), "a private mapping shows the file");
	p[5] = 200;
	checked(read_at(1, 5, &c) && c == pattern(1, 5) && p[5] == 200,
		"a private store stays out of the file");
	checked(status_of_access(p + FILE_BYTES, false) == -MVM_FAULT_MAPERR,
		"nothing is mapped behind the mapping");
	unmap(p, 4 * PAGE_BYTES);
	p = map(FILE_BYTES + PAGE_BYTES, RW, false, 1);
	checked(status_of_access(p + FILE_BYTES, false) == -MVM_FAULT_BUS,
		"behind the file's end is SIGBUS");
	unmap(p, FILE_BYTES + PAGE_BYTES);
}

static void test_shared_file(void)
{
	bytes p = map(4 * PAGE_BYTES, RW, true, 1);
	unsigned char c = 0;

	call(SYS_SYNC, (long)p, 4 * PAGE_BYTES, 0, 0);
	p[PAGE_BYTES + 9] = 201;
	checked(read_at(1, PAGE_BYTES + 9, &c) && c == 201, "read() sees a shared store at once");
	checked(call(SYS_ON_DISK, 1, PAGE_BYTES + 9, 0, 0) == pattern(1, PAGE_BYTES + 9),
		"the disk does not see it yet");
	checked(call(SYS_SYNC, (long)p, 4 * PAGE_BYTES, 0, 0) == 0 &&
			call(SYS_ON_DISK, 1, PAGE_BYTES + 9, 0, 0) == 201,
		"msync brings it to the disk");
	p[PAGE_BYTES + 9] = pattern(1, PAGE_BYTES + 9);
	checked(call(SYS_SYNC, (long)p, 4 * PAGE_BYTES, 0, 0) == 0 &&
			call(SYS_ON_DISK, 1, PAGE_BYTES + 9, 0, 0) == pattern(1, PAGE_BYTES + 9),
		"a store after msync is written by the next");
	unmap(p, 4 * PAGE_BYTES);
}

static void test_read_into_mapping(void)
{
	bytes p = map(PAGE_BYTES, RW, true, 3);

	checked(call(SYS_READ, 1, 0, (long)p, PAGE_BYTES) == (long)PAGE_BYTES,
		"read() into a shared mapping");
	call(SYS_SYNC, (long)p, PAGE_BYTES, 0, 0);
	call(SYS_EVICT, 3, 0, 0, 0);
	checked(has_pattern(p, 1, PAGE_BYTES, 1), "reaches the file");
	unmap(p, PAGE_BYTES);
}

/* --- Deadlocks -------------------------------------------------------------------------------- */

static void test_write_from_own_page(void)
{
	bytes p = map(2 * PAGE_BYTES, RW, true, 1);

	call(SYS_SYNC, (long)p, 2 * PAGE_BYTES, 0, 0);
	call(SYS_EVICT, 1, 0, 0, 0);
	checked(call(SYS_WRITE, 1, 0, (long)p, PAGE_BYTES) == (long)PAGE_BYTES,
		"write() of a file's page from a mapping of that page ends");
	call(SYS_EVICT, 1, 0, 0, 0);
	checked(call(SYS_WRITE, 1, 100, (long)(p + PAGE_BYTES - 100), 200) == 200,
		"write() from the end of the page and the next");
	checked(p[99] == pattern(1, 99) && p[100] == pattern(1, PAGE_BYTES - 100) &&
			p[200] == pattern(1, PAGE_BYTES) && p[300] == pattern(1, 300),
		"with the right bytes");
	for (unsigned i = 100; i < 300; i++)
		p[i] = pattern(1, i);
	unmap(p, 2 * PAGE_BYTES);
}

static void test_fault_beside_inode_lock(void)
{
	bytes p = map(4 * PAGE_BYTES, RW, true, 1);

	call(SYS_SYNC, (long)p, 4 * PAGE_BYTES, 0, 0);
	call(SYS_EVICT, 1, 0, 0, 0);
	if (call(SYS_FORK, 0, 0, 0, 0) == 0) {
		call(SYS_HOLD_INODE, 1, 0, 0, 0);
		call(SYS_EXIT, 5, 0, 0, 0);
	}
	while (!call(SYS_HELD, 0, 0, 0, 0))
		call(SYS_YIELD, 0, 0, 0, 0);
	checked(has_pattern(p, 1, 4 * PAGE_BYTES, 64), "faults while the inode is locked");
	p[0] = pattern(1, 0);
	checked(call(SYS_SYNC, (long)p, PAGE_BYTES, 0, 0) == 0, "write-back while it is locked");
	call(SYS_LET_GO, 0, 0, 0, 0);
	checked(child_status() == 5, "the lock is let go");
	unmap(p, 4 * PAGE_BYTES);
}

static long child_that_reads(bytes p)
{
	long pid = call(SYS_FORK, 0, 0, 0, 0);

	if (pid == 0)
		call(SYS_EXIT, *p, 0, 0, 0);
	while (!call(SYS_ASLEEP, pid, 0, 0, 0))
		call(SYS_YIELD, 0, 0, 0, 0);
	return pid;
}

/* One child's fault waits for the disk, two others' for the first one's page. */
static void test_wait_for_page(void)
{
	bytes p = map(PAGE_BYTES, RW, true, 2);
	int status = 0;
	long killed;

	call(SYS_SYNC, (long)p, PAGE_BYTES, 0, 0);
	call(SYS_EVICT, 2, 0, 0, 0);
	call(SYS_STOP_DISK, 1, 0, 0, 0);
	child_that_reads(p);
	child_that_reads(p);
	killed = child_that_reads(p);
	call(SYS_KILL, killed, 0, 0, 0);
	checked(call(SYS_WAIT, (long)&status, 0, 0, 0) == killed && status == -MVM_FAULT_KILLED,
		"who waits for a page can be killed");
	if (call(SYS_FORK, 0, 0, 0, 0) == 0) {
		call(SYS_DIE_AT_DOOR, 0, 0, 0, 0);
		call(SYS_EXIT, *p, 0, 0, 0);
	}
	checked(child_status() == -MVM_FAULT_KILLED, "and between the decision to wait and sleep");
	call(SYS_STOP_DISK, 0, 0, 0, 0);
	checked(child_status() == pattern(2, 0) && child_status() == pattern(2, 0),
		"who reads it, and who waits on, get it");
	unmap(p, PAGE_BYTES);
}

/* --- Harts and pressure ----------------------------------------------------------------------- */

/*
 * A child counts in a shared page, without a system call, while the parent has the page written
 * back and evicted again and again.  Through a stale entry the child's stores are lost, or it
 * counts in a page that is somebody else's.
 */
static void test_harts(void)
{
	bytes p = map(2 * PAGE_BYTES, RW, true, 3);
	volatile uint64_t *count = (volatile uint64_t *)p;
	bytes stop = p + PAGE_BYTES;

	*count = 0;
	*stop = 0;
	if (call(SYS_FORK, 0, 0, 0, 0) == 0) {
		for (uint64_t n = 0; *stop != 1; n++) {
			if (*count != n || *stop > 1) {
				call(SYS_YIELD, 0, 0, 0, 0); /* and forget the stale entries */
				*stop = 1;
				call(SYS_EXIT, 1, 0, 0, 0);
			}
			*count = n + 1;
		}
		call(SYS_EXIT, 0, 0, 0, 0);
	}
	for (unsigned i = 0; i < 20 && !*stop; i++) {
		uint64_t last = *count;

		while (*count == last && !*stop) /* it is counting */
			call(SYS_YIELD, 0, 0, 0, 0);
		call(SYS_SYNC, (long)p, 2 * PAGE_BYTES, 0, 0);
		call(SYS_EVICT, 3, 0, 0, 0);
	}
	*stop = 1;
	checked(child_status() == 0, "no hart uses what was taken from it");
	unmap(p, 2 * PAGE_BYTES);
}

/* Two files of 31 pages in what is left of 64 frames, with stores all over. */
static void test_pressure(void)
{
	long before = call(SYS_EVICTED, 0, 0, 0, 0);
	bytes p[3] = {0, map(FILE_BYTES, RW, true, 1), map(FILE_BYTES, RW, true, 2)};
	bool right = true;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned f = 1; f <= 2; f++) {
			right = right && has_pattern(p[f], f, FILE_BYTES, 128);
			for (unsigned long i = round; i < FILE_BYTES; i += PAGE_BYTES)
				p[f][i] = pattern(f, i);
		}
	}
	checked(right, "two files in less memory than they have bytes");
	checked(call(SYS_EVICTED, 0, 0, 0, 0) - before > 31, "pages were evicted for it");
	unmap(p[1], FILE_BYTES);
	unmap(p[2], FILE_BYTES);
}

/* The disk has no room for all of file 3: a store says so, and nothing is lost later. */
static void test_no_space(void)
{
	unsigned char c = 9;
	bytes p = map(FILE_BYTES, RW, true, 3);

	checked(call(SYS_WRITE, 3, (long)FILE_BYTES - 100, (long)&c, 1) == 1, "a file with a hole");
	checked(status_of_access(p + 2 * PAGE_BYTES, false) == 0, "the hole can be read");
	if (call(SYS_FORK, 0, 0, 0, 0) == 0) {
		for (unsigned i = 0; i < MAX_FILE_PAGES; i++)
			p[i * PAGE_BYTES] = (unsigned char)i;
		call(SYS_EXIT, 0, 0, 0, 0);
	}
	checked(child_status() == -MVM_FAULT_BUS, "a store without room on the disk is SIGBUS");
	checked(call(SYS_SYNC, (long)p, FILE_BYTES, 0, 0) == 0, "all that was stored has room");
	checked(p[5 * PAGE_BYTES] == 5 && call(SYS_ON_DISK, 3, 5 * PAGE_BYTES, 0, 0) == 5,
		"and is on the disk");
	unmap(p, FILE_BYTES);
}

__attribute__((section(".text.entry"))) void start(void)
{
	unsigned char c = 0;

	call(SYS_WRITE, 3, 2 * PAGE_BYTES - 100, (long)&c, 1);
	test_anonymous();
	test_fork();
	write_files();
	test_private_file();
	test_shared_file();
	test_read_into_mapping();
	test_write_from_own_page();
	test_fault_beside_inode_lock();
	test_wait_for_page();
	test_harts();
	test_pressure();
	test_no_space();
	call(SYS_EXIT, 0, 0, 0, 0);
}
