// SPDX-License-Identifier: MIT
/*
 * Passes 2 and 3: the tree.  From the root down every entry must lead to an inode of its type, no
 * directory has two names, no name is there twice.  What is in use but has no name is put into
 * /lost+found as "#NUMBER"; what has lost its last name (an orphan) is freed.
 */
#include "fsck.h"

#include <fs/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_dir(const struct fsck_inode *inode)
{
	return (inode->d.mode & FS_IFMT) == FS_IFDIR;
}

/* --- Walking ----------------------------------------------------------------------------- */

struct walk {
	struct fsck *f;
	uint32_t *queue; /* directories to visit */
	uint32_t n, at;
};

static const char *entry_fault(struct walk *w, const struct fsck_dir *dir, size_t i)
{
	const struct mapfs_dirent *e = dir->entry[i];
	const struct fsck_inode *target = &w->f->inodes[e->ino];

	if (!target->in_use)
		return "leads to an inode that is not in use";
	if (e->type != FS_DTYPE(target->d.mode))
		return "has the wrong type";
	if (is_dir(target) && target->reached)
		return "is a second name of a directory";
	if (fsck_dir_seen_before(dir, i))
		return "is there twice";
	return NULL;
}

static void reach(struct walk *w, uint32_t dir, uint32_t ino)
{
	struct fsck_inode *target = &w->f->inodes[ino];

	target->links++;
	target->reached = true;
	if (!is_dir(target))
		return;
	target->parent = dir;
	target->links++;
	w->f->inodes[dir].links++;
	w->queue[w->n++] = ino;
}

static void walk_dir(struct walk *w, uint32_t ino)
{
	struct fsck_dir *dir = w->f->inodes[ino].dir;

	for (size_t i = 0; dir && i < dir->n; i++) {
		const struct mapfs_dirent *e = dir->entry[i];
		const char *fault = entry_fault(w, dir, i);

		if (!fault)
			reach(w, ino, e->ino);
		else if (fsck_problem(w->f, "entry '%.*s' of directory %u %s", e->name_len, e->name,
				 ino, fault))
			fsck_dir_erase(dir, i);
	}
}

static void walk_from(struct fsck *f, uint32_t top)
{
	struct walk w = {.f = f};
	uint64_t n_dirs = 0;

	for (uint32_t ino = 1; ino <= f->n_inodes; ino++)
		n_dirs += f->inodes[ino].in_use && is_dir(&f->inodes[ino]);
	w.queue = calloc((size_t)f->n_inodes + 1, sizeof(*w.queue));
	if (!w.queue)
		image_die(8, "out of memory");
	w.queue[w.n++] = top;
	while (w.at < w.n) {
		fsck_at("directories", w.at, n_dirs);
		walk_dir(&w, w.queue[w.at++]);
	}
	free(w.queue);
}

static void make_root(struct fsck *f)
{
	struct fsck_inode *root = &f->inodes[f->sb.root_ino];

	if (root->in_use)
		fsck_drop_inode(f, f->sb.root_ino);
	root->d = (struct mapfs_inode_disk){.mode = FS_IFDIR | 0755, .generation = 1};
	root->in_use = root->changed = true;
}

void fsck_walk_tree(struct fsck *f)
{
	struct fsck_inode *root = &f->inodes[f->sb.root_ino];

	if (!root->in_use || !is_dir(root)) {
		if (!fsck_problem(f, "there is no root directory"))
			return;
		make_root(f);
	}
	root->reached = true;
	root->links = 2;
	root->parent = f->sb.root_ino;
	walk_from(f, f->sb.root_ino);
}

/* --- lost+found -------------------------------------------------------------------------- */

#define NAME_ROOM 24

/*
 * A name that the directory does not have yet: the wanted one, or with a number behind it.  *taken
 * is what the directory has under a wanted name first, 0: nothing.
 */
static void free_name(struct fsck *f, uint32_t dir, const char *want, char *name, uint32_t *taken)
{
	uint32_t number = 0, ino;

	snprintf(name, NAME_ROOM, "%s", want);
	*taken = ino = fsck_dir_find(f, dir, name);
	while (ino) {
		snprintf(name, NAME_ROOM, "%s.%u", want, ++number);
		ino = fsck_dir_find(f, dir, name);
	}
}

/*
 * The directory "lost+found" in the root, or a new one under a name like that;
 * 0: there is no room.
 */
static uint32_t lost_found(struct fsck *f)
{
	uint32_t root = f->sb.root_ino, ino;
	struct fsck_inode *inode;
	char name[NAME_ROOM];

	if (f->lost_found)
		return f->lost_found;
	free_name(f, root, "lost+found", name, &ino);
	if (ino && is_dir(&f->inodes[ino]))
		return f->lost_found = ino;
	ino = fsck_take_inode(f);
	if (!ino)
		return 0;
	inode = &f->inodes[ino];
	inode->d = (struct mapfs_inode_disk){.mode = FS_IFDIR | 0700, .generation = 1};
	fsck_dir_add(f, root, name, ino, FS_DTYPE(FS_IFDIR));
	inode->in_use = inode->changed = inode->reached = true;
	inode->links = 2;
	inode->parent = root;
	f->inodes[root].links++;
	return f->lost_found = ino;
}

/* Give the inode a name in lost+found, and walk what is below it. */
static void adopt(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];
	uint32_t home = lost_found(f), taken;
	char want[NAME_ROOM / 2], name[NAME_ROOM];

	if (!home) {
		fsck_stuck(f, "there is no room for inode %u in lost+found", ino);
		return;
	}
	snprintf(want, sizeof(want), "#%u", ino);
	free_name(f, home, want, name, &taken);
	fsck_dir_add(f, home, name, ino, FS_DTYPE(inode->d.mode));
	inode->reached = true;
	inode->links++;
	if (!is_dir(inode))
		return;
	inode->links++;
	inode->parent = home;
	f->inodes[home].links++;
	walk_from(f, ino);
}

/* A directory inside another lost one comes with it; only the topmost is adopted itself. */
static bool below_another_lost(struct fsck *f, uint32_t ino)
{
	uint32_t parent = f->inodes[ino].d.parent;

	if (!is_dir(&f->inodes[ino]) || !mapfs_ino_valid(&f->sb, parent) || parent == ino)
		return false;
	return f->inodes[parent].in_use && !f->inodes[parent].reached && is_dir(&f->inodes[parent]);
}

static void reconnect_some(struct fsck *f, bool all)
{
	for (uint32_t ino = 1; ino <= f->n_inodes; ino++) {
		struct fsck_inode *inode = &f->inodes[ino];
		if (!inode->in_use || inode->reached || inode->d.nlink == 0)
			continue;
		if (!all && (!is_dir(inode) || below_another_lost(f, ino)))
			continue;
		if (fsck_problem(f, "inode %u is in use but has no name", ino))
			adopt(f, ino);
		else
			inode->reached = true;
	}
}

void fsck_reconnect(struct fsck *f)
{
	for (uint32_t ino = 1; ino <= f->n_inodes; ino++) {
		struct fsck_inode *inode = &f->inodes[ino];
		if (inode->in_use && !inode->reached && inode->d.nlink == 0 &&
			(f->fix || !inode->orphan) &&
			fsck_problem(f, "inode %u was deleted while it was open", ino))
			fsck_drop_inode(f, ino);
	}
	/* Topmost directories first: most of the rest then has its names again. */
	reconnect_some(f, false);
	reconnect_some(f, true);
}

static void check_links(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];

	if (inode->d.nlink != inode->links && fsck_problem(f, "inode %u counts %u links but has %u",
						      ino, inode->d.nlink, inode->links)) {
		inode->d.nlink = inode->links;
		inode->changed = true;
	}
	if (is_dir(inode) && inode->d.parent != inode->parent &&
		fsck_problem(f, "directory %u says it is in %u but is in %u", ino, inode->d.parent,
			inode->parent)) {
		inode->d.parent = inode->parent;
		inode->changed = true;
	}
	if (inode->d.flags & MAPFS_INODE_ORPHAN && (f->fix || !inode->orphan) &&
		fsck_problem(f, "inode %u was being cut", ino)) {
		inode->d.flags &= ~MAPFS_INODE_ORPHAN;
		inode->d.orphan_next = 0;
		inode->changed = true;
	}
}

void fsck_link_counts(struct fsck *f)
{
	for (uint32_t ino = 1; ino <= f->n_inodes; ino++)
		if (f->inodes[ino].in_use && f->inodes[ino].reached && f->inodes[ino].links)
			check_links(f, ino);
}
