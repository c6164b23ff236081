// SPDX-License-Identifier: MIT
/*
 * Descriptor tables, and where a process stands in the tree of files.
 *
 * A table begins with FILES_FIRST slots inside its struct; when it grows, slots and close-on-exec
 * bits move to one allocation of twice the size.  Files are referenced and released outside the
 * lock, as the last reference may sleep.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <fs/lock.h>
#include <kernel/files.h>
#include <kernel/kmem.h>

/* --- Tables --------------------------------------------------------------------------------- */

static void files_init(struct files *f)
{
	f->refs = 1;
	spin_init(&f->lock, "files", RANK_FILE_TABLE);
	f->capacity = FILES_FIRST;
	f->file = f->first;
	f->close_on_exec = &f->first_bits;
}

/* Slots for at least n files and their bits, zeroed, in one block. */
static struct file **slots_new(unsigned *n)
{
	unsigned capacity = FILES_FIRST;

	while (capacity < *n)
		capacity *= 2;
	*n = capacity;
	return kzalloc(capacity * sizeof(struct file *) + capacity / 8);
}

/* Lock held; `slots` was made for n.  Returns what is to be freed. */
static struct file **slots_use(struct files *f, struct file **slots, unsigned n)
{
	struct file **old = f->file;
	uint32_t *bits = (uint32_t *)(slots + n);

	__builtin_memcpy(slots, f->file, f->capacity * sizeof *slots);
	__builtin_memcpy(bits, f->close_on_exec, f->capacity / 8);
	f->file = slots;
	f->close_on_exec = bits;
	f->capacity = n;
	return old == f->first ? NULL : old;
}

/* Make room for descriptor fd.  Lock held, dropped meanwhile. */
static int files_grow(struct files *f, unsigned fd)
{
	unsigned n = fd + 1;

	spin_unlock(&f->lock);
	struct file **slots = slots_new(&n), **old;
	spin_lock(&f->lock);
	if (!slots)
		return -ENOMEM;
	old = n > f->capacity ? slots_use(f, slots, n) : slots;
	spin_unlock(&f->lock);
	kfree(old);
	spin_lock(&f->lock);
	return 0;
}

static void copy_slots(struct files *to, struct files *from)
{
	for (unsigned fd = 0; fd < from->end; fd++)
		if (from->file[fd])
			to->file[fd] = file_ref(from->file[fd]);
	to->end = from->end;
	__builtin_memcpy(to->close_on_exec, from->close_on_exec, from->capacity / 8);
	to->lowest_free = from->lowest_free;
}

struct files *files_new(struct files *from)
{
	struct files *f = kzalloc(sizeof *f);
	int err = 0;

	if (!f)
		return NULL;
	files_init(f);
	if (!from)
		return f;
	spin_lock(&from->lock);
	while (!err && from->capacity > f->capacity) {
		unsigned n = from->capacity;
		spin_unlock(&from->lock);
		spin_lock(&f->lock);
		err = files_grow(f, n - 1);
		spin_unlock(&f->lock);
		spin_lock(&from->lock);
	}
	if (!err)
		copy_slots(f, from);
	spin_unlock(&from->lock);
	if (err) {
		files_put(f);
		return NULL;
	}
	return f;
}

int files_copy_if_shared(struct files *from, struct files **copy)
{
	*copy = NULL;
	if (__atomic_load_n(&from->refs, __ATOMIC_ACQUIRE) == 1)
		return 0;
	*copy = files_new(from);
	return *copy ? 0 : -ENOMEM;
}

/*
 * What follows when a descriptor is gone: as POSIX has it, the owner of the table gives back all
 * its record locks of that file, whichever descriptor they came by.
 */
static inline void closed(struct files *f, struct file *file)
{
	if (file->vnode && file_lock_any(file->vnode) && !(file->flags & FS_O_PATH))
		file_lock_release(file->vnode, f);
	file_unref(file);
}

void files_put(struct files *f)
{
	if (!f || __atomic_fetch_sub(&f->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	for (unsigned fd = 0; fd < f->end; fd++)
		if (f->file[fd])
			closed(f, f->file[fd]);
	if (f->file != f->first)
		kfree(f->file);
	kfree(f);
}

static void set_bit(struct files *f, unsigned fd, bool on)
{
	uint32_t bit = 1u << (fd % 32);

	if (on)
		f->close_on_exec[fd / 32] |= bit;
	else
		f->close_on_exec[fd / 32] &= ~bit;
}

/* Lock held; there is a slot, whose bit is clear. */
static void put_in(struct files *f, unsigned fd, struct file *file, bool close_on_exec)
{
	f->file[fd] = file;
	if (close_on_exec)
		set_bit(f, fd, true);
	if (fd >= f->end)
		f->end = fd + 1;
}

/* Lock held.  The file that was there, or NULL. */
static inline struct file *take_out(struct files *f, unsigned fd)
{
	struct file *file = fd < f->capacity ? f->file[fd] : NULL;

	if (file) {
		f->file[fd] = NULL;
		set_bit(f, fd, false);
		if (fd < f->lowest_free)
			f->lowest_free = fd;
	}
	return file;
}

void files_close_on_exec(struct files *f)
{
	for (unsigned fd = 0; fd < f->end; fd++) {
		if (!(f->close_on_exec[fd / 32] & (1u << (fd % 32))))
			continue;
		spin_lock(&f->lock);
		struct file *file = take_out(f, fd);
		spin_unlock(&f->lock);
		if (file)
			closed(f, file);
	}
}

void files_close_range(struct files *f, unsigned first, unsigned last, bool at_exec)
{
	for (unsigned fd = first; fd <= last && fd < f->capacity; fd++) {
		struct file *file = NULL;

		spin_lock(&f->lock);
		if (!at_exec)
			file = take_out(f, fd);
		else if (f->file[fd])
			set_bit(f, fd, true);
		spin_unlock(&f->lock);
		if (file)
			closed(f, file);
	}
}

long files_next(struct files *f, unsigned fd, struct file **out)
{
	long found = -1;

	spin_lock(&f->lock);
	for (; fd < f->capacity && found < 0; fd++) {
		if (f->file[fd]) {
			*out = file_ref(f->file[fd]);
			found = fd;
		}
	}
	spin_unlock(&f->lock);
	return found;
}

bool files_closes_on_exec(struct files *f, unsigned fd)
{
	spin_lock(&f->lock);
	bool closes = fd < f->capacity && f->close_on_exec[fd / 32] >> fd % 32 & 1;
	spin_unlock(&f->lock);
	return closes;
}

/* --- Descriptors of the running process ----------------------------------------------------- */

static struct files *current_files(void)
{
	return process_current()->files;
}

static inline struct file *in_slot(const struct files *f, unsigned long fd)
{
	return fd < f->capacity ? f->file[fd] : NULL;
}

/*
 * A table changes by threads that have it: where the running one alone does, it looks without the
 * lock, and what it has found stays open until it closes that itself.
 */
static inline bool is_alone_with(const struct process *p, const struct files *f)
{
	bool alone = __atomic_load_n(&f->refs, __ATOMIC_RELAXED) == 1 &&
		     __atomic_load_n(&p->n_threads, __ATOMIC_RELAXED) == 1;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return alone;
}

static inline bool is_path(const struct file *file)
{
	return __atomic_load_n(&file->flags, __ATOMIC_RELAXED) & FS_O_PATH;
}

static struct file *ref_locked(struct files *f, unsigned fd)
{
	struct file *file;

	spin_lock(&f->lock);
	file = in_slot(f, fd);
	if (file)
		file_ref(file);
	spin_unlock(&f->lock);
	return file;
}

struct file *fd_get_any(long fd)
{
	const struct process *p = process_current();
	struct files *f = p->files;
	struct file *file;

	if (!is_alone_with(p, f))
		return ref_locked(f, (unsigned)fd);
	file = in_slot(f, (unsigned)fd);
	return file ? file_ref(file) : NULL;
}

struct file *fd_get(long fd)
{
	struct file *file = fd_get_any(fd);

	if (!file || !is_path(file))
		return file;
	file_unref(file);
	return NULL;
}

struct file *fd_borrow(long fd, bool *counted)
{
	const struct process *p = process_current();
	struct files *f = p->files;

	*counted = !is_alone_with(p, f);
	return *counted ? ref_locked(f, (unsigned)fd) : in_slot(f, (unsigned)fd);
}

static unsigned descriptor_limit(struct process *p)
{
	return (unsigned)process_limit(p, RLIMIT_NOFILE);
}

/* The first that may be free, of those that are at least `from`. */
static inline unsigned first_from(const struct files *f, unsigned from)
{
	return from > f->lowest_free ? from : f->lowest_free;
}

/*
 * Lock held, perhaps dropped meanwhile: the first free descriptor from `from` on, with a slot.  Who
 * closed one while the lock was dropped may have made a lower one free.
 */
static __attribute__((noinline)) long find_slowly(struct files *f, unsigned from, unsigned limit)
{
	for (;;) {
		unsigned fd = first_from(f, from);

		while (fd < f->capacity && f->file[fd])
			fd++;
		if (fd >= limit)
			return -EMFILE;
		if (fd < f->capacity)
			return fd;
		if (files_grow(f, fd))
			return -ENOMEM;
	}
}

/* The same: nearly always the one that is remembered as the lowest. */
static inline long find_free(struct files *f, unsigned from, unsigned limit)
{
	long fd = first_from(f, from);

	if (fd >= limit || fd >= f->capacity || f->file[fd])
		fd = find_slowly(f, from, limit);
	if (fd >= 0 && from <= f->lowest_free)
		f->lowest_free = (unsigned)fd;
	return fd;
}

long fd_install(struct file *file, unsigned from, bool close_on_exec)
{
	struct process *p = process_current();
	struct files *f = p->files;
	unsigned limit = descriptor_limit(p);

	spin_lock(&f->lock);
	long fd = find_free(f, from, limit);
	if (fd >= 0)
		put_in(f, (unsigned)fd, file, close_on_exec);
	spin_unlock(&f->lock);
	return fd;
}

long fd_replace(struct file *file, long fd_argument, bool close_on_exec)
{
	struct files *f = current_files();
	unsigned fd = (unsigned)fd_argument;
	struct file *old = NULL;
	int err = 0;

	if (fd >= descriptor_limit(process_current()))
		return -EBADF;
	spin_lock(&f->lock);
	while (!err && fd >= f->capacity)
		err = files_grow(f, fd);
	if (!err) {
		old = take_out(f, fd);
		put_in(f, fd, file, close_on_exec);
	}
	spin_unlock(&f->lock);
	if (old)
		closed(f, old);
	return err ? err : (long)fd;
}

int fd_close(long fd)
{
	struct files *f = current_files();

	spin_lock(&f->lock);
	struct file *file = take_out(f, (unsigned)fd);
	spin_unlock(&f->lock);
	if (!file)
		return -EBADF;
	closed(f, file);
	return 0;
}

int fd_get_close_on_exec(long fd_argument)
{
	struct files *f = current_files();
	unsigned fd = (unsigned)fd_argument;
	int result = -EBADF;

	spin_lock(&f->lock);
	if (fd < f->capacity && f->file[fd])
		result = (f->close_on_exec[fd / 32] >> (fd % 32)) & 1;
	spin_unlock(&f->lock);
	return result;
}

int fd_set_close_on_exec(long fd_argument, bool on)
{
	struct files *f = current_files();
	unsigned fd = (unsigned)fd_argument;
	bool open;

	spin_lock(&f->lock);
	open = fd < f->capacity && f->file[fd];
	if (open)
		set_bit(f, fd, on);
	spin_unlock(&f->lock);
	return open ? 0 : -EBADF;
}

/* --- Root, working directory, umask --------------------------------------------------------- */

struct fs_state *fs_state_new(struct dentry *root, struct dentry *cwd, uint32_t umask)
{
	struct fs_state *fs = kzalloc(sizeof *fs);

	if (fs) {
		fs->refs = 1;
		spin_init(&fs->lock, "fs state", RANK_FILE_TABLE);
		fs->root = root;
		fs->cwd = cwd;
		fs->umask = umask;
	}
	return fs;
}

struct fs_state *fs_state_copy(struct fs_state *from)
{
	spin_lock(&from->lock);
	struct dentry *root = dentry_ref(from->root), *cwd = dentry_ref(from->cwd);
	uint32_t umask = from->umask;
	spin_unlock(&from->lock);

	struct fs_state *fs = fs_state_new(root, cwd, umask);
	if (!fs) {
		dentry_unref(root);
		dentry_unref(cwd);
	}
	return fs;
}

void fs_state_put(struct fs_state *fs)
{
	if (!fs || __atomic_fetch_sub(&fs->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	dentry_unref(fs->root);
	dentry_unref(fs->cwd);
	kfree(fs);
}

bool fs_state_share(struct fs_state *fs)
{
	bool may;

	spin_lock(&fs->lock);
	may = fs->execs == 0;
	if (may)
		__atomic_fetch_add(&fs->refs, 1, __ATOMIC_RELAXED);
	spin_unlock(&fs->lock);
	return may;
}

bool fs_state_begin_exec(struct fs_state *fs)
{
	bool alone;

	spin_lock(&fs->lock);
	alone = __atomic_load_n(&fs->refs, __ATOMIC_RELAXED) == 1;
	fs->execs += alone;
	spin_unlock(&fs->lock);
	return alone;
}

void fs_state_end_exec(struct fs_state *fs)
{
	spin_lock(&fs->lock);
	fs->execs--;
	spin_unlock(&fs->lock);
}

void fs_state_chdir(struct fs_state *fs, struct dentry *cwd)
{
	struct dentry *old;

	spin_lock(&fs->lock);
	old = fs->cwd;
	fs->cwd = cwd;
	spin_unlock(&fs->lock);
	dentry_unref(old);
}

void fs_state_chroot(struct fs_state *fs, struct dentry *root)
{
	struct dentry *old;

	spin_lock(&fs->lock);
	old = fs->root;
	fs->root = root;
	spin_unlock(&fs->lock);
	dentry_unref(old);
}

struct dentry *process_root(struct process *p)
{
	struct dentry *root = NULL;

	spin_lock(&p->lock);
	if (p->fs) {
		spin_lock(&p->fs->lock);
		root = dentry_ref(p->fs->root);
		spin_unlock(&p->fs->lock);
	}
	spin_unlock(&p->lock);
	return root;
}

static int base_of(long dir, struct dentry **out)
{
	struct file *file = fd_get_any(dir);
	int err = 0;

	if (!file)
		return -EBADF;
	if (!file->dentry)
		err = -ENOTDIR;
	else
		*out = dentry_ref(file->dentry);
	file_unref(file);
	return err;
}

/* Nobody else moves its root or working directory, and nobody will before it goes on itself. */
static bool is_alone(const struct process *p)
{
	bool alone = __atomic_load_n(&p->fs->refs, __ATOMIC_RELAXED) == 1 &&
		     __atomic_load_n(&p->n_threads, __ATOMIC_RELAXED) == 1;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return alone;
}

int walk_begin(struct walk *w, long dir, const char *path)
{
	struct process *p = process_current();
	struct fs_state *fs = p->fs;

	w->base = NULL;
	if (path[0] != '/' && (int)dir != AT_FDCWD) {
		int err = base_of(dir, &w->base);
		if (err)
			return err;
	}
	w->cred = process_fs_cred(p);
	w->counted = !is_alone(p);
	if (w->counted)
		spin_lock(&fs->lock);
	w->ctx = (struct fs_context){
		.root = fs->root,
		.cwd = fs->cwd,
		.cred = &w->cred,
		.umask = fs->umask,
		.recent = &task_current()->recent,
	};
	if (w->counted) {
		dentry_ref(w->ctx.root);
		dentry_ref(w->ctx.cwd);
		spin_unlock(&fs->lock);
	}
	return 0;
}

void walk_drop(struct walk *w)
{
	if (w->counted) {
		dentry_unref(w->ctx.root);
		dentry_unref(w->ctx.cwd);
	}
	if (w->base)
		dentry_unref(w->base);
}
