// SPDX-License-Identifier: MIT
/*
 * /proc/PID/fd, fdinfo, task, and the links exe, cwd and root: what a process has of files, and its
 * threads.
 *
 * The links are followed to the file itself (follow()), whatever has become of its name; their text
 * is for readers.
 */
#include "procfs.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/limits.h>
#include <kernel/files.h>
#include <kernel/format.h>
#include <kernel/kmem.h>
#include <kernel/pipe.h>
#include <kernel/vmspace.h>

#define NAME_BYTES 40

/* --- Descriptors ------------------------------------------------------------------------------ */

/*
 * The first open one that is at least fd, and its file, referenced; -1: none that the caller may
 * see.
 */
static long find_file(struct process *p, long fd, struct file **out)
{
	long found = -1;

	spin_lock(&p->lock);
	if (p->files && proc_may_look(p))
		found = files_next(p->files, (unsigned)fd, out);
	spin_unlock(&p->lock);
	return found;
}

static long next_fd(struct process *p, long from)
{
	struct file *file;
	long fd = find_file(p, from, &file);

	if (fd >= 0)
		file_unref(file);
	return fd;
}

/* Referenced, or NULL: it was closed. */
static struct file *file_of(struct process *p, int fd)
{
	struct file *file;
	long found = find_file(p, fd, &file);

	if (found < 0 || found == fd)
		return found == fd ? file : NULL;
	file_unref(file);
	return NULL;
}

int proc_link_path(struct dentry *d, char *to, size_t bytes)
{
	char *buffer = kmalloc(PATH_MAX), *path = "";
	struct dentry *root = process_root(process_current());
	int n = -ENOMEM;

	if (buffer) {
		/*
		 * Behind the path, which ends there, is room for what is said of a file
		 * without a name.
		 */
		const size_t path_bytes = PATH_MAX - NAME_BYTES;
		int err = dentry_path(d, root, buffer, path_bytes, &path);
		if (err == -ENOENT)
			__builtin_strcpy(buffer + path_bytes - 1, " (deleted)");
		n = err && err != -ENOENT && err != -EXDEV ? err : proc_link_text(to, bytes, path);
	}
	dentry_unref(root);
	kfree(buffer);
	return n;
}

static int link_nameless(struct file *file, char *to, size_t bytes)
{
	char name[NAME_BYTES];
	struct fs_attr attr;

	if (file_is_pipe(file)) {
		pipe_getattr(file, &attr);
		ksnprintf(name, sizeof name, "pipe:[%lu]", attr.ino);
	} else {
		ksnprintf(name, sizeof name, "anon_inode:%s", file->ops->name);
	}
	return proc_link_text(to, bytes, name);
}

uint32_t proc_fd_mode(struct process *p, int fd)
{
	struct file *file = file_of(p, fd);
	uint32_t mode = FS_IFLNK;

	if (!file)
		return mode;
	if (file->state & FILE_READABLE)
		mode |= 0500;
	if (file->state & FILE_WRITABLE)
		mode |= 0300;
	file_unref(file);
	return mode;
}

static int link_fd(struct process *p, const struct proc_key *key, char *to, size_t bytes)
{
	struct file *file = file_of(p, key->fd);
	int n;

	if (!file)
		return -ENOENT;
	n = file->dentry ? proc_link_path(file->dentry, to, bytes) : link_nameless(file, to, bytes);
	file_unref(file);
	return n;
}

static int follow_fd(struct process *p, const struct proc_key *key, struct dentry **out)
{
	struct file *file = file_of(p, key->fd);
	int err = file ? file_dentry(file, out) : -ENOENT;

	if (file)
		file_unref(file);
	return err;
}

static bool closes_on_exec(struct process *p, int fd)
{
	bool closes = false;

	spin_lock(&p->lock);
	if (p->files)
		closes = files_closes_on_exec(p->files, (unsigned)fd);
	spin_unlock(&p->lock);
	return closes;
}

static void show_fd_info(struct proc_text *t, struct process *p)
{
	struct file *file = file_of(p, t->key.fd);
	unsigned flags;

	if (!file)
		return;
	flags = __atomic_load_n(&file->flags, __ATOMIC_RELAXED);
	if (closes_on_exec(p, t->key.fd))
		flags |= O_CLOEXEC;
	proc_printf(t, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n",
		__atomic_load_n(&file->offset, __ATOMIC_RELAXED), flags,
		file->dentry ? file->dentry->mount->id : 0, file->vnode ? file->vnode->ino : 0UL);
	file_unref(file);
}

static const struct proc_entry fd_entry = {
	.mode = FS_IFLNK | 0700,
	.guarded = true,
	.link = link_fd,
	.follow = follow_fd,
};

static const struct proc_entry fd_info_entry = {
	.mode = FS_IFREG | 0444,
	.guarded = true,
	.show = show_fd_info,
};

const struct proc_numbers proc_files = {.next = next_fd, .what = PROC_FD, .each = &fd_entry};
const struct proc_numbers proc_file_infos = {
	.next = next_fd,
	.what = PROC_FD,
	.each = &fd_info_entry,
};

/* --- Threads ---------------------------------------------------------------------------------- */

/* The first thread is there as long as the process, even if others are all that runs. */
static long next_thread(struct process *p, long from)
{
	long lowest = p->nr >= from ? p->nr : -1;

	spin_lock(&p->lock);
	list_for_each (node, &p->threads) {
		long tid = list_entry(node, struct task, link)->pid->nr;
		if (tid >= from && (lowest < 0 || tid < lowest))
			lowest = tid;
	}
	spin_unlock(&p->lock);
	return lowest;
}

static const struct proc_entry thread_directory = {
	.mode = FS_IFDIR | 0555,
	.entries = proc_thread_entries,
};

const struct proc_numbers proc_threads = {
	.next = next_thread,
	.what = PROC_TID,
	.each = &thread_directory,
};

/* --- exe, cwd, root --------------------------------------------------------------------------- */

int proc_follow_exe(struct process *p, const struct proc_key *key, struct dentry **out)
{
	struct vmspace *vm = proc_memory_to_see(p);
	int err = vm && vm->exe ? 0 : -ENOENT;

	(void)key;
	if (!err)
		*out = dentry_ref(vm->exe->dentry);
	vmspace_put(vm);
	return err;
}

static int follow_fs(struct process *p, bool root, struct dentry **out)
{
	int err = -ENOENT;

	spin_lock(&p->lock);
	if (p->fs && proc_may_look(p)) {
		spin_lock(&p->fs->lock);
		*out = dentry_ref(root ? p->fs->root : p->fs->cwd);
		spin_unlock(&p->fs->lock);
		err = 0;
	}
	spin_unlock(&p->lock);
	return err;
}

int proc_follow_cwd(struct process *p, const struct proc_key *key, struct dentry **out)
{
	(void)key;
	return follow_fs(p, false, out);
}

int proc_follow_root(struct process *p, const struct proc_key *key, struct dentry **out)
{
	(void)key;
	return follow_fs(p, true, out);
}

static int link_found(int err, struct dentry *d, char *to, size_t bytes)
{
	int n = err;

	if (!err) {
		n = proc_link_path(d, to, bytes);
		dentry_unref(d);
	}
	return n;
}

int proc_link_exe(struct process *p, const struct proc_key *key, char *to, size_t bytes)
{
	struct dentry *d = NULL;

	return link_found(proc_follow_exe(p, key, &d), d, to, bytes);
}

int proc_link_cwd(struct process *p, const struct proc_key *key, char *to, size_t bytes)
{
	struct dentry *d = NULL;

	return link_found(proc_follow_cwd(p, key, &d), d, to, bytes);
}

int proc_link_root(struct process *p, const struct proc_key *key, char *to, size_t bytes)
{
	struct dentry *d = NULL;

	return link_found(proc_follow_root(p, key, &d), d, to, bytes);
}
