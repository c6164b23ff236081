// SPDX-License-Identifier: MIT
/*
 * Names: the cache of directory entries, and the walk along a path.
 *
 * A dentry is one name in one directory, with the vnode that it stands for; or with none, to
 * remember that the name is free.  Dentries form the tree that paths walk, a dentry holds its
 * parent, and a file or a working directory is *a dentry*: its path is found by going up.  What a
 * dentry stands for never changes: unlinking or creating unhashes the old dentry, and later walks
 * meet a new one.  Only rename moves a dentry, so that open files know their new names.
 *
 * A step of a walk that hits the cache takes one bucket lock and writes one count; no inode lock.
 */
#pragma once

#include <fs/mount.h>
#include <fs/table.h>
#include <fs/types.h>
#include <fs/vnode.h>

#define DENTRY_INLINE_NAME 32

/* Legend: [I] immutable, [a] atomic, [t] tree lock, [b] lock of its hash bucket and, to change, the
 * tree lock. */
struct dentry {
	struct fs_link link;                   /* [b] its hash: of name and parent */
	uint32_t refs;                         /* [a] a count, DENTRY_UNHASHED and DENTRY_LISTED */
	uint32_t name_bytes;                   /* [b] */
	struct vnode *vnode;                   /* [I] counted; NULL: the name is free */
	struct mount *mount;                   /* [I] */
	struct dentry *parent;                 /* [b] counted; itself for a root */
	struct mount *covered_by;              /* [b] mounted here, or NULL; see mount.c */
	uint64_t name_head;                    /* [b] struct fs_name's */
	const char *name;                      /* [b] name_bytes long, terminated */
	bool used;                             /* [a] walked over since the cache was last swept */
	struct dentry *idle_next, **idle_prev; /* [t] if DENTRY_LISTED */
	struct dentry *children;               /* [t] those that have it as their parent */
	struct dentry *sibling_next, **sibling_prev; /* [t] of a root: the other roots */
	char inline_name[DENTRY_INLINE_NAME];
};

static inline struct dentry *dentry_ref(struct dentry *d)
{
	__atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
	return d;
}

/* Beside the count: nobody finds it any more; it is on the list of those that may go. */
#define DENTRY_UNHASHED 0x80000000u
#define DENTRY_LISTED   0x40000000u

/* May evict the vnode: no inode lock, no transaction held.  NULL is allowed. */
void dentry_unref(struct dentry *d);

/*
 * The path of d below root (a process's root directory), terminated, at the *end* of `buffer`;
 * *out points to its beginning.  -ERANGE: no room; -ENOENT: d was unlinked (*out is its last path);
 * -EXDEV: d is not below root (*out is its path from the top of all).
 */
int dentry_path(struct dentry *d, struct dentry *root, char *buffer, size_t bytes, char **out);

/*
 * A path of a vnode that somebody holds, as dentry_path(); -ENOENT when it has no name any more.
 * For /proc/PID/maps, where mappings know only the file.
 */
int vnode_path(struct vnode *v, struct dentry *root, char *buffer, size_t bytes, char **out);

/*
 * Drop unused entries, and the directories that only they kept, until at most
 * `keep` entries are left.
 */
void dentry_shrink(size_t keep);

/*
 * The directories that a thread's last walks came to before their last components, for those to
 * come, which are often in the same ones: of one, or of a few by turns.  Zeroed at first; then for
 * the walks of one thread alone.  They hold nothing: path.c says why what is in here can be
 * believed.
 */
#define PATH_RECENT_DIRECTORIES 4
#define PATH_RECENT_BYTES       64

struct path_recent {
	uint64_t directories;            /* the state of all directories in which it is true */
	const struct dentry *from, *dir; /* where the walk began, and where it came to */
	char text[PATH_RECENT_BYTES];    /* from one to the other, with the slash behind */
	uint32_t bytes;                  /* of text */
	struct path_recent *older;       /* the next that was used before it */
};

struct path_recents {
	struct path_recent *first; /* used last; NULL: none is kept */
	struct path_recent kept[PATH_RECENT_DIRECTORIES];
};

/*
 * Who walks, and from where.  All references are the caller's and last over the call.
 */
struct fs_context {
	struct dentry *root; /* absolute paths begin here, ".." ends here */
	struct dentry *cwd;  /* relative paths begin here unless a call names a base */
	const struct fs_cred *cred;
	const struct fs_cred *owner; /* whose new files are; NULL: cred's */
	struct path_recents *recent; /* the walking thread's, or NULL */
	uint32_t umask;
};

enum path_flags {
	PATH_FOLLOW = 1,    /* the last component, too, when it is a symbolic link */
	PATH_DIRECTORY = 2, /* -ENOTDIR when it is no directory */
	PATH_EMPTY = 4,     /* "" is the base itself; else -ENOENT */
};

/*
 * Walk.  `base` is where a relative path begins (openat's directory); NULL: ctx->cwd.  *out is
 * referenced, has a vnode, and is the root of a mount rather than the directory it covers.
 * -ENOENT, -ENOTDIR, -EACCES (no right to search), -ELOOP, -ENAMETOOLONG, -EIO, -ENOMEM.
 */
int path_lookup(const struct fs_context *ctx, struct dentry *base, const char *path, unsigned flags,
	struct dentry **out);

/*
 * Walk to the directory of the last component: *dir is referenced.  `last` names the component
 * inside `path` or inside the walk's buffer, which is why the walk stays open until path_close().
 * The last component is not looked up nor followed; kind says what it is.  After an error
 * path_close() is allowed and does nothing.
 */
enum path_last { PATH_LAST_NAME, PATH_LAST_DOT, PATH_LAST_DOTDOT, PATH_LAST_ROOT };
struct path_parent {
	struct dentry *dir;
	struct fs_name last;
	enum path_last kind;
	bool slash; /* a slash follows: it must be a directory */

	const struct fs_context *ctx; /* [path.c] this and the following: to go on */
	char *buffer;
	unsigned links;
};
int path_open_parent(const struct fs_context *ctx, struct dentry *base, const char *path,
	struct path_parent *out);
void path_close(struct path_parent *parent);
