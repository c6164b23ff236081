// SPDX-License-Identifier: MIT
// Locks between processes: fcntl's by process and by open file, and flock.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

enum { FAR = 0x40000000 }; // where sqlite has its locks

static int lock(int fd, int command, int type, off_t start, off_t length)
{
	struct flock fl = {.l_type = (short)type, .l_start = start, .l_len = length};

	return fcntl(fd, command, &fl);
}

// Who keeps us from having this lock: its pid, 0 for nobody; *out is what was told.
static pid_t blocker(int fd, int command, int type, off_t start, off_t length, struct flock *out)
{
	*out = (struct flock){.l_type = (short)type, .l_start = start, .l_len = length};
	CHECK_OK(fcntl(fd, command, out));
	return out->l_type == F_UNLCK ? 0 : out->l_pid;
}

static int new_file(void)
{
	return (int)CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
}

// --- By process

static void meet_the_parents_lock(void *arg)
{
	int fd = (int)CHECK_OK(open("f", O_RDWR));
	struct flock fl;

	(void)arg;
	CHECK_EQ(blocker(fd, F_GETLK, F_RDLCK, 0, 0, &fl), getppid());
	CHECK_EQ(fl.l_type, F_WRLCK);
	CHECK_EQ(fl.l_whence, SEEK_SET);
	CHECK_EQ(fl.l_start, FAR + 2);
	CHECK_EQ(fl.l_len, 510);
	CHECK_EQ(blocker(fd, F_GETLK, F_WRLCK, FAR, 2, &fl), 0);
	CHECK_EQ(fl.l_start, FAR);
	CHECK_ERR(lock(fd, F_SETLK, F_RDLCK, FAR + 511, 1), EAGAIN);
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, FAR + 512, 0));
	CHECK_OK(lock(fd, F_SETLK, F_RDLCK, FAR, 1));
}

static void another_process_meets_it(void)
{
	int fd = new_file();
	struct stat st;

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, FAR + 2, 510));
	must_exit_well(start_child(meet_the_parents_lock, NULL));
	// Its locks are gone with it.
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
}

static void own_locks_do_not_conflict(void)
{
	int fd = new_file(), again = new_file();
	struct flock fl;

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
	CHECK_OK(lock(again, F_SETLK, F_WRLCK, 5, 10));
	CHECK_EQ(blocker(again, F_GETLK, F_WRLCK, 0, 0, &fl), 0);
	CHECK_OK(lock(again, F_SETLK, F_UNLCK, 0, 0));
}

static void meet_the_middle(void *arg)
{
	int fd = *(int *)arg;
	struct flock fl;

	CHECK_EQ(blocker(fd, F_GETLK, F_WRLCK, 0, 0, &fl), getppid());
	CHECK_EQ(fl.l_start, 0);
	CHECK_EQ(fl.l_len, 40);
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 40, 20));
	CHECK_EQ(blocker(fd, F_GETLK, F_RDLCK, 40, 0, &fl), getppid());
	CHECK_EQ(fl.l_start, 60);
	CHECK_EQ(fl.l_len, 0);
}

static void a_hole_is_unlocked(void)
{
	int fd = new_file();

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 40, 20));
	must_exit_well(start_child(meet_the_middle, &fd));
}

static int lock_from(int fd, int whence, off_t start, off_t length)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = (short)whence, .l_start = start, .l_len = length};

	return fcntl(fd, F_SETLK, &fl);
}

static void meet_30_to_40(void *arg)
{
	struct flock fl;

	CHECK_EQ(blocker(*(int *)arg, F_GETLK, F_RDLCK, 0, 0, &fl), getppid());
	CHECK_EQ(fl.l_start, 30);
	CHECK_EQ(fl.l_len, 10);
}

static void ranges_count_from(void)
{
	const off_t last = 0x7fffffffffffffff;
	int fd = make_file("f", 100);

	CHECK_OK(lseek(fd, 40, SEEK_SET));
	CHECK_OK(lock_from(fd, SEEK_CUR, 0, -10));
	must_exit_well(start_child(meet_30_to_40, &fd));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	CHECK_OK(lock_from(fd, SEEK_END, -70, 10));
	must_exit_well(start_child(meet_30_to_40, &fd));

	CHECK_ERR(lock_from(fd, SEEK_SET, -1, 1), EINVAL);
	CHECK_ERR(lock_from(fd, SEEK_SET, 5, -6), EINVAL);
	CHECK_ERR(lock_from(fd, 3, 0, 0), EINVAL);
	CHECK_ERR(lock_from(fd, SEEK_END, last, 1), EOVERFLOW);
	CHECK_ERR(lock_from(fd, SEEK_SET, last, 2), EOVERFLOW);
	CHECK_OK(lock_from(fd, SEEK_SET, last, 1));
	CHECK_OK(lock_from(fd, SEEK_SET, last, 0));
}

static void rights_of_the_descriptor(void)
{
	int fd = new_file(), reads = (int)CHECK_OK(open("f", O_RDONLY));
	int writes = (int)CHECK_OK(open("f", O_WRONLY)), path = (int)CHECK_OK(open("f", O_PATH));
	struct flock fl = {.l_type = F_UNLCK};

	CHECK_ERR(lock(reads, F_SETLK, F_WRLCK, 0, 1), EBADF);
	CHECK_OK(lock(reads, F_SETLK, F_RDLCK, 0, 1));
	CHECK_ERR(lock(writes, F_SETLK, F_RDLCK, 0, 1), EBADF);
	CHECK_OK(lock(writes, F_SETLK, F_WRLCK, 0, 1));
	CHECK_ERR(lock(path, F_SETLK, F_RDLCK, 0, 1), EBADF);
	CHECK_ERR(lock(99, F_SETLK, F_RDLCK, 0, 1), EBADF);
	CHECK_ERR(lock(fd, F_SETLK, 7, 0, 1), EINVAL);
	CHECK_ERR(fcntl(fd, F_GETLK, &fl), EINVAL);
	CHECK_ERR(fcntl(fd, F_SETLK, (struct flock *)8), EFAULT);
	CHECK_ERR(fcntl(fd, 77, 0), EINVAL);
}

static void must_be_locked(void *arg)
{
	CHECK_ERR(lock(*(int *)arg, F_SETLK, F_RDLCK, 0, 1), EAGAIN);
}

static void must_be_free(void *arg)
{
	CHECK_OK(lock(*(int *)arg, F_SETLK, F_WRLCK, 0, 1));
}

static void any_close_releases(void)
{
	int fd = new_file(), other = (int)CHECK_OK(open("f", O_RDONLY)), third;

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	must_exit_well(start_child(must_be_locked, &fd));
	CHECK_OK(close(other));
	must_exit_well(start_child(must_be_free, &fd));

	third = (int)CHECK_OK(dup(fd));
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	CHECK_OK(dup2(STDERR_FILENO, third)); // closes it on the way
	must_exit_well(start_child(must_be_free, &fd));
}

static void a_fork_inherits_none(void)
{
	int fd = new_file();

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	must_exit_well(start_child(must_be_locked, &fd));
	// That the child closed it is nothing to us.
	must_exit_well(start_child(must_be_locked, &fd));
}

static int to_cat[2], from_cat[2];

static void lock_and_become_cat(void *arg)
{
	CHECK_OK(lock(*(int *)arg, F_SETLK, F_WRLCK, 0, 1));
	CHECK_OK(dup2(to_cat[0], STDIN_FILENO));
	CHECK_OK(dup2(from_cat[1], STDOUT_FILENO));
	CHECK_OK(close(to_cat[1]));
	execl("/bin/cat", "cat", (char *)NULL);
	FAIL("exec: %s", strerror(errno));
}

static void exec_keeps_it(void)
{
	int fd = new_file();
	struct flock fl;
	pid_t child;
	char c = 'x';

	CHECK_OK(pipe(to_cat));
	CHECK_OK(pipe(from_cat));
	child = start_child(lock_and_become_cat, &fd);
	CHECK_EQ(write(to_cat[1], &c, 1), 1);
	CHECK_EQ(read(from_cat[0], &c, 1), 1); // cat runs
	CHECK_EQ(blocker(fd, F_GETLK, F_RDLCK, 0, 0, &fl), child);
	CHECK_OK(close(to_cat[1]));
	must_exit_well(child);
	CHECK_EQ(blocker(fd, F_GETLK, F_RDLCK, 0, 0, &fl), 0);
}

enum { WIDE = 4000, LOOKS = 5 };

static void wait_and_become_cat(void *arg)
{
	struct rlimit most = {WIDE + 1, WIDE + 1};
	char go;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &most));
	CHECK_OK(dup2(*(int *)arg, WIDE)); // so that a look takes its time
	CHECK_EQ(read(to_cat[0], &go, 1), 1);
	lock_and_become_cat(arg);
}

static void list_descriptors(void *arg)
{
	char path[32];
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", *(pid_t *)arg);
	dir = opendir(path);
	CHECK(dir != NULL);
	for (int n = 0;; n++) {
		while (readdir(dir))
			;
		rewinddir(dir);
		if (n == 0)
			CHECK_EQ(write(to_cat[1], "g", 1), 1);
	}
}

// Nor does it matter who looks on.
static void exec_keeps_it_while_others_look(void)
{
	int fd = new_file();
	pid_t child, looker;
	struct flock fl;
	char c = 'x';

	for (int i = 0; i < LOOKS; i++) {
		CHECK_OK(pipe(to_cat));
		CHECK_OK(pipe(from_cat));
		child = start_child(wait_and_become_cat, &fd);
		looker = start_child(list_descriptors, &child);
		CHECK_EQ(write(to_cat[1], &c, 1), 1);
		CHECK_EQ(read(from_cat[0], &c, 1), 1);
		CHECK_EQ(blocker(fd, F_GETLK, F_RDLCK, 0, 0, &fl), child);
		CHECK_OK(kill(looker, SIGKILL));
		end_child(looker);
		CHECK_OK(kill(child, SIGKILL));
		end_child(child);
		CHECK_OK(close_range(to_cat[0], from_cat[1], 0));
	}
}

// --- Waiting

enum { CROWD = 4, ROUNDS = 200 };

static void count_up(void *arg)
{
	int fd = *(int *)arg, n;

	for (int i = 0; i < ROUNDS; i++) {
		CHECK_OK(lock(fd, F_SETLKW, F_WRLCK, FAR, 1));
		CHECK_EQ(pread(fd, &n, sizeof n, 0), sizeof n);
		n++;
		CHECK_EQ(pwrite(fd, &n, sizeof n, 0), sizeof n);
		CHECK_OK(lock(fd, F_SETLK, F_UNLCK, FAR, 1));
	}
}

static void one_at_a_time(void)
{
	int fd = new_file(), n = 0;
	pid_t crowd[CROWD];

	CHECK_EQ(write(fd, &n, sizeof n), sizeof n);
	for (int i = 0; i < CROWD; i++)
		crowd[i] = start_child(count_up, &fd);
	for (int i = 0; i < CROWD; i++)
		must_exit_well(crowd[i]);
	CHECK_EQ(pread(fd, &n, sizeof n, 0), sizeof n);
	CHECK_EQ(n, CROWD * ROUNDS);
}

static volatile sig_atomic_t rings;

static void ring(int sig)
{
	(void)sig;
	rings++;
}

// Rings again and again, so that one comes while we wait, whenever that begins.
static void ring_bells(int flags)
{
	struct sigaction sa = {.sa_handler = ring, .sa_flags = flags};
	struct itimerval often = {.it_interval.tv_usec = 5000, .it_value.tv_usec = 5000};

	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
}

static void wait_and_be_interrupted(void *arg)
{
	ring_bells(0);
	CHECK_ERR(lock(*(int *)arg, F_SETLKW, F_RDLCK, 0, 1), EINTR);
	CHECK(rings > 0);
}

static void a_wait_is_interrupted(void)
{
	int fd = new_file();

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
	must_exit_well(start_child(wait_and_be_interrupted, &fd));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 1));
	must_exit_well(start_child(must_be_free, &fd));
}

// Two that want each other's lock: one is told, and the other waits until that one gives in.
struct embrace {
	int fd, ready[2], go[2];
};

static void embrace(struct embrace *e, off_t mine, off_t theirs, int told[2])
{
	char c = 'd';

	if (lock(e->fd, F_SETLKW, F_WRLCK, theirs, 1) < 0) {
		CHECK_EQ(errno, EDEADLK);
		CHECK_EQ(write(told[1], &c, 1), 1);
		CHECK_OK(lock(e->fd, F_SETLK, F_UNLCK, mine, 1));
		return;
	}
	CHECK_OK(lock(e->fd, F_SETLK, F_UNLCK, 0, 0));
}

static void embrace_the_parent(void *arg)
{
	struct embrace *e = arg;
	char c = 0;

	CHECK_OK(lock(e->fd, F_SETLK, F_WRLCK, 1, 1));
	CHECK_EQ(write(e->go[1], &c, 1), 1);
	embrace(e, 1, 0, e->ready);
}

static void a_deadlock_is_refused(void)
{
	struct embrace e = {.fd = new_file()};
	pid_t child;
	char told[4];

	CHECK_OK(pipe(e.ready));
	CHECK_OK(pipe(e.go));
	CHECK_OK(lock(e.fd, F_SETLK, F_WRLCK, 0, 1));
	child = start_child(embrace_the_parent, &e);
	CHECK_EQ(read(e.go[0], told, 1), 1);
	embrace(&e, 0, 1, e.ready);
	must_exit_well(child);
	CHECK_OK(close(e.ready[1]));
	CHECK_EQ(read(e.ready[0], told, sizeof told), 1); // one of them
}

// Another task of the same table closes what is just being locked. However the two meet, the lock
// of a file that has no descriptor left is gone. Each file is another one: a later close of it
// would release what the first one missed.
enum { CHASE = 10000, CHASED = 40 };

static int lock_what_is_open(void *arg)
{
	(void)arg;
	for (int i = 0; i < CHASE; i++) {
		lock(CHASED, F_SETLK, F_WRLCK, i % 7, 5);
		lock(CHASED, F_OFD_SETLK, F_WRLCK, 100 + i % 7, 5);
		flock(CHASED, LOCK_EX | LOCK_NB);
	}
	_exit(0);
}

static bool has_locks(pid_t pid)
{
	char text[8192], owner[40];
	int list = (int)CHECK_OK(open("/proc/locks", O_RDONLY));
	ssize_t n = CHECK_OK(read(list, text, sizeof text - 1));

	CHECK_OK(close(list));
	text[n] = 0;
	snprintf(owner, sizeof owner, "ADVISORY  WRITE %d ", pid);
	return strstr(text, owner);
}

static void locking_and_closing_meet(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	int fd = new_file(), status;
	pid_t other = (pid_t)CHECK_OK(
		clone(lock_what_is_open, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL));

	while (!waitpid(other, &status, WNOHANG)) {
		CHECK_EQ(dup2(fd, CHASED), CHASED);
		CHECK_OK(close(fd));
		CHECK_OK(close(CHASED));
		CHECK_OK(unlink("f"));
		fd = new_file();
	}
	CHECK_EQ(status, 0);
	CHECK(!has_locks(other));
}

// --- By open file

static void open_files_are_owners(void)
{
	int a = new_file(), b = new_file(), same = (int)CHECK_OK(dup(a));
	struct flock fl;

	CHECK_OK(lock(a, F_OFD_SETLK, F_WRLCK, 10, 10));
	CHECK_ERR(lock(b, F_OFD_SETLK, F_RDLCK, 0, 0), EAGAIN);
	CHECK_ERR(lock(b, F_SETLK, F_RDLCK, 0, 0), EAGAIN);
	CHECK_EQ(blocker(b, F_OFD_GETLK, F_RDLCK, 0, 0, &fl), -1);
	CHECK_EQ(fl.l_start, 10);
	CHECK_EQ(fl.l_len, 10);
	CHECK_OK(lock(same, F_OFD_SETLK, F_RDLCK, 12, 2));
	CHECK_OK(lock(b, F_OFD_SETLK, F_RDLCK, 12, 2));
	CHECK_OK(close(same)); // not the last
	CHECK_ERR(lock(b, F_OFD_SETLK, F_RDLCK, 10, 1), EAGAIN);
	CHECK_OK(close(a));
	CHECK_OK(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0));
	fl = (struct flock){.l_type = F_RDLCK, .l_pid = 1};
	CHECK_ERR(fcntl(b, F_OFD_SETLK, &fl), EINVAL);
}

static void unlock_for_the_parent(void *arg)
{
	CHECK_OK(lock(*(int *)arg, F_OFD_SETLK, F_UNLCK, 0, 0));
}

static void children_share_them(void)
{
	int a = new_file(), b = new_file();

	CHECK_OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 0));
	CHECK_ERR(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
	must_exit_well(start_child(unlock_for_the_parent, &a));
	CHECK_OK(lock(b, F_OFD_SETLKW, F_WRLCK, 0, 0));
}

static void wait_behind_the_parent(void *arg)
{
	CHECK_OK(lock(*(int *)arg, F_SETLKW, F_RDLCK, 5, 1));
}

// The list says who has a lock and who waits for it, which is how this test knows that he does.
static void locks_are_listed(void)
{
	int fd = new_file(), list;
	char text[8192], wanted[80];
	ssize_t n;
	pid_t child;

	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 5, 10));
	child = start_child(wait_behind_the_parent, &fd);
	snprintf(wanted, sizeof wanted, "-> POSIX  ADVISORY  READ %d ", child);
	do {
		list = (int)CHECK_OK(open("/proc/locks", O_RDONLY));
		n = CHECK_OK(read(list, text, sizeof text - 1));
		CHECK_OK(close(list));
		text[n] = 0;
	} while (!strstr(text, wanted));
	snprintf(wanted, sizeof wanted, ": POSIX  ADVISORY  WRITE %d ", getpid());
	CHECK(strstr(text, wanted));
	CHECK(strstr(text, " 5 14\n"));
	CHECK(strstr(text, " 5 5\n"));
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	must_exit_well(child);
}

// --- flock

static void flock_has_two_modes(void)
{
	int a = new_file(), b = (int)CHECK_OK(open("f", O_RDONLY));

	CHECK_OK(flock(a, LOCK_SH));
	CHECK_OK(flock(b, LOCK_SH | LOCK_NB));
	CHECK_ERR(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	// What could not be changed is lost, as the man page warns.
	CHECK_OK(flock(b, LOCK_EX | LOCK_NB));
	CHECK_ERR(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(b, LOCK_UN));
	CHECK_OK(flock(a, LOCK_EX));
	// The other kind of lock is another matter.
	CHECK_OK(lock(a, F_SETLK, F_WRLCK, 0, 0));
	CHECK_ERR(flock(a, 0), EINVAL);
	CHECK_ERR(flock(a, LOCK_SH | LOCK_EX), EINVAL);
	CHECK_ERR(flock(77, LOCK_SH), EBADF);
}

static void take_turns(void *arg)
{
	int fd = (int)CHECK_OK(open("f", O_RDWR)), n;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_OK(flock(fd, LOCK_EX));
		CHECK_EQ(pread(fd, &n, sizeof n, 0), sizeof n);
		n++;
		CHECK_EQ(pwrite(fd, &n, sizeof n, 0), sizeof n);
		CHECK_OK(flock(fd, LOCK_UN));
	}
}

static void flock_excludes(void)
{
	int fd = new_file(), n = 0;
	pid_t crowd[CROWD];

	CHECK_EQ(write(fd, &n, sizeof n), sizeof n);
	for (int i = 0; i < CROWD; i++)
		crowd[i] = start_child(take_turns, NULL);
	for (int i = 0; i < CROWD; i++)
		must_exit_well(crowd[i]);
	CHECK_EQ(pread(fd, &n, sizeof n, 0), sizeof n);
	CHECK_EQ(n, CROWD * ROUNDS);
}

static void wait_for_flock(void *arg)
{
	int fd = (int)CHECK_OK(open("f", O_RDONLY));

	(void)arg;
	ring_bells(0);
	CHECK_ERR(flock(fd, LOCK_SH), EINTR);
}

static void flock_lasts_until_the_last_close(void)
{
	int a = new_file(), same = (int)CHECK_OK(dup(a)), b = new_file();

	CHECK_OK(flock(a, LOCK_EX));
	must_exit_well(start_child(wait_for_flock, NULL));
	CHECK_OK(close(a));
	CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(close(same));
	CHECK_OK(flock(b, LOCK_SH | LOCK_NB));
}

static const struct test tests[] = {
	{"another_process_meets_it", another_process_meets_it},
	{"own_locks_do_not_conflict", own_locks_do_not_conflict},
	{"a_hole_is_unlocked", a_hole_is_unlocked},
	{"ranges_count_from", ranges_count_from},
	{"rights_of_the_descriptor", rights_of_the_descriptor},
	{"any_close_releases", any_close_releases},
	{"a_fork_inherits_none", a_fork_inherits_none},
	{"exec_keeps_it", exec_keeps_it},
	{"exec_keeps_it_while_others_look", exec_keeps_it_while_others_look},
	{"one_at_a_time", one_at_a_time},
	{"a_wait_is_interrupted", a_wait_is_interrupted},
	{"a_deadlock_is_refused", a_deadlock_is_refused},
	{"locking_and_closing_meet", locking_and_closing_meet},
	{"locks_are_listed", locks_are_listed},
	{"open_files_are_owners", open_files_are_owners},
	{"children_share_them", children_share_them},
	{"flock_has_two_modes", flock_has_two_modes},
	{"flock_excludes", flock_excludes},
	{"flock_lasts_until_the_last_close", flock_lasts_until_the_last_close},
};
BEYOND_CORE_MAIN(tests)
