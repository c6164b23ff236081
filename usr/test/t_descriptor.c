// SPDX-License-Identifier: MIT
// What is done with descriptors as such, and what is said about a file's pages.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4
#endif

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

// Descriptors 20 to 29.
static void open_ten(void)
{
	int fd = make_file("f", 1);

	for (int i = 20; i < 30; i++)
		CHECK_OK(dup2(fd, i));
}

static void ranges_are_closed(void)
{
	open_ten();
	CHECK_OK(close_range(22, 25, 0));
	for (int i = 20; i < 30; i++)
		CHECK_EQ(is_open(i), i < 22 || i > 25);
	CHECK_OK(close_range(26, 27, CLOSE_RANGE_CLOEXEC));
	for (int i = 26; i < 30; i++)
		CHECK_EQ(fcntl(i, F_GETFD), i < 28 ? FD_CLOEXEC : 0);
	CHECK_OK(close_range(20, ~0u, 0));
	CHECK(!is_open(29));
	CHECK_ERR(close_range(5, 4, 0), EINVAL);
	CHECK_ERR(close_range(20, 30, 1), EINVAL);
}

static int close_in_own_table(void *arg)
{
	(void)arg;
	if (close_range(20, 24, CLOSE_RANGE_UNSHARE) || is_open(20) || !is_open(25))
		_exit(1);
	_exit(0);
}

static void a_shared_table_is_left(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	int status;

	open_ten();
	pid_t child = (pid_t)CHECK_OK(
		clone(close_in_own_table, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL));
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK(is_open(20));
}

static void dup3_and_its_errors(void)
{
	struct rlimit r;
	int fd = make_file("f", 1);

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &r));
	CHECK_EQ(dup3(fd, 20, O_CLOEXEC), 20);
	CHECK_EQ(fcntl(20, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(dup2(20, 20), 20);
	CHECK_EQ(fcntl(20, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(dup3(fd, fd, 0), EINVAL);
	CHECK_ERR(dup3(fd, 21, O_APPEND), EINVAL);
	CHECK_ERR(dup3(77, 21, 0), EBADF);
	CHECK_ERR(dup3(fd, (int)r.rlim_cur, 0), EBADF);
	CHECK_ERR(fcntl(fd, F_DUPFD, (int)r.rlim_cur), EINVAL);
	CHECK_ERR(fcntl(77, F_DUPFD, (int)r.rlim_cur), EBADF);
	CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 20), 21);
	CHECK_EQ(fcntl(21, F_GETFD), FD_CLOEXEC);
}

// No table is larger; what programs close all descriptors up to is a number that they can reach.
static void a_limit_has_a_limit(void)
{
	struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY}, was, is;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &was));
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &most), EPERM);
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &is));
	CHECK_EQ(is.rlim_max, was.rlim_max);
}

static void few_descriptors(void)
{
	struct rlimit few = {12, 12};
	int last = 0, fds[2];

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &few));
	for (int fd; (fd = dup(0)) >= 0;)
		last = fd;
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, 11);
	CHECK_ERR(open("/dev/null", O_RDONLY), EMFILE);
	CHECK_ERR(eventfd(0, 0), EMFILE);
	CHECK_OK(close(11));
	CHECK_ERR(pipe(fds), EMFILE); // and the first end is closed again
	CHECK_EQ(dup(0), 11);
}

static void flags_of_a_file(void)
{
	int fd = (int)CHECK_OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600)),
	    same = (int)CHECK_OK(dup(fd));

	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND), O_RDWR);
	// Access mode and creation flags do not change.
	CHECK_OK(fcntl(fd, F_SETFL, O_RDONLY | O_APPEND | O_CREAT | O_TRUNC));
	CHECK_EQ(fcntl(same, F_GETFL) & (O_ACCMODE | O_APPEND | O_CREAT | O_TRUNC),
		O_RDWR | O_APPEND);
	CHECK_EQ(write(fd, "ab", 2), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(write(fd, "cd", 2), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
}

#define ABI_LARGEFILE 0100000 // riscv64's, which C libraries call 0

static void must_be_called(int fd, const char *wanted)
{
	char path[32], name[64] = "";

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	CHECK_OK(readlink(path, name, sizeof name - 1));
	CHECK(!strcmp(name, wanted));
}

// What was asked for the descriptor, or for the opening alone, is not the file's.
static void flags_of_an_opening(void)
{
	const int lasting = O_WRONLY | O_DSYNC | O_APPEND | O_NONBLOCK;
	int fds[2], fd = (int)CHECK_OK(open("f",
			    lasting | O_CLOEXEC | O_NOCTTY | O_CREAT | O_TRUNC | O_EXCL, 0600));

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & ~ABI_LARGEFILE, lasting);
	CHECK(!on_mapache() || fcntl(fd, F_GETFL) & ABI_LARGEFILE);
	fd = (int)CHECK_OK(open("f", O_PATH | O_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFL), O_PATH);
	CHECK_OK(pipe2(fds, O_CLOEXEC | O_NONBLOCK));
	CHECK_EQ(fcntl(fds[1], F_GETFL), O_WRONLY | O_NONBLOCK);
	fd = (int)CHECK_OK(eventfd(0, EFD_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR);
	CHECK_EQ(fcntl(fd, F_GETOWN), 0);
	must_be_called(fd, "anon_inode:[eventfd]");
	CHECK(!on_mapache() || fcntl(fds[1], F_SETFL, O_ASYNC) == -1); // no signal would come
	CHECK_ERR(sendfile(fds[1], fds[0], NULL, (size_t)-1), EINVAL);
}

#define CHANGES 10000

static void change_one_flag(void *arg)
{
	for (int i = 0; i < CHANGES; i++) {
		int on = i & 1;
		CHECK_OK(ioctl(*(int *)arg, FIONBIO, &on));
	}
}

// By two processes at once: one's change does not undo the other's.
static void flags_of_a_shared_file(void)
{
	int fd = make_file("f", 1);
	pid_t other = start_child(change_one_flag, &fd);

	for (int i = 0; i < CHANGES; i++) {
		int flag = i & 1 ? O_APPEND : 0;
		CHECK_OK(fcntl(fd, F_SETFL, flag));
		CHECK_EQ(fcntl(fd, F_GETFL) & O_APPEND, flag);
	}
	must_exit_well(other);
}

static void flags_by_ioctl(void)
{
	int fds[2], on = 1, n;
	char block[100];

	CHECK_OK(pipe(fds));
	CHECK_OK(ioctl(fds[0], FIONBIO, &on));
	CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	CHECK_ERR(read(fds[0], block, 1), EAGAIN);
	CHECK_EQ(write(fds[1], block, 70), 70);
	CHECK_OK(ioctl(fds[0], FIONREAD, &n));
	CHECK_EQ(n, 70);
	on = 0;
	CHECK_OK(ioctl(fds[0], FIONBIO, &on));
	CHECK(!(fcntl(fds[0], F_GETFL) & O_NONBLOCK));
	CHECK_OK(ioctl(fds[0], FIOCLEX));
	CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	CHECK_OK(ioctl(fds[0], FIONCLEX));
	CHECK_EQ(fcntl(fds[0], F_GETFD), 0);

	fds[0] = make_file("f", 1000);
	CHECK_OK(lseek(fds[0], 300, SEEK_SET));
	CHECK_OK(ioctl(fds[0], FIONREAD, &n));
	CHECK_EQ(n, 700);
	CHECK_ERR(ioctl(fds[0], 0x5413, block), ENOTTY); // TIOCGWINSZ
	CHECK_ERR(ioctl(77, FIOCLEX), EBADF);
}

// --- Writes of many

enum { WRITERS = 4, RECORDS = 100, RECORD = 100 };

static void write_records(void *arg)
{
	int fd = *(int *)arg;
	char record[RECORD];

	if (fd < 0)
		fd = (int)CHECK_OK(open("f", O_WRONLY | O_APPEND));
	memset(record, 'a' + getpid() % 26, sizeof record);
	for (int i = 0; i < RECORDS; i++)
		CHECK_EQ(write(fd, record, sizeof record), RECORD);
}

// Through descriptors of their own that append, or through one with one position.
static void must_not_mix(int fd)
{
	static char all[WRITERS * RECORDS * RECORD + 1];
	pid_t crowd[WRITERS];

	for (int i = 0; i < WRITERS; i++)
		crowd[i] = start_child(write_records, &fd);
	for (int i = 0; i < WRITERS; i++)
		must_exit_well(crowd[i]);
	fd = (int)CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(read(fd, all, sizeof all), sizeof all - 1);
	for (size_t at = 0; at < sizeof all - 1; at += RECORD)
		for (size_t i = 1; i < RECORD; i++)
			CHECK_EQ(all[at + i], all[at]);
}

static void appends_do_not_mix(void)
{
	CHECK_OK(open("f", O_CREAT | O_RDWR, 0600));
	must_not_mix(-1);
}

static void writes_at_one_position_do_not_mix(void)
{
	must_not_mix((int)CHECK_OK(open("f", O_CREAT | O_RDWR, 0600)));
}

// --- Folders

struct entry {
	uint64_t ino;
	int64_t next;
	unsigned short bytes;
	unsigned char type;
	char name[256];
};

static void entries_in_pieces(void)
{
	union {
		char bytes[300];
		struct entry entry;
	} b;
	int fd, n = 0;
	int64_t last = -1;

	for (int i = 0; i < 10; i++)
		CHECK_OK(close(
			(int)CHECK_OK(open((char[]){'n', (char)('0' + i), 0}, O_CREAT, 0600))));
	fd = (int)CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	CHECK_ERR(syscall(SYS_getdents64, fd, &b, 20), EINVAL); // not even one fits
	CHECK_ERR(syscall(SYS_getdents64, fd, (void *)8, 300), EFAULT);
	// One at a time, by way of its cookie; none was lost by the failures.
	while (syscall(SYS_getdents64, fd, &b, 31) > 0) {
		n++;
		last = b.entry.next;
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(lseek(fd, last, SEEK_SET), last);
	}
	CHECK_EQ(n, 12);
	CHECK_ERR(syscall(SYS_getdents64, make_file("f", 1), &b, 300), ENOTDIR);
}

// --- Sizes

static void write_past_the_limit(void *arg)
{
	(void)!pwrite(*(int *)arg, "x", 1, 1000);
}

static void files_of_limited_size(void)
{
	int fd = make_file("f", 500), append = (int)CHECK_OK(open("f", O_WRONLY | O_APPEND)),
	    status;
	struct rlimit limit = {1000, 1000};
	char block[700] = {0};

	CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
	status = in_child(write_past_the_limit, &fd);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGXFSZ);
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(pwrite(fd, block, 200, 900), 100);
	CHECK_ERR(pwrite(fd, block, 1, 1000), EFBIG);
	CHECK_ERR(write(append, block, 1), EFBIG);
	CHECK_EQ(pwrite(fd, block, 700, 0), 700);
	CHECK_ERR(ftruncate(fd, 1001), EFBIG);
	CHECK_ERR(truncate("f", 1001), EFBIG);
	CHECK_OK(ftruncate(fd, 1000));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 1000);
}

static void large_files_may_shrink(void)
{
	struct rlimit limit = {100, 100};
	int fd = make_file("f", 5000);

	CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
	CHECK_OK(ftruncate(fd, 3000));
	CHECK_OK(truncate("f", 90));
}

static void holes_are_punched(void)
{
	int fd = (int)CHECK_OK(syscall(SYS_memfd_create, "f", 2)), fds[2]; // MFD_ALLOW_SEALING
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK_OK(ftruncate(fd, 4 * PAGE));
	memset(p, 'x', 4 * PAGE);
	CHECK_OK(fallocate(fd, punch, PAGE - 10, PAGE + 20));
	CHECK_EQ(p[PAGE - 11], 'x');
	check_zero(p + PAGE - 10, PAGE + 20);
	CHECK_EQ(p[2 * PAGE + 10], 'x');
	CHECK_EQ(lseek(fd, 0, SEEK_END), 4 * PAGE);
	CHECK_OK(fallocate(fd, punch, 3 * PAGE, 10 * PAGE));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 4 * PAGE);
	check_zero(p + 3 * PAGE, PAGE);

	// From within a page to far behind an end that is within a page, too.
	CHECK_OK(ftruncate(fd, 3 * PAGE + 100));
	memset(p + 2 * PAGE, 'x', PAGE + 100);
	CHECK_OK(fallocate(fd, punch, 2 * PAGE + 10, 3 * PAGE));
	CHECK_EQ(p[2 * PAGE + 9], 'x');
	check_zero(p + 2 * PAGE + 10, 2 * PAGE - 10);

	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, punch, -1, 1), EINVAL);
	CHECK_ERR(fallocate(fd, punch, 0, 0), EINVAL);
	CHECK_ERR(fallocate(fd, punch, 0x7fffffffffffffff, 2), EFBIG);
	CHECK_ERR(fallocate(77, punch, 0, 1), EBADF);
	CHECK_OK(pipe(fds));
	CHECK_ERR(fallocate(fds[1], punch, 0, 1), ESPIPE);
	CHECK_OK(munmap(p, 4 * PAGE));
	CHECK_OK(fcntl(fd, 1033, 8)); // F_ADD_SEALS, F_SEAL_WRITE
	CHECK_ERR(fallocate(fd, punch, 0, 1), EPERM);
}

static blkcnt_t blocks_of(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return st.st_blocks;
}

// What is allocated takes blocks, reads as zeros and can be stored to.
static void room_is_given(void)
{
	int fd = make_file("f", 100), reader;
	const int zero = FALLOC_FL_ZERO_RANGE, keep = FALLOC_FL_KEEP_SIZE;
	char *p;

	CHECK_OK(fallocate(fd, keep, 0, 10 * PAGE));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 100);
	CHECK(blocks_of(fd) >= (blkcnt_t)(10 * PAGE / 512));
	CHECK_OK(fallocate(fd, 0, 5 * PAGE, 5 * PAGE + 1));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 10 * PAGE + 1);
	p = map(11 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check_zero(p + 100, 11 * PAGE - 100);
	memset(p, 'x', 11 * PAGE);
	CHECK_OK(fsync(fd));
	CHECK_OK(fallocate(fd, zero, PAGE - 1, 2 * PAGE));
	CHECK_EQ(p[PAGE - 2], 'x');
	check_zero(p + PAGE - 1, 2 * PAGE);
	CHECK_EQ(p[3 * PAGE], 'x');
	CHECK_OK(fallocate(fd, zero | keep, 10 * PAGE, 5 * PAGE));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 10 * PAGE + 1);
	CHECK_EQ(p[10 * PAGE], 0);
	CHECK_OK(fallocate(fd, zero, 14 * PAGE, PAGE));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 15 * PAGE);
	CHECK_OK(ftruncate(fd, 15 * PAGE));

	CHECK_ERR(fallocate(fd, 0, 0, (off_t)1 << 43), ENOSPC);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 15 * PAGE);
	CHECK_ERR(fallocate(fd, 0, 0, (off_t)1 << 62), EFBIG);
	CHECK_ERR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, zero | FALLOC_FL_PUNCH_HOLE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
	reader = (int)CHECK_OK(open("f", O_RDONLY));
	CHECK_ERR(fallocate(reader, 0, 0, PAGE), EBADF);
}

// The rest of the disk for one file; where its room ends.
static off_t take_the_disk(int fd)
{
	off_t end = 0;

	for (off_t step = (off_t)1 << 32; step >= (off_t)PAGE; step /= 2)
		while (fallocate(fd, FALLOC_FL_KEEP_SIZE, end, step) == 0)
			end += step;
	CHECK_EQ(errno, ENOSPC);
	return end;
}

// No space is said at the write or at the first store through a mapping; what was promised is
// there, names have room; and what is given back can be used at once.
static void a_full_disk(void)
{
	static char block[PAGE] = {'x'};
	int fd = make_file("f", 0), other = make_file("g", 0);
	off_t end;
	char *p;

	if (!on_mapache())
		tap_skip("not on a disk that others use");
	end = take_the_disk(fd);
	CHECK_ERR(pwrite(other, block, PAGE, 0), ENOSPC);
	CHECK_OK(ftruncate(other, 4 * PAGE));
	p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);
	CHECK_FAULT(try_store(p + PAGE), SIGBUS, BUS_ADRERR, p + PAGE);
	for (off_t at = 0; at < end && at < 100 * (off_t)PAGE; at += 3 * PAGE)
		CHECK_EQ(pwrite(fd, block, PAGE, at), PAGE);
	CHECK_OK(fsync(fd));
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(rename("g", "d/g"));
	CHECK_OK(symlink("target", "d/link"));
	CHECK_OK(ftruncate(other, PAGE));
	CHECK_OK(unlink("f"));
	CHECK_OK(close(fd));
	for (int i = 0; i < 100; i++)
		CHECK_EQ(pwrite(other, block, PAGE, i * (off_t)PAGE), PAGE);
	CHECK_OK(fsync(other));
}

// --- Advice

enum { PAGES = 16 };

static int resident(int fd)
{
	unsigned char pages[PAGES];
	char *p = map(PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	int n = 0;

	CHECK_OK(mincore(p, PAGES * PAGE, pages));
	for (int i = 0; i < PAGES; i++)
		n += pages[i] & 1;
	CHECK_OK(munmap(p, PAGES * PAGE));
	return n;
}

static void pages_are_dropped(void)
{
	int fd = make_file("f", PAGES * PAGE);
	char block[PAGE];

	CHECK_OK(fsync(fd));
	CHECK_EQ(resident(fd), PAGES);
	// Of the range's ends only whole pages.
	CHECK_EQ(posix_fadvise(fd, 2 * PAGE + 1, 2 * PAGE, POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(resident(fd), PAGES - 1);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(resident(fd), 0);
	CHECK_EQ(pread(fd, block, sizeof block, 5 * PAGE), sizeof block);
	check_pattern(block, 5 * PAGE, sizeof block);
}

// What was not written yet is there afterwards.
static void dirty_pages_are_not_lost(void)
{
	int fd = make_file("f", PAGES * PAGE);
	char block[PAGE];

	for (int i = 0; i < PAGES; i++) {
		CHECK_EQ(posix_fadvise(fd, i * (off_t)PAGE, PAGE, POSIX_FADV_DONTNEED), 0);
		CHECK_EQ(pread(fd, block, sizeof block, i * (off_t)PAGE), sizeof block);
		check_pattern(block, (size_t)i * PAGE, sizeof block);
	}
}

// Nobody waits for readahead but we.
static void wait_until_resident(int fd)
{
	while (resident(fd) < PAGES)
		sched_yield();
}

static void pages_are_fetched(void)
{
	int fd = make_file("f", PAGES * PAGE);

	CHECK_OK(fsync(fd));
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(resident(fd), 0);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED), 0);
	wait_until_resident(fd);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	CHECK_OK(readahead(fd, 0, PAGES * PAGE));
	wait_until_resident(fd);
}

static void errors_of_advice(void)
{
	int fd = make_file("f", 10), writes = (int)CHECK_OK(open("f", O_WRONLY)), fds[2];

	CHECK_OK(pipe(fds));
	CHECK_EQ(posix_fadvise(fds[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
	CHECK_EQ(posix_fadvise(77, 0, 0, POSIX_FADV_NORMAL), EBADF);
	CHECK_EQ(posix_fadvise(fd, 0, 0, 99), EINVAL);
	CHECK_EQ(posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL), EINVAL);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
	CHECK_ERR(readahead(writes, 0, 10), EBADF);
	CHECK_ERR(readahead(fds[0], 0, 10), EINVAL);
	CHECK_ERR(sync_file_range(fd, -1, 0, 0), EINVAL);
	CHECK_ERR(sync_file_range(fd, 0, 0, 8), EINVAL);
	CHECK_ERR(sync_file_range(fds[0], 0, 0, SYNC_FILE_RANGE_WRITE), ESPIPE);
}

static void ranges_are_written(void)
{
	int fd = make_file("f", PAGES * PAGE);
	long long before;

	CHECK_OK(fsync(fd));
	before = on_mapache() ? blocks_written() : 0;
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	CHECK_EQ(pwrite(fd, "x", 1, 3 * PAGE), 1);
	CHECK_OK(sync_file_range(fd, 0, PAGE,
		SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
	CHECK(!on_mapache() || blocks_written() > before);
}

// Programs that ask for these go on without them, if this is what they hear.
static void what_is_not_there(void)
{
	static const int calls[] = {SYS_socket, SYS_socketpair, SYS_epoll_create1,
		SYS_inotify_init1, SYS_signalfd4, SYS_timerfd_create, SYS_io_uring_setup,
		SYS_shmget, SYS_semget, SYS_msgget, SYS_mq_open, SYS_rseq, SYS_splice, SYS_tee,
		SYS_vmsplice};

	if (!on_mapache())
		tap_skip("Linux has them");
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		CHECK_ERR(syscall(calls[i], 0, 0, 0, 0, 0, 0), ENOSYS);
}

static const struct test tests[] = {
	{"ranges_are_closed", ranges_are_closed},
	{"a_shared_table_is_left", a_shared_table_is_left},
	{"dup3_and_its_errors", dup3_and_its_errors},
	{"a_limit_has_a_limit", a_limit_has_a_limit},
	{"few_descriptors", few_descriptors},
	{"flags_of_a_file", flags_of_a_file},
	{"flags_of_an_opening", flags_of_an_opening},
	{"flags_of_a_shared_file", flags_of_a_shared_file},
	{"flags_by_ioctl", flags_by_ioctl},
	{"appends_do_not_mix", appends_do_not_mix},
	{"writes_at_one_position_do_not_mix", writes_at_one_position_do_not_mix},
	{"entries_in_pieces", entries_in_pieces},
	{"files_of_limited_size", files_of_limited_size},
	{"large_files_may_shrink", large_files_may_shrink},
	{"holes_are_punched", holes_are_punched},
	{"room_is_given", room_is_given},
	{"a_full_disk", a_full_disk},
	{"pages_are_dropped", pages_are_dropped},
	{"dirty_pages_are_not_lost", dirty_pages_are_not_lost},
	{"pages_are_fetched", pages_are_fetched},
	{"errors_of_advice", errors_of_advice},
	{"ranges_are_written", ranges_are_written},
	{"what_is_not_there", what_is_not_there},
};
BEYOND_CORE_MAIN(tests)
