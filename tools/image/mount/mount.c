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
 * that is a vnode and its references (nodes.c).  So a file that has lost its name lives on as long as it
 * is open, with no tricks of names.
 *
 * Who may what.  The host's kernel checks modes and owners itself when root has mounted the image
 * (default_permissions, and everybody may come); else only who mounted it comes in at all, and may do
 * what he likes, as he may with the bytes of the image.  Behind that the operations run as root, but new
 * files are whose process made them.
 *
 * Caches.  The kernel caches names and pages, and writes through: a write(2) that returned has its
 * space.  Stores through a mapping reach us with msync, fsync, munmap or the host's write-back, and
 * only then can space be short.  sync(2) on the host stops at its own caches, as it asks no FUSE file system; the
 * commit every few seconds follows (writeback.c), and fsync is what it is everywhere.
 *
 * The end.  fusermount3 -u ends the loop; SIGTERM, SIGINT and SIGHUP do, after what the kernel has
 * dirty was fetched.  Then files that are still open are closed, all is written and the image is left
 * clean.  kill -9 is a crash: the next mount recovers.
 *
 * To read: this file, nodes.c, names.c, files.c, directories.c; the others when needed.
 */
#include "mount.h"

#include <fs/mount.h>
#include <fs/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
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

static int serve(struct fuse_session *session)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int result;

	if (!config)
		return -ENOMEM;
	fuse_loop_cfg_set_max_threads(config, THREADS);
	fuse_loop_cfg_set_idle_threads(config, THREADS);
	result = fuse_session_loop_mt(session, config);
	fuse_loop_cfg_destroy(config);
	return result;
}

/* --- Signals --------------------------------------------------------------------------------- */

static void ending_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

struct ender {
	struct fuse_session *session;
	const char *folder;
};

/*
 * End the loop at a signal.  The kernel first writes what it has dirty; the loop then looks whether
 * to end after its next request, which the second call makes.
 */
static void *end_at_signal(void *arg)
{
	const struct ender *e = arg;
	struct statvfs unused;
	sigset_t set;
	int number, top;

	ending_signals(&set);
	sigwait(&set, &number);
	top = open(e->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top >= 0)
		syncfs(top);
	fuse_session_exit(e->session);
	if (top >= 0)
		fstatvfs(top, &unused);
	return NULL;
}

static void watch_signals(struct ender *e)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, end_at_signal, e))
		image_die(8, "out of memory");
	pthread_detach(thread);
}

/* --- From the first to the last ------------------------------------------------------------ */

static int mount_image(const struct options *o)
{
	struct blkdev *dev = image_open(o->image, !o->read_only);
	struct fuse_session *session;
	struct ender ender;
	int result = 0;

	image_make_durable(dev);
	image_mount(dev, !o->read_only, &mounted);
	session = new_session(o);
	nodes_begin(mounted.root);
	if (connect_session(session, o)) {
		ender = (struct ender){session, o->folder};
		if (o->folder)
			watch_signals(&ender);
		writeback_begin(mounted.root->mount);
		background_ready();
		result = serve(session);
		fuse_session_unmount(session);
		writeback_end();
	} else {
		result = -EIO;
	}
	handles_end();
	nodes_end();
	image_unmount(&mounted);
	image_close(dev);
	return result < 0 ? 8 : 0;
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

	image_tool = "mount";
	if (!parse(argc, argv, &o)) {
		fputs(usage, stderr);
		return 2;
	}
	if (o.unmount)
		return unmount_folder(o.folder);
	if (!o.foreground && o.folder)
		background_begin();
	if (o.folder) {
		ending_signals(&set);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	image_start(0);
	return mount_image(&o);
}
