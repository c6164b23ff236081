// SPDX-License-Identifier: MIT
/* An inode with all its fields, and its tree of extents. */
#include "view.h"

#include <fs/types.h>

#include <stdlib.h>
#include <string.h>

/* --- Extents ----------------------------------------------------------------------------- */

static void print_extent(struct view *v, const struct mapfs_extent *e, unsigned indent)
{
	struct mapfs_piece p;

	mapfs_piece_decode(e, &p);
	view_print(v, "%*sfile block %u", indent, "", p.logical);
	if (p.count > 1)
		view_print(v, " .. %llu", (unsigned long long)p.logical + p.count - 1);
	view_print(v, ": block %llu", (unsigned long long)p.start);
	if (p.count > 1)
		view_print(v, " .. %llu (%u)", (unsigned long long)p.start + p.count - 1, p.count);
	view_print(v, "%s\n", p.unwritten ? ", unwritten" : "");
}

static void print_index(struct view *v, const struct mapfs_extent *e, unsigned indent)
{
	struct mapfs_piece p;

	mapfs_piece_decode(e, &p);
	view_print(v, "%*sfrom file block %u on: node in block %llu\n", indent, "", p.logical,
		(unsigned long long)p.start);
}

void view_extents(struct view *v, const struct mapfs_extent *entry, unsigned n, unsigned depth,
	unsigned indent)
{
	uint64_t at = 0;
	const char *fault = mapfs_extents_fault(&v->sb, entry, n, MAPFS_NODE_EXTENTS, depth, &at);

	for (unsigned i = 0; i < n; i++)
		(depth ? print_index : print_extent)(v, &entry[i], indent);
	if (fault)
		view_fault(v, "this node %s", fault);
}

/* A walk over a tree; a node is only gone into once. */
struct walk {
	struct view *v;
	uint32_t ino;
	uint64_t end;  /* the file's blocks up to here were seen */
	uint8_t *seen; /* a bit a block */
	uint64_t n_nodes, n_extents;
};

static void walk_entries(struct walk *w, const struct mapfs_extent *entry, unsigned n,
	unsigned depth, unsigned indent);

static bool enter(struct walk *w, uint64_t block)
{
	uint8_t bit = (uint8_t)(1 << block % 8);

	if (!mapfs_data_run_valid(&w->v->sb, block, 1)) {
		view_fault(w->v, "block %llu is outside the data area", (unsigned long long)block);
		return false;
	}
	if (w->seen[block / 8] & bit) {
		view_fault(w->v, "block %llu is in this tree twice", (unsigned long long)block);
		return false;
	}
	w->seen[block / 8] |= bit;
	return true;
}

static void walk_node(struct walk *w, uint64_t block, unsigned depth, unsigned indent)
{
	union view_block b;
	const char *fault;

	if (!enter(w, block) || !view_read(w->v, block, &b))
		return;
	w->n_nodes++;
	fault = mapfs_block_fault(w->v->seed, &b, block, MAPFS_KIND_EXTENTS, w->ino);
	view_print(w->v, "%*snode, ", indent, "");
	view_where(w->v, block);
	view_print(w->v, ": depth %u, %u of %u entries, sequence %llu\n", b.extents.depth,
		b.extents.n, MAPFS_NODE_EXTENTS, (unsigned long long)b.header.sequence);
	if (fault || b.extents.depth != depth || b.extents.n == 0 ||
		b.extents.n > MAPFS_NODE_EXTENTS) {
		view_fault(w->v, "block %llu %s", (unsigned long long)block,
			fault ? fault : "is no node of this tree");
		return;
	}
	walk_entries(w, b.extents.entry, b.extents.n, depth, indent + 2);
}

/* In order from w->end on, as all before it. */
static void check_order(struct walk *w, const struct mapfs_piece *p)
{
	if (p->logical < w->end)
		view_fault(w->v, "file block %u comes too late", p->logical);
	w->end = (uint64_t)p->logical + p->count;
}

static void walk_entries(struct walk *w, const struct mapfs_extent *entry, unsigned n,
	unsigned depth, unsigned indent)
{
	struct mapfs_piece p;

	for (unsigned i = 0; i < n; i++) {
		mapfs_piece_decode(&entry[i], &p);
		check_order(w, &p);
		if (depth) {
			print_index(w->v, &entry[i], indent);
			walk_node(w, p.start, depth - 1, indent + 2);
		} else {
			print_extent(w->v, &entry[i], indent);
			w->n_extents++;
			if (!mapfs_data_run_valid(&w->v->sb, p.start, p.count))
				view_fault(w->v, "that is outside the data area");
		}
	}
}

static bool has_extents(const struct mapfs_inode_disk *d)
{
	return !(d->flags & MAPFS_INODE_INLINE_DATA);
}

/* Why its root cannot be read, or NULL. */
static const char *root_fault(const struct mapfs_inode_disk *d)
{
	if (d->n_root > MAPFS_ROOT_EXTENTS)
		return "more entries than an inode has room for";
	return d->depth > MAPFS_MAX_DEPTH ? "a depth that no tree has" : NULL;
}

void view_tree(struct view *v, uint32_t ino)
{
	struct walk w = {.v = v, .ino = ino};
	struct mapfs_inode_disk d;
	const char *fault;

	view_print(v, "extents of inode %u", ino);
	view_inode_name(v, ino);
	view_print(v, "\n");
	if (!view_read_inode(v, ino, &d))
		return;
	if (!has_extents(&d)) {
		view_print(v, "  none: its data are in the inode\n");
		return;
	}
	view_print(v, "root, in the inode: depth %u, %u of %u entries\n", d.depth, d.n_root,
		MAPFS_ROOT_EXTENTS);
	fault = root_fault(&d);
	if (fault) {
		view_fault(v, "the inode has %s", fault);
		return;
	}
	w.seen = view_alloc(v->sb.n_blocks / 8 + 1, 1);
	walk_entries(&w, d.root, d.n_root, d.depth, 2);
	free(w.seen);
	view_print(v, "extents: %llu, nodes beside the root: %llu\n",
		(unsigned long long)w.n_extents, (unsigned long long)w.n_nodes);
}

/* --- Inodes ------------------------------------------------------------------------------ */

static void print_target(struct view *v, uint32_t ino, const struct mapfs_inode_disk *d)
{
	union view_block b;
	const char *text = d->target;
	struct mapfs_piece p;

	if (has_extents(d)) {
		mapfs_piece_decode(&d->root[0], &p);
		if (d->n_root == 0 || !view_read(v, p.start, &b) ||
			mapfs_block_fault(v->seed, &b, p.start, MAPFS_KIND_SYMLINK, ino)) {
			view_fault(v, "it has no target");
			return;
		}
		text = (const char *)b.bytes + sizeof(b.header);
	}
	if (d->size > (has_extents(d) ? MAPFS_SYMLINK_MAX : MAPFS_INLINE_BYTES)) {
		view_fault(v, "its target is longer than there is room for");
		return;
	}
	view_print(v, "  %-14s ", "target");
	view_text(v, text, d->size);
	view_print(v, "\n");
}

static void print_times(struct view *v, const struct mapfs_inode_disk *d)
{
	char text[VIEW_TIME_BYTES];

	view_field(v, "accessed", "%s", view_time(d->atime_ns, text));
	view_field(v, "modified", "%s", view_time(d->mtime_ns, text));
	view_field(v, "changed", "%s", view_time(d->ctime_ns, text));
	view_field(v, "made", "%s", view_time(d->btime_ns, text));
}

static void print_blocks(struct view *v, const struct mapfs_inode_disk *d)
{
	const char *fault = root_fault(d);

	view_field(v, "blocks", "%llu, of all kinds", (unsigned long long)d->n_blocks);
	if (!has_extents(d)) {
		view_field(v, "extents", "none: its data are in the inode");
		return;
	}
	view_field(v, "extents", "%u entries in the inode, of depth %u", d->n_root, d->depth);
	if (fault)
		view_fault(v, "it has %s", fault);
	else
		view_extents(v, d->root, d->n_root, d->depth, 4);
}

void view_inode_fields(struct view *v, uint32_t ino, const struct mapfs_inode_disk *d)
{
	uint32_t type = d->mode & FS_IFMT;
	bool right = d->crc == mapfs_inode_crc(v->seed, ino, d);
	char mode[VIEW_MODE_BYTES];

	view_field(v, "checksum", "%08x, %s", d->crc, right ? "right" : "wrong");
	if (!right)
		view_fault(v, "inode %u has a wrong checksum", ino);
	view_field(v, "type, mode", "%s, %s (%04o)", view_type(d->mode), view_mode(d->mode, mode),
		d->mode & FS_PERM);
	view_field(v, "owner", "user %u, group %u", d->uid, d->gid);
	view_field(v, "links", "%u", d->nlink);
	view_field(v, "size", "%llu bytes", (unsigned long long)d->size);
	print_times(v, d);
	view_field(v, "generation", "%u", d->generation);
	if (type == FS_IFCHR || type == FS_IFBLK)
		view_field(v, "device", "%u, %u", FS_MAJOR(d->rdev), d->rdev & 0xff);
	if (type == FS_IFDIR)
		view_field(v, "parent", "inode %u", d->parent);
	if (d->flags & MAPFS_INODE_ORPHAN)
		view_field(v, "orphan", "yes; the next is %u", d->orphan_next);
	print_blocks(v, d);
	if (type == FS_IFLNK)
		print_target(v, ino, d);
}

void view_inode(struct view *v, uint32_t ino)
{
	unsigned offset;
	uint64_t block = mapfs_inode_at(&v->sb, ino, &offset);
	int used = view_inode_used(v, ino);
	struct mapfs_inode_disk d;

	view_print(v, "inode %u", ino);
	view_inode_name(v, ino);
	view_print(v, ", byte %u of ", offset);
	view_where(v, block);
	view_print(v, "\n");
	if (!view_read_inode(v, ino, &d))
		return;
	view_field(v, "bitmap", "%s", used < 0 ? "cannot be read" : used ? "in use" : "free");
	if (d.mode == 0) {
		view_print(v, "  was never used, or is zeros since it was freed\n");
		if (used > 0)
			view_fault(v, "it is marked as in use");
		return;
	}
	if (!used)
		view_print(v, "  what is left of its last life:\n");
	view_inode_fields(v, ino, &d);
}
