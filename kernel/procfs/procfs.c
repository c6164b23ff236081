// SPDX-License-Identifier: MIT
/*
 * The file system "proc": the kernel's state as text.
 *
 * Nothing is stored.  A directory is a table of entries, or a set of numbers that are in use
 * (processes, threads, descriptors), or both.  What is about a process comes and goes by itself, so
 * its names are not cached (MOUNT_VOLATILE): each step of a walk asks lookup(), which makes a vnode
 * of its own.  A vnode knows what it is about by numbers; when those are gone, so is the file.  The
 * files of the whole system last, and their names are cached as those of any file system.
 *
 * A file's text is made when reading begins at its start, and what follows is read from that: so a
 * reader sees one moment, and who goes back to the start another one.
 *
 * Rights.  A process's files belong to its effective user; once it has been somebody else, to root,
 * but for the directories that all may list.  What would show its memory, or lend its files, is for
 * those only who might trace it (proc_may_look()): they are asked when they open the file, when its
 * text is made, and once more in the step that takes what is shown, as a program with more rights
 * may begin in between.
 */
#include "procfs.h"

#include <abi/errno.h>
#include <abi/statfs.h>
#include <fs/mount.h>
#include <kernel/format.h>
#include <kernel/kmem.h>
#include <kernel/lock.h>
#include <kernel/panic.h>
#include <kernel/procfs.h>
#include <kernel/time.h>
#include <kernel/uaccess.h>

struct proc_vnode {
	struct vnode vnode; /* first */
	struct proc_key key;
	const struct proc_entry *entry;
};

static const struct proc_entry proc_root = {
	.mode = FS_IFDIR | 0555,
	.entries = proc_system_entries,
	.numbers = &proc_processes,
};

static const struct vnode_ops proc_directory_ops, proc_entry_ops, proc_jump_ops;

static struct proc_vnode *proc_of(struct vnode *v)
{
	return (struct proc_vnode *)v;
}

/* The entry's address and the numbers: not the same twice at a time. */
static uint64_t ino_of(const struct proc_key *key, const struct proc_entry *entry)
{
	pid_t nr = key->tid ? key->tid : key->pid;

	return (uint64_t)(uint32_t)nr << 32 |
	       ((uint32_t)(uintptr_t)entry ^ (uint32_t)(key->fd + 1) << 16 ^ (key->tid != 0));
}

static void set_owner(struct vnode *v, struct process *p)
{
	if (v->mode != (FS_IFDIR | 0555) && !__atomic_load_n(&p->dumpable, __ATOMIC_RELAXED))
		return;
	v->uid = p->cred.euid;
	v->gid = p->cred.egid;
}

static int vnode_new(struct mount *mount, const struct proc_key *key,
	const struct proc_entry *entry, struct process *p, struct vnode **out)
{
	struct proc_vnode *v = kzalloc(sizeof *v);
	bool directory = entry->entries || entry->numbers;

	if (!v)
		return -ENOMEM;
	vnode_init(&v->vnode, mount,
		directory       ? &proc_directory_ops
		: entry->follow ? &proc_jump_ops
				: &proc_entry_ops,
		ino_of(key, entry), entry->mode);
	v->key = *key;
	v->entry = entry;
	v->vnode.nlink = directory ? 2 : 1;
	v->vnode.lasts = !key->pid;
	v->vnode.atime = v->vnode.mtime = v->vnode.ctime = (fs_time_t)time_realtime_ns();
	if (p)
		set_owner(&v->vnode, p);
	*out = &v->vnode;
	return 0;
}

/* --- Processes -------------------------------------------------------------------------------- */

struct process *proc_find(pid_t nr)
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

/* What a vnode is about: *p referenced, or NULL where it is the whole system.  -ESRCH. */
static int find_subject(const struct proc_vnode *v, struct process **p)
{
	*p = v->key.pid ? proc_find(v->key.pid) : NULL;
	return v->key.pid && !*p ? -ESRCH : 0;
}

static void drop_subject(struct process *p)
{
	if (p)
		process_unref(p);
}

bool proc_may_look(struct process *p)
{
	const struct credentials *own = &process_current()->cred, *its = &p->cred;

	if (p == process_current() || process_is_privileged(process_current()))
		return true;
	return __atomic_load_n(&p->dumpable, __ATOMIC_RELAXED) && own->fsuid == its->euid &&
	       own->fsuid == its->suid && own->fsuid == its->uid && own->fsgid == its->egid &&
	       own->fsgid == its->sgid && own->fsgid == its->gid;
}

/* The lowest number in use that is at least nr. */
static long next_process(struct process *unused, long nr)
{
	(void)unused;
	if (nr > PID_MAX)
		return -1;
	spin_lock(&tree_lock);
	struct process *p = process_next((pid_t)nr);
	nr = p ? p->nr : -1;
	spin_unlock(&tree_lock);
	return nr;
}

static const struct proc_entry process_directory = {
	.mode = FS_IFDIR | 0555,
	.entries = proc_process_entries,
};

const struct proc_numbers proc_processes = {
	.next = next_process,
	.what = PROC_PID,
	.each = &process_directory,
};

/* --- Directories ------------------------------------------------------------------------------ */

/* The number that a name is, or -1. */
static long number_of(const struct fs_name *name)
{
	long nr = 0;

	for (uint32_t i = 0; i < name->bytes; i++) {
		if (name->text[i] < '0' || name->text[i] > '9' || nr > PID_MAX)
			return -1;
		nr = nr * 10 + (name->text[i] - '0');
	}
	return name->text[0] == '0' && name->bytes > 1 ? -1 : nr;
}

static struct proc_key key_of_number(
	const struct proc_key *dir, const struct proc_numbers *numbers, long nr)
{
	struct proc_key key = *dir;

	if (numbers->what == PROC_PID)
		key.pid = (pid_t)nr;
	else if (numbers->what == PROC_TID)
		key.tid = (pid_t)nr;
	else
		key.fd = (int)nr;
	return key;
}

static int lookup_number(struct proc_vnode *dir, struct process *p, long nr, struct vnode **out)
{
	const struct proc_numbers *numbers = dir->entry->numbers;
	struct proc_key key = key_of_number(&dir->key, numbers, nr);
	struct process *owner = p;
	int err;

	if (numbers->what == PROC_PID)
		owner = proc_find(key.pid);
	else if (numbers->next(p, nr) != nr)
		return -ENOENT;
	err = owner ? vnode_new(dir->vnode.mount, &key, numbers->each, owner, out) : -ENOENT;
	if (!err && numbers == &proc_files)
		(*out)->mode = proc_fd_mode(p, key.fd);
	if (owner != p)
		drop_subject(owner);
	return err;
}

static bool is_named(const struct proc_entry *entry, const struct fs_name *name)
{
	uint32_t i = 0;

	while (i < name->bytes && entry->name[i] == name->text[i])
		i++;
	return i == name->bytes && !entry->name[i];
}

static int lookup_entry(
	struct proc_vnode *dir, struct process *p, const struct fs_name *name, struct vnode **out)
{
	const struct proc_entry *e = dir->entry->entries;

	while (e && e->name && !is_named(e, name))
		e++;
	return e && e->name ? vnode_new(dir->vnode.mount, &dir->key, e, p, out) : -ENOENT;
}

static int proc_lookup(struct vnode *v, const struct fs_name *name, struct vnode **out)
{
	struct proc_vnode *dir = proc_of(v);
	long nr = dir->entry->numbers ? number_of(name) : -1;
	struct process *p;
	int err = find_subject(dir, &p);

	*out = NULL;
	if (err)
		return -ENOENT;
	err = nr >= 0 ? lookup_number(dir, p, nr, out) : lookup_entry(dir, p, name, out);
	drop_subject(p);
	return err;
}

/* Cookies: 2 + the place in the table; from NUMBER_COOKIES on, + the number. */
#define NUMBER_COOKIES 1024

static bool emit_table(const struct proc_vnode *dir, uint64_t *cookie, struct fs_readdir *r)
{
	const struct proc_entry *table = dir->entry->entries;

	for (uint64_t i = 0; table && table[i].name; i++) {
		struct fs_entry entry = {
			.name = table[i].name,
			.name_bytes = (uint32_t)__builtin_strlen(table[i].name),
			.mode = table[i].mode,
			.ino = ino_of(&dir->key, &table[i]),
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

static bool emit_number(
	const struct proc_vnode *dir, long nr, uint64_t *cookie, struct fs_readdir *r)
{
	const struct proc_numbers *numbers = dir->entry->numbers;
	struct proc_key key = key_of_number(&dir->key, numbers, nr);
	char name[12];
	struct fs_entry entry = {
		.name = name,
		.name_bytes = (uint32_t)ksnprintf(name, sizeof name, "%ld", nr),
		.mode = numbers->each->mode,
		.ino = ino_of(&key, numbers->each),
		.next = NUMBER_COOKIES + (uint64_t)nr + 1,
	};

	if (!r->emit(r, &entry))
		return false;
	*cookie = entry.next;
	return true;
}

static void emit_numbers(
	const struct proc_vnode *dir, struct process *p, uint64_t *cookie, struct fs_readdir *r)
{
	long nr = *cookie > NUMBER_COOKIES ? (long)(*cookie - NUMBER_COOKIES) : 0;

	while ((nr = dir->entry->numbers->next(p, nr)) >= 0 && emit_number(dir, nr, cookie, r))
		nr++;
}

static int proc_readdir(struct vnode *v, uint64_t *cookie, struct fs_readdir *r)
{
	struct proc_vnode *dir = proc_of(v);
	struct process *p;

	if (find_subject(dir, &p))
		return -ENOENT;
	if (emit_table(dir, cookie, r) && dir->entry->numbers)
		emit_numbers(dir, p, cookie, r);
	drop_subject(p);
	return 0;
}

/* A process finds its own descriptors even when they are root's to list. */
static int proc_permission(const struct vnode *v, const struct fs_cred *cred, unsigned want)
{
	const struct proc_vnode *dir = (const struct proc_vnode *)v;
	struct process *p;
	int err = 0;

	if (find_subject(dir, &p))
		return vnode_permission_by_mode(v, cred, want); /* and nothing will be found */
	if (dir->entry->guarded && !proc_may_look(p))
		err = -EACCES;
	else if (dir->entry->numbers != &proc_files || p != process_current())
		err = vnode_permission_by_mode(v, cred, want);
	drop_subject(p);
	return err;
}

/* --- Texts ------------------------------------------------------------------------------------ */

#define FIRST_TEXT_BYTES 1024
#define COMMAND_BYTES    64

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

int proc_command(struct mvm_copy *c, size_t n, char *line, size_t bytes)
{
	size_t done = 0;
	int err;

	if (!n || n >= bytes)
		return -EINVAL;
	err = file_copy(c, line, n, &done);
	line[done] = 0;
	if (done && line[done - 1] == '\n')
		line[done - 1] = 0;
	return err;
}

/* --- Files ------------------------------------------------------------------------------------ */

/* What an open file holds: */
struct reading {
	struct mutex lock; /* RANK_PROC_TEXT */
	bool made;
	struct proc_text text;
};

/* Find the process, and see that the caller may look into it if the entry asks for that. */
static int enter(const struct proc_vnode *v, struct process **p)
{
	int err = find_subject(v, p);

	if (!err && *p && v->entry->guarded && !proc_may_look(*p)) {
		process_unref(*p);
		err = -EACCES;
	}
	return err;
}

static int make_text(const struct proc_vnode *v, struct proc_text *t)
{
	struct process *p;
	int err = enter(v, &p);

	t->bytes = 0;
	t->no_memory = false;
	if (err)
		return err;
	t->key = v->key;
	if (v->entry->text)
		proc_printf(t, "%s\n", v->entry->text);
	else
		v->entry->show(t, p);
	drop_subject(p);
	return t->no_memory ? -ENOMEM : 0;
}

static int read_locked(struct file *file, struct mvm_copy *c, size_t n, uint64_t at, size_t *done)
{
	struct reading *r = file->private_data;
	int err = 0;

	if (at == 0 || !r->made)
		err = make_text(proc_of(file->vnode), &r->text);
	r->made = !err;
	if (err || at >= r->text.bytes)
		return err;
	size_t left = r->text.bytes - at;
	return file_copy(c, r->text.data + at, n < left ? n : left, done);
}

static int text_read(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct reading *r = file->private_data;

	*done = 0;
	mutex_lock(&r->lock);
	int err = read_locked(file, c, n, *offset, done);
	mutex_unlock(&r->lock);
	*offset += *done;
	return err;
}

static void text_release(struct file *file)
{
	struct reading *r = file->private_data;

	if (r)
		kfree(r->text.data);
	kfree(r);
}

/* The beginning of what is written, as it is, where that is all that counts; else a line. */
static int get_command(const struct proc_entry *entry, struct mvm_copy *c, size_t n, char *line)
{
	size_t done = 0;

	if (!entry->counts)
		return proc_command(c, n, line, COMMAND_BYTES);
	int err = file_copy(c, line, n < entry->counts ? n : entry->counts, &done);
	line[done] = 0;
	return err;
}

/* One write is one command, whatever the position. */
static int text_write(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct proc_vnode *v = proc_of(file->vnode);
	char line[COMMAND_BYTES];
	struct process *p;
	int err;

	*done = 0;
	if (!v->entry->store)
		return -EINVAL;
	err = get_command(v->entry, c, n, line);
	if (!err)
		err = find_subject(v, &p);
	if (err)
		return err;
	err = v->entry->store(p, &v->key, line);
	drop_subject(p);
	if (err)
		return err;
	*done = n;
	*offset += n;
	return 0;
}

static const struct file_ops text_ops = {
	.read = text_read,
	.write = text_write,
	.release = text_release,
};

static int proc_open(struct vnode *v, struct file *file)
{
	struct proc_vnode *proc = proc_of(v);
	struct process *p;
	struct reading *r;
	int err;

	if (proc->entry->ops) {
		file->ops = proc->entry->ops;
		return 0;
	}
	err = enter(proc, &p);
	if (err)
		return err;
	drop_subject(p);
	r = kzalloc(sizeof *r);
	if (!r)
		return -ENOMEM;
	mutex_init(&r->lock, "text of /proc", RANK_PROC_TEXT);
	file->ops = &text_ops;
	file->private_data = r;
	return 0;
}

/* --- Links ------------------------------------------------------------------------------------ */

int proc_link_text(char *to, size_t bytes, const char *text)
{
	size_t n = __builtin_strlen(text);

	n = n < bytes ? n : bytes;
	__builtin_memcpy(to, text, n);
	return (int)n;
}

static int proc_readlink(struct vnode *v, char *to, size_t bytes)
{
	struct proc_vnode *proc = proc_of(v);
	struct process *p;
	int n = enter(proc, &p);

	if (n)
		return n;
	n = proc->entry->link(p, &proc->key, to, bytes);
	drop_subject(p);
	return n;
}

static int proc_follow(struct vnode *v, struct dentry **out)
{
	struct proc_vnode *proc = proc_of(v);
	struct process *p;
	int err = enter(proc, &p);

	if (err)
		return err;
	err = proc->entry->follow(p, &proc->key, out);
	drop_subject(p);
	return err;
}

/* Writing begins with a truncation for many programs: there is nothing to cut. */
static int proc_setattr(struct vnode *v, const struct fs_attr *attr, unsigned mask)
{
	(void)v, (void)attr;
	return mask & ~(unsigned)FS_SET_SIZE ? -EPERM : 0;
}

static void proc_evict(struct vnode *v)
{
	vnode_fini(v);
	kfree(proc_of(v));
}

static const struct vnode_ops proc_directory_ops = {
	.lookup = proc_lookup,
	.readdir = proc_readdir,
	.permission = proc_permission,
	.evict = proc_evict,
};

static const struct vnode_ops proc_jump_ops = {
	.readlink = proc_readlink,
	.follow = proc_follow,
	.evict = proc_evict,
};

static const struct vnode_ops proc_entry_ops = {
	.open = proc_open,
	.readlink = proc_readlink,
	.setattr = proc_setattr,
	.evict = proc_evict,
};

/* --- The mount -------------------------------------------------------------------------------- */

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
	static const struct proc_key nobody = {.fd = -1};

	(void)source, (void)options;
	mount->ops = &proc_mount_ops;
	mount->flags |= MOUNT_VOLATILE;
	return vnode_new(mount, &nobody, &proc_root, NULL, root);
}

void procfs_init(void)
{
	static struct fs_type type = {.name = "proc", .mount = proc_mount};

	fs_register(&type);
	proc_load_start();
}
