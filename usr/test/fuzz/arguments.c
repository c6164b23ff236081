// SPDX-License-Identifier: MIT
// Arguments by the kinds of the table: most are good enough that a call goes some way, and each has
// a chance to be hostile. What is written to memory has no byte of the kernel's poison and no
// kernel address, so that either, when it comes back, is the kernel's.
#include "fuzz.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

uint64_t rng_next(struct rng *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dul;
}

unsigned rng_below(struct rng *r, unsigned n)
{
	return (unsigned)((rng_next(r) >> 33) % n);
}

static bool chance(struct lane *lane, unsigned percent)
{
	return rng_below(&lane->rng, 100) < percent;
}

#define PICK(lane, list) (list)[rng_below(&(lane)->rng, sizeof(list) / sizeof(*(list)))]

static const unsigned long hostile_addresses[] = {0, 1, 8, 0xfff, 0x1000,
	0x10001, // low, and the program itself
	ARENA - 1, ARENA + 1, ARENA + ARENA_BYTES - 3, ARENA + ARENA_BYTES, 0x3fffffeffful,
	0x3ffffff000ul, 0x3ffffffffful, 0x4000000000ul, // the end of user space
	0x8000000000000000ul, 0xffffffc000000000ul,     // what is not canonical; the kernel's
	0xffffffc080200000ul, 0xffffffc084000008ul, 0xffffffffc0004000ul, -8ul, -1ul};

static unsigned long hostile_address(struct lane *lane)
{
	return PICK(lane, hostile_addresses);
}

bool is_made_up(uint64_t word)
{
	for (size_t i = 0; i < sizeof hostile_addresses / sizeof *hostile_addresses; i++)
		if (hostile_addresses[i] == word)
			return true;
	return false;
}

static unsigned long arena_address(struct lane *lane)
{
	unsigned long at = ARENA + rng_below(&lane->rng, ARENA_BYTES >> 12) * 4096ul;

	return chance(lane, 10) ? at + rng_below(&lane->rng, 4096) : at;
}

// Without these bits neither half of a number can be one of a kernel's address, whatever the other
// is: where two numbers lie in a row, as in a time, the judge sees the halves that meet, too.
#define NEVER_SET 0x4000000040000000ul

static unsigned long number_by_chance(struct lane *lane)
{
	return (rng_next(&lane->rng) >> rng_below(&lane->rng, 64)) & ~NEVER_SET;
}

static unsigned long any_number(struct lane *lane)
{
	static const unsigned long numbers[] = {0, 1, 2, 3, 7, 8, 16, 64, 255, 256, 4095, 4096,
		4097, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, -1ul, -2ul,
		-4096ul, 0x7ffffffffffffffful, 0x8000000000000000ul};

	return chance(lane, 80) ? PICK(lane, numbers) : number_by_chance(lane);
}

static unsigned long descriptor(struct lane *lane)
{
	static const int others[] = {-1, AT_FDCWD, 63, 64, 1000, 0x7fffffff, -2};

	if (chance(lane, 6))
		return (unsigned long)(long)PICK(lane, others);
	return rng_below(&lane->rng, chance(lane, 80) ? 14 : 40);
}

static unsigned long process(struct lane *lane)
{
	switch (rng_below(&lane->rng, 8)) {
	case 0:
		return 1;
	case 1:
		return any_number(lane);
	case 2:
		return (unsigned long)getppid();
	case 3:
		return (unsigned long)getpid() + rng_below(&lane->rng, 4);
	case 4:
		return (unsigned long)getpid();
	}
	return 0;
}

static unsigned long signal_number(struct lane *lane)
{
	unsigned sig = rng_below(&lane->rng, 66);
	bool fatal = sig == SIGKILL || sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN ||
		     sig == SIGTTOU;

	return fatal && !chance(lane, 3) ? SIGCHLD : sig;
}

static unsigned long size(struct lane *lane)
{
	if (chance(lane, 6))
		return any_number(lane);
	if (chance(lane, 50))
		return rng_below(&lane->rng, 256);
	return chance(lane, 70) ? (1 + rng_below(&lane->rng, 15)) * 4096ul
				: rng_below(&lane->rng, BUFFER_BYTES);
}

// --- values that the table has names for

static unsigned long named_value(struct lane *lane, const struct call_row *call, const char *arg)
{
	unsigned long value = 0;
	bool refused = chance(lane, 10);

	for (const struct call_row *row = call; (row = call_more(row)) != NULL;) {
		if (row->is == ROW_ERRORS || strcmp(row->name, arg) != 0)
			continue;
		if (row->is == ROW_VALUES)
			value |=
				(unsigned long)row->values[rng_below(&lane->rng, (unsigned)row->n)];
		for (size_t i = 0; row->is == ROW_BITS && i < row->n; i++)
			if (chance(lane, 30))
				value |= (unsigned long)row->values[i];
		if (row->is == ROW_REFUSES && refused)
			value |=
				(unsigned long)row->values[rng_below(&lane->rng, (unsigned)row->n)];
	}
	return value;
}

static bool has_names(const struct call_row *call, const char *arg)
{
	for (const struct call_row *row = call; (row = call_more(row)) != NULL;)
		if (row->is != ROW_ERRORS && strcmp(row->name, arg) == 0)
			return true;
	return false;
}

// --- strings

static const char *const paths[] = {"a", "b", "c", "dir", "dir/a", "dir/b", "dir/../c", "link",
	"loop", "fifo", "new", "dir/new", "", ".", "..", "/", "//dir//a/", "nothing/a", "a/b",
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/tty", "/dev/ptmx",
	"/dev/console", "/dev/shm/fuzz", "/proc/self/maps", "/proc/self/status", "/proc/self/fd/3",
	"/proc/self/exe", "/proc/self/cwd", "/proc/1/stat", "/proc/1/maps", "/proc/meminfo",
	"/proc/vmstat", "/proc/slabinfo", "/proc/lockstat", "/proc/harts",
	"/proc/sys/vm/drop_caches", "/proc/trace", "/proc", "/dev", "/bin/true", "/etc/passwd"};

static void put_string(struct lane *lane, char *to, bool is_path)
{
	size_t n = 0;

	if (chance(lane, 90)) {
		strcpy(to, is_path || chance(lane, 50) ? PICK(lane, paths) : "name");
		return;
	}
	n = chance(lane, 50) ? 255 + rng_below(&lane->rng, 2) : 4000 + rng_below(&lane->rng, 200);
	memset(to, 'x', n);
	for (size_t i = 0; chance(lane, 50) && i < n; i += 3)
		to[i] = '/';
	to[n] = 0;
}

// --- structures, told by the type of the pointer

static void put_time(struct lane *lane, int64_t *to)
{
	bool wild = chance(lane, 6);

	to[0] = wild ? (int64_t)any_number(lane) : 0;
	to[1] = wild ? (int64_t)any_number(lane) : rng_below(&lane->rng, 1000);
}

static void put_pieces(struct lane *lane, struct iovec *to, char *buffer)
{
	for (unsigned i = 0; i < 16; i++) {
		to[i].iov_base = buffer + 4096 + i * 512;
		to[i].iov_len = chance(lane, 4) ? any_number(lane) : rng_below(&lane->rng, 512);
		if (chance(lane, 4))
			to[i].iov_base = (void *)arena_address(lane);
	}
}

static void on_signal(int sig)
{
	(void)sig;
}

static void put_action(struct lane *lane, unsigned long *to)
{
	static void (*const handlers[])(int) = {SIG_DFL, SIG_IGN, on_signal, on_signal};
	static const unsigned long flags[] = {0, SA_RESTART, SA_NODEFER, SA_RESETHAND, SA_ONSTACK,
		SA_SIGINFO, SA_NOCLDSTOP, SA_NOCLDWAIT, SA_RESTART | SA_ONSTACK | SA_SIGINFO};

	to[0] = (unsigned long)PICK(lane, handlers);
	to[1] = PICK(lane, flags);
	to[2] = chance(lane, 10) ? rng_next(&lane->rng) & 0x1f1f1f1f1f1f1f1ful : 0;
}

static void put_strings(struct lane *lane, char **to, char *buffer)
{
	unsigned n = rng_below(&lane->rng, 4);

	for (unsigned i = 0; i < n; i++) {
		to[i] = buffer + 4096 + i * 8192;
		put_string(lane, to[i], false);
		if (chance(lane, 5))
			to[i] = (char *)arena_address(lane);
	}
	to[n] = NULL;
}

static void put_polls(struct lane *lane, struct pollfd *to)
{
	for (unsigned i = 0; i < 32; i++)
		to[i] = (struct pollfd){
			.fd = (int)descriptor(lane), .events = (short)rng_below(&lane->rng, 64)};
}

static void put_words(struct lane *lane, unsigned long *to)
{
	for (unsigned i = 0; i < 64; i++)
		to[i] = chance(lane, 60) ? rng_below(&lane->rng, 32)
					 : rng_next(&lane->rng) & 0x1f1f1f1f1f1f1f1ful;
}

static void put_structure(struct lane *lane, const char *type, char *buffer)
{
	if (strstr(type, "timespec") || strstr(type, "itimerval")) {
		put_time(lane, (int64_t *)buffer);
		put_time(lane, (int64_t *)buffer + 2);
	} else if (strstr(type, "iovec")) {
		put_pieces(lane, (struct iovec *)buffer, buffer);
	} else if (strstr(type, "sigaction")) {
		put_action(lane, (unsigned long *)buffer);
	} else if (strstr(type, "char *const *")) {
		put_strings(lane, (char **)buffer, buffer);
	} else if (strstr(type, "pollfd")) {
		put_polls(lane, (struct pollfd *)buffer);
	} else if (strstr(type, "stack_t")) {
		unsigned long stack[3] = {arena_address(lane), chance(lane, 30), size(lane)};
		memcpy(buffer, stack, sizeof stack);
	} else {
		put_words(lane, (unsigned long *)buffer);
	}
}

static unsigned long pointer(struct lane *lane, const struct call_arg *arg, char *buffer)
{
	if (chance(lane, 6))
		return hostile_address(lane);
	if (chance(lane, 6))
		return arena_address(lane);
	if (chance(lane, 8) && arg->kind != ARG_PATH)
		return 0;
	memset(buffer, CANARY, 4096);
	if (arg->kind == ARG_PATH || arg->kind == ARG_STR)
		put_string(lane, buffer, arg->kind == ARG_PATH);
	else if (arg->kind != ARG_OUT)
		put_structure(lane, arg->type, buffer);
	return (unsigned long)buffer;
}

static unsigned long argument(
	struct lane *lane, const struct call_row *call, const struct call_arg *arg, char *buffer)
{
	switch (arg->kind) {
	case ARG_FD:
		if (strstr(arg->name, "dir") && chance(lane, 70))
			return (unsigned long)AT_FDCWD;
		return descriptor(lane);
	case ARG_PID:
		return process(lane);
	case ARG_SIG:
		return signal_number(lane);
	case ARG_MODE:
		return rng_below(&lane->rng, 010000) |
		       (chance(lane, 20) ? rng_below(&lane->rng, 16) << 12 : 0);
	case ARG_SIZE:
		if (strcmp(arg->name, "set_bytes") == 0 && chance(lane, 95))
			return sizeof(uint64_t);
		return size(lane);
	case ARG_OFF:
		return chance(lane, 15) ? any_number(lane) : rng_below(&lane->rng, 32) * 512ul;
	case ARG_ADDR:
		return chance(lane, 85) ? arena_address(lane) : hostile_address(lane);
	case ARG_LONG: // a number, or a pointer, as fcntl and ioctl take them
		put_words(lane, (unsigned long *)buffer);
		return chance(lane, 50) ? (unsigned long)buffer : any_number(lane);
	case ARG_PATH:
	case ARG_STR:
	case ARG_IN:
	case ARG_OUT:
	case ARG_INOUT:
		return pointer(lane, arg, buffer);
	default:
		if (has_names(call, arg->name) && !chance(lane, 5))
			return named_value(lane, call, arg->name);
		if (arg->kind == ARG_FLAGS && chance(lane, 80))
			return 0;
		return chance(lane, 60) ? rng_below(&lane->rng, 16) : any_number(lane);
	}
}

void make_arguments(struct lane *lane, const struct call_row *call, unsigned long args[CALL_ARGS])
{
	memset(args, 0, CALL_ARGS * sizeof *args);
	for (unsigned i = 0; call->args[i].kind != ARG_NONE; i++)
		args[i] = argument(lane, call, &call->args[i], lane->buffers + i * BUFFER_BYTES);
}
