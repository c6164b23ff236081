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

#define FIRST_OFFSET ((unsigned)sizeof(struct mapfs_header))

static bool is_dir(const struct fsck_inode *inode)
{
	return (inode->d.mode & FS_IFMT) == FS_IFDIR;
}

/* --- Names seen in one directory: a hash set --------------------------------------------- */

struct names {
	char **slot;
	size_t room, n;
};

static char **name_slot(const struct names *s, const char *name)
{
	size_t at = 5381;

	for (const char *p = name; *p; p++)
		at = at * 33 + (uint8_t)*p;
	for (at %= s->room; s->slot[at] && strcmp(s->slot[at], name) != 0;)
		at = (at + 1) % s->room;
	return &s->slot[at];
}

static void names_grow(struct names *s)
{
	struct names bigger = {.room = s->room ? s->room * 2 : 64};

	bigger.slot = calloc(bigger.room, sizeof(*bigger.slot));
	if (!bigger.slot)
		image_die(8, "out of memory");
	for (size_t i = 0; i < s->room; i++)
		if (s->slot[i])
			*name_slot(&bigger, s->slot[i]) = s->slot[i];
	bigger.n = s->n;
	free(s->slot);
	*s = bigger;
}

/* False when the name was there. */
static bool names_add(struct names *s, const char *name)
{
	char **slot;

	if (s->n * 2 >= s->room)
		names_grow(s);
	slot = name_slot(s, name);
	if (*slot)
		return false;
	*slot = strdup(name);
	s->n++;
	return true;
}

static void names_free(struct names *s)
{
	for (size_t i = 0; i < s->room; i++)
		free(s->slot[i]);
	free(s->slot);
}

/* --- Walking ----------------------------------------------------------------------------- */

struct walk {
	struct fsck *f;
	uint32_t *queue; /* directories to visit */
	uint32_t n, at;
};

static const char *entry_fault(struct walk *w, const struct mapfs_dirent *e, struct names *names)
{
	struct fsck_inode *target = &w->f->inodes[e->ino];
	char name[MAPFS_NAME_MAX + 1] = {0};

	memcpy(name, e->name, e->name_len);
	if (!target->in_use)
		return "leads to an inode that is not in use";
	if (e->type != FS_DTYPE(target->d.mode))
		return "has the wrong type";
	if (is_dir(target) && target->reached)
		return "is a second name of a directory";
	if (!names_add(names, name))
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

/* The entries of one sound block.  True when it was changed. */
static bool walk_entries(struct walk *w, uint32_t dir, uint8_t *data, struct names *names)
{
	struct mapfs_dirent *e;
	bool changed = false;

	for (unsigned at = FIRST_OFFSET; at < MAPFS_BLOCK_BYTES; at += e->bytes) {
		const char *fault;
		e = mapfs_dirent_at(data, at);
		fault = e->ino ? entry_fault(w, e, names) : NULL;
		if (e->ino && !fault)
			reach(w, dir, e->ino);
		if (fault && fsck_problem(w->f, "entry '%.*s' of directory %u %s", e->name_len,
				     e->name, dir, fault)) {
			e->ino = 0;
			changed = true;
		}
	}
	return changed;
}

static void make_empty(uint8_t *data)
{
	memset(data, 0, MAPFS_BLOCK_BYTES);
	mapfs_dirent_at(data, FIRST_OFFSET)->bytes = MAPFS_BLOCK_BYTES - FIRST_OFFSET;
}

static void walk_block(struct walk *w, uint32_t dir, uint64_t block, struct names *names)
{
	uint8_t data[MAPFS_BLOCK_BYTES] __attribute__((aligned(8)));
	struct fsck *f = w->f;
	const char *fault;
	bool changed;

	if (fsck_read(f, block, data))
		return;
	fault = mapfs_block_fault(f->seed, data, block, MAPFS_KIND_DIR, dir);
	if (!fault)
		fault = mapfs_dir_block_fault(&f->sb, data);
	if (fault) {
		changed = fsck_problem(
			f, "block %llu of directory %u %s", (unsigned long long)block, dir, fault);
		make_empty(data);
	} else {
		changed = walk_entries(w, dir, data, names);
	}
	if (changed)
		fsck_write_metadata(f, block, MAPFS_KIND_DIR, dir, data);
}

static void walk_dir(struct walk *w, uint32_t dir)
{
	struct fsck_inode *inode = &w->f->inodes[dir];
	uint32_t n = (uint32_t)(inode->d.size / MAPFS_BLOCK_BYTES);
	struct names names = {0};

	for (uint32_t i = 0; i < n; i++) {
		uint64_t block = fsck_block_of(inode, i);
		if (block) {
			walk_block(w, dir, block, &names);
			continue;
		}
		if (fsck_problem(w->f, "directory %u ends at block %u, not %u", dir, i, n)) {
			inode->d.size = (uint64_t)i * MAPFS_BLOCK_BYTES;
			inode->changed = true;
		}
		break;
	}
	names_free(&names);
}

static void walk_from(struct fsck *f, uint32_t top)
{
	struct walk w = {.f = f};

	w.queue = calloc((size_t)f->n_inodes + 1, sizeof(*w.queue));
	if (!w.queue)
		image_die(8, "out of memory");
	w.queue[w.n++] = top;
	while (w.at < w.n)
		walk_dir(&w, w.queue[w.at++]);
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

/* A fresh block at the end of a directory; its data is returned.  0: no room. */
static uint64_t grow_dir(struct fsck *f, uint32_t dir, uint8_t *data)
{
	struct mapfs_inode_disk *d = &f->inodes[dir].d;
	uint32_t end = (uint32_t)(d->size / MAPFS_BLOCK_BYTES);
	struct mapfs_piece p = {end, 1, fsck_block_of(&f->inodes[dir], end), false};
	uint64_t block = p.start;

	if (!block) {
		p.start = fsck_take_block(f, dir);
		if (p.start && fsck_map_append(f, dir, &p))
			block = p.start;
	}
	if (block) {
		d->size += MAPFS_BLOCK_BYTES;
		f->inodes[dir].changed = true;
		make_empty(data);
	}
	return block;
}

static bool put_entry(uint8_t *data, const char *name, uint32_t ino, uint32_t mode)
{
	unsigned need = MAPFS_DIRENT_BYTES((unsigned)strlen(name)), used;
	struct mapfs_dirent *e;

	for (unsigned at = FIRST_OFFSET; at < MAPFS_BLOCK_BYTES; at += e->bytes) {
		e = mapfs_dirent_at(data, at);
		used = e->ino ? MAPFS_DIRENT_BYTES(e->name_len) : 0;
		if (e->bytes - used < need)
			continue;
		if (used) {
			struct mapfs_dirent *rest = mapfs_dirent_at(e, used);
			rest->bytes = (uint16_t)(e->bytes - used);
			e->bytes = (uint16_t)used;
			e = rest;
		}
		e->ino = ino;
		e->type = (uint8_t)FS_DTYPE(mode);
		e->name_len = (uint8_t)strlen(name);
		memcpy(e->name, name, e->name_len);
		return true;
	}
	return false;
}

static bool add_entry(struct fsck *f, uint32_t dir, const char *name, uint32_t ino)
{
	uint8_t data[MAPFS_BLOCK_BYTES] __attribute__((aligned(8)));
	const struct mapfs_inode_disk *d = &f->inodes[dir].d;
	uint32_t mode = f->inodes[ino].d.mode, n = (uint32_t)(d->size / MAPFS_BLOCK_BYTES);
	uint64_t block;

	for (uint32_t i = 0; i < n; i++) {
		block = fsck_block_of(&f->inodes[dir], i);
		if (fsck_read(f, block, data) == 0 && put_entry(data, name, ino, mode))
			return fsck_write_metadata(f, block, MAPFS_KIND_DIR, dir, data) == 0;
	}
	block = grow_dir(f, dir, data);
	if (!block)
		return false;
	put_entry(data, name, ino, mode);
	return fsck_write_metadata(f, block, MAPFS_KIND_DIR, dir, data) == 0;
}

/* The inode of "lost+found" in the root, if there is one. */
static uint32_t find_lost_found(struct fsck *f)
{
	uint8_t data[MAPFS_BLOCK_BYTES] __attribute__((aligned(8)));
	const struct mapfs_inode_disk *d = &f->inodes[f->sb.root_ino].d;
	const struct mapfs_dirent *e;

	for (uint32_t i = 0; i < d->size / MAPFS_BLOCK_BYTES; i++) {
		if (fsck_read(f, fsck_block_of(&f->inodes[f->sb.root_ino], i), data))
			continue;
		for (unsigned at = FIRST_OFFSET; at < MAPFS_BLOCK_BYTES; at += e->bytes) {
			e = mapfs_dirent_at(data, at);
			if (e->ino && e->name_len == 10 && !memcmp(e->name, "lost+found", 10))
				return is_dir(&f->inodes[e->ino]) ? e->ino : 0;
		}
	}
	return 0;
}

static uint32_t make_lost_found(struct fsck *f)
{
	uint32_t ino = find_lost_found(f), root = f->sb.root_ino;
	struct fsck_inode *inode;

	if (ino)
		return ino;
	ino = fsck_take_inode(f);
	if (!ino)
		return 0;
	inode = &f->inodes[ino];
	inode->d = (struct mapfs_inode_disk){.mode = FS_IFDIR | 0700, .generation = 1};
	if (!add_entry(f, root, "lost+found", ino))
		return 0;
	inode->in_use = inode->changed = inode->reached = true;
	inode->links = 2;
	inode->parent = root;
	f->inodes[root].links++;
	return ino;
}

/* Give the inode a name in lost+found, and walk what is below it. */
static void adopt(struct fsck *f, uint32_t ino)
{
	struct fsck_inode *inode = &f->inodes[ino];
	uint32_t home = make_lost_found(f);
	char name[16];

	snprintf(name, sizeof(name), "#%u", ino);
	if (!home || !add_entry(f, home, name, ino)) {
		fsck_stuck(f, "there is no room for inode %u in lost+found", ino);
		return;
	}
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

/* A cut that a crash ended: what is behind the size in its block becomes zero, as it must be. */
static void zero_tail(struct fsck *f, const struct fsck_inode *inode)
{
	uint32_t keep = inode->d.size % MAPFS_BLOCK_BYTES;
	uint64_t block = fsck_block_of(inode, (uint32_t)(inode->d.size / MAPFS_BLOCK_BYTES));
	uint8_t data[MAPFS_BLOCK_BYTES];

	if (keep == 0 || block == 0 || fsck_read(f, block, data))
		return;
	memset(data + keep, 0, MAPFS_BLOCK_BYTES - keep);
	fsck_write(f, block, data);
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
		zero_tail(f, inode);
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
