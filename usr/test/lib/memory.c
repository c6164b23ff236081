// SPDX-License-Identifier: MIT
// The harness's part for memory: mappings that must succeed, accesses that may fail.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "tap.h"

char *map(size_t bytes, int rights, int flags, int fd, off_t offset)
{
	void *p = mmap(NULL, bytes, rights, flags, fd, offset);

	if (p == MAP_FAILED)
		FAIL("mmap of %zu bytes: %s", bytes, strerror(errno));
	return p;
}

char *map_anon(size_t bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

char load(const void *p)
{
	return *(const volatile char *)p;
}

void store(void *p, char c)
{
	*(volatile char *)p = c;
}

static sigjmp_buf fault_exit;
static struct fault fault;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)context;
	fault = (struct fault){signo, info->si_code, (uintptr_t)info->si_addr};
	siglongjmp(fault_exit, 1);
}

struct fault try_run(void (*access)(void *p), void *p)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, segv, bus,
			 ill;

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &segv);
	sigaction(SIGBUS, &action, &bus);
	sigaction(SIGILL, &action, &ill);
	fault = (struct fault){0, 0, 0};
	if (sigsetjmp(fault_exit, 1) == 0)
		access(p);
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGILL, &ill, NULL);
	return fault;
}

static void do_load(void *p)
{
	(void)load(p);
}

static void do_store(void *p)
{
	store(p, 's');
}

static void do_call(void *p)
{
	((void (*)(void))(uintptr_t)p)();
}

struct fault try_load(const void *p)
{
	return try_run(do_load, (void *)(uintptr_t)p);
}

struct fault try_store(void *p)
{
	return try_run(do_store, p);
}

struct fault try_call(void *p)
{
	return try_run(do_call, p);
}

void check_pattern(const char *p, size_t from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (p[i] != pattern(from + i))
			FAIL("byte %zu is %d, should be %d", from + i, p[i], pattern(from + i));
}

void check_zero(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (p[i] != 0)
			FAIL("byte %zu is %d, should be 0", i, p[i]);
}
