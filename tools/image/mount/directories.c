// SPDX-License-Identifier: MIT
/*
 * Reading directories.  What is the kernel's offset is the file system's cookie, so a reading that
 * is interrupted, or goes on while entries come and go, gives each entry once.
 *
 * readdirplus tells of each entry what a lookup would.  The directory is locked while its entries
 * are emitted, and a lookup locks it again: so entries are gathered first.
 */
#include "mount.h"

#include <fs/file.h>
#include <fs/vfs.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct listing {
	struct fs_readdir readdir;
	fuse_req_t req;
	char *to;
	size_t bytes, used;
};

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	reply_open(req, ino, FS_O_RDONLY, info);
}

/* Read on from a cookie. */
static int read_from(struct file *dir, off_t cookie, struct fs_readdir *r)
{
	uint64_t position;
	int err = file_seek(dir, cookie, SEEK_SET, &position);

	return err ? err : file_readdir(dir, r);
}

/* False: who asked was interrupted, and has not got the answer. */
static bool reply_listing(fuse_req_t req, struct listing *l, int err)
{
	bool got = true;

	if (err && l->used == 0)
		reply_error(req, err);
	else
		got = fuse_reply_buf(req, l->to, l->used) != -ENOENT;
	free(l->to);
	return got;
}

/* --- Names only ---------------------------------------------------------------------------- */

static bool emit_name(struct fs_readdir *r, const struct fs_entry *entry)
{
	struct listing *l = (struct listing *)r;
	struct stat st = {.st_ino = entry->ino, .st_mode = entry->mode & FS_IFMT};
	char name[FS_NAME_MAX + 1];
	size_t left = l->bytes - l->used, needed;

	memcpy(name, entry->name, entry->name_bytes);
	name[entry->name_bytes] = 0;
	needed = fuse_add_direntry(l->req, l->to + l->used, left, name, &st, (off_t)entry->next);
	if (needed > left)
		return false;
	l->used += needed;
	return true;
}

static void op_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t cookie, struct fuse_file_info *info)
{
	struct listing l = {{emit_name}, req, malloc(bytes), bytes, 0};
	int err = l.to ? read_from(handle_file(info), cookie, &l.readdir) : -ENOMEM;

	(void)ino;
	(void)reply_listing(req, &l, err);
}

/* --- With attributes ------------------------------------------------------------------------- */

struct gathered {
	uint64_t ino, next;
	uint32_t mode;
	bool told; /* the answer counts a lookup of it */
	char name[FS_NAME_MAX + 1];
};

struct gathering {
	struct fs_readdir readdir;
	fuse_req_t req;
	struct gathered *entries;
	size_t n, n_max;
	size_t bytes, used; /* in the answer to be */
};

static bool gather(struct fs_readdir *r, const struct fs_entry *entry)
{
	struct gathering *g = (struct gathering *)r;
	struct gathered *to = &g->entries[g->n];

	if (g->n == g->n_max)
		return false;
	*to = (struct gathered){.ino = entry->ino, .next = entry->next, .mode = entry->mode};
	memcpy(to->name, entry->name, entry->name_bytes);
	g->used += fuse_add_direntry_plus(g->req, NULL, 0, to->name, NULL, 0);
	if (g->used > g->bytes)
		return false;
	g->n++;
	return true;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/*
 * What a lookup would answer.  The kernel looks itself up, later, what has number 0 here: the dots
 * are not to be counted, and who meets an inode that cannot be read shall hear of it.
 */
static void look_up(struct dentry *dir, const struct gathered *entry, struct fuse_entry_param *out)
{
	struct dentry *d;

	*out = (struct fuse_entry_param){.attr = {.st_ino = entry->ino, .st_mode = entry->mode}};
	if (is_dots(entry->name) || path_lookup(&mounted, dir, entry->name, 0, &d))
		return;
	if (fill_entry(d, out))
		*out = (struct fuse_entry_param){
			.attr = {.st_ino = entry->ino, .st_mode = entry->mode}};
	dentry_unref(d);
}

static void list_gathered(struct listing *l, struct dentry *dir, struct gathering *g)
{
	struct fuse_entry_param entry;

	for (size_t i = 0; i < g->n; i++) {
		look_up(dir, &g->entries[i], &entry);
		g->entries[i].told = entry.ino != 0;
		l->used += fuse_add_direntry_plus(l->req, l->to + l->used, l->bytes - l->used,
			g->entries[i].name, &entry, (off_t)g->entries[i].next);
	}
}

/* What nobody was told of after all. */
static void forget_gathered(const struct gathering *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->entries[i].told)
			node_forget(g->entries[i].ino, 1);
}

static void op_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t cookie, struct fuse_file_info *info)
{
	struct listing l = {{NULL}, req, malloc(bytes), bytes, 0};
	size_t n_max = bytes / fuse_add_direntry_plus(req, NULL, 0, "", NULL, 0) + 1;
	struct gathering g = {
		{gather}, req, malloc(n_max * sizeof(*g.entries)), 0, n_max, bytes, 0};
	int err = l.to && g.entries ? read_from(handle_file(info), cookie, &g.readdir) : -ENOMEM;

	(void)ino;
	if (g.n)
		list_gathered(&l, handle_file(info)->dentry, &g);
	if (!reply_listing(req, &l, err))
		forget_gathered(&g);
	free(g.entries);
}

void directories_operations(struct fuse_lowlevel_ops *ops)
{
	ops->opendir = op_opendir;
	ops->readdir = op_readdir;
	ops->readdirplus = op_readdirplus;
	ops->releasedir = op_release;
	ops->fsyncdir = op_fsync;
}
