// SPDX-License-Identifier: MIT
/*
 * mount: an image in the host's tree of files, through FUSE.
 *
 *	program    system call                            image file
 *	   |                                                  ^
 *	   v                                                  | preadv, pwritev, fdatasync
 *	host's kernel --/dev/fuse--> libfuse --> operations --> vfs, mapfs, page cache
 *
 * What runs behind the operations is what runs in Mapache's kernel; this folder only translates.
 * The low-level interface of libfuse calls files by number, and says when a number is forgotten:
 * that is a vnode and its references (nodes.c).  So a file that has lost its name lives on as long
 * as it is open, with no tricks of names.
 *
 * Who may what.  The host's kernel checks modes and owners itself when root has mounted the image
 * (default_permissions, and everybody may come); else only who mounted it comes in at all, and may
 * do what he likes, as he may with the bytes of the image.  Behind that the operations run as root,
 * but new files are whose process made them.
 *
 * Caches.  The kernel caches names and pages, and writes through: a write(2) that returned has its
 * space.  Stores through a mapping reach us with msync, fsync, munmap or the host's write-back, and
 * only then can space be short.  sync(2) on the host stops at its own caches, as it asks no FUSE
 * file system; the commit every few seconds follows (writeback.c), and fsync is what it is
 * everywhere.
 *
 * The end.  fusermount3 -u ends the loop; SIGTERM, SIGINT and SIGHUP do, after what the kernel has
 * dirty was fetched.  Then files that are still open are closed, all is written and the image is
 * left clean.  kill -9 is a crash: the next mount recovers.
 *
 * To read: this file, nodes.c, names.c, files.c, directories.c; the others when needed.
 */
#include "mount.h"

#include <fs/mount.h>
#include <fs/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8

static const char usage[] =
	"usage: mount [--read-only] [-f] IMAGE FOLDER\n"
	"       mount -u FOLDER\n"
	"  -f  stay in the foreground\n"
	"  -u  unmount, and wait until the image is written and closed\n"
	"  --protocol FD IMAGE  speak FUSE's protocol over FD, a socket that keeps\n"
	"                       the bounds of messages, without a mount: for tests\n";

struct options {
	bool read_only, foreground, unmount;
	int protocol_fd; /* or -1 */
	const char *image;
	char *folder; /* absolute */
};

struct fs_context mounted;

/* --- The session --------------------------------------------------------------------------- */

static void op_init(void *data, struct fuse_conn_info *conn)
{
	(void)data;
	conn->time_gran = 1;
	/* Set-id bits: the kernel tells us the mode that is left. */
	conn->want &= ~(unsigned)FUSE_CAP_HANDLE_KILLPRIV;
	/* Nobody changes a file behind its back. */
	conn->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
}

static ssize_t protocol_write(int fd, struct iovec *parts, int n, void *data)
{
	(void)data;
	return writev(fd, parts, n);
}

/* The other side hangs up: as if it was unmounted. */
static ssize_t protocol_read(int fd, void *to, size_t bytes, void *data)
{
	ssize_t n = read(fd, to, bytes);

	(void)data;
	if (n == 0) {
		errno = ENODEV;
		return -1;
	}
	return n;
}

static void add_option(struct fuse_args *args, const char *name, const char *value)
{
	char *text = NULL, *option = NULL;

	if (asprintf(&text, "%s%s", name, value) < 0 || fuse_opt_add_opt_escaped(&option, text) ||
		fuse_opt_add_arg(args, "-o") || fuse_opt_add_arg(args, option))
		image_die(8, "out of memory");
	free(text);
	free(option);
}

static struct fuse_session *new_session(const struct options *o)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_lowlevel_ops ops = {.init = op_init};
	struct fuse_session *session;
	char *source = realpath(o->image, NULL);

	names_operations(&ops);
	files_operations(&ops);
	directories_operations(&ops);
	if (!source || fuse_opt_add_arg(&args, "mount"))
		image_die(8, "out of memory");
	if (o->protocol_fd < 0) {
		add_option(&args, "subtype=", "mapfs");
		add_option(&args, "fsname=", source);
		add_option(&args, o->read_only ? "ro" : "rw", "");
		if (getuid() == 0) {
			add_option(&args, "default_permissions", "");
			add_option(&args, "allow_other", "");
		}
	}
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	fuse_opt_free_args(&args);
	free(source);
	return session;
}

/* False: it was said why. */
static bool connect_session(struct fuse_session *session, const struct options *o)
{
	static const struct fuse_custom_io protocol = {
		.writev = protocol_write, .read = protocol_read};

	if (!session)
		return false;
	if (o->protocol_fd >= 0)
		return fuse_session_custom_io(session, &protocol, o->protocol_fd) == 0;
	return fuse_session_mount(session, o->folder) == 0;
}

/*
 * Not libfuse's own loop, nor its word for the end (fuse_session_exit()): with them it drops what
 * it has read when it is told to end, and that may be the kernel's last writes.
 */
static atomic_bool ending;

static void *work(void *arg)
{
	struct fuse_session *session = arg;
	struct fuse_buf request = {.mem = NULL};
	int n;

	while (!ending) {
		n = fuse_session_receive_buf(session, &request);
		if (n > 0)
			fuse_session_process_buf(session, &request);
		else if (n != -EINTR && n != -EAGAIN)
			ending = true; /* unmounted */
	}
	free(request.mem);
	return NULL;
}

/* What the kernel has sent is done, also when the workers were told to end. */
static void serve_rest(struct fuse_session *session)
{
	struct pollfd more = {.fd = fuse_session_fd(session), .events = POLLIN};
	struct fuse_buf request = {.mem = NULL};

	while (poll(&more, 1, 0) == 1 && (more.revents & POLLIN) &&
		fuse_session_receive_buf(session, &request) > 0)
		fuse_session_process_buf(session, &request);
	free(request.mem);
}

static void serve(struct fuse_session *session)
{
	pthread_t workers[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&workers[i], NULL, work, session))
			image_die(8, "out of memory");
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(workers[i], NULL);
	serve_rest(session);
}

/* --- Signals --------------------------------------------------------------------------------- */

static void ending_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

static void sync_top(int top)
{
	syncfs(top);
}

/* None of these is answered from a cache. */
static void ask_top(int top)
{
	struct statvfs unused;

	for (unsigned i = 0; i < THREADS; i++)
		fstatvfs(top, &unused);
}

/*
 * Use the mount as others do: in a process that has nothing of ours open.  If this one is killed,
 * so that nobody answers, the kernel sees the last of /dev/fuse closed and ends the other's calls.
 */
static void from_outside(const char *folder, void (*use)(int top))
{
	pid_t child = fork();
	int top;

	if (child == 0) {
		close_range(3, ~0u, 0);
		top = open(folder, O_RDONLY | O_DIRECTORY);
		if (top >= 0)
			use(top);
		_exit(0);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

/*
 * End the workers at a signal.  The kernel first sends what it has dirty, and does not wait until
 * that is written: serve_rest() does.  A worker looks after each request whether to end, so as many
 * are made as there are workers; the last ones are answered by serve_rest().
 */
static void *end_at_signal(void *arg)
{
	sigset_t set;
	int number;

	ending_signals(&set);
	sigwait(&set, &number);
	from_outside(arg, sync_top);
	ending = true;
	from_outside(arg, ask_top);
	return NULL;
}

static void watch_signals(char *folder)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, end_at_signal, folder))
		image_die(8, "out of memory");
	pthread_detach(thread);
}

/* --- From the first to the last ------------------------------------------------------------ */

static int mount_image(const struct options *o)
{
	struct blkdev *dev = image_open(o->image, !o->read_only);
	struct fuse_session *session;
	bool connected;

	image_make_durable(dev);
	image_mount(dev, !o->read_only, &mounted);
	session = new_session(o);
	nodes_begin(mounted.root);
	connected = connect_session(session, o);
	if (connected) {
		if (o->folder)
			watch_signals(o->folder);
		writeback_begin();
		background_ready();
		serve(session);
		fuse_session_unmount(session);
		writeback_end();
	}
	if (session)
		fuse_session_destroy(session);
	handles_end();
	nodes_end();
	image_unmount(&mounted);
	image_close(dev);
	return connected ? 0 : 8;
}

/* --- Arguments ------------------------------------------------------------------------------- */

static char *absolute_folder(const char *path)
{
	char *folder = realpath(path, NULL);
	struct stat st;

	if (!folder || stat(folder, &st) < 0)
		image_die_errno(1, path, -errno);
	if (!S_ISDIR(st.st_mode))
		image_die_errno(1, path, -ENOTDIR);
	return folder;
}

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"read-only", no_argument, NULL, 'r'},
		{"protocol", required_argument, NULL, 'p'},
		{NULL, 0, NULL, 0},
	};
	int c, n;

	while ((c = getopt_long(argc, argv, "fu", longs, NULL)) >= 0) {
		if (c == 'r')
			o->read_only = true;
		else if (c == 'f')
			o->foreground = true;
		else if (c == 'u')
			o->unmount = true;
		else if (c == 'p')
			o->protocol_fd = atoi(optarg);
		else
			return false;
	}
	n = argc - optind;
	if (n != (o->unmount || o->protocol_fd >= 0 ? 1 : 2))
		return false;
	if (!o->unmount)
		o->image = argv[optind++];
	o->folder = optind < argc ? absolute_folder(argv[optind]) : NULL;
	return true;
}

int main(int argc, char **argv)
{
	struct options o = {.protocol_fd = -1};
	sigset_t set;
	int status;

	image_tool = "mount";
	if (!parse(argc, argv, &o)) {
		fputs(usage, stderr);
		return 2;
	}
	if (o.unmount) {
		status = unmount_folder(o.folder);
	} else {
		if (!o.foreground && o.folder)
			background_begin();
		if (o.folder) {
			ending_signals(&set);
			pthread_sigmask(SIG_BLOCK, &set, NULL);
		}
		signal(SIGPIPE, SIG_IGN);
		image_start(0);
		status = mount_image(&o);
	}
	free(o.folder);
	return status;
}
