// SPDX-License-Identifier: MIT
// The exerciser of fs/mapfs/test/fsx by system calls: random reads, writes, loads and stores
// through mappings, truncates, holes, syncs and forks of a few files, each step compared with
// arrays of bytes. The same program is right on Linux; what only Mapache promises is left out there
// (back_features()).
//
// A space is a process of its own, the agent, which maps, loads and stores as it is told through a
// pair of pipes; data is in memory that all share. Files are opened by the main process; an agent
// that is to map one opens it once more through /proc/PID/fd.
//
//     EPISODES=100 stress_fsx -s SEED
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exercise.h"
#include "lib/tap.h"

enum {
	EPISODES = 5,
	STEPS_AGAIN = 300,
	DATA_BYTES = 1 << 17,
	HANG_S = 120,
	LEAVE_KIB = 8 * 1024, // of memory, where there is little
};

enum request_kind { END, MAP, UNMAP, SYNC, FORGET, LOAD, STORE, FORK };

struct request {
	enum request_kind kind;
	unsigned area, space; // space: of FORK, the child's
	bool flag;            // MAP: shared; SYNC: wait
	size_t at, n;         // bytes of the area; MAP: of the file
	char file[40];        // MAP
};

struct reply {
	int err;
	size_t done;
};

static struct {
	int request[2], reply[2];
} channel[FSX_SPACES];

static pid_t main_process;
static char *window;      // where agents map, at the same address in all
static char *shared_data; // what is loaded and stored
static int fd[FSX_DESCRIPTORS];
static unsigned features;

// --- the agent

static sigjmp_buf no_access;
static size_t progress; // bytes, whole pieces

static void on_fault(int signo)
{
	siglongjmp(no_access, signo);
}

static char *address(unsigned area, size_t at)
{
	return window + area * (size_t)FSX_FILE_PAGES * FSX_PAGE + at;
}

// Page by page, as how far it came must be known.
static int move(const struct request *r)
{
	char *p = address(r->area, r->at);
	int signo = sigsetjmp(no_access, 1);

	if (signo)
		return signo == SIGBUS ? -EFAULT : -EACCES;
	for (progress = 0; progress < r->n;) {
		size_t piece = FSX_PAGE - (uintptr_t)(p + progress) % FSX_PAGE;

		piece = piece < r->n - progress ? piece : r->n - progress;
		if (r->kind == LOAD)
			memcpy(shared_data + progress, p + progress, piece);
		else
			memcpy(p + progress, shared_data + progress, piece);
		progress += piece;
	}
	return 0;
}

static int result(long value)
{
	return value < 0 ? -errno : 0;
}

static int map_file(const struct request *r)
{
	int file = open(r->file, O_RDWR), err;
	void *p;

	if (file < 0)
		return -errno;
	p = mmap(address(r->area, 0), r->n, PROT_READ | PROT_WRITE,
		MAP_FIXED | (r->flag ? MAP_SHARED : MAP_PRIVATE), file, (off_t)r->at);
	err = p == MAP_FAILED ? -errno : 0;
	close(file);
	return err;
}

static void serve(unsigned space);

static int fork_agent(unsigned space)
{
	pid_t child = fork();

	if (child == 0)
		serve(space);
	return result(child);
}

static int obey(const struct request *r)
{
	char *p = address(r->area, r->at);

	switch (r->kind) {
	case END:
		return 0;
	case MAP:
		return map_file(r);
	case UNMAP:
		return result(munmap(p, r->n));
	case SYNC:
		return result(msync(p, r->n, r->flag ? MS_SYNC : MS_ASYNC));
	case FORGET:
		return result(madvise(p, r->n, MADV_DONTNEED));
	case FORK:
		return fork_agent(r->space);
	default:
		return move(r);
	}
}

static _Noreturn void serve(unsigned space)
{
	struct request r;

	while (read(channel[space].request[0], &r, sizeof r) == sizeof r) {
		struct reply reply = {.err = obey(&r)};

		reply.done = progress;
		if (write(channel[space].reply[1], &reply, sizeof reply) != sizeof reply ||
			r.kind == END)
			break;
	}
	_exit(0);
}

static void start_agent(unsigned space)
{
	struct sigaction action = {.sa_handler = on_fault};
	pid_t pid = (pid_t)CHECK_OK(fork());

	if (pid)
		return;
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	for (unsigned i = 0; i < FSX_SPACES; i++)
		close(channel[i].request[1]); // it ends when the main process does
	serve(space);
}

// --- asking it

static int ask(unsigned space, const struct request *r, size_t *done)
{
	struct pollfd wait = {.fd = channel[space].reply[0], .events = POLLIN};
	struct reply reply;

	CHECK_EQ(write(channel[space].request[1], r, sizeof *r), sizeof *r);
	if (poll(&wait, 1, HANG_S * 1000) != 1)
		FAIL("the process of space %u does not answer", space);
	CHECK_EQ(read(channel[space].reply[0], &reply, sizeof reply), sizeof reply);
	if (done)
		*done = reply.done;
	return reply.err;
}

int back_map(unsigned space, unsigned area, unsigned descriptor, bool shared, unsigned first_page,
	unsigned pages)
{
	struct request r = {.kind = MAP,
		.area = area,
		.flag = shared,
		.at = first_page * (size_t)FSX_PAGE,
		.n = pages * (size_t)FSX_PAGE};

	snprintf(r.file, sizeof r.file, "/proc/%d/fd/%d", (int)main_process, fd[descriptor]);
	return ask(space, &r, NULL);
}

static struct request of_pages(enum request_kind kind, unsigned area, unsigned page, unsigned pages)
{
	return (struct request){.kind = kind,
		.area = area,
		.at = page * (size_t)FSX_PAGE,
		.n = pages * (size_t)FSX_PAGE};
}

int back_unmap(unsigned space, unsigned area, unsigned pages)
{
	struct request r = of_pages(UNMAP, area, 0, pages);

	return ask(space, &r, NULL);
}

int back_msync(unsigned space, unsigned area, unsigned page, unsigned pages, bool wait)
{
	struct request r = of_pages(SYNC, area, page, pages);

	r.flag = wait;
	return ask(space, &r, NULL);
}

int back_forget(unsigned space, unsigned area, unsigned page, unsigned pages)
{
	struct request r = of_pages(FORGET, area, page, pages);

	return ask(space, &r, NULL);
}

int back_load(unsigned space, unsigned area, size_t at, void *to, size_t n, size_t *done)
{
	struct request r = {.kind = LOAD, .area = area, .at = at, .n = n};
	int err = ask(space, &r, done);

	memcpy(to, shared_data, *done);
	return err;
}

int back_store(unsigned space, unsigned area, size_t at, const void *from, size_t n, size_t *done)
{
	struct request r = {.kind = STORE, .area = area, .at = at, .n = n};

	memcpy(shared_data, from, n);
	return ask(space, &r, done);
}

void back_fork(unsigned from, unsigned to)
{
	CHECK_EQ(ask(to, &(struct request){.kind = END}, NULL), 0);
	CHECK_EQ(ask(from, &(struct request){.kind = FORK, .space = to}, NULL), 0);
}

// --- files

static const char *name_of(unsigned name)
{
	static char text[8];

	snprintf(text, sizeof text, "f%u", name);
	return text;
}

int back_open(unsigned descriptor, unsigned name, unsigned flags)
{
	fd[descriptor] = open(name_of(name), O_CREAT | O_RDWR | O_CLOEXEC | (int)flags, 0644);
	return result(fd[descriptor]);
}

void back_close(unsigned descriptor)
{
	CHECK_OK(close(fd[descriptor]));
}

int back_unlink(unsigned name)
{
	return result(unlink(name_of(name)));
}

static int moved(ssize_t n, size_t *done)
{
	*done = n < 0 ? 0 : (size_t)n;
	return result(n);
}

int back_read(unsigned descriptor, void *to, size_t n, uint64_t at, size_t *done)
{
	return moved(pread(fd[descriptor], to, n, (off_t)at), done);
}

int back_write(unsigned descriptor, const void *from, size_t n, uint64_t at, size_t *done)
{
	return moved(pwrite(fd[descriptor], from, n, (off_t)at), done);
}

int back_truncate(unsigned descriptor, uint64_t size)
{
	return result(ftruncate(fd[descriptor], (off_t)size));
}

int back_allocate(unsigned descriptor, int mode, uint64_t at, uint64_t n)
{
	return result(fallocate(fd[descriptor], mode, (off_t)at, (off_t)n));
}

int back_fsync(unsigned descriptor, bool data_only)
{
	return result(data_only ? fdatasync(fd[descriptor]) : fsync(fd[descriptor]));
}

int back_sync(void)
{
	if (on_mapache()) // Linux would write back everybody's files
		sync();
	return 0;
}

int back_stat(unsigned descriptor, struct back_stat *st)
{
	struct stat s;
	int err = result(fstat(fd[descriptor], &s));

	*st = (struct back_stat){(uint64_t)s.st_size, (uint64_t)s.st_blocks, (unsigned)s.st_nlink};
	return err;
}

// --- pressure, and the end

void back_press(unsigned how)
{
	char *memory;

	switch (how % 4) {
	case 0:
		drop_caches("123"[how / 4 % 3]);
		break;
	case 1:
		if (on_mapache())
			sync();
		break;
	default:
		memory = map_anon(512 * FSX_PAGE);
		memset(memory, 1, 512 * FSX_PAGE);
		munmap(memory, 512 * FSX_PAGE);
	}
}

// The root file system cannot be unmounted; but it can become read-only, which leaves a clean disk.
void back_remount(void)
{
	if (!on_mapache())
		return;
	sync();
	drop_caches('3');
	if (mount("none", "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
		CHECK_OK(mount("none", "/", NULL, MS_REMOUNT, NULL));
}

unsigned back_features(void)
{
	return features;
}

static void print(const char *line)
{
	fprintf(stderr, "# %s\n", line);
}

_Noreturn void back_fail(const char *why)
{
	fsx_history(false, print);
	FAIL("%s", why);
}

// --- the test

static void find_features(void)
{
	int f = (int)CHECK_OK(open("probe", O_CREAT | O_RDWR, 0644));

	features = 0;
	if (fallocate(f, BACK_ZERO_RANGE, 0, FSX_PAGE) == 0)
		features |= BACK_ALLOCATES;
	if (fallocate(f, BACK_PUNCH_HOLE | BACK_KEEP_SIZE, 0, FSX_PAGE) == 0)
		features |= BACK_PUNCHES;
	if (on_mapache())
		features |= BACK_COUNTS_BLOCKS | BACK_ZEROES_TAILS;
	close(f);
	unlink("probe");
}

static void begin(void)
{
	size_t bytes = FSX_AREAS * (size_t)FSX_FILE_PAGES * FSX_PAGE;

	main_process = getpid();
	signal(SIGCHLD, SIG_IGN); // agents go when they are told to
	window = map(bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared_data = map(DATA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	find_features();
	for (unsigned i = 0; i < FSX_SPACES; i++) {
		CHECK_OK(pipe(channel[i].request));
		CHECK_OK(pipe(channel[i].reply));
	}
	for (unsigned i = 0; i < FSX_SPACES; i++)
		start_agent(i);
}

static void random_steps(void)
{
	const char *text = getenv("EPISODES");
	unsigned n = tap_again ? 1 : text ? (unsigned)strtoul(text, NULL, 0) : EPISODES;
	struct fsx_run run = {.seed = random_u64(), .file_bytes = 64 * FSX_PAGE};

	begin();
	squeeze_memory(LEAVE_KIB);
	for (run.episode = 0; run.episode < n; run.episode++)
		fsx_episode(&run, tap_again ? STEPS_AGAIN : FSX_STEPS);
	for (unsigned i = 0; i < FSX_SPACES; i++)
		ask(i, &(struct request){.kind = END}, NULL);
}

static const struct test tests[] = {{"random_steps", random_steps}};

BEYOND_CORE_MAIN(tests)
