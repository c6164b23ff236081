// SPDX-License-Identifier: MIT
/*
 * The file system "proc": the kernel's state as text.
 *
 * Nothing is stored: the root shows a table of entries and one directory a process, a process's
 * directory shows another table.  Names come and go by themselves, so no name is cached
 * (MOUNT_VOLATILE): each step of a walk asks lookup(), which makes a vnode of its own.  A vnode
 * knows a process by its number; when that is gone, so is the file.
 *
 * Inode numbers: the entry's address, with the process's number in the high half.
 */
#include "procfs.h"

#include <abi/errno.h>
#include <abi/statfs.h>
#include <fs/mount.h>
#include <kernel/format.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/procfs.h>
#include <kernel/time.h>
#include <kernel/uaccess.h>

struct proc_vnode {
	struct vnode vnode;             /* first */
	pid_t pid;                      /* 0: of the whole system */
	const struct proc_entry *entry; /* NULL: a directory */
};

#define ROOT_INO 1

/* entry NULL: of a process's directory. */
static uint64_t ino_of(pid_t pid, const struct proc_entry *entry)
{
	return (uint64_t)(uint32_t)pid << 32 | (entry ? (uint32_t)(uintptr_t)entry : 2);
}

static const struct vnode_ops proc_directory_ops, proc_entry_ops;

static struct proc_vnode *proc_of(struct vnode *v)
{
	return (struct proc_vnode *)v;
}

static int vnode_new(struct mount *mount, const struct vnode_ops *ops, uint64_t ino, uint32_t mode,
	struct proc_vnode **out)
{
	struct proc_vnode *v = kzalloc(sizeof *v);

	if (!v)
		return -ENOMEM;
	vnode_init(&v->vnode, mount, ops, ino, mode);
	v->vnode.nlink = 1;
	v->vnode.atime = v->vnode.mtime = v->vnode.ctime = (fs_time_t)time_realtime_ns();
	*out = v;
	return 0;
}

/* --- Processes -------------------------------------------------------------------------------- */

/* Referenced, or NULL. */
static struct process *process_of(pid_t nr)
{
	struct process *p = NULL;

	spin_lock(&tree_lock);
	struct pid *pid = pid_find(nr);
	if (pid && pid->process) {
		p = pid->process;
		process_ref(p);
	}
	spin_unlock(&tree_lock);
	return p;
}

/* The number that a name is, or 0. */
static pid_t number_of(const struct fs_name *name)
{
	pid_t nr = 0;

	for (uint32_t i = 0; i < name->bytes; i++) {
		if (name->text[i] < '0' || name->text[i] > '9' || nr > PID_MAX)
			return 0;
		nr = nr * 10 + (name->text[i] - '0');
	}
	return name->bytes && name->text[0] != '0' && nr <= PID_MAX ? nr : 0;
}

/* --- Directories -------------------------------------------------------------------------------
 */

static const struct proc_entry *table_of(const struct proc_vnode *dir)
{
	if (dir->entry)
		return dir->entry->entries;
	return dir->pid ? proc_process_entries : proc_system_entries;
}

static bool is_named(const struct proc_entry *entry, const struct fs_name *name)
{
	return __builtin_strlen(entry->name) == name->bytes &&
	       __builtin_memcmp(entry->name, name->text, name->bytes) == 0;
}

static int lookup_entry(struct proc_vnode *dir, const struct fs_name *name, struct proc_vnode **out)
{
	const struct proc_entry *table = table_of(dir);

	for (unsigned i = 0; table[i].name; i++) {
		if (!is_named(&table[i], name))
			continue;
		int err = vnode_new(dir->vnode.mount,
			table[i].entries ? &proc_directory_ops : &proc_entry_ops,
			ino_of(dir->pid, &table[i]), table[i].mode, out);
		if (!err) {
			(*out)->pid = dir->pid;
			(*out)->entry = &table[i];
		}
		return err;
	}
	return -ENOENT;
}

static int lookup_process(struct proc_vnode *dir, pid_t nr, struct proc_vnode **out)
{
	struct process *p = process_of(nr);
	int err;

	if (!p)
		return -ENOENT;
	err = vnode_new(
		dir->vnode.mount, &proc_directory_ops, ino_of(nr, NULL), FS_IFDIR | 0555, out);
	if (!err) {
		(*out)->pid = nr;
		(*out)->vnode.nlink = 2;
		(*out)->vnode.uid = p->cred.euid;
		(*out)->vnode.gid = p->cred.egid;
	}
	process_unref(p);
	return err;
}

static int proc_lookup(struct vnode *v, const struct fs_name *name, struct vnode **out)
{
	struct proc_vnode *dir = proc_of(v), *found = NULL;
	pid_t nr = dir->pid || dir->entry ? 0 : number_of(name);
	int err = nr ? lookup_process(dir, nr, &found) : lookup_entry(dir, name, &found);

	*out = err ? NULL : &found->vnode;
	return err;
}

/* Cookies: 2 + the place in the table; in the root, from PROCESS_COOKIES on, + the number. */
#define PROCESS_COOKIES 1024

static bool emit_table(const struct proc_vnode *dir, uint64_t *cookie, struct fs_readdir *r)
{
	const struct proc_entry *table = table_of(dir);

	for (uint64_t i = 0; table[i].name; i++) {
		struct fs_entry entry = {
			.name = table[i].name,
			.name_bytes = (uint32_t)__builtin_strlen(table[i].name),
			.mode = table[i].mode,
			.ino = ino_of(dir->pid, &table[i]),
			.next = i + 3,
		};
		if (*cookie > i + 2)
			continue;
		if (!r->emit(r, &entry))
			return false;
		*cookie = entry.next;
	}
	return true;
}

/* The next number in use that is at least nr; 0: none. */
static pid_t next_number(pid_t nr)
{
	spin_lock(&tree_lock);
	struct process *p = process_next(nr);
	nr = p ? p->nr : 0;
	spin_unlock(&tree_lock);
	return nr;
}

static void emit_processes(uint64_t *cookie, struct fs_readdir *r)
{
	pid_t nr = *cookie > PROCESS_COOKIES ? (pid_t)(*cookie - PROCESS_COOKIES) : 1;
	char name[12];

	while ((nr = next_number(nr)) != 0) {
		struct fs_entry entry = {
			.name = name,
			.name_bytes = (uint32_t)ksnprintf(name, sizeof name, "%d", nr),
			.mode = FS_IFDIR,
			.ino = ino_of(nr, NULL),
			.next = PROCESS_COOKIES + (uint64_t)nr + 1,
		};
		if (!r->emit(r, &entry))
			return;
		*cookie = entry.next;
		nr++;
	}
}

static int proc_readdir(struct vnode *v, uint64_t *cookie, struct fs_readdir *r)
{
	struct proc_vnode *dir = proc_of(v);

	if (emit_table(dir, cookie, r) && !dir->pid && !dir->entry)
		emit_processes(cookie, r);
	return 0;
}

/* --- Files: the text is made when the file is opened
 * ---------------------------------------------- */

#define FIRST_TEXT_BYTES 1024

/* Room for n more bytes. */
static bool make_room(struct proc_text *t, size_t n)
{
	size_t capacity = t->capacity ? t->capacity : FIRST_TEXT_BYTES;

	while (capacity - t->bytes < n)
		capacity *= 2;
	if (capacity == t->capacity)
		return true;
	char *data = kmalloc(capacity);
	if (!data) {
		t->no_memory = true;
		return false;
	}
	__builtin_memcpy(data, t->data ? t->data : "", t->bytes);
	kfree(t->data);
	t->data = data;
	t->capacity = capacity;
	return true;
}

void proc_printf(struct proc_text *t, const char *format, ...)
{
	va_list args;
	size_t n;

	va_start(args, format);
	n = (size_t)kvsnprintf(NULL, 0, format, args);
	va_end(args);
	if (t->no_memory || !make_room(t, n + 1))
		return;
	va_start(args, format);
	kvsnprintf(t->data + t->bytes, n + 1, format, args);
	va_end(args);
	t->bytes += n;
}

/* Copy with faults off, bring the reader's memory in where it is short, go on. */
static int copy_text(struct mvm_copy *c, const char *from, size_t n, size_t *done)
{
	int err = 0;

	while (*done < n && !err) {
		size_t got = c->copy(c, (void *)(from + *done), *done, n - *done);
		*done += got;
		if (*done < n)
			err = c->prefault ? c->prefault(c, *done, n - *done) : -EFAULT;
	}
	return err;
}

int proc_command(struct mvm_copy *c, size_t n, char *line, size_t bytes)
{
	size_t done = 0;
	int err = 0;

	if (!n || n >= bytes)
		return -EINVAL;
	while (!err && done < n) {
		done += c->copy(c, line + done, done, n - done);
		if (done < n)
			err = c->prefault ? c->prefault(c, done, n - done) : -EFAULT;
	}
	line[done] = 0;
	if (done && line[done - 1] == '\n')
		line[done - 1] = 0;
	return err;
}

static int text_read(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct proc_text *t = file->private_data;
	int err = 0;

	*done = 0;
	if (*offset < t->bytes) {
		size_t left = t->bytes - *offset;
		err = copy_text(c, t->data + *offset, n < left ? n : left, done);
		*offset += *done;
	}
	return err;
}

static void text_release(struct file *file)
{
	struct proc_text *t = file->private_data;

	if (t)
		kfree(t->data);
	kfree(t);
}

static const struct file_ops text_ops = {.read = text_read, .release = text_release};

static int show(const struct proc_entry *entry, pid_t pid, struct proc_text *t)
{
	struct process *p = pid ? process_of(pid) : NULL;

	if (pid && !p)
		return -ESRCH;
	entry->show(t, p);
	if (p)
		process_unref(p);
	return t->no_memory ? -ENOMEM : 0;
}

static int proc_open(struct vnode *v, struct file *file)
{
	struct proc_vnode *proc = proc_of(v);
	struct proc_text *t;
	int err;

	if (proc->entry->ops) {
		file->ops = proc->entry->ops;
		return 0;
	}
	t = kzalloc(sizeof *t);
	if (!t)
		return -ENOMEM;
	err = show(proc->entry, proc->pid, t);
	if (err) {
		kfree(t->data);
		kfree(t);
		return err;
	}
	file->ops = &text_ops;
	file->private_data = t;
	return 0;
}

static int proc_readlink(struct vnode *v, char *to, size_t bytes)
{
	struct proc_vnode *proc = proc_of(v);
	struct process *p = proc->pid ? process_of(proc->pid) : NULL;
	int n = proc->pid && !p ? -ESRCH : proc->entry->link(p, to, bytes);

	if (p)
		process_unref(p);
	return n;
}

/* Writing begins with a truncation for many programs: there is nothing to cut. */
static int proc_setattr(struct vnode *v, const struct fs_attr *attr, unsigned mask)
{
	(void)v, (void)attr;
	return mask & ~(unsigned)FS_SET_SIZE ? -EPERM : 0;
}

static void proc_evict(struct vnode *v)
{
	kfree(proc_of(v));
}

static const struct vnode_ops proc_directory_ops = {
	.lookup = proc_lookup,
	.readdir = proc_readdir,
	.evict = proc_evict,
};

static const struct vnode_ops proc_entry_ops = {
	.open = proc_open,
	.readlink = proc_readlink,
	.setattr = proc_setattr,
	.evict = proc_evict,
};

/* --- The mount ----------------------------------------------------------------------------------
 */

static int proc_statfs(struct mount *mount, struct fs_stat *out)
{
	(void)mount;
	out->magic = PROC_SUPER_MAGIC;
	out->block_bytes = PAGE_SIZE;
	return 0;
}

static const struct mount_ops proc_mount_ops = {.statfs = proc_statfs};

static int proc_mount(
	struct mount *mount, const char *source, const char *options, struct vnode **root)
{
	struct proc_vnode *v;
	int err = vnode_new(mount, &proc_directory_ops, ROOT_INO, FS_IFDIR | 0555, &v);

	(void)source, (void)options;
	if (err)
		return err;
	v->vnode.nlink = 2;
	mount->ops = &proc_mount_ops;
	mount->flags |= MOUNT_VOLATILE;
	*root = &v->vnode;
	return 0;
}

void procfs_init(void)
{
	static struct fs_type type = {.name = "proc", .mount = proc_mount};

	fs_register(&type);
}
