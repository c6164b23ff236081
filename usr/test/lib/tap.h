// SPDX-License-Identifier: MIT
// The guest tests' harness. A program is a table of tests; each runs in a process of its own, in a
// folder of its own, and ends as one line of TAP:
//
//     ok 3 - private_write_stays_private
//     not ok 4 - tail_is_zero: mem_map.c:120: p[i] == 0 (is 7, should be 0)
//     ok 5 - blocks_counted # SKIP needs Mapache's counters
//
// The tests know only the ABI, so they also run on Linux, which is the oracle for what they demand;
// what only Mapache has (its counters) is skipped there.
//
// A test is over when all its processes have ended, or the first of them has failed. What then is
// left of it ends the run, after the message: "Bail out!", and where the program is the only job,
// the machine stops.
//
// On Mapache a test that passed is run again, several rounds, which must pass, too. A frame or a
// disk block that is gone afterwards may be in some cache; one for each round, and again for each
// of twice as many, and of four times as many, is a leak.
//
//     PROGRAM [-d DIR] [-s SEED] [-n] [-l] [NAME]...
//
// -d: where the folder for files is made (default: the root file system on Mapache, else /tmp);
// -s: the seed of random tests (default: from the clock, printed); -n: in this process, for a
// debugger; -l: list the names. NAMEs select tests that contain one of them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096ul

struct test {
	const char *name;
	void (*run)(void);
};

#define TEST_MAIN(table)                                                                \
	int main(int argc, char **argv)                                                 \
	{                                                                               \
		return tap_main(argc, argv, table, sizeof(table) / sizeof((table)[0])); \
	}

// For programs about calls that the kernel of the core preset lacks: each test is skipped there.
#define BEYOND_CORE_MAIN(table)                                                         \
	int main(int argc, char **argv)                                                 \
	{                                                                               \
		tap_beyond_core = true;                                                 \
		return tap_main(argc, argv, table, sizeof(table) / sizeof((table)[0])); \
	}

extern bool tap_beyond_core;

// This is one of the rounds that look for leaks: what takes long by its size alone may do with
// less.
extern bool tap_again;

int tap_main(int argc, char **argv, const struct test *tests, size_t n);

// Ends the current test, in this process or in a child of the test.
_Noreturn void tap_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void tap_skip(const char *why);

#define FAIL(...) tap_fail(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(condition)                        \
	do {                                    \
		if (!(condition))               \
			FAIL("%s", #condition); \
	} while (0)

#define CHECK_EQ(expression, wanted)                                                     \
	do {                                                                             \
		long long is_ = (long long)(expression), wanted_ = (long long)(wanted);  \
		if (is_ != wanted_)                                                      \
			FAIL("%s (is %lld, should be %lld)", #expression, is_, wanted_); \
	} while (0)

// A system call that must succeed: its value is not -1.
#define CHECK_OK(call) tap_check_ok((long)(call), __FILE__, __LINE__, #call)

// A system call that must fail with ERROR.
#define CHECK_ERR(call, error) tap_check_err((long)(call), error, __FILE__, __LINE__, #call)

long tap_check_ok(long value, const char *file, int line, const char *call);
void tap_check_err(long value, int error, const char *file, int line, const char *call);

// --- memory

// mmap that must succeed; a protection, flags, a descriptor and an offset as in mmap(2).
char *map(size_t bytes, int rights, int flags, int fd, off_t offset);
char *map_anon(size_t bytes); // private, readable and writable

// One byte through a volatile pointer: an access the compiler keeps.
char load(const void *p);
void store(void *p, char c);

// What happened to an access: signo 0 when nothing did.
struct fault {
	int signo, code;
	uintptr_t address;
};

struct fault try_load(const void *p);
struct fault try_store(void *p);
struct fault try_call(void *p); // jumps there
struct fault try_run(void (*access)(void *p), void *p);

#define CHECK_FAULT(access, signal_number, signal_code, at)                                       \
	do {                                                                                      \
		struct fault f_ = (access);                                                       \
		uintptr_t at_ = (uintptr_t)(at);                                                  \
		if (f_.signo != (signal_number) || f_.code != (signal_code) || f_.address != at_) \
			FAIL("%s (signal %d code %d at %#lx, should be %d %d %#lx)", #access,     \
				f_.signo, f_.code, (unsigned long)f_.address, signal_number,      \
				signal_code, (unsigned long)at_);                                 \
	} while (0)

#define CHECK_NO_FAULT(access) CHECK_FAULT(access, 0, 0, 0)

// --- processes

// Runs BODY in a child and returns its wait status; a CHECK that fails in the child fails the test.
int in_child(void (*body)(void *arg), void *arg);
pid_t start_child(void (*body)(void *arg), void *arg);
int end_child(pid_t pid);
// The child must exit with 0.
void must_exit_well(pid_t pid);

// --- files

// A file of BYTES bytes, byte i being pattern(i), open for reading and writing.
int make_file(const char *name, size_t bytes);
char pattern(size_t i);
void read_file(const char *name, void *to, size_t bytes); // exactly so many

ino_t inode_of(const char *name); // links are followed

// Memory that must hold the bytes of such a file from FROM on, or zeros.
void check_pattern(const char *p, size_t from, size_t bytes);
void check_zero(const char *p, size_t bytes);

// --- what the kernel counts

bool on_mapache(void);
bool on_core(void); // the kernel without its optional modules
// A counter of /proc/vmstat. Skips the test where it is not Mapache's.
long long vmstat(const char *name);
// A line of /proc/meminfo, in KiB; -1 when there is none.
long long memory_kib(const char *name);
// Where there is little memory anyway (64M; not on Linux): takes private memory until no more than
// that is available, for the life of this process. False where nothing was done.
bool squeeze_memory(long long leave_kib);
// What is in memory only because it was used goes: '1' of files, '2' names and stacks, '3' both.
// Nothing where that cannot be asked for.
void drop_caches(char what);
long long blocks_read(void); // of 4 KiB, from and to all disks since the start
long long blocks_written(void);
long long free_blocks(void); // of the folder's file system

uint64_t random_u64(void);
unsigned random_below(unsigned n);
