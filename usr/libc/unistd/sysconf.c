// SPDX-License-Identifier: MIT
/*
 * Facts about the system, and its name.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "syscall.h"

/* Harts that may run us: the bits of the affinity mask, of up to 1024. */
static long count_processors(void)
{
	unsigned long mask[16];
	long bytes = SYSCALL(sched_getaffinity, 0, sizeof(mask), mask), n = 0;

	for (long i = 0; i < bytes / 8; i++) {
		for (unsigned long word = mask[i]; word; word &= word - 1)
			n++;
	}
	return n > 0 ? n : 1;
}

static long pages(int available)
{
	struct sysinfo info;

	if (sysinfo(&info) != 0)
		return -1;
	return (long)((available ? info.freeram : info.totalram) * info.mem_unit / PAGE_SIZE);
}

static long limit(int resource)
{
	struct rlimit r;

	if (getrlimit(resource, &r) != 0 || r.rlim_cur > LONG_MAX)
		return -1;
	return (long)r.rlim_cur;
}

long sysconf(int name)
{
	switch (name) {
	case _SC_PAGESIZE:
		return getpagesize();
	case _SC_CLK_TCK:
		return (long)getauxval(AT_CLKTCK);
	case _SC_OPEN_MAX:
		return limit(RLIMIT_NOFILE);
	case _SC_ARG_MAX:
		return ARG_MAX;
	case _SC_NGROUPS_MAX:
		return NGROUPS_MAX;
	case _SC_IOV_MAX:
		return IOV_MAX;
	case _SC_NPROCESSORS_CONF:
	case _SC_NPROCESSORS_ONLN:
		return count_processors();
	case _SC_PHYS_PAGES:
		return pages(0);
	case _SC_AVPHYS_PAGES:
		return pages(1);
	default:
		errno = EINVAL;
		return -1;
	}
}

int getpagesize(void)
{
	return PAGE_SIZE;
}

int gethostname(char *to, size_t size)
{
	struct utsname names;

	if (uname(&names) != 0)
		return -1;
	if (strlcpy(to, names.nodename, size) < size)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}
