// SPDX-License-Identifier: MIT
/*
 * The first process.
 *
 * Its thread begins in the kernel, where mounting may sleep: root, /dev, /proc, /tmp; then it opens
 * the console, executes /bin/init, and is pid 1.
 *
 * The root is the disk vda, else the RAM disk, or what "root=" names.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/trap.h>
#include <fs/blkdev.h>
#include <fs/mount.h>
#include <kernel/boot.h>
#include <kernel/console.h>
#include <kernel/exec.h>
#include <kernel/files.h>
#include <kernel/format.h>
#include <kernel/frames.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/process_impl.h>
#include <kernel/procfs.h>
#include <kernel/tty.h>
#include <kernel/user.h>
#include <kernel/vmspace.h>

#define DEFAULT_INIT    "/bin/init"
#define MAX_ARGUMENTS   64
#define STACK_LIMIT     (8UL << 20)
#define MEMLOCK_LIMIT   (8UL << 20)
#define FILES_LIMIT     1024
#define FILES_MAXIMUM   4096
#define FRAMES_A_SIGNAL 64 /* so much memory for each siginfo that a user may have queued */

/* --- The tree of files ------------------------------------------------------------------------ */

static const char *root_device(void)
{
	const char *named = boot_value("root");

	if (named)
		return named;
	return blkdev_find("vda") ? "vda" : "ram0";
}

static struct dentry *mount_first(void)
{
	const char *device = root_device();
	struct dentry *root;
	int err = mount_root("mapfs", device, 0, &root);

	if (err)
		panic("cannot mount %s as the root: error %d", device, -err);
	return root;
}

/*
 * A directory or a type that is missing (devpts in the core) costs what would
 * be there, not the boot.
 */
static void mount_at(
	const struct fs_context *ctx, const char *path, const char *type, const char *options)
{
	struct dentry *where;
	int err = path_lookup(ctx, NULL, path, PATH_FOLLOW | PATH_DIRECTORY, &where);

	if (!err) {
		err = mount_on(where, type, "none", type, 0, options);
		dentry_unref(where);
	}
	if (err && err != -ENODEV)
		pr_warning("cannot mount %s on %s: error %d", type, path, -err);
}

static void mount_all(struct fs_state *fs)
{
	struct fs_cred root = {0};
	struct fs_context ctx = {.root = fs->root, .cwd = fs->cwd, .cred = &root};

	mount_at(&ctx, "/dev", "devfs", NULL);
	mount_at(&ctx, "/dev/shm", "tmpfs", "mode=1777");
	mount_at(&ctx, "/dev/pts", "devpts", NULL);
	mount_at(&ctx, "/proc", "proc", NULL);
	mount_at(&ctx, "/tmp", "tmpfs", "mode=1777");
}

/* --- The process ------------------------------------------------------------------------------ */

/* As descriptors 0, 1 and 2. */
static void open_console(void)
{
	struct file *file;
	struct walk w;
	int err = walk_begin(&w, AT_FDCWD, "/dev/console");

	if (!err) {
		err = vfs_open(&w.ctx, NULL, "/dev/console", FS_O_RDWR, 0, &file);
		walk_end(&w);
	}
	if (err) {
		pr_warning("cannot open /dev/console: error %d", -err);
		return;
	}
	for (int fd = 0; fd < 3; fd++)
		if (fd_install(file_ref(file), 0, false) < 0)
			panic("no descriptor for the console");
	file_unref(file);
}

/* For tools that drop what firmware and kernel said on the same line before. */
static void print_marker(void)
{
	static const char marker[] = "\x1e[mapache:init]\x1e\n";

	if (boot_has("marker"))
		console_write(marker, sizeof marker - 1);
}

static int exec_init(const char *path)
{
	static const char *const environment[] = {"HOME=/", "PATH=/bin", "TERM=linux", NULL};
	const char *arguments[MAX_ARGUMENTS + 2] = {path};

	for (unsigned i = 0; i < MAX_ARGUMENTS; i++) {
		arguments[i + 1] = boot_init_arg(i);
		if (!arguments[i + 1])
			break;
	}
	struct exec_request request = {
		.dir = AT_FDCWD,
		.path = path,
		.argv = {.from_kernel = true, .kernel = arguments},
		.envp = {.from_kernel = true, .kernel = environment},
	};
	return process_exec(&request);
}

/* What an exec says of what is on the disk has a name. */
static _Noreturn void refuse_init(const char *path, int err)
{
	static const char *const names[] = {
		[ENOENT] = "ENOENT",
		[EIO] = "EIO",
		[ENOEXEC] = "ENOEXEC",
		[EACCES] = "EACCES",
		[ENOTDIR] = "ENOTDIR",
	};
	const char *name = (size_t)-err < sizeof(names) / sizeof(names[0]) ? names[-err] : NULL;
	char why[192];

	ksnprintf(why, sizeof(why), "cannot execute %s: %s (%d); %s", path, name ? name : "error",
		-err, "tools/mkfs IMAGE build/release/root makes a disk with " DEFAULT_INIT);
	machine_give_up(why);
}

static void init_begin(void *arg)
{
	const char *path = boot_value("init");
	int err;

	(void)arg;
	mount_all(process_current()->fs);
	open_console();
	print_marker();
	if (!path)
		path = DEFAULT_INIT;
	err = exec_init(path);
	if (err)
		refuse_init(path, err);
	pr_info("first user instruction: %lu", cpu_instret());
	arch_enter_user();
}

/* For one unprivileged user: their kernel stacks may be a sixteenth of memory. */
static struct rlimit threads_limit(void)
{
	uint64_t n = frames_total() * PAGE_SIZE / KSTACK_BYTES / 16;

	return (struct rlimit){n, n};
}

static void set_limits(struct process *p)
{
	uint64_t signals = frames_total() / FRAMES_A_SIGNAL;

	for (unsigned i = 0; i < RLIM_NLIMITS; i++)
		p->limits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	p->limits[RLIMIT_STACK].rlim_cur = STACK_LIMIT;
	p->limits[RLIMIT_NOFILE] = (struct rlimit){FILES_LIMIT, FILES_MAXIMUM};
	p->limits[RLIMIT_MEMLOCK] = (struct rlimit){MEMLOCK_LIMIT, MEMLOCK_LIMIT};
	p->limits[RLIMIT_CORE].rlim_cur = 0;
	p->limits[RLIMIT_NPROC] = threads_limit();
	p->limits[RLIMIT_NICE] = p->limits[RLIMIT_RTPRIO] = (struct rlimit){0, 0};
	p->limits[RLIMIT_SIGPENDING] = (struct rlimit){signals, signals};
}

void process_start_init(void)
{
	struct process *p = process_alloc();
	struct dentry *root = mount_first();
	struct task *t;

	if (!p)
		goto out_memory;
	p->exit_signal = 0;
	__builtin_strcpy(p->name, "init");
	set_limits(p);
	p->user = user_get(0);
	p->actions = signal_actions_new(NULL);
	p->files = files_new(NULL);
	p->fs = fs_state_new(root, dentry_ref(root), 022);
	if (!p->actions || !p->files || !p->fs || vmspace_new(p, NULL, &p->vm))
		goto out_memory;
	p->n_counted = 1;
	if (user_add_thread(p->user, RLIM_INFINITY, true) || task_new(p, init_begin, &t))
		goto out_memory;
	process_ref(p); /* the thread's */
	init_process = p;
	spin_lock(&tree_lock);
	process_enter_tree(p, NULL, t);
	spin_unlock(&tree_lock);
	t->thread->arch.pmap = vmspace_pmap(p->vm);
	thread_start(t->thread);
	return;

out_memory:
	panic("no memory for the first process");
}
