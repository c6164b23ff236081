// SPDX-License-Identifier: MIT
/*
 * load DEVICE DIR FILE [beside]: in the guest, do the operations that FILE has, one a line, on
 * DEVICE, which is mounted on DIR and becomes the root, and tell the host of each.
 *
 * The operations and the bytes that they write are those of fs/mapfs/test/crash/op.h, which the
 * host holds the outcome against: where this program meant something else by them, the host would
 * say that the file system is wrong.
 *
 * Before each operation the line
 *
 *	load INDEX NANOSECONDS ERRNO
 *
 * goes to /dev/kmsg, and so to the virtio console: operation INDEX is about to be called, at this
 * time of the guest's clock or later; the one before it has returned, with ERRNO.  The time is one
 * that files can have (theirs goes in steps), so that theirs tell which operation set them.  Then
 * the program waits until the host has typed a line: so whatever the host finds out meanwhile about
 * the disk is true before the operation.  The last such line comes when DEVICE is unmounted.
 *
 * beside: another process syncs the disk all the time, so that commits go on while operations do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE     4096u
#define MAX_HELD 64

#define FILE_TIME_STEP_NS 4000000 /* the kernel's FS_TIME_STEP_NS */

static unsigned now; /* the operation's index */
static int held[MAX_HELD];
static unsigned n_held;

struct op {
	char name[16];
	char path[2][512];
	unsigned long number[2];
};

static uint8_t byte_at(uint64_t offset)
{
	return (uint8_t)(1 + (now * 41 + offset + offset / 512 * 7) % 255);
}

/* --- Operations: 0 or an errno ----------------------------------------------------------- */

static int result(int value)
{
	return value < 0 ? errno : 0;
}

static int op_create(const struct op *op)
{
	int fd = open(op->path[0], O_CREAT | O_EXCL | O_RDWR, 0644);

	if (fd < 0)
		return errno;
	return result(close(fd));
}

static int op_hold(const struct op *op)
{
	int fd = n_held < MAX_HELD ? open(op->path[0], O_RDWR) : -1;

	if (fd < 0)
		return errno;
	held[n_held++] = fd;
	return 0;
}

static int op_rename(const struct op *op)
{
	return result(rename(op->path[0], op->path[1]));
}

static int op_move(const struct op *op)
{
	return result(renameat2(AT_FDCWD, op->path[0], AT_FDCWD, op->path[1], RENAME_NOREPLACE));
}

static int op_exchange(const struct op *op)
{
	return result(renameat2(AT_FDCWD, op->path[0], AT_FDCWD, op->path[1], RENAME_EXCHANGE));
}

static int op_link(const struct op *op)
{
	return result(link(op->path[0], op->path[1]));
}

static int op_symlink(const struct op *op)
{
	char target[PAGE];

	for (unsigned i = 0; i < op->number[0]; i++)
		target[i] = (char)('a' + i % 26);
	target[op->number[0]] = 0;
	return result(symlink(target, op->path[0]));
}

static int op_unlink(const struct op *op)
{
	return result(unlink(op->path[0]));
}

static int op_mkdir(const struct op *op)
{
	return result(mkdir(op->path[0], 0755));
}

static int op_rmdir(const struct op *op)
{
	return result(rmdir(op->path[0]));
}

static int op_chmod(const struct op *op)
{
	return result(chmod(op->path[0], (mode_t)op->number[0]));
}

static int op_sync(const struct op *op)
{
	(void)op;
	sync();
	return 0;
}

/* --- Operations on a file that is open as fd ---------------------------------------------- */

static int write_at(int fd, uint64_t offset, size_t n)
{
	uint8_t *data = malloc(n + 1);
	ssize_t done = 0;

	for (size_t i = 0; i < n; i++)
		data[i] = byte_at(offset + i);
	for (size_t at = 0; at < n && done >= 0; at += (size_t)done)
		done = pwrite(fd, data + at, n - at, (off_t)(offset + at));
	free(data);
	return result((int)done);
}

static int on_write(int fd, const struct op *op)
{
	return write_at(fd, op->number[0], op->number[1]);
}

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_size;
}

static int on_append(int fd, const struct op *op)
{
	return write_at(fd, (uint64_t)size_of(fd), op->number[0]);
}

/* The pages around these bytes, shared. */
static uint8_t *map_around(int fd, uint64_t offset, size_t n, size_t *bytes)
{
	uint64_t first = offset / PAGE * PAGE;

	*bytes = offset + n - first;
	return mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)first);
}

static int store_at(int fd, uint64_t offset, size_t n)
{
	size_t bytes;
	uint8_t *map = map_around(fd, offset, n, &bytes);

	if (map == MAP_FAILED)
		return errno;
	for (size_t i = 0; i < n; i++)
		((volatile uint8_t *)map)[offset % PAGE + i] = byte_at(offset + i);
	return result(munmap(map, bytes));
}

/* What reaches beyond the file is not stored at all. */
static int on_store(int fd, const struct op *op)
{
	if (op->number[0] + op->number[1] > (uint64_t)size_of(fd))
		return EFAULT;
	return store_at(fd, op->number[0], op->number[1]);
}

static int on_scribble(int fd, const struct op *op)
{
	uint64_t size = (uint64_t)size_of(fd);

	if (size % PAGE == 0 || size % PAGE + op->number[0] > PAGE)
		return EFAULT;
	return store_at(fd, size, op->number[0]);
}

static int on_msync(int fd, const struct op *op)
{
	size_t bytes;
	uint8_t *map = map_around(fd, op->number[0], op->number[1], &bytes);
	int err;

	if (map == MAP_FAILED)
		return errno;
	err = result(msync(map, bytes, MS_SYNC));
	munmap(map, bytes);
	return err;
}

static int on_truncate(int fd, const struct op *op)
{
	return result(ftruncate(fd, (off_t)op->number[0]));
}

static int on_punch(int fd, const struct op *op)
{
	return result(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		(off_t)op->number[0], (off_t)op->number[1]));
}

static int on_allocate(int fd, const struct op *op)
{
	return result(fallocate(fd, 0, (off_t)op->number[0], (off_t)op->number[1]));
}

static int on_reserve(int fd, const struct op *op)
{
	return result(
		fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)op->number[0], (off_t)op->number[1]));
}

static int on_zero(int fd, const struct op *op)
{
	return result(
		fallocate(fd, FALLOC_FL_ZERO_RANGE, (off_t)op->number[0], (off_t)op->number[1]));
}

static int on_fsync(int fd, const struct op *op)
{
	(void)op;
	return result(fsync(fd));
}

static int on_fdatasync(int fd, const struct op *op)
{
	(void)op;
	return result(fdatasync(fd));
}

/* --- The table --------------------------------------------------------------------------- */

static const struct kind {
	const char *name;
	unsigned paths, numbers;
	int (*run)(const struct op *op);
	int (*run_on)(int fd, const struct op *op); /* instead: the file is opened */
	int flags;                                  /* for that */
} kinds[] = {
	{"create", 1, 0, op_create, NULL, 0},
	{"hold", 1, 0, op_hold, NULL, 0},
	{"rename", 2, 0, op_rename, NULL, 0},
	{"move", 2, 0, op_move, NULL, 0},
	{"exchange", 2, 0, op_exchange, NULL, 0},
	{"link", 2, 0, op_link, NULL, 0},
	{"symlink", 1, 1, op_symlink, NULL, 0},
	{"unlink", 1, 0, op_unlink, NULL, 0},
	{"mkdir", 1, 0, op_mkdir, NULL, 0},
	{"rmdir", 1, 0, op_rmdir, NULL, 0},
	{"chmod", 1, 1, op_chmod, NULL, 0},
	{"sync", 0, 0, op_sync, NULL, 0},
	{"write", 1, 2, NULL, on_write, O_RDWR},
	{"append", 1, 1, NULL, on_append, O_RDWR},
	{"store", 1, 2, NULL, on_store, O_RDWR},
	{"scribble", 1, 1, NULL, on_scribble, O_RDWR},
	{"msync", 1, 2, NULL, on_msync, O_RDWR},
	{"truncate", 1, 1, NULL, on_truncate, O_RDWR},
	{"punch", 1, 2, NULL, on_punch, O_RDWR},
	{"allocate", 1, 2, NULL, on_allocate, O_RDWR},
	{"reserve", 1, 2, NULL, on_reserve, O_RDWR},
	{"zero", 1, 2, NULL, on_zero, O_RDWR},
	{"fsync", 1, 0, NULL, on_fsync, O_RDONLY},
	{"fdatasync", 1, 0, NULL, on_fdatasync, O_RDONLY},
};

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A name that ends with ~ gets as many more that it has NAME_MAX bytes. */
static void set_path(char path[512], const char *text)
{
	size_t n = strlen(text), name = n - (size_t)(strrchr(text, '/') + 1 - text);

	strcpy(path, text);
	if (text[n - 1] == '~')
		memset(path + n, '~', NAME_MAX - name);
}

/* Words and numbers of a line; op comes zeroed. */
static const struct kind *parse(char *line, struct op *op)
{
	char *word = strtok(line, " \n");
	const struct kind *k = kinds;

	while (k < kinds + sizeof(kinds) / sizeof(kinds[0]) && strcmp(k->name, word ? word : ""))
		k++;
	errno = EINVAL;
	if (k == kinds + sizeof(kinds) / sizeof(kinds[0]))
		die(word ? word : "an empty line");
	for (unsigned i = 0; i < k->paths && (word = strtok(NULL, " \n")); i++)
		set_path(op->path[i], word);
	for (unsigned i = 0; i < k->numbers && (word = strtok(NULL, " \n")); i++)
		op->number[i] = strtoul(word, NULL, 10);
	if (!word)
		die(k->name);
	return k;
}

static int run(const struct kind *k, const struct op *op)
{
	int fd, err;

	if (k->run)
		return k->run(op);
	fd = open(op->path[0], k->flags);
	if (fd < 0)
		return errno;
	err = k->run_on(fd, op);
	close(fd);
	return err;
}

static long long clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* When the clock of files makes its next step, which has come when this returns. */
static long long next_file_time(void)
{
	long long next = (clock_ns() / FILE_TIME_STEP_NS + 1) * FILE_TIME_STEP_NS;

	while (clock_ns() < next)
		continue;
	return next;
}

/* To the host; returns when it has typed an answer. */
static void tell(int kmsg, int err)
{
	char line[128], byte;
	int n;

	n = snprintf(line, sizeof(line), "load %u %lld %d\n", now, next_file_time(), err);
	if (write(kmsg, line, (size_t)n) != n)
		die("/dev/kmsg");
	do
		if (read(STDIN_FILENO, &byte, 1) != 1)
			die("standard input");
	while (byte != '\n');
}

/* The root is where it leads from now on; what was open stays so. */
static void change_root(int dir)
{
	if (fchdir(dir) < 0 || chroot(".") < 0)
		die("chroot");
}

static pid_t sync_beside(int dir)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	while (pid == 0)
		if (syncfs(dir) < 0)
			die("syncfs");
	return pid;
}

/* Returns how the last one ended. */
static int do_all(FILE *ops, int kmsg)
{
	char line[128];
	int err = 0;

	for (; fgets(line, sizeof(line), ops); now++) {
		struct op op = {0};
		const struct kind *k = parse(line, &op);
		tell(kmsg, err);
		err = run(k, &op);
	}
	while (n_held)
		close(held[--n_held]);
	return err;
}

static int do_all_inside(const char *dir, FILE *ops, int kmsg, int beside)
{
	int outside = open("/", O_RDONLY), inside = open(dir, O_RDONLY), err;
	pid_t pid = beside ? sync_beside(inside) : 0;

	change_root(inside);
	close(inside);
	err = do_all(ops, kmsg);
	change_root(outside);
	if (pid && (kill(pid, SIGKILL) < 0 || waitpid(pid, NULL, 0) < 0))
		die("the one beside");
	return err;
}

int main(int argc, char **argv)
{
	int kmsg, err;
	FILE *ops;

	if (argc < 4 || argc > 5) {
		fputs("usage: load DEVICE DIR FILE [beside]\n", stderr);
		return 2;
	}
	kmsg = open("/dev/kmsg", O_WRONLY);
	ops = fopen(argv[3], "r");
	if (kmsg < 0 || !ops)
		die(kmsg < 0 ? "/dev/kmsg" : argv[3]);
	if (mkdir(argv[2], 0755) < 0 || mount(argv[1], argv[2], "mapfs", 0, NULL) < 0)
		die(argv[2]);
	err = do_all_inside(argv[2], ops, kmsg, argc == 5);
	if (umount(argv[2]) < 0)
		die("umount");
	tell(kmsg, err);
	return 0;
}
