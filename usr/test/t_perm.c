// SPDX-License-Identifier: MIT
// Rights: modes, owners and groups in every call that asks for them, sticky and set-group-id
// folders, set-id bits, the umask.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tap.h"

enum { ANN = 1001, BEN = 1002, STAFF = 2001, OTHERS = 2002 };

// For the rest of the test, or until root() where that is possible.
static void become(uid_t user, gid_t group)
{
	CHECK_OK(setresgid(group, group, 0));
	CHECK_OK(setresuid(user, user, 0));
}

static void root(void)
{
	CHECK_OK(setresuid(0, 0, 0));
	CHECK_OK(setresgid(0, 0, 0));
}

static void touch(const char *name, mode_t mode)
{
	CHECK_OK(close((int)CHECK_OK(open(name, O_WRONLY | O_CREAT, mode))));
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	CHECK_OK(lstat(name, &st));
	return st.st_mode & 07777;
}

// A file of Ann's, of the group STAFF.
static void anns(const char *name, mode_t mode)
{
	touch(name, 0600);
	CHECK_OK(chown(name, ANN, STAFF));
	CHECK_OK(chmod(name, mode));
}

static void open_folder(const char *name, mode_t mode)
{
	CHECK_OK(mkdir(name, 0700));
	CHECK_OK(chmod(name, mode));
}

// --- modes

// Every mode that gives one class one right; who may open it how, and what access() says
// beforehand.
static void the_first_class_that_fits_counts(void)
{
	static const struct {
		uid_t user;
		gid_t group;
		int shift;
	} who[] = {{ANN, STAFF, 6}, {ANN, OTHERS, 6}, {BEN, STAFF, 3}, {BEN, OTHERS, 0}};
	static const struct {
		unsigned bits;
		int flags;
	} how[] = {{4, O_RDONLY}, {2, O_WRONLY}, {6, O_RDWR}};

	CHECK_OK(chmod(".", 0777));
	anns("f", 0);
	for (mode_t mode = 0; mode <= 0777; mode += 3) {
		root();
		CHECK_OK(chmod("f", mode));
		for (size_t i = 0; i < 4; i++) {
			unsigned granted = mode >> who[i].shift & 7;

			root();
			become(who[i].user, who[i].group);
			for (size_t j = 0; j < 3; j++) {
				int fd = open("f", how[j].flags);
				bool may = (granted & how[j].bits) == how[j].bits;

				CHECK_EQ(fd >= 0, may);
				CHECK_EQ(access("f", (int)how[j].bits) == 0, may);
				if (fd >= 0)
					close(fd);
			}
			CHECK_EQ(access("f", X_OK) == 0, granted & 1);
		}
	}
}

static void every_group_counts(void)
{
	gid_t more[] = {7, STAFF, 2999};

	CHECK_OK(chmod(".", 0777));
	anns("f", 0040);
	CHECK_OK(setgroups(3, more));
	become(BEN, OTHERS);
	CHECK_OK(close((int)CHECK_OK(open("f", O_RDONLY))));
	CHECK_OK(access("f", R_OK));
	CHECK_ERR(open("f", O_RDWR), EACCES);
	root();
	CHECK_OK(chown("f", ANN, OTHERS));
	CHECK_OK(chmod("f", 02755));
	become(ANN, OTHERS);
	CHECK_OK(chown("f", -1, STAFF)); // a group of hers
	CHECK_ERR(chown("f", -1, 3000), EPERM);
	CHECK_OK(chmod("f", 02755));
	CHECK_EQ(mode_of("f"), 02755);
	root();
	CHECK_OK(setgroups(0, NULL));
	become(BEN, OTHERS);
	CHECK_ERR(open("f", O_RDWR), EACCES);
	CHECK_OK(close((int)CHECK_OK(open("f", O_RDONLY)))); // as others
}

static void folders_are_searched_and_listed_apart(void)
{
	open_folder("d", 0711);
	anns("d/f", 0644);
	become(ANN, STAFF);
	CHECK_OK(access("d/f", R_OK));
	CHECK_ERR(open("d", O_RDONLY), EACCES);
	CHECK_OK(close((int)CHECK_OK(open("d", O_PATH))));
	CHECK_ERR(open("d/n", O_WRONLY | O_CREAT, 0644), EACCES);
	CHECK_ERR(unlink("d/f"), EACCES);
	CHECK_ERR(mkdir("d/n", 0755), EACCES);
	CHECK_ERR(rename("d/f", "d/g"), EACCES);
	CHECK_ERR(link("d/f", "d/g"), EACCES);
	CHECK_ERR(symlink("x", "d/s"), EACCES);
	root();
	CHECK_OK(chmod("d", 0744));
	become(ANN, STAFF);
	CHECK_OK(close((int)CHECK_OK(open("d", O_RDONLY))));
	CHECK_ERR(access("d/f", F_OK), EACCES);
	CHECK_ERR(access("d/none", F_OK), EACCES);
	CHECK_ERR(chdir("d"), EACCES);
	CHECK_ERR(chdir("d/.."), EACCES);
}

static void root_may_but_not_run(void)
{
	char *argv[] = {"f", NULL};

	anns("f", 0);
	CHECK_OK(close((int)CHECK_OK(open("f", O_RDWR))));
	CHECK_ERR(access("f", X_OK), EACCES);
	CHECK_ERR(execv("./f", argv), EACCES);
	CHECK_OK(chmod("f", 010));
	CHECK_OK(access("f", X_OK));
}

static void noatime_is_the_owners(void)
{
	CHECK_OK(chmod(".", 0777));
	anns("f", 0644);
	become(BEN, STAFF);
	CHECK_ERR(open("f", O_RDONLY | O_NOATIME), EPERM);
	CHECK_ERR(fcntl((int)CHECK_OK(open("f", O_RDONLY)), F_SETFL, O_NOATIME), EPERM);
	root();
	become(ANN, STAFF);
	CHECK_OK(close((int)CHECK_OK(open("f", O_RDONLY | O_NOATIME))));
}

// --- sticky and set-group-id folders

static void sticky_folders(void)
{
	open_folder("t", 01777);
	anns("t/anns", 0666);
	become(BEN, OTHERS);
	touch("t/bens", 0644);
	CHECK_OK(mkdir("t/bens_d", 0755));
	CHECK_ERR(unlink("t/anns"), EPERM);
	CHECK_ERR(rename("t/anns", "t/x"), EPERM);
	CHECK_ERR(rename("t/bens", "t/anns"), EPERM);
	CHECK_OK(rename("t/bens", "t/mine"));
	root();
	become(ANN, STAFF);
	CHECK_ERR(rmdir("t/bens_d"), EPERM);
	CHECK_OK(unlink("t/anns"));
	root();
	CHECK_OK(chown("t", ANN, 0));
	become(ANN, STAFF); // the folder's owner may
	CHECK_OK(unlink("t/mine"));
}

static void group_folders(void)
{
	struct stat st;

	umask(0);
	open_folder("g", 0777);
	CHECK_OK(chown("g", 0, STAFF));
	CHECK_OK(chmod("g", 02777));
	become(BEN, OTHERS);
	touch("g/f", 0644);
	CHECK_OK(mkdir("g/d", 0755));
	CHECK_OK(stat("g/f", &st));
	CHECK_EQ(st.st_gid, STAFF);
	CHECK_EQ(st.st_uid, BEN);
	CHECK_OK(stat("g/d", &st));
	CHECK_EQ(st.st_gid, STAFF);
	CHECK_EQ(mode_of("g/d"), 02755);
	CHECK_ERR(chmod("g/none", 0), ENOENT);
	CHECK_OK(chmod("g/f", 02755)); // not of that group: the bit does not stay
	CHECK_EQ(mode_of("g/f"), 0755);
}

// --- changing attributes

static void whose_it_is(void)
{
	CHECK_OK(chmod(".", 0777));
	anns("f", 0666);
	become(BEN, STAFF);
	CHECK_ERR(chmod("f", 0600), EPERM);
	CHECK_ERR(chown("f", BEN, -1), EPERM);
	CHECK_ERR(chown("f", -1, STAFF), EPERM);
	root();
	become(ANN, OTHERS);
	CHECK_OK(chmod("f", 0640));
	CHECK_ERR(chown("f", BEN, -1), EPERM);
	CHECK_OK(chown("f", ANN, OTHERS)); // a group of hers
	CHECK_ERR(chown("f", -1, STAFF), EPERM);
	CHECK_OK(chown("f", -1, -1));
}

static void new_owners_lend_nothing(void)
{
	anns("f", 06777);
	CHECK_OK(chown("f", BEN, -1));
	CHECK_EQ(mode_of("f"), 0777);
	open_folder("d", 06777);
	CHECK_OK(chown("d", BEN, STAFF));
	CHECK_EQ(mode_of("d"), 06777);
}

static void new_contents_lend_nothing(void)
{
	int fd;

	CHECK_OK(chmod(".", 0777));
	anns("f", 06777);
	fd = (int)CHECK_OK(open("f", O_RDWR));
	CHECK_EQ(write(fd, "abc", 3), 3); // root's
	CHECK_EQ(mode_of("f"), 06777);
	CHECK_OK(close(fd));
	become(BEN, OTHERS);
	fd = (int)CHECK_OK(open("f", O_RDWR));
	CHECK_EQ(mode_of("f"), 06777);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(mode_of("f"), 0777);
	root();
	CHECK_OK(chmod("f", 06777));
	become(BEN, OTHERS);
	CHECK_OK(truncate("f", 1));
	CHECK_EQ(mode_of("f"), 0777);
	root();
	CHECK_OK(chmod("f", 06777));
	become(BEN, OTHERS);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(mode_of("f"), 0777);
	root();
	CHECK_OK(chmod("f", 06777));
	become(BEN, OTHERS);
	CHECK_OK(close((int)CHECK_OK(open("f", O_WRONLY | O_TRUNC))));
	CHECK_EQ(mode_of("f"), 0777);
}

static void who_may_set_times(void)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	CHECK_OK(chmod(".", 0777));
	anns("f", 0664);
	become(BEN, STAFF); // may write
	CHECK_OK(utimensat(AT_FDCWD, "f", NULL, 0));
	CHECK_ERR(utimensat(AT_FDCWD, "f", times, 0), EPERM);
	times[0].tv_nsec = times[1].tv_nsec = UTIME_NOW;
	CHECK_OK(utimensat(AT_FDCWD, "f", times, 0));
	times[0].tv_nsec = UTIME_OMIT;
	CHECK_ERR(utimensat(AT_FDCWD, "f", times, 0), EPERM);
	root();
	become(BEN, OTHERS);
	CHECK_ERR(utimensat(AT_FDCWD, "f", NULL, 0), EACCES);
	root();
	become(ANN, OTHERS);
	CHECK_OK(utimensat(AT_FDCWD, "f", times, 0));
}

static void who_may_cut(void)
{
	CHECK_OK(chmod(".", 0777));
	anns("f", 0644);
	open_folder("d", 0755);
	become(BEN, STAFF);
	CHECK_ERR(truncate("f", 0), EACCES);
	CHECK_ERR(open("f", O_RDONLY | O_TRUNC), EACCES);
	CHECK_ERR(truncate("d", 0), EISDIR);
}

// --- the umask

static void masks(void)
{
	CHECK_EQ(umask(0177), 022);
	CHECK_EQ(umask(07777), 0177);
	CHECK_EQ(umask(0), 0777);
	touch("a", 07777);
	CHECK_EQ(mode_of("a"), 07777);
	umask(0137);
	touch("b", 0777);
	CHECK_EQ(mode_of("b"), 0640);
	CHECK_OK(mkdir("d", 07777)); // the set-id bits are not taken from the call
	CHECK_EQ(mode_of("d"), 01640);
	CHECK_OK(symlink("x", "s"));
	CHECK_EQ(mode_of("s"), 0777);
}

static void links_of_descriptors_are_roots(void)
{
	int fd;

	CHECK_OK(chmod(".", 0777));
	touch("f", 0644);
	fd = (int)CHECK_OK(open("f", O_RDONLY));
	become(BEN, STAFF);
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH), ENOENT);
}

static const struct test tests[] = {
	{"the_first_class_that_fits_counts", the_first_class_that_fits_counts},
	{"every_group_counts", every_group_counts},
	{"folders_are_searched_and_listed_apart", folders_are_searched_and_listed_apart},
	{"root_may_but_not_run", root_may_but_not_run},
	{"noatime_is_the_owners", noatime_is_the_owners},
	{"sticky_folders", sticky_folders},
	{"group_folders", group_folders},
	{"whose_it_is", whose_it_is},
	{"new_owners_lend_nothing", new_owners_lend_nothing},
	{"new_contents_lend_nothing", new_contents_lend_nothing},
	{"who_may_set_times", who_may_set_times},
	{"who_may_cut", who_may_cut},
	{"masks", masks},
	{"links_of_descriptors_are_roots", links_of_descriptors_are_roots},
};

BEYOND_CORE_MAIN(tests)
