// SPDX-License-Identifier: MIT
// Every system call with pointers, descriptors and sizes it cannot work with. A table says what
// each argument is; one argument at a time becomes bad in each way there is, all others stay good.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/tap.h"

// What an argument is:
//   f  a descriptor of a file       F  of a folder        d  of the folder a path starts in
//   p  a path                       q  a second path       x  the path of a program
//   r  bytes the kernel reads       R  a structure: all of it must be there
//   w  bytes the kernel writes      W  a structure
//   v  an array of struct iovec     0  NULL: allowed, not tried here
//   g  good memory, not tried here  -  a number: the next of the list
struct call {
	const char *name;
	long number;
	const char *arguments;
	long numbers[3];
};

#ifndef SYS_newfstatat
#define SYS_newfstatat 79
#endif

static const struct call calls[] = {
	{"read", SYS_read, "fw-", {50}},
	{"write", SYS_write, "fr-", {50}},
	{"pread64", SYS_pread64, "fw--", {50, 0}},
	{"pwrite64", SYS_pwrite64, "fr--", {50, 0}},
	{"readv", SYS_readv, "fv-", {1}},
	{"writev", SYS_writev, "fv-", {1}},
	{"lseek", SYS_lseek, "f--", {0, SEEK_SET}},
	{"openat", SYS_openat, "dp--", {O_RDONLY, 0}},
	{"close", SYS_close, "f", {0}},
	{"fstat", SYS_fstat, "fW", {0}},
	{"newfstatat", SYS_newfstatat, "dpW-", {0}},
	{"getdents64", SYS_getdents64, "Fw-", {1000}},
	{"mkdirat", SYS_mkdirat, "dq-", {0755}},
	{"unlinkat", SYS_unlinkat, "dp-", {0}},
	{"linkat", SYS_linkat, "dpdq-", {0}},
	{"renameat2", SYS_renameat2, "dpdq-", {0}},
	{"readlinkat", SYS_readlinkat, "dpg-", {10}},
	{"chdir", SYS_chdir, "p", {0}},
	{"getcwd", SYS_getcwd, "w-", {4096}},
	{"ftruncate", SYS_ftruncate, "f-", {100}},
	{"fsync", SYS_fsync, "f", {0}},
	{"fdatasync", SYS_fdatasync, "f", {0}},
	{"pipe2", SYS_pipe2, "W-", {0}},
	{"dup", SYS_dup, "f", {0}},
	{"dup3", SYS_dup3, "f--", {50, 0}},
	{"fcntl", SYS_fcntl, "f--", {F_GETFD, 0}},
	{"ioctl", SYS_ioctl, "f-0", {0x5401}},
	{"execve", SYS_execve, "xrr", {0}},
	{"rt_sigaction", SYS_rt_sigaction, "-R0-", {SIGUSR1, 8}},
	{"rt_sigaction (old)", SYS_rt_sigaction, "-0W-", {SIGUSR1, 8}},
	{"rt_sigprocmask", SYS_rt_sigprocmask, "-R0-", {SIG_BLOCK, 8}},
	{"rt_sigprocmask (old)", SYS_rt_sigprocmask, "-0W-", {SIG_BLOCK, 8}},
	{"nanosleep", SYS_nanosleep, "R0", {0}},
	{"clock_gettime", SYS_clock_gettime, "-W", {CLOCK_MONOTONIC}},
	{"uname", SYS_uname, "W", {0}},
	{"getrandom", SYS_getrandom, "w--", {50, 0}},
	{"prlimit64 (new)", SYS_prlimit64, "--R0", {0, 3}},
	{"prlimit64 (old)", SYS_prlimit64, "--0W", {0, 3}},
	{"setitimer", SYS_setitimer, "-R0", {0}},
	{"setitimer (old)", SYS_setitimer, "-0W", {0}},
	{"statfs", SYS_statfs, "pW", {0}},
	{"fstatfs", SYS_fstatfs, "fW", {0}},
};

// Good values, made anew for each call: a bad call must not have used them up.
struct good {
	int file, folder;
	char *page; // zeros: no timeout, no signals, no time at all
	struct iovec *vector;
	char *none, *read_only, *edge; // no rights; no stores; the last byte before nothing
};

static struct good good_new(void)
{
	struct good g = {.page = map_anon(2 * PAGE)};

	g.file = make_file("f", 100);
	CHECK_EQ(lseek(g.file, 0, SEEK_SET), 0);
	g.folder = (int)CHECK_OK(open(".", O_RDONLY));
	g.vector = (struct iovec *)map_anon(PAGE);
	g.vector[0] = (struct iovec){g.page, 50};
	g.none = map(PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	g.read_only = map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	g.edge = map_anon(2 * PAGE) + PAGE - 1;
	CHECK_OK(munmap(g.edge + 1, PAGE));
	*g.edge = 'e'; // a path that never ends
	return g;
}

static void good_free(const struct good *g)
{
	CHECK_OK(close(g->file));
	CHECK_OK(close(g->folder));
	CHECK_OK(munmap(g->page, 2 * PAGE));
	CHECK_OK(munmap(g->vector, PAGE));
	CHECK_OK(munmap(g->none, PAGE));
	CHECK_OK(munmap(g->read_only, PAGE));
	CHECK_OK(munmap(g->edge - PAGE + 1, PAGE));
}

static void fill(const struct call *call, const struct good *g, long arguments[6])
{
	int number = 0;

	for (int i = 0; call->arguments[i]; i++) {
		switch (call->arguments[i]) {
		case 'f':
			arguments[i] = g->file;
			break;
		case 'F':
			arguments[i] = g->folder;
			break;
		case 'd':
			arguments[i] = AT_FDCWD;
			break;
		case 'p':
			arguments[i] = (long)"f";
			break;
		case 'x':
			arguments[i] = (long)"/bin/true";
			break;
		case 'q':
			arguments[i] = (long)"new";
			break;
		case 'v':
			arguments[i] = (long)g->vector;
			break;
		case '0':
			arguments[i] = 0;
			break;
		case '-':
			arguments[i] = call->numbers[number++];
			break;
		default:
			arguments[i] = (long)g->page;
		}
	}
}

// Makes the call with argument I being VALUE; it must fail with ERROR.
static void try_bad(const struct call *call, int i, long value, int error, const char *what)
{
	struct good g = good_new();
	long a[6] = {0}, result;

	fill(call, &g, a);
	a[i] = value == 1   ? (long)g.none
	       : value == 2 ? (long)g.read_only
	       : value == 3 ? (long)g.edge
			    : value;
	result = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (result != -1)
		FAIL("%s with %s as argument %d is %ld", call->name, what, i, result);
	if (errno != error)
		FAIL("%s with %s as argument %d: %s, should be %s", call->name, what, i,
			strerror(errno), strerror(error));
	good_free(&g);
}

static const struct {
	const char *what;
	long value; // 1, 2, 3: see try_bad
	const char *kinds;
} bad_pointers[] = {
	{"address 8", 8, "pqxrRwWv"},
	{"an address of the kernel", (long)0xffffffc080200000ul, "pqxrRwWv"},
	{"the last address", -1, "pqxrRwWv"},
	{"an address that is none", 0x0123456789abcdefl, "pqxrRwWv"},
	{"the first address past the user's", 0x4000000000l, "pqxrRwWv"},
	{"memory without rights", 1, "pqxrRwWv"},
	{"read-only memory", 2, "wW"},
	{"a page's last byte before nothing", 3, "pqxRWv"},
};

static void bad_pointers_are_efault(void)
{
	for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++)
		for (int i = 0; calls[c].arguments[i]; i++)
			for (size_t b = 0; b < sizeof bad_pointers / sizeof bad_pointers[0]; b++)
				if (strchr(bad_pointers[b].kinds, calls[c].arguments[i]))
					try_bad(&calls[c], i, bad_pointers[b].value, EFAULT,
						bad_pointers[b].what);
}

static void bad_descriptors_are_ebadf(void)
{
	static const long bad[] = {-1, 999, INT_MAX, INT_MIN};

	for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++)
		for (int i = 0; calls[c].arguments[i]; i++)
			for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++)
				if (strchr("fFd", calls[c].arguments[i]))
					try_bad(&calls[c], i, bad[b], EBADF, "a bad descriptor");
}

static void bad_vectors(void)
{
	static char bytes[100];
	struct iovec v[2] = {{bytes, 50}, {(void *)8, 50}};
	int fd = make_file("f", 100);
	ssize_t n;

	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	n = readv(fd, v, 2); // the first part arrives, or nothing is said to
	CHECK(n == 50 || (n == -1 && errno == EFAULT));
	v[0].iov_base = (void *)8;
	CHECK_ERR(readv(fd, v, 2), EFAULT);
	CHECK_ERR(writev(fd, v, 2), EFAULT);
	v[0].iov_len = (size_t)-1;
	CHECK_ERR(readv(fd, v, 1), EINVAL);
}

// --- Which error comes first ---------------------------------------------------------------------

enum { READS, WRITES, STREAM, CLOSED }; // a file open for one of them; a pipe's reading end

// The calls' numbers at the file's own position, and at an offset; one piece of memory, and some.
static const long transfers[2][2][2] = {
	{{SYS_read, SYS_pread64}, {SYS_readv, SYS_preadv}},
	{{SYS_write, SYS_pwrite64}, {SYS_writev, SYS_pwritev}},
};

static const long bad_addresses[] = {-1, (long)0xffffffc080200000ul, 0x4000000000l};

// As Linux checks: an offset; the descriptor; positions; what the file was opened for; the memory.
static int first_error(int file, bool writes, bool at_offset, long offset)
{
	if (at_offset && offset < 0)
		return EINVAL;
	if (file == CLOSED)
		return EBADF;
	if (at_offset && file == STREAM)
		return ESPIPE;
	return writes == (file == WRITES) ? EFAULT : EBADF;
}

static void transfer_badly(int fd, int file, bool writes, bool pieces, bool at_offset)
{
	for (size_t i = 0; i < sizeof bad_addresses / sizeof bad_addresses[0]; i++)
		for (long n = 0; n < 2; n++)
			for (long offset = -1; offset < 2; offset += 2) {
				int want = first_error(file, writes, at_offset, offset);
				long result = syscall(transfers[writes][pieces][at_offset], fd,
					bad_addresses[i], n, offset, 0);

				if (pieces && n == 0 && want == EFAULT)
					CHECK_EQ(result, 0); // no pieces are none that is bad
				else if (result != -1 || errno != want)
					FAIL("file %d, writes %d, pieces %d, offset %d %ld, "
					     "%ld of them: %ld, %s and not %s",
						file, writes, pieces, at_offset, offset, n, result,
						strerror(errno), strerror(want));
			}
}

static void errors_have_an_order(void)
{
	int fds[4], ends[2];

	CHECK_OK(close(make_file("f", 100)));
	fds[READS] = (int)CHECK_OK(open("f", O_RDONLY));
	fds[WRITES] = (int)CHECK_OK(open("f", O_WRONLY));
	CHECK_OK(pipe(ends));
	fds[STREAM] = ends[0];
	fds[CLOSED] = 999;
	for (int file = READS; file <= CLOSED; file++)
		for (int i = 0; i < 8; i++) {
			// before 6.8 Linux looked at the pieces first
			if ((i & 2) && !on_mapache())
				continue;
			transfer_badly(fds[file], file, i & 1, i & 2, i & 4);
		}
}

// A folder can be opened for reading, and is only told not to be read once the memory is good.
static void folders_are_not_read(void)
{
	int fd = (int)CHECK_OK(open(".", O_RDONLY));
	char byte;

	CHECK_ERR(syscall(SYS_read, fd, -1L, 1), EFAULT);
	CHECK_ERR(read(fd, &byte, 1), EISDIR);
	CHECK_ERR(syscall(SYS_write, fd, -1L, 1), EBADF);
}

static void huge_sizes(void)
{
	static const size_t sizes[] = {
		SIZE_MAX, SIZE_MAX - PAGE, 1ul << 63, (1ul << 63) - 1, 1ul << 62, 1ul << 40};
	int fd = make_file("f", 100);
	char *p = map_anon(PAGE);

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		long n = syscall(SYS_pread64, fd, p, sizes[i], 0);

		if (n != 100 && !(n == -1 && (errno == EFAULT || errno == EINVAL)))
			FAIL("pread of %#zx bytes is %ld", sizes[i], n);
		n = syscall(SYS_getcwd, p, sizes[i]);
		if (n == -1)
			CHECK_EQ(errno, EFAULT);
	}
}

// A buffer that ends in the middle: what is said to have been moved has been, and no more.
static void buffers_that_end(void)
{
	struct good g = good_new();
	char *p = g.edge - 9; // ten bytes
	long n;

	n = pread(g.file, p, 100, 0);
	CHECK(n == 10 || (n == -1 && errno == EFAULT));
	for (long i = 0; i < n; i++)
		CHECK_EQ(p[i], pattern((size_t)i));
	memset(p, 'w', 10);
	n = pwrite(g.file, p, 50, 20);
	CHECK(n == 10 || (n == -1 && errno == EFAULT));
	char back[100];
	CHECK_EQ(pread(g.file, back, 100, 0), 100);
	for (long i = 0; i < 100; i++)
		CHECK_EQ(back[i], i >= 20 && i < 20 + n ? 'w' : pattern((size_t)i));
}

static void long_paths(void)
{
	static char path[3 * PATH_MAX];
	char *const argv[] = {"x", NULL};

	memset(path, 'a', sizeof path - 1);
	CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
	for (size_t i = 1; i < sizeof path - 1; i += 2)
		path[i] = '/';
	CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
	CHECK_ERR(chdir(path), ENAMETOOLONG);
	CHECK_ERR(mkdir(path, 0755), ENAMETOOLONG);
	CHECK_ERR(execve(path, argv, argv + 1), ENAMETOOLONG);
	path[PATH_MAX - 1] = '\0';
	CHECK_ERR(open(path, O_RDONLY), ENOENT); // exactly as long as may be
}

static void unknown_calls(void)
{
	static const long numbers[] = {-1, 1000, 0x10000, INT_MAX};

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		CHECK_ERR(syscall(numbers[i], 0, 0, 0, 0, 0, 0), ENOSYS);
}

// A call that would end, stop or start something for good.
static bool is_left_out(long number)
{
	static const long out[] = {SYS_exit, SYS_exit_group, SYS_clone, SYS_reboot, SYS_kill,
		SYS_tkill, SYS_tgkill, SYS_umount2, SYS_mount, SYS_sync};

	for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
		if (number == out[i])
			return true;
	return false;
}

static void call_at_random(void *arg)
{
	struct good g = good_new();

	(void)arg;
	for (int fd = 0; fd <= STDERR_FILENO; fd++) // what they write is not our report's
		dup2((int)g.file, fd);
	for (int i = 0; i < 200; i++) {
		const long values[] = {0, -1, 8, (long)g.page, (long)g.none, (long)g.edge,
			(long)0xffffffc080200000ul, 0x0123456789abcdefl, g.file, g.folder, 1, 100,
			PAGE, (long)random_u64(), (long)random_u64() & 0xffff, LONG_MIN};
		long number = random_below(460), a[6];

		for (int k = 0; k < 6; k++)
			a[k] = values[random_below(sizeof values / sizeof values[0])];
		if (!is_left_out(number))
			syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
}

// Some of the calls wait, for ever or with every signal blocked: who has not ended soon is killed.
static void end_soon(pid_t pid)
{
	const struct timespec moment = {.tv_nsec = 2000000};

	for (int i = 0; i < 25; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
		nanosleep(&moment, NULL);
	}
	kill(pid, SIGKILL);
	end_child(pid);
}

// Whatever they do to the caller, the kernel and the others go on.
static void calls_at_random(void)
{
	if (!on_mapache())
		tap_skip("not on somebody's machine");
	for (int i = 0; i < 40; i++) {
		pid_t pid = start_child(call_at_random, NULL);

		random_u64(); // the next child draws other numbers
		end_soon(pid);
	}
}

static const struct test tests[] = {
	{"bad_pointers_are_efault", bad_pointers_are_efault},
	{"bad_descriptors_are_ebadf", bad_descriptors_are_ebadf},
	{"bad_vectors", bad_vectors},
	{"errors_have_an_order", errors_have_an_order},
	{"folders_are_not_read", folders_are_not_read},
	{"huge_sizes", huge_sizes},
	{"buffers_that_end", buffers_that_end},
	{"long_paths", long_paths},
	{"unknown_calls", unknown_calls},
	{"calls_at_random", calls_at_random},
};

TEST_MAIN(tests)
