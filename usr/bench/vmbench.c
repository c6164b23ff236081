// SPDX-License-Identifier: MIT
/*
 * vmbench - virtual memory, process and file micro-benchmarks for one CPU.
 *
 * One static binary for two kernels: it uses only C11, POSIX and a handful of
 * Linux system calls, so the same file runs on Linux/riscv64 and on any kernel
 * with the same system-call ABI.  It can be started from a shell or be pid 1
 * (/init); as pid 1 it mounts what it can, runs everything, and powers off.
 *
 * The unit of measure is the retired instruction.  Run the machine under
 * "qemu -icount shift=0": then instret, cycle and (100 times coarser) time all
 * count instructions, plus the jumps that virtual time makes while the CPU is
 * idle in wfi.
 *
 *   vmbench [-c instret|cycle|time] [-d DIR]... [-r REPS] [-f] [-v] [-l] [FILTER]...
 *
 *     -c   counter (default: instret if user mode may read it, else time)
 *     -d   directory of the file benchmarks (default /tmp); may be repeated:
 *          the second and later ones run the file benchmarks only
 *     -r   batches per benchmark, of which the median is printed (default: table)
 *     -f   run every benchmark in a forked child (a crash then costs one line)
 *     -v   also print the least and the greatest batch
 *     -l   list the names
 *     FILTER  run only the benchmarks whose name contains one of these
 *             ("=name" for the whole name)
 *
 * Output: one line a benchmark, "name<TAB>value<TAB>unit".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KiB 1024ul
#define MiB (1024ul * 1024ul)
#define PG 4096ul

/* ------------------------------------------------------------- counters -- */

enum { C_INSTRET, C_CYCLE, C_TIME };
static int counter = -1;
static uint64_t overhead;
#define TIME_SCALE 100 /* instructions per tick of a 10 MHz time CSR at 1 GHz */

static inline uint64_t now(void)
{
#if defined(__riscv)
	uint64_t v;
	if (counter == C_INSTRET) {
		__asm__ volatile("rdinstret %0" : "=r"(v)::"memory");
		return v;
	}
	if (counter == C_CYCLE) {
		__asm__ volatile("rdcycle %0" : "=r"(v)::"memory");
		return v;
	}
	__asm__ volatile("rdtime %0" : "=r"(v)::"memory");
	return v * TIME_SCALE;
#else
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

static sigjmp_buf probe_env;
static void probe_ill(int s) { (void)s; siglongjmp(probe_env, 1); }

static int counter_works(int c)
{
	struct sigaction sa = { .sa_handler = probe_ill }, old;
	volatile int ok = 0;
	int keep = counter;

	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGILL, &sa, &old) != 0)
		return 0;
	if (sigsetjmp(probe_env, 1) == 0) {
		counter = c;
		uint64_t a = now();
		for (volatile int i = 0; i < 1000; i++)
			;
		ok = now() > a;
	}
	counter = keep;
	sigaction(SIGILL, &old, NULL);
	return ok;
}

/* -------------------------------------------------------------- failing -- */

static jmp_buf fail_env;
static char fail_what[64];

static void fail(const char *what)
{
	snprintf(fail_what, sizeof fail_what, "%s:%s", what, strerror(errno));
	longjmp(fail_env, 1);
}
#define CHK(e) do { if ((long)(e) == -1) fail(#e); } while (0)

/* -------------------------------------------------------------- helpers -- */

static const char *dir = "/tmp";
static const char *self_path;
static char path_a[PATH_MAX], path_b[PATH_MAX];
static char buf[64 * KiB] __attribute__((aligned(4096)));
static uint64_t rng = 88172645463325252ull;

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static const char *fpath(char *out, const char *leaf)
{
	snprintf(out, PATH_MAX, "%s/vmb-%s", dir, leaf);
	return out;
}

static void wr_page(char *p) { *(volatile char *)p = 1; }
static char rd_page(const char *p) { return *(const volatile char *)p; }

static char *anon(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		fail("mmap");
	return p;
}

/* anonymous memory in base pages; madvise may be missing on a small kernel */
static char *anon_small(size_t len)
{
	char *p = anon(len);
	(void)madvise(p, len, MADV_NOHUGEPAGE);
	return p;
}

static void touch(char *p, size_t len)
{
	for (size_t o = 0; o < len; o += PG)
		wr_page(p + o);
}

static int make_file(const char *path, size_t len)
{
	int fd;
	CHK(fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));
	memset(buf, 0x5a, sizeof buf);
	for (size_t o = 0; o < len; o += sizeof buf) {
		size_t n = len - o < sizeof buf ? len - o : sizeof buf;
		if (write(fd, buf, n) != (ssize_t)n)
			fail("write");
	}
	return fd;
}

static void reap(pid_t pid)
{
	int st;
	while (waitpid(pid, &st, 0) == -1)
		if (errno != EINTR)
			fail("waitpid");
	if (!WIFEXITED(st) || WEXITSTATUS(st) != 0) {
		errno = ECHILD;
		fail("child");
	}
}

#define LOOP(n, ...) ({                                      \
		uint64_t t0_ = now();                        \
		for (long i_ = 0; i_ < (long)(n); i_++) {    \
			__VA_ARGS__;                         \
		}                                            \
		uint64_t t1_ = now();                        \
		(double)(t1_ - t0_ - overhead) / (double)(n); \
	})

/* ------------------------------------------------------------- baseline -- */

/* a tenth of a tick of Linux's clock at 250 Hz, so that most runs have none */
static double b_user_loop(long arg)
{
	(void)arg;
	long loops = 200000, n = loops;
	uint64_t t0 = now();
#if defined(__riscv)
	__asm__ volatile("1: addi %0,%0,-1\n bnez %0,1b" : "+r"(n));
#else
	for (volatile long i = 0; i < n; i++)
		;
#endif
	return (double)(now() - t0 - overhead) / (double)loops;
}

static double b_user_copy(long arg)
{
	(void)arg;
	static uint64_t a[2048], b[2048];
	uint64_t *dst = b;
	__asm__ volatile("" : "+r"(dst) :: "memory");
	return LOOP(50, {
		for (int k = 0; k < 2048; k += 4) {
			uint64_t w = a[k], x = a[k + 1], y = a[k + 2], z = a[k + 3];
			__asm__ volatile("" : "+r"(w), "+r"(x), "+r"(y), "+r"(z));
			dst[k] = w; dst[k + 1] = x; dst[k + 2] = y; dst[k + 3] = z;
		}
		__asm__ volatile("" ::: "memory");
	}) / 16.0;
}

/* -------------------------------------------------------------- syscalls -- */

static double b_getppid(long arg) { (void)arg; return LOOP(2000, getppid()); }

static double b_sigaction(long arg)
{
	(void)arg;
	struct sigaction sa = { .sa_handler = SIG_IGN };
	sigemptyset(&sa.sa_mask);
	double v = LOOP(2000, sigaction(SIGUSR2, &sa, NULL));
	signal(SIGUSR2, SIG_DFL);
	return v;
}

static double b_file_rw(long arg)
{
	int fd = make_file(fpath(path_a, "rw"), 64 * KiB);
	double v = 0;
	char c;
	switch (arg) {
	case 0:
		CHK(lseek(fd, 0, SEEK_SET));
		v = LOOP(2000, { if (read(fd, &c, 1) != 1) fail("read"); });
		break;
	case 1:
		v = LOOP(1000, { if (pread(fd, buf, PG, (i_ & 15) * (long)PG) != (long)PG) fail("pread"); });
		break;
	case 2:
		v = LOOP(1000, { if (pwrite(fd, buf, PG, (i_ & 15) * (long)PG) != (long)PG) fail("pwrite"); });
		break;
	case 3:
		v = LOOP(1000, { if (pread(fd, buf, sizeof buf, 0) != (long)sizeof buf) fail("pread"); }) / 64;
		break;
	}
	close(fd);
	unlink(path_a);
	return v;
}

static double b_open_close(long arg)
{
	(void)arg;
	close(make_file(fpath(path_a, "oc"), PG));
	double v = LOOP(1000, { int fd = open(path_a, O_RDONLY); if (fd < 0) fail("open"); close(fd); });
	unlink(path_a);
	return v;
}

static double b_stat(long arg)
{
	struct stat st;
	int fd = make_file(fpath(path_a, "st"), PG);
	double v;
	if (arg)
		v = LOOP(1000, { if (fstat(fd, &st) != 0) fail("fstat"); });
	else
		v = LOOP(1000, { if (stat(path_a, &st) != 0) fail("stat"); });
	close(fd);
	unlink(path_a);
	return v;
}

/* ---------------------------------------------------------- mmap, munmap -- */

static double b_mmap_pair(long touch_it)
{
	return LOOP(1000, {
		char *p = anon(PG);
		if (touch_it)
			wr_page(p);
		munmap(p, PG);
	});
}

static double b_brk_pair(long arg)
{
	(void)arg;
	char *base = sbrk(0);
	if (base == (char *)-1)
		fail("sbrk");
	double v = LOOP(1000, {
		if (sbrk((intptr_t)PG) == (void *)-1) fail("sbrk");
		wr_page(base + PG - 1);
		sbrk(-(intptr_t)PG);
	});
	return v;
}

/* which: 0 write fault, 1 write fault huge allowed, 2 munmap of touched,
 * 3 read fault, 4 MAP_POPULATE, 5 MADV_DONTNEED, 6 refault after it,
 * 7 shared anonymous write fault, 8 munmap huge */
static double b_anon_fault(long which)
{
	size_t len = 64 * MiB, np = len / PG;
	double v = 0;
	char *p;

	if (which == 1 || which == 8) {
		char *raw = anon(len + 2 * MiB);
		p = (char *)(((uintptr_t)raw + 2 * MiB - 1) & ~(2 * MiB - 1));
		(void)madvise(p, len, MADV_HUGEPAGE);
		v = LOOP(np, wr_page(p + i_ * PG));
		uint64_t t = now();
		munmap(raw, len + 2 * MiB);
		return which == 1 ? v : (double)(now() - t - overhead) / (double)np;
	}
	if (which == 4) {
		uint64_t t = now();
		p = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		v = (double)(now() - t - overhead) / (double)np;
		if (p == MAP_FAILED)
			fail("mmap");
		munmap(p, len);
		return v;
	}
	if (which == 7) {
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			fail("mmap");
	} else {
		p = anon_small(len);
	}
	if (which == 3)
		v = LOOP(np, rd_page(p + i_ * PG));
	else
		v = LOOP(np, wr_page(p + i_ * PG));
	if (which == 5 || which == 6) {
		uint64_t t = now();
		CHK(madvise(p, len, MADV_DONTNEED));
		v = (double)(now() - t - overhead) / (double)np;
		if (which == 6)
			v = LOOP(np, wr_page(p + i_ * PG));
	}
	uint64_t t = now();
	munmap(p, len);
	if (which == 2)
		v = (double)(now() - t - overhead) / (double)np;
	return v;
}

/* which: 0 private read sequential, 1 random, 2 shared write, 3 msync,
 * 4 private write (copy of a cached page), 5 munmap after sequential read */
static double b_file_fault(long which)
{
	static uint32_t order[4096];
	size_t len = 16 * MiB, np = len / PG;
	int fd = make_file(fpath(path_a, "ff"), len);
	int shared = which == 2 || which == 3;
	double v = 0;

	if (shared)
		fsync(fd);
	char *p = mmap(NULL, len, (shared || which == 4) ? PROT_READ | PROT_WRITE : PROT_READ,
		       shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		fail("mmap");
	switch (which) {
	case 0:
	case 5:
		v = LOOP(np, rd_page(p + i_ * PG));
		break;
	case 1:
		for (size_t i = 0; i < np; i++)
			order[i] = (uint32_t)i;
		for (size_t i = np - 1; i > 0; i--) {
			size_t j = rnd() % (i + 1);
			uint32_t t = order[i];
			order[i] = order[j];
			order[j] = t;
		}
		v = LOOP(np, rd_page(p + order[i_] * PG));
		break;
	default:
		v = LOOP(np, wr_page(p + i_ * PG));
	}
	if (which == 3) {
		uint64_t t = now();
		CHK(msync(p, len, MS_SYNC));
		v = (double)(now() - t - overhead) / (double)np;
	}
	uint64_t t = now();
	munmap(p, len);
	if (which == 5)
		v = (double)(now() - t - overhead) / (double)np;
	close(fd);
	unlink(path_a);
	return v;
}

/* ----------------------------------------------------------- fork, exec -- */

/* 0: the child writes every page while the parent holds it; 1: the parent
 * writes after the child has gone, so that every page has one owner again */
static double b_cow(long which)
{
	size_t len = 16 * MiB, np = len / PG;
	char *p = anon_small(len);
	int fd[2];
	double v = 0;

	touch(p, len);
	CHK(pipe(fd));
	pid_t pid = fork();
	CHK(pid);
	if (pid == 0) {
		double w = 0;
		if (which == 0)
			w = LOOP(np, wr_page(p + i_ * PG));
		_exit(write(fd[1], &w, sizeof w) != sizeof w);
	}
	if (read(fd[0], &v, sizeof v) != sizeof v)
		fail("read");
	reap(pid);
	if (which == 1)
		v = LOOP(np, wr_page(p + i_ * PG));
	close(fd[0]);
	close(fd[1]);
	munmap(p, len);
	return v;
}

static double b_fork(long mib)
{
	size_t len = (size_t)mib * MiB;
	char *p = len ? anon_small(len) : NULL;
	if (len)
		touch(p, len);
	double v = LOOP(mib ? 10 : 100, {
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		CHK(pid);
		reap(pid);
	});
	if (len)
		munmap(p, len);
	return v;
}

static void copy_self(void)
{
	int in, out;
	ssize_t n;
	CHK(in = open(self_path, O_RDONLY));
	CHK(out = open(fpath(path_b, "self"), O_WRONLY | O_CREAT | O_TRUNC, 0755));
	while ((n = read(in, buf, sizeof buf)) > 0)
		if (write(out, buf, (size_t)n) != n)
			fail("copy self");
	close(in);
	close(out);
}

static double b_exec(long spawn)
{
	char *av[] = { path_b, (char *)"--exit", NULL }, *ev[] = { NULL };
	copy_self();
	double v = LOOP(50, {
		pid_t pid;
		if (spawn) {
			errno = posix_spawn(&pid, path_b, NULL, NULL, av, ev);
			if (errno != 0)
				fail("posix_spawn");
		} else {
			pid = fork();
			if (pid == 0) {
				execve(path_b, av, ev);
				_exit(127);
			}
			CHK(pid);
		}
		reap(pid);
	});
	unlink(path_b);
	return v;
}

/* ------------------------------------------------------------- mprotect -- */

static double b_mprotect(long pages)
{
	size_t len = (size_t)pages * PG;
	char *p = anon_small(len);
	touch(p, len);
	long n = pages > 1 ? 100 : 2000;
	double v = LOOP(n, CHK(mprotect(p, len, (i_ & 1) ? PROT_READ | PROT_WRITE : PROT_READ)));
	munmap(p, len);
	return v;
}

/* one page in the middle of a touched area: one split, one merge */
static double b_mprotect_mid(long arg)
{
	(void)arg;
	char *p = anon_small(64 * PG);
	touch(p, 64 * PG);
	double v = LOOP(1000, CHK(mprotect(p + 32 * PG, PG, (i_ & 1) ? PROT_READ | PROT_WRITE : PROT_READ)));
	munmap(p, 64 * PG);
	return v;
}

static double b_hole(long arg)
{
	(void)arg;
	size_t n = 2048;
	char *p = anon_small(2 * n * PG);
	touch(p, 2 * n * PG);
	double v = LOOP(n, CHK(munmap(p + (2 * i_ + 1) * PG, PG)));
	munmap(p, 2 * n * PG);
	return v;
}

static double b_mremap(long arg)
{
	(void)arg;
	size_t len = 4 * MiB;
	char *p = anon_small(len), *q = anon_small(len);
	touch(p, len);
	munmap(q, len);
	double v = LOOP(50, {
		char *n = mremap(p, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, q);
		if (n == MAP_FAILED)
			fail("mremap");
		q = p;
		p = n;
	}) / (double)(len / PG);
	munmap(p, len);
	return v;
}

/* Alternately protected areas. what: 0 fault, 1 mprotect that splits,
 * 2 munmap of all per area, 3 mmap+munmap pair beside them */
static double vmas(long n, int what)
{
	size_t len = (size_t)n * PG;
	char *p = anon_small(len);
	long rw = (n + 1) / 2, rounds = rw > 500 ? 1 : 500 / rw;
	uint32_t *order = (uint32_t *)anon(rw * sizeof *order);
	double v = 0;
	uint64_t t, sum = 0;

	for (long i = 0; i < rw; i++)
		order[i] = (uint32_t)(2 * i);
	for (long i = rw - 1; i > 0; i--) {
		long j = (long)(rnd() % (uint64_t)(i + 1));
		uint32_t x = order[i];
		order[i] = order[j];
		order[j] = x;
	}
	t = now();
	for (long i = 1; i < n; i += 2)
		CHK(mprotect(p + i * PG, PG, PROT_READ));
	v = (double)(now() - t - overhead) / (double)(n / 2);
	if (what == 0) {
		for (long r = 0; r < rounds; r++) {
			t = now();
			for (long i = 0; i < rw; i++)
				wr_page(p + order[i] * PG);
			sum += now() - t - overhead;
			if (r + 1 < rounds)
				CHK(madvise(p, len, MADV_DONTNEED));
		}
		v = (double)sum / (double)(rw * rounds);
	}
	if (what == 3)
		v = LOOP(500, { char *q = anon(PG); munmap(q, PG); });
	t = now();
	CHK(munmap(p, len));
	if (what == 2)
		v = (double)(now() - t - overhead) / (double)n;
	munmap(order, rw * sizeof *order);
	return v;
}
static double b_vma_fault(long n) { return vmas(n, 0); }
static double b_vma_split(long n) { return vmas(n, 1); }
static double b_vma_unmap(long n) { return vmas(n, 2); }
static double b_vma_mmap(long n) { return vmas(n, 3); }

/* --------------------------------------------------- pipes, switching -- */

static double b_pipe_pp(long arg)
{
	(void)arg;
	int a[2], b[2];
	char c = 0;
	CHK(pipe(a));
	CHK(pipe(b));
	pid_t pid = fork();
	CHK(pid);
	if (pid == 0) {
		close(a[1]);
		close(b[0]);
		while (read(a[0], &c, 1) == 1)
			if (write(b[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	close(a[0]);
	close(b[1]);
	for (int i = 0; i < 20; i++)
		if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1)
			fail("pipe");
	double v = LOOP(1000, { if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1) fail("pipe"); });
	close(a[1]);
	close(b[0]);
	reap(pid);
	return v;
}

static double b_pipe_bw(long arg)
{
	(void)arg;
	int a[2];
	size_t total = 16 * MiB, got = 0;
	CHK(pipe(a));
	pid_t pid = fork();
	CHK(pid);
	if (pid == 0) {
		close(a[0]);
		for (size_t o = 0; o < total; o += sizeof buf)
			if (write(a[1], buf, sizeof buf) != (ssize_t)sizeof buf)
				_exit(1);
		_exit(0);
	}
	close(a[1]);
	uint64_t t = now();
	while (got < total) {
		ssize_t n = read(a[0], buf, sizeof buf);
		if (n <= 0)
			fail("read");
		got += (size_t)n;
	}
	double v = (double)(now() - t - overhead) / (double)(total / KiB);
	close(a[0]);
	reap(pid);
	return v;
}

static double b_yield(long others)
{
	int a[2];
	pid_t pid = 0;
	if (others) {
		CHK(pipe(a));
		pid = fork();
		CHK(pid);
		if (pid == 0) {
			char c = 0;
			if (write(a[1], &c, 1) != 1)
				_exit(1);
			for (;;)
				sched_yield();
		}
		char c;
		if (read(a[0], &c, 1) != 1)
			fail("read");
	}
	double v = LOOP(2000, sched_yield());
	if (others) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(a[0]);
		close(a[1]);
	}
	return v;
}

/* --------------------------------------------------------------- threads -- */

static void *thr_nop(void *p) { return p; }

static double b_thread(long arg)
{
	(void)arg;
	return LOOP(200, {
		pthread_t t;
		errno = pthread_create(&t, NULL, thr_nop, NULL);
		if (errno != 0)
			fail("pthread_create");
		pthread_join(t, NULL);
	});
}

static long futex(int *u, int op, int val)
{
	return syscall(SYS_futex, u, op | FUTEX_PRIVATE_FLAG, val, NULL, NULL, 0);
}

static int turn;
static int stop;

static void *futex_peer(void *p)
{
	(void)p;
	for (;;) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) == 0)
			futex(&turn, FUTEX_WAIT, 0);
		if (stop)
			return NULL;
		__atomic_store_n(&turn, 0, __ATOMIC_RELEASE);
		futex(&turn, FUTEX_WAKE, 1);
	}
}

static double b_futex_pp(long arg)
{
	(void)arg;
	pthread_t t;
	turn = stop = 0;
	errno = pthread_create(&t, NULL, futex_peer, NULL);
	if (errno != 0)
		fail("pthread_create");
	double v = LOOP(1000, {
		__atomic_store_n(&turn, 1, __ATOMIC_RELEASE);
		futex(&turn, FUTEX_WAKE, 1);
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) == 1)
			futex(&turn, FUTEX_WAIT, 1);
	});
	stop = 1;
	__atomic_store_n(&turn, 1, __ATOMIC_RELEASE);
	futex(&turn, FUTEX_WAKE, 1);
	pthread_join(t, NULL);
	return v;
}

static double b_futex_wake0(long arg)
{
	(void)arg;
	static int word;
	return LOOP(2000, futex(&word, FUTEX_WAKE, 1));
}

/* --------------------------------------------------------------- signals -- */

static volatile int nsig;
static void on_usr1(int s) { (void)s; nsig = nsig + 1; }

static double b_kill_self(long arg)
{
	(void)arg;
	struct sigaction sa = { .sa_handler = on_usr1 }, old;
	sigemptyset(&sa.sa_mask);
	CHK(sigaction(SIGUSR1, &sa, &old));
	pid_t me = getpid();
	double v = LOOP(1000, kill(me, SIGUSR1));
	sigaction(SIGUSR1, &old, NULL);
	return v;
}

#define AL_PAGES 100 /* Appel and Li (1991) use 100 pages */
static char *al_base;
static int al_open, al_mode, al_bad;

static void on_segv(int s, siginfo_t *si, void *uc)
{
	(void)s;
	if (al_mode == 0) { /* step over the store */
#if defined(__riscv)
		((ucontext_t *)uc)->uc_mcontext.__gregs[REG_PC] += 4;
		return;
#else
		(void)uc;
#endif
	}
	char *page = (char *)((uintptr_t)si->si_addr & ~(PG - 1));
	if (page < al_base || page >= al_base + AL_PAGES * PG)
		_exit(99);
	if (al_mode == 1) { /* protect another page first */
		if (mprotect(al_base + (size_t)al_open * PG, PG, PROT_NONE) != 0)
			al_bad = 1;
		al_open = (int)((size_t)(page - al_base) / PG);
	}
	if (mprotect(page, PG, PROT_READ | PROT_WRITE) != 0)
		al_bad = 1;
}

static void poke(char *p)
{
#if defined(__riscv)
	__asm__ volatile(".option push\n.option norvc\n sb zero,0(%0)\n.option pop" ::"r"(p) : "memory");
#else
	*(volatile char *)p = 0;
#endif
}

/* 0 trap only, 1 prot1+trap+unprot, 2 protN+trap+unprot,
 * 3 one page: protect, trap, handler unprotects */
static double b_appel(long which)
{
	struct sigaction sa, old;
	int order[AL_PAGES];
	double v = 0;
	memset(&sa, 0, sizeof sa);
	sa.sa_sigaction = on_segv;
	sa.sa_flags = SA_SIGINFO;
	sigemptyset(&sa.sa_mask);
	al_base = anon_small(AL_PAGES * PG);
	al_bad = 0;
	touch(al_base, AL_PAGES * PG);
	CHK(sigaction(SIGSEGV, &sa, &old));
	switch (which) {
	case 0:
#if !defined(__riscv)
		errno = ENOSYS;
		fail("trap");
#endif
		al_mode = 0;
		CHK(mprotect(al_base, PG, PROT_NONE));
		v = LOOP(1000, poke(al_base));
		break;
	case 1:
		al_mode = 1;
		CHK(mprotect(al_base, AL_PAGES * PG, PROT_NONE));
		CHK(mprotect(al_base, PG, PROT_READ | PROT_WRITE));
		al_open = 0;
		v = LOOP(1000, {
			int k = (al_open + 1 + (int)(rnd() % (AL_PAGES - 1))) % AL_PAGES;
			poke(al_base + (size_t)k * PG);
		});
		break;
	case 2:
		al_mode = 2;
		for (int i = 0; i < AL_PAGES; i++)
			order[i] = i;
		for (int i = AL_PAGES - 1; i > 0; i--) {
			int j = (int)(rnd() % (uint64_t)(i + 1)), x = order[i];
			order[i] = order[j];
			order[j] = x;
		}
		v = LOOP(10, {
			CHK(mprotect(al_base, AL_PAGES * PG, PROT_NONE));
			for (int i = 0; i < AL_PAGES; i++)
				poke(al_base + (size_t)order[i] * PG);
		}) / AL_PAGES;
		break;
	case 3:
		al_mode = 2;
		v = LOOP(1000, {
			CHK(mprotect(al_base, PG, PROT_NONE));
			poke(al_base);
		});
		break;
	}
	sigaction(SIGSEGV, &old, NULL);
	munmap(al_base, AL_PAGES * PG);
	if (al_bad) {
		errno = EINVAL;
		fail("mprotect in handler");
	}
	return v;
}

/* ------------------------------------------------------------ file system -- */

static double b_create(long with_sync)
{
	fpath(path_a, "new");
	return LOOP(100, {
		int fd = open(path_a, O_RDWR | O_CREAT | O_EXCL, 0644);
		CHK(fd);
		if (write(fd, buf, PG) != (ssize_t)PG)
			fail("write");
		if (with_sync)
			CHK(fsync(fd));
		close(fd);
		CHK(unlink(path_a));
	});
}

/* 0 sequential write of 1 MiB and fsync, 1 rewrite one 4K page and fsync */
static double b_sync(long which)
{
	double v;
	int fd;
	CHK(fd = open(fpath(path_a, "sq"), O_RDWR | O_CREAT | O_TRUNC, 0644));
	if (which == 0) {
		uint64_t t = now();
		for (size_t o = 0; o < MiB; o += sizeof buf)
			if (write(fd, buf, sizeof buf) != (ssize_t)sizeof buf)
				fail("write");
		CHK(fsync(fd));
		v = (double)(now() - t - overhead);
	} else {
		if (write(fd, buf, PG) != (ssize_t)PG)
			fail("write");
		CHK(fsync(fd));
		v = LOOP(50, {
			if (pwrite(fd, buf, PG, 0) != (ssize_t)PG)
				fail("pwrite");
			CHK(fsync(fd));
		});
	}
	close(fd);
	unlink(path_a);
	return v;
}

/* 32 MiB file read in 64K pieces; cold: drop its cached pages before */
static double b_seqread(long cold)
{
	size_t len = 32 * MiB, got = 0;
	ssize_t n;
	int fd = make_file(fpath(path_a, "sr"), len);
	if (cold) {
		CHK(fsync(fd));
		errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		if (errno != 0)
			fail("fadvise");
	}
	CHK(lseek(fd, 0, SEEK_SET));
	uint64_t t = now();
	while ((n = read(fd, buf, sizeof buf)) > 0)
		got += (size_t)n;
	double v = (double)(now() - t - overhead) / (double)(len / PG);
	if (got != len)
		fail("read");
	close(fd);
	unlink(path_a);
	return v;
}

/* ------------------------------------------------------------------ table -- */

static const struct bench {
	const char *name;
	double (*fn)(long);
	long arg;
	const char *unit;
	int file; /* depends on the directory */
	int reps;
} table[] = {
	{ "user_loop", b_user_loop, 0, "insn/iter", 0, 5 },
	{ "user_copy", b_user_copy, 0, "insn/KiB", 0, 5 },
	{ "getppid", b_getppid, 0, "insn/call", 0, 5 },
	{ "sigaction", b_sigaction, 0, "insn/call", 0, 5 },
	{ "read_1b", b_file_rw, 0, "insn/call", 1, 5 },
	{ "pread_4k", b_file_rw, 1, "insn/call", 1, 5 },
	{ "pwrite_4k", b_file_rw, 2, "insn/call", 1, 5 },
	{ "pread_64k", b_file_rw, 3, "insn/KiB", 1, 5 },
	{ "open_close", b_open_close, 0, "insn/pair", 1, 5 },
	{ "stat", b_stat, 0, "insn/call", 1, 5 },
	{ "fstat", b_stat, 1, "insn/call", 1, 5 },
	{ "mmap_munmap_4k", b_mmap_pair, 0, "insn/pair", 0, 5 },
	{ "mmap_touch_munmap_4k", b_mmap_pair, 1, "insn/trio", 0, 5 },
	{ "brk_touch_shrink_4k", b_brk_pair, 0, "insn/trio", 0, 5 },
	{ "anon_fault", b_anon_fault, 0, "insn/page", 0, 3 },
	{ "anon_fault_thp", b_anon_fault, 1, "insn/page", 0, 3 },
	{ "anon_read_fault", b_anon_fault, 3, "insn/page", 0, 3 },
	{ "anon_populate", b_anon_fault, 4, "insn/page", 0, 3 },
	{ "anon_munmap", b_anon_fault, 2, "insn/page", 0, 3 },
	{ "anon_munmap_thp", b_anon_fault, 8, "insn/page", 0, 3 },
	{ "madvise_dontneed", b_anon_fault, 5, "insn/page", 0, 3 },
	{ "dontneed_refault", b_anon_fault, 6, "insn/page", 0, 3 },
	{ "shared_anon_fault", b_anon_fault, 7, "insn/page", 0, 3 },
	{ "file_fault_seq", b_file_fault, 0, "insn/page", 1, 3 },
	{ "file_fault_rand", b_file_fault, 1, "insn/page", 1, 3 },
	{ "file_munmap", b_file_fault, 5, "insn/page", 1, 3 },
	{ "file_fault_private_write", b_file_fault, 4, "insn/page", 1, 3 },
	{ "file_fault_shared_write", b_file_fault, 2, "insn/page", 1, 3 },
	{ "file_msync", b_file_fault, 3, "insn/page", 1, 3 },
	{ "cow_break_copy", b_cow, 0, "insn/page", 0, 3 },
	{ "cow_break_reuse", b_cow, 1, "insn/page", 0, 3 },
	{ "fork_exit_wait_0m", b_fork, 0, "insn/op", 0, 5 },
	{ "fork_exit_wait_16m", b_fork, 16, "insn/op", 0, 3 },
	{ "fork_exit_wait_64m", b_fork, 64, "insn/op", 0, 3 },
	{ "fork_exec_wait", b_exec, 0, "insn/op", 1, 3 },
	{ "spawn_exec_wait", b_exec, 1, "insn/op", 1, 3 },
	{ "mprotect_1", b_mprotect, 1, "insn/call", 0, 5 },
	{ "mprotect_4096", b_mprotect, 4096, "insn/call", 0, 3 },
	{ "mprotect_split_merge", b_mprotect_mid, 0, "insn/call", 0, 5 },
	{ "munmap_hole", b_hole, 0, "insn/call", 0, 3 },
	{ "mremap_move_4m", b_mremap, 0, "insn/page", 0, 3 },
	{ "vma10_fault", b_vma_fault, 10, "insn/page", 0, 3 },
	{ "vma1000_fault", b_vma_fault, 1000, "insn/page", 0, 3 },
	{ "vma30000_fault", b_vma_fault, 30000, "insn/page", 0, 3 },
	{ "vma10_split", b_vma_split, 10, "insn/call", 0, 5 },
	{ "vma1000_split", b_vma_split, 1000, "insn/call", 0, 3 },
	{ "vma30000_split", b_vma_split, 30000, "insn/call", 0, 3 },
	{ "vma30000_mmap_munmap", b_vma_mmap, 30000, "insn/pair", 0, 3 },
	{ "vma30000_munmap_all", b_vma_unmap, 30000, "insn/vma", 0, 3 },
	{ "pipe_pingpong", b_pipe_pp, 0, "insn/roundtrip", 0, 5 },
	{ "pipe_bw_64k", b_pipe_bw, 0, "insn/KiB", 0, 3 },
	{ "yield_alone", b_yield, 0, "insn/call", 0, 5 },
	{ "yield_pair", b_yield, 1, "insn/call", 0, 5 },
	{ "thread_create_join", b_thread, 0, "insn/op", 0, 5 },
	{ "futex_pingpong", b_futex_pp, 0, "insn/roundtrip", 0, 5 },
	{ "futex_wake_none", b_futex_wake0, 0, "insn/call", 0, 5 },
	{ "kill_self_handler", b_kill_self, 0, "insn/op", 0, 5 },
	{ "segv_trap_skip", b_appel, 0, "insn/op", 0, 5 },
	{ "segv_prot_trap_unprot", b_appel, 3, "insn/op", 0, 5 },
	{ "appel_prot1_trap_unprot", b_appel, 1, "insn/op", 0, 5 },
	{ "appel_protN_trap_unprot", b_appel, 2, "insn/page", 0, 5 },
	{ "create_write_unlink", b_create, 0, "insn/op", 1, 5 },
	{ "create_write_fsync_unlink", b_create, 1, "insn/op", 1, 5 },
	{ "rewrite_4k_fsync", b_sync, 1, "insn/op", 1, 5 },
	{ "write_1m_fsync", b_sync, 0, "insn/op", 1, 5 },
	{ "read_32m_cached", b_seqread, 0, "insn/page", 1, 3 },
	{ "read_32m_cold", b_seqread, 1, "insn/page", 1, 3 },
};
#define NBENCH (sizeof table / sizeof table[0])

/* ----------------------------------------------------------------- driver -- */

static int verbose, isolate, reps_override, nfilters;
static char **filters;

static int wanted(const char *name)
{
	if (nfilters == 0)
		return 1;
	for (int i = 0; i < nfilters; i++) {
		if (filters[i][0] == '=' ? strcmp(filters[i] + 1, name) == 0
					 : strstr(name, filters[i]) != NULL)
			return 1;
	}
	return 0;
}

/* The console may still be sending by interrupt; let that end before timing. */
static void drain(void)
{
	fflush(stdout);
	(void)tcdrain(1);
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void run_one(const struct bench *b)
{
	double v[32];
	int reps = reps_override ? reps_override : b->reps;
	if (reps > 32)
		reps = 32;
	drain();
	if (setjmp(fail_env) != 0) {
		printf("%s\tFAIL\t%s\n", b->name, fail_what);
		drain();
		return;
	}
	(void)b->fn(b->arg);
	for (int i = 0; i < reps; i++)
		v[i] = b->fn(b->arg);
	qsort(v, (size_t)reps, sizeof v[0], cmp);
	double m = v[reps / 2];
	printf("%s\t%.*f\t%s", b->name, m < 10 ? 4 : m < 1000 ? 2 : 0, m, b->unit);
	if (verbose)
		printf("\t%.2f..%.2f", v[0], v[reps - 1]);
	printf("\n");
	drain();
}

static void run_dir(const char *d, int files_only)
{
	dir = d;
	printf("# dir %s\n", d);
	for (size_t i = 0; i < NBENCH; i++) {
		const struct bench *b = &table[i];
		if (!wanted(b->name) || (files_only && !b->file))
			continue;
		if (!isolate) {
			run_one(b);
			continue;
		}
		drain();
		pid_t pid = fork();
		if (pid == 0) {
			run_one(b);
			_exit(0);
		}
		int st = 0;
		if (pid < 0 || waitpid(pid, &st, 0) < 0 || st != 0)
			printf("%s\tFAIL\tstatus %d\n", b->name, st);
	}
}

/* as pid 1: give the benchmarks a /dev, a /proc, a tmpfs and what disks there are */
static int setup_init(const char **dirs)
{
	int n = 0;
	mkdir("/proc", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 0777);
	mkdir("/mnt", 0755);
	mkdir("/mnt/ram", 0755);
	mkdir("/mnt/disk", 0755);
	(void)mount("proc", "/proc", "proc", 0, NULL);
	(void)mount("dev", "/dev", "devtmpfs", 0, NULL);
	(void)mount("tmp", "/tmp", "tmpfs", 0, NULL);
	if (fcntl(1, F_GETFD) < 0) {
		int fd = open("/dev/console", O_RDWR);
		while (fd >= 0 && fd < 2)
			fd = dup(fd);
	}
	dirs[n++] = "/tmp";
	/* ext4 in memory has no device latency and is therefore deterministic;
	 * the same on a virtio disk is not */
	int in = open("/ext4.img", O_RDONLY), out = open("/dev/ram0", O_RDWR);
	if (in < 0)
		in = open("/dev/vda", O_RDONLY);
	if (in >= 0 && out >= 0) {
		ssize_t k;
		while ((k = read(in, buf, sizeof buf)) > 0)
			if (write(out, buf, (size_t)k) != k)
				break;
		(void)fsync(out);
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	(void)unlink("/ext4.img");
	if (mount("/dev/ram0", "/mnt/ram", "ext4", 0, NULL) == 0)
		dirs[n++] = "/mnt/ram";
	if (mount("/dev/vda", "/mnt/disk", "ext4", 0, NULL) == 0)
		dirs[n++] = "/mnt/disk";
	return n;
}

int main(int argc, char **argv)
{
	const char *dirs[8], *cname[] = { "instret", "cycle", "time" };
	int ndirs = 0, opt, pid1 = getpid() == 1, want = -1;

	if (argc > 1 && strcmp(argv[1], "--exit") == 0)
		_exit(0);
	uint64_t boot = 0;
	counter = C_TIME;
	boot = now();
	self_path = argv[0];
	setvbuf(stdout, NULL, _IOFBF, 4096);
	while ((opt = getopt(argc, argv, "c:d:r:fvl")) != -1) {
		switch (opt) {
		case 'c':
			want = optarg[0] == 'i' ? C_INSTRET : optarg[0] == 'c' ? C_CYCLE : C_TIME;
			break;
		case 'd':
			if (ndirs < 8)
				dirs[ndirs++] = optarg;
			break;
		case 'r': reps_override = atoi(optarg); break;
		case 'f': isolate = 1; break;
		case 'v': verbose = 1; break;
		case 'l':
			for (size_t i = 0; i < NBENCH; i++)
				printf("%s\t%s\n", table[i].name, table[i].unit);
			return 0;
		default:
			fprintf(stderr, "usage: vmbench [-c counter] [-d dir] [-r reps] [-fvl] [filter...]\n");
			return 2;
		}
	}
	filters = argv + optind;
	nfilters = argc - optind;
	if (pid1) {
		const char *found[8];
		int n = setup_init(found);
		for (int i = 0; i < n && !ndirs; i++)
			if (i + 1 == n) {
				memcpy(dirs, found, sizeof found[0] * (size_t)n);
				ndirs = n;
			}
	}
	if (ndirs == 0)
		dirs[ndirs++] = "/tmp";

	printf("# vmbench: time CSR at start of main = %llu insn\n", (unsigned long long)boot);
	printf("# user mode may read:");
	for (int c = C_INSTRET; c <= C_TIME; c++)
		if (counter_works(c))
			printf(" %s", cname[c]);
	counter = want >= 0 ? want : counter_works(C_INSTRET) ? C_INSTRET : C_TIME;
	overhead = ~0ull;
	for (int i = 0; i < 100; i++) {
		uint64_t a = now(), d = now() - a;
		if (d < overhead)
			overhead = d;
	}
	printf("; using %s, overhead %llu\n", cname[counter], (unsigned long long)overhead);
	uint64_t t0 = now();
	for (int i = 0; i < ndirs; i++)
		run_dir(dirs[i], i > 0);
	printf("# done: %llu insn\n", (unsigned long long)(now() - t0));
	drain();
	if (pid1) {
		sync();
		reboot(RB_POWER_OFF);
		for (;;)
			pause();
	}
	return 0;
}
