// SPDX-License-Identifier: MIT
#include "view.h"

#include <fs/types.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *view_alloc(size_t n, size_t bytes)
{
	void *memory = calloc(n ? n : 1, bytes);

	if (!memory)
		image_die(8, "out of memory");
	return memory;
}

/* --- Opening ----------------------------------------------------------------------------- */

static const char *read_super(struct view *v, uint64_t block, struct mapfs_super *sb)
{
	bool read_only;

	if (block >= v->n_device_blocks ||
		blk_read(v->dev, block * MAPFS_BLOCK_SECTORS, sb, sizeof(*sb)))
		return "cannot be read";
	return mapfs_super_fault(sb, v->n_device_blocks, &read_only);
}

static void open_log(struct view *v)
{
	int err = mapfs_recovery_scan(&v->log, v->dev, &v->sb);

	if (err == 0)
		return;
	v->log_fault = err == -EINVAL ? v->log.fault : "cannot be read";
	mapfs_recovery_free(&v->log);
	v->log.n_groups = 0;
}

void view_open(struct view *v, struct blkdev *dev, FILE *out)
{
	memset(v, 0, sizeof(*v));
	v->dev = dev;
	v->out = out;
	v->n_device_blocks = dev->n_sectors / MAPFS_BLOCK_SECTORS;
	v->super_fault = read_super(v, MAPFS_SUPER_BLOCK, &v->sb);
	if (v->super_fault && v->n_device_blocks && !read_super(v, v->n_device_blocks - 1, &v->sb))
		v->super_fault = NULL;
	if (v->super_fault)
		return;
	v->seed = mapfs_crc_seed(&v->sb);
	open_log(v);
}

void view_close(struct view *v)
{
	mapfs_recovery_free(&v->log);
	if (v->fsck)
		fsck_release(v->fsck);
	free(v->fsck);
	free(v->name);
	for (size_t i = 0; i < v->n_findings; i++)
		free(v->finding[i]);
	free(v->finding);
}

/* --- Index ------------------------------------------------------------------------------- */

static struct view *indexing; /* fsck says its lines to nobody in particular */

static void note_finding(const char *line)
{
	struct view *v = indexing;

	v->finding = realloc(v->finding, (v->n_findings + 1) * sizeof(*v->finding));
	if (!v->finding)
		image_die(8, "out of memory");
	v->finding[v->n_findings] = strdup(line);
	if (!v->finding[v->n_findings++])
		image_die(8, "out of memory");
}

static void note_names(struct view *v, uint32_t dir)
{
	const struct fsck_dir *list = v->fsck->inodes[dir].dir;

	for (size_t i = 0; list && i < list->n; i++) {
		struct view_name *name = &v->name[list->entry[i]->ino];

		if (!name->dir)
			*name = (struct view_name){dir, list->entry[i]};
	}
}

void view_index(struct view *v)
{
	if (v->fsck || v->super_fault)
		return;
	v->fsck = view_alloc(1, sizeof(*v->fsck));
	v->fsck->dev = v->dev;
	v->fsck->say = note_finding;
	indexing = v;
	fsck_check(v->fsck);
	v->name = view_alloc((size_t)v->fsck->n_inodes + 1, sizeof(*v->name));
	for (uint32_t ino = 1; ino <= v->fsck->n_inodes; ino++)
		if (v->fsck->inodes[ino].in_use)
			note_names(v, ino);
}

/* --- Reading ----------------------------------------------------------------------------- */

bool view_read_in_place(struct view *v, uint64_t block, union view_block *to)
{
	if (block < v->n_device_blocks &&
		blk_read(v->dev, block * MAPFS_BLOCK_SECTORS, to, sizeof(*to)) == 0)
		return true;
	view_fault(v, "block %llu cannot be read", (unsigned long long)block);
	memset(to, 0, sizeof(*to));
	return false;
}

bool view_read(struct view *v, uint64_t block, union view_block *to)
{
	return view_read_in_place(v, mapfs_recovery_find(&v->log, block), to);
}

bool view_read_inode(struct view *v, uint32_t ino, struct mapfs_inode_disk *d)
{
	union view_block b;
	unsigned offset;

	if (!view_read(v, mapfs_inode_at(&v->sb, ino, &offset), &b))
		return false;
	*d = b.inode[offset / MAPFS_INODE_BYTES];
	return true;
}

static int bit_of(struct view *v, uint64_t at, uint32_t kind, uint32_t group, uint32_t bit)
{
	union view_block b;

	if (bit >= MAPFS_GROUP_BLOCKS || !view_read(v, at, &b) ||
		mapfs_block_fault(v->seed, &b, at, kind, group))
		return -1;
	return b.map.bits[bit / 8] >> bit % 8 & 1;
}

int view_block_used(struct view *v, uint64_t block)
{
	uint32_t group = mapfs_block_group(&v->sb, block);

	if (group == v->sb.n_groups)
		return -1;
	return bit_of(v, mapfs_block_map_at(&v->sb, group), MAPFS_KIND_BLOCK_MAP, group,
		(uint32_t)(block - mapfs_group_first(&v->sb, group)));
}

int view_inode_used(struct view *v, uint32_t ino)
{
	uint32_t group = (ino - 1) / v->sb.inodes_per_group;

	return bit_of(v, mapfs_inode_map_at(&v->sb, group), MAPFS_KIND_INODE_MAP, group,
		(ino - 1) % v->sb.inodes_per_group);
}

/* --- Names ------------------------------------------------------------------------------- */

#define MAX_LEVELS 1000 /* deeper paths are cut at the front; a ring of directories ends here */

char *view_path(struct view *v, uint32_t ino)
{
	const struct mapfs_dirent *part[MAX_LEVELS];
	size_t n = 0, bytes = 2, at = 0;
	char *path;

	if (ino == v->sb.root_ino)
		return strdup("/");
	if (ino > v->fsck->n_inodes || !v->name[ino].dir)
		return strdup("(no name)");
	for (; ino != v->sb.root_ino && v->name[ino].dir && n < MAX_LEVELS;
		ino = v->name[ino].dir) {
		part[n] = v->name[ino].entry;
		bytes += part[n++]->name_len + 1u;
	}
	path = view_alloc(bytes + 3, 1);
	if (ino != v->sb.root_ino) {
		memcpy(path, "...", 3);
		at = 3;
	}
	while (n-- > 0) {
		path[at++] = '/';
		memcpy(path + at, part[n]->name, part[n]->name_len);
		at += part[n]->name_len;
	}
	return path;
}

static uint32_t find_entry(struct view *v, uint32_t dir, const char *name, size_t n)
{
	const struct fsck_dir *list = v->fsck->inodes[dir].dir;

	for (size_t i = 0; list && i < list->n; i++) {
		const struct mapfs_dirent *e = list->entry[i];

		if (e->name_len == n && memcmp(e->name, name, n) == 0)
			return e->ino;
	}
	return 0;
}

static uint32_t find_path(struct view *v, const char *path)
{
	uint32_t ino = v->sb.root_ino;

	for (const char *p = path; ino; p += strcspn(p, "/")) {
		p += strspn(p, "/");
		if (!*p)
			return ino;
		ino = ino <= v->fsck->n_inodes ? find_entry(v, ino, p, strcspn(p, "/")) : 0;
	}
	return 0;
}

uint32_t view_find(struct view *v, const char *what)
{
	uint32_t ino;
	char *end;

	view_index(v);
	if (what[0] == '/') {
		ino = find_path(v, what);
		if (!ino)
			image_die(1, "%s: there is no such path in the image", what);
		return ino;
	}
	errno = 0;
	unsigned long long n = strtoull(what, &end, 10);
	if (*end || end == what || errno)
		image_die(2, "'%s' is neither a path from / on nor the number of an inode", what);
	if (n > UINT32_MAX || !mapfs_ino_valid(&v->sb, (uint32_t)n))
		image_die(1, "inode %s: numbers go from 1 to %u", what,
			v->sb.n_groups * v->sb.inodes_per_group);
	return (uint32_t)n;
}

/* --- Owners ------------------------------------------------------------------------------ */

enum view_role view_role_of(const struct fsck_inode *inode)
{
	switch (inode->d.mode & FS_IFMT) {
	case FS_IFDIR:
		return VIEW_DIR;
	case FS_IFLNK:
		return VIEW_SYMLINK;
	default:
		return VIEW_DATA;
	}
}

static bool has_node(const uint64_t *node, unsigned n, uint64_t block)
{
	for (unsigned i = 0; i < n; i++)
		if (node[i] == block)
			return true;
	return false;
}

struct view_owner view_owner_of(struct view *v, uint64_t block)
{
	struct view_owner owner = {VIEW_NOBODY, 0, 0};
	const struct fsck_inode *inode;

	if (!v->fsck->owner || block >= v->sb.n_blocks || v->fsck->owner[block] == 0)
		return owner;
	owner.ino = v->fsck->owner[block];
	inode = &v->fsck->inodes[owner.ino];
	if (has_node(inode->node, inode->n_nodes, block))
		owner.role = VIEW_EXTENTS;
	else if (inode->dir && has_node(inode->dir->node, inode->dir->n_nodes, block))
		owner.role = VIEW_DIR;
	for (unsigned i = 0; i < inode->n_pieces; i++) {
		const struct mapfs_piece *p = &inode->piece[i];

		if (block < p->start || block - p->start >= p->count)
			continue;
		owner.role = p->unwritten ? VIEW_UNWRITTEN : view_role_of(inode);
		owner.logical = p->logical + (uint32_t)(block - p->start);
	}
	return owner;
}
