// SPDX-License-Identifier: MIT
/*
 * Descriptors, and where a process stands in the tree of files.
 *
 * struct files is the table behind CLONE_FILES, struct fs_state (root, working directory, umask)
 * what CLONE_FS shares.  Both are counted.  A descriptor is looked up under the table's lock and
 * the file referenced, so that another thread may close it meanwhile; where there is no other,
 * fd_borrow() does neither.
 */
#pragma once

#include <fs/vfs.h>
#include <kernel/lock.h>
#include <kernel/process.h>

#define FILES_FIRST 32         /* descriptors that need no table of their own */
#define FILES_MOST  (1u << 20) /* no table is larger: RLIMIT_NOFILE cannot be */

struct files {
	uint32_t refs;        /* [a] */
	struct spinlock lock; /* RANK_FILE_TABLE, guards all below */
	unsigned capacity;    /* a multiple of 32 */
	unsigned lowest_free; /* no descriptor below it is free */
	unsigned end;         /* nor is one from here on in use */
	struct file **file;
	uint32_t *close_on_exec; /* bits */
	struct file *first[FILES_FIRST];
	uint32_t first_bits;
};

/* Empty, or a copy (every file with one more reference).  NULL: no memory. */
struct files *files_new(struct files *from);
/* The same, if somebody else shares it; *copy is NULL if nobody does.  -ENOMEM. */
int files_copy_if_shared(struct files *from, struct files **copy);
/* The last one closes all.  May sleep.  NULL is allowed. */
void files_put(struct files *files);
/* exec: close what is marked so.  The table is the caller's alone. */
void files_close_on_exec(struct files *files);

/* Close, or mark for closing at exec, all descriptors in [first, last]. */
void files_close_range(struct files *files, unsigned first, unsigned last, bool at_exec);

/* --- Of the running process ----------------------------------------------------------------- */

/*
 * The open file, referenced (file_unref() it); NULL: -EBADF.  The second form also gives files that
 * were opened with O_PATH, for the few calls that take them.
 */
struct file *fd_get(long fd);
struct file *fd_get_any(long fd);

/*
 * The same as fd_get_any() for the length of one call, which closes nothing: where nobody else
 * could close the descriptor meanwhile (who looks from outside, by /proc, only reads), the table's
 * reference is enough.  fd_return() it.
 */
struct file *fd_borrow(long fd, bool *counted);

static inline void fd_return(struct file *file, bool counted)
{
	if (counted)
		file_unref(file);
}

/*
 * Give the file (whose reference passes to the table) the lowest free descriptor that is at
 * least `from`.  The descriptor; -EMFILE, -ENOMEM: the reference stays the caller's.
 */
long fd_install(struct file *file, unsigned from, bool close_on_exec);
/* Put it at fd, closing what is there.  fd; -EBADF (beyond the limit), -ENOMEM. */
long fd_replace(struct file *file, long fd, bool close_on_exec);
/* 0 or -EBADF. */
int fd_close(long fd);
int fd_get_close_on_exec(long fd);
int fd_set_close_on_exec(long fd, bool on);

/*
 * For /proc/PID/fd, with any lock above RANK_FILE_TABLE held: the first open descriptor that is at
 * least fd, its file with a reference; -1: none.  And whether exec will close one.
 */
long files_next(struct files *files, unsigned fd, struct file **out);
bool files_closes_on_exec(struct files *files, unsigned fd);

/* --- Root, working directory, umask --------------------------------------------------------- */

struct fs_state {
	uint32_t refs;             /* [a] */
	struct spinlock lock;      /* RANK_FILE_TABLE, guards all below */
	struct dentry *root, *cwd; /* counted */
	uint32_t umask;
	uint32_t execs; /* under way that rely on nobody else's coming to share it */
};

/* Takes over the references.  NULL: no memory (they stay the caller's). */
struct fs_state *fs_state_new(struct dentry *root, struct dentry *cwd, uint32_t umask);
struct fs_state *fs_state_copy(struct fs_state *from);
void fs_state_put(struct fs_state *fs);
/* One more process has it.  False: not now, an exec relies on that. */
bool fs_state_share(struct fs_state *fs);
/*
 * True: the caller's process alone has it, and will until the end of the exec.  What sharing could
 * steer must not gain rights.
 */
bool fs_state_begin_exec(struct fs_state *fs);
void fs_state_end_exec(struct fs_state *fs);
/* Take over the reference. */
void fs_state_chdir(struct fs_state *fs, struct dentry *cwd);
void fs_state_chroot(struct fs_state *fs, struct dentry *root);

/* The root directory of a process, for printing paths: referenced; NULL: it has ended. */
struct dentry *process_root(struct process *p);

/* What the calls of fs/vfs.h want to know of the running process; between begin and end. */
struct walk {
	struct fs_context ctx;
	struct fs_cred cred;
	struct dentry *base; /* of a relative path: a counted directory, or NULL: cwd */
	bool counted;        /* root and cwd are: somebody else might change them meanwhile */
};
/* dir as in openat; -EBADF, -ENOTDIR: end is not called then. */
int walk_begin(struct walk *w, long dir, const char *path);
/* Give back the references that it has, if any. */
void walk_drop(struct walk *w);
static inline void walk_end(struct walk *w)
{
	if (w->counted || w->base)
		walk_drop(w);
}
/* Of a process, for permission checks without a path (identity.c).  It is valid while p lives. */
static inline struct fs_cred process_fs_cred(struct process *p)
{
	const struct group_list *list = __atomic_load_n(&p->groups, __ATOMIC_ACQUIRE);
	struct fs_cred cred = {.uid = p->cred.fsuid, .gid = p->cred.fsgid};

	if (list) {
		cred.groups = list->ids;
		cred.n_groups = list->n;
	}
	return cred;
}
