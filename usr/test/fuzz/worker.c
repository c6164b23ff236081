// SPDX-License-Identifier: MIT
// A worker: a process without privilege that makes calls, and so do the children and threads that
// it makes. Each result must be allowed by the table, and nothing that comes back may be the
// kernel's.
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_US     5000 // a worker that waits is woken so often
#define STACK_BYTES (32ul << 10)
#define HEIRS       40 // calls that a child or a thread makes
#define TLS_BYTES   1024

// What no user may see: debug builds fill kernel memory and stacks with these.
#define POISON_HEAP  0x6b6b6b6bu
#define POISON_STACK 0x5c5c5c5cu
#define KERNEL_FROM  0xffffffc000000000ul
#define KERNEL_TO    0xffffffe000000000ul // the direct map of this much memory
#define STACKS_FROM  0xffffffffc0000000ul
#define STACKS_TO \
	0xffffffffc8000000ul // of more threads than there are; above it lie small negative numbers

#define THREAD_FLAGS                                                                        \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
		CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

static unsigned lanes_taken = 1;

// This process may have a stack, a thread pointer or registers that are not its own: it makes calls
// as well as it can, but what it says of them is no finding.
static bool astray;

static long raw_call(long number, const unsigned long a[CALL_ARGS])
{
	register unsigned long a0 __asm__("a0") = a[0];
	register unsigned long a1 __asm__("a1") = a[1];
	register unsigned long a2 __asm__("a2") = a[2];
	register unsigned long a3 __asm__("a3") = a[3];
	register unsigned long a4 __asm__("a4") = a[4];
	register unsigned long a5 __asm__("a5") = a[5];
	register long a7 __asm__("a7") = number;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
			 : "memory");
	return (long)a0;
}

// --- judging

static void note(uint32_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void found(
	const struct call_row *call, const unsigned long a[CALL_ARGS], const char *what, long value)
{
	uint32_t slot = __atomic_fetch_add(&findings->n, 1, __ATOMIC_RELAXED);

	if (slot < FINDINGS)
		snprintf(findings->text[slot], FINDING_BYTES,
			"%s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx): %s %#lx", call->name, a[0], a[1],
			a[2], a[3], a[4], a[5], what, value);
}

static bool kind_allows(enum arg_kind kind, long error)
{
	static const int of_paths[] = {
		EACCES, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, ENXIO};

	if (kind == ARG_FD)
		return error == EBADF;
	if (kind >= ARG_PATH && error == EFAULT)
		return true;
	for (size_t i = 0; kind == ARG_PATH && i < sizeof of_paths / sizeof *of_paths; i++)
		if (of_paths[i] == error)
			return true;
	return false;
}

static bool row_allows(const struct call_row *row, long error)
{
	if (row->is == ROW_REFUSES)
		return row->number == error;
	for (size_t i = 0; row->is == ROW_ERRORS && i < row->n; i++)
		if (row->values[i] == error)
			return true;
	return false;
}

static bool error_is_allowed(const struct call_row *call, long error)
{
	if (call->is == ROW_ABSENT)
		return error == ENOSYS;
	for (const struct call_arg *arg = call->args; arg->kind != ARG_NONE; arg++)
		if (kind_allows(arg->kind, error))
			return true;
	for (const struct call_row *row = call; (row = call_more(row)) != NULL;)
		if (row_allows(row, error))
			return true;
	return false;
}

static bool is_kernel_address(uint64_t word)
{
	bool mapped = word >= KERNEL_FROM && word < KERNEL_TO;
	bool stack = word >= STACKS_FROM && word < STACKS_TO;

	return (mapped || stack) && !is_made_up(word);
}

// Words of bytes that are random by nature are not looked at for four bytes of poison.
static void look_for_kernel(
	const struct call_row *call, const unsigned long a[CALL_ARGS], const char *at, bool random)
{
	const uint32_t *words = (const uint32_t *)at;

	for (unsigned i = 0; i < 512; i++) {
		uint64_t both = words[i] | (uint64_t)words[i + 1] << 32;

		if (is_kernel_address(both))
			found(call, a, "shows a kernel address", (long)both);
		else if (!random && (words[i] == POISON_HEAP || words[i] == POISON_STACK))
			found(call, a, "shows poison", (long)both);
		else
			continue;
		return;
	}
}

static bool is_random(const struct call_row *call)
{
	return call->number == SYS_read || call->number == SYS_readv ||
	       call->number == SYS_pread64 || call->number == SYS_preadv ||
	       call->number == SYS_preadv2;
}

// Any bytes may come back: random ones, or the siginfo that another process made up for a signal.
static bool may_show_anything(const struct call_row *call)
{
	return call->number == SYS_getrandom || call->number == SYS_rt_sigtimedwait;
}

static void judge(struct lane *lane, const struct call_row *call, const unsigned long a[CALL_ARGS],
	long result)
{
	if (astray)
		return;
	if (result < 0 && result >= -4095) {
		if (!error_is_allowed(call, -result))
			found(call, a, "gives an error that its row has not:", -result);
	} else {
		note(&findings->went[call->number]);
		if (is_kernel_address((uint64_t)result))
			found(call, a, "gives a kernel address:", result);
	}
	if (may_show_anything(call))
		return;
	for (unsigned i = 0; call->is == ROW_CALL && call->args[i].kind != ARG_NONE; i++)
		if (call->args[i].kind >= ARG_IN &&
			a[i] == (unsigned long)lane->buffers + i * BUFFER_BYTES)
			look_for_kernel(call, a, (const char *)a[i], is_random(call));
}

// --- calls

static void run(struct lane *lane);

// What would end most workers at once is made seldom; what would undo the judge is not made.
static bool is_wanted(struct lane *lane, const struct call_row *call)
{
	switch (call->number) {
	case SYS_exit:
	case SYS_exit_group:
	case SYS_rt_sigreturn:
		return rng_below(&lane->rng, 100) == 0;
	case SYS_execve:
	case SYS_execveat:
	case SYS_sync:
	case SYS_syncfs:
	case SYS_brk: // the kernel's to give, but stdio has pieces of the heap
		return rng_below(&lane->rng, 10) == 0;
	}
	return true;
}

static const struct call_row *choose(struct lane *lane)
{
	for (;;) {
		const struct call_row *call = call_of(rng_below(&lane->rng, CALL_SLOTS));

		if (call && is_wanted(lane, call) &&
			(call->is == ROW_CALL || rng_below(&lane->rng, 20) == 0))
			return call;
	}
}

static void nothing(int sig)
{
	(void)sig;
}

// Most signals are survived, until somebody sets another action.
static void handle_signals(void)
{
	struct sigaction action = {.sa_handler = nothing};

	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sig != SIGSEGV && sig != SIGBUS && sig != SIGILL && sig != SIGTRAP)
			sigaction(sig, &action, NULL);
}

static void wake_often(void)
{
	struct itimerval often = {{0, TICK_US}, {0, TICK_US}};
	struct sigaction action = {.sa_handler = nothing};
	sigset_t alarm;

	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

// Another lane for a child in the same memory; NULL when they are all taken.
static struct lane *new_lane(struct lane *from)
{
	static struct lane lanes[LANES];
	unsigned i = __atomic_fetch_add(&lanes_taken, 1, __ATOMIC_RELAXED);

	if (i >= LANES)
		return NULL;
	lanes[i] = (struct lane){.rng = {rng_next(&from->rng) | 1},
		.left = HEIRS,
		.verbose = from->verbose,
		.number = i,
		.buffers = (char *)BUFFERS + i * CALL_ARGS * BUFFER_BYTES};
	return &lanes[i];
}

static int begin_in_same_memory(void *lane)
{
	run(lane);
	syscall(SYS_exit, 0);
	return 0;
}

// What flags drawn one by one hardly ever are: a thread, a fork, what posix_spawn begins with.
static unsigned long child_flags(struct lane *lane, unsigned long drawn)
{
	switch (rng_below(&lane->rng, 4)) {
	case 0:
		return THREAD_FLAGS;
	case 1:
		return SIGCHLD;
	case 2:
		return CLONE_VM | CLONE_VFORK | SIGCHLD;
	}
	return drawn & ~(unsigned long)CLONE_SETTLS;
}

// A child goes on for itself. In the same memory it gets a stack, and a thread pointer: with its
// parent's it would have the parent's errno, too.
static long make_child(struct lane *lane, unsigned long a[CALL_ARGS])
{
	static _Alignas(64) char tls[LANES][TLS_BYTES];

	a[0] = child_flags(lane, a[0]);
	a[1] = 0;
	if (a[0] & CLONE_VM) {
		struct lane *heir = new_lane(lane);
		char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (!heir || stack == MAP_FAILED)
			return -EAGAIN;
		errno = 0;
		int tid = clone(begin_in_same_memory, stack + STACK_BYTES, (int)a[0] | CLONE_SETTLS,
			heir, a[2], tls[heir->number] + TLS_BYTES / 2, a[4]);
		if (tid > 0)
			note(a[0] & CLONE_THREAD ? &findings->threads : &findings->processes);
		return tid < 0 ? -errno : tid;
	}
	long child = raw_call(SYS_clone, a);
	if (child == 0) {
		lane->left = lane->left < HEIRS ? lane->left : HEIRS;
		run(lane);
		_exit(0);
	}
	if (child > 0)
		note(&findings->processes);
	return child;
}

// A frame of no signal, or all that chance gives a clone.
static bool may_lead_astray(struct lane *lane, const struct call_row *call)
{
	return call->number == SYS_rt_sigreturn ||
	       (call->number == SYS_clone && rng_below(&lane->rng, 100) == 0);
}

// By a child that nobody else shares memory with.
static void call_astray(struct lane *lane, const struct call_row *call, unsigned long a[CALL_ARGS])
{
	static const unsigned long fork_arguments[CALL_ARGS] = {SIGCHLD};

	if (raw_call(SYS_clone, fork_arguments) != 0)
		return;
	astray = true;
	raw_call(call->number, a);
	lane->left = lane->left < HEIRS ? lane->left : HEIRS;
	run(lane);
	_exit(0);
}

static void one_call(struct lane *lane)
{
	static const struct call_arg none = {ARG_NONE, NULL, NULL};
	const struct call_row *call = choose(lane);
	struct call_row absent = *call;
	unsigned long a[CALL_ARGS];

	if (call->is == ROW_ABSENT)
		absent.args = &none;
	make_arguments(lane, call->is == ROW_ABSENT ? &absent : call, a);
	if (lane->verbose)
		dprintf(62, "%d: %s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)\n", getpid(), call->name,
			a[0], a[1], a[2], a[3], a[4], a[5]);
	note(&findings->made[call->number]);
	__atomic_fetch_add(&findings->calls, 1, __ATOMIC_RELAXED);
	if (may_lead_astray(lane, call)) {
		call_astray(lane, call, a);
		return;
	}
	judge(lane, call, a,
		call->number == SYS_clone ? make_child(lane, a) : raw_call(call->number, a));
}

static void run(struct lane *lane)
{
	for (; lane->left; lane->left--) {
		if (lane->left % 8 == 0)
			wake_often();
		if (lane->left % 32 == 0)
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
		one_call(lane);
	}
}

// --- a worker's beginning

static void limit(int resource, unsigned long to)
{
	struct rlimit l = {to, to};

	setrlimit(resource, &l);
}

static void set_limits(void)
{
	limit(RLIMIT_NPROC, 24);
	limit(RLIMIT_NOFILE, 64);
	limit(RLIMIT_FSIZE, 256 << 10);
	limit(RLIMIT_AS, 128 << 20);
	limit(RLIMIT_MEMLOCK, 1 << 20);
	limit(RLIMIT_CPU, 10);
	limit(RLIMIT_SIGPENDING, 64);
}

// Descriptors that most calls can do something with; 62 is for words of the judge.
static void open_descriptors(void)
{
	int fds[2];

	for (int i = 0; i < 3; i++) {
		close(i);
		open("/dev/null", O_RDWR);
	}
	open("a", O_RDWR | O_CREAT, 0644);
	open("b", O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK, 0644);
	open("dir", O_RDONLY | O_DIRECTORY);
	if (pipe(fds) == 0)
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
	eventfd(1, EFD_NONBLOCK);
	open("/proc/self/maps", O_RDONLY);
	open("fifo", O_RDWR | O_NONBLOCK);
	open("/dev/zero", O_RDWR);
	open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	open("c", O_PATH | O_CREAT, 0644);
}

static void map_memory(void)
{
	int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	mmap((void *)BUFFERS, LANES * CALL_ARGS * BUFFER_BYTES, PROT_READ | PROT_WRITE, fixed, -1,
		0);
	mmap((void *)ARENA, ARENA_BYTES / 2, PROT_READ | PROT_WRITE, fixed, -1, 0);
	mmap((void *)(ARENA + ARENA_BYTES / 2), ARENA_BYTES / 4, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_FIXED, 3, 0);
}

void work(uint64_t seed, unsigned calls, bool verbose)
{
	struct lane lane = {
		.rng = {seed | 1}, .buffers = (char *)BUFFERS, .left = calls, .verbose = verbose};

	if (verbose)
		dup2(1, 62);
	open_descriptors();
	map_memory();
	set_limits();
	handle_signals();
	run(&lane);
	_exit(0);
}
