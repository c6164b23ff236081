// SPDX-License-Identifier: MIT
// A large directory: read while names come and go, each that stays is seen exactly once.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tap.h"

enum { NAMES = 50000, NAMES_AGAIN = 5000 };

static unsigned char seen[NAMES], gone[NAMES];
static unsigned names;

static const char *name_of(unsigned i)
{
	static char name[32];

	snprintf(name, sizeof name, "d/entry-%u", i);
	return name;
}

static void make_names(void)
{
	CHECK_OK(close((int)CHECK_OK(open("file", O_WRONLY | O_CREAT, 0644))));
	CHECK_OK(mkdir("d", 0755));
	for (unsigned i = 0; i < names; i++)
		CHECK_OK(link("file", name_of(i)));
}

// A name that was there before the reading began: its number, -1 for others.
static int old_number(const char *name)
{
	return strncmp(name, "entry-", 6) == 0 ? atoi(name + 6) : -1;
}

// After some entries one goes that was seen, one that perhaps was not, and a new one comes.
static void disturb(unsigned step)
{
	char name[32];
	unsigned victim = random_below(names);

	snprintf(name, sizeof name, "d/new-%u", step);
	CHECK_OK(link("file", name));
	if (!gone[victim]) {
		CHECK_OK(unlink(name_of(victim)));
		gone[victim] = 1;
	}
}

// Elsewhere and back: the place is still the same, whatever came and went.
static void read_elsewhere(DIR *d)
{
	static unsigned turn;
	long place = telldir(d);

	CHECK(place != -1);
	rewinddir(d);
	for (unsigned i = 0; i < 10; i++)
		CHECK(readdir(d) != NULL);
	disturb(names + turn++);
	seekdir(d, place);
}

static void read_and_change(void)
{
	struct dirent *e;
	unsigned steps = 0;
	DIR *d = opendir("d");

	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL) {
		int i = old_number(e->d_name);

		if (i >= 0)
			CHECK_EQ(seen[i]++, 0);
		if (random_below(25) == 0)
			disturb(steps++);
		if (random_below(500) == 0)
			read_elsewhere(d);
	}
	closedir(d);
	for (unsigned i = 0; i < names; i++)
		CHECK(seen[i] || gone[i]);
	CHECK(steps > names / 100);
}

static void empty_it(void)
{
	struct dirent *e;
	DIR *d = opendir("d");

	CHECK(d != NULL);
	CHECK_OK(chdir("d"));
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			CHECK_OK(unlink(e->d_name));
	closedir(d);
	CHECK_OK(chdir(".."));
	CHECK_OK(rmdir("d"));
}

static void many_names(void)
{
	struct stat st;

	names = tap_again ? NAMES_AGAIN : NAMES;
	make_names();
	for (unsigned i = 0; i < names; i += 97)
		CHECK_OK(stat(name_of(i), &st));
	CHECK_ERR(stat(name_of(names), &st), ENOENT);
	read_and_change();
	empty_it();
}

static const struct test tests[] = {
	{"many_names", many_names},
};

TEST_MAIN(tests)
