// SPDX-License-Identifier: MIT
/* The tree of a directory, node by node: the keys, and the names under them. */
#include "view.h"

#include <fs/types.h>

#include <stdlib.h>
#include <string.h>

static const char *type_of_entry(unsigned type)
{
	return view_type((uint32_t)type << 12); /* DT_* are the upper bits of a mode */
}

static void print_entry(struct view *v, const struct mapfs_dirent *e, unsigned indent)
{
	uint64_t hash = mapfs_dir_hash(e->key);

	view_print(v, "%*shash %012llx.%u  inode %-6u %-9s ", indent, "", (unsigned long long)hash,
		mapfs_dir_number(e->key), e->ino, type_of_entry(e->type));
	view_text(v, e->name, e->name_len);
	view_print(v, "\n");
	if (hash != mapfs_name_hash(&v->sb, e->name, e->name_len))
		view_fault(v, "that name's hash is %012llx",
			(unsigned long long)mapfs_name_hash(&v->sb, e->name, e->name_len));
}

static void print_child(
	struct view *v, const struct mapfs_dir_child *c, bool first, unsigned indent)
{
	view_print(v, "%*s", indent, "");
	if (first)
		view_print(v, "all before: ");
	else
		view_print(v,
			"from hash %012llx.%u on: ", (unsigned long long)mapfs_dir_hash(c->key),
			mapfs_dir_number(c->key));
	view_print(v, "node in block %llu\n", (unsigned long long)c->block);
}

void view_dir_records(struct view *v, const struct mapfs_dir_node *node, unsigned indent)
{
	const char *fault = mapfs_dir_node_fault(&v->sb, node);

	if (fault) {
		view_fault(v, "this node %s", fault);
		return;
	}
	for (unsigned at = 0; at < node->bytes; at += mapfs_dir_record_bytes(node, at)) {
		if (node->depth)
			print_child(v, mapfs_dir_child_at(node, at), at == 0, indent);
		else
			print_entry(v, mapfs_dirent_at(node, at), indent);
	}
}

/* --- The tree ---------------------------------------------------------------------------- */

struct walk {
	struct view *v;
	uint32_t ino;
	uint8_t *seen; /* a bit a block */
	uint64_t n_nodes, n_entries;
};

/* A node that is to have the keys [from, to). */
struct place {
	uint64_t block;
	unsigned depth; /* of the root: any */
	bool is_root;
	uint64_t from, to;
};

static bool enter(struct walk *w, uint64_t block)
{
	uint8_t bit = (uint8_t)(1 << block % 8);

	if (w->seen[block / 8] & bit) {
		view_fault(w->v, "block %llu is in this tree twice", (unsigned long long)block);
		return false;
	}
	w->seen[block / 8] |= bit;
	return true;
}

static void walk_node(struct walk *w, struct place place, unsigned indent);

static void walk_children(
	struct walk *w, const struct mapfs_dir_node *node, struct place above, unsigned indent)
{
	const unsigned bytes = sizeof(struct mapfs_dir_child);

	for (unsigned at = 0; at < node->bytes; at += bytes) {
		const struct mapfs_dir_child *c = mapfs_dir_child_at(node, at);
		struct place below = {c->block, node->depth - 1u, false, at ? c->key : above.from,
			at + bytes < node->bytes ? mapfs_dir_key_at(node, at + bytes) : above.to};

		print_child(w->v, c, at == 0, indent);
		walk_node(w, below, indent + 2);
	}
}

static void count_entries(struct walk *w, const struct mapfs_dir_node *leaf)
{
	for (unsigned at = 0; at < leaf->bytes; at += mapfs_dir_record_bytes(leaf, at))
		w->n_entries++;
}

/* Why a block is no node; one that is out of its place in the tree is said, but shown. */
static const char *node_fault(struct walk *w, const struct place *place, const union view_block *b)
{
	const char *fault = mapfs_block_fault(w->v->seed, b, place->block, MAPFS_KIND_DIR, w->ino);

	if (!fault)
		fault = mapfs_dir_node_fault(&w->v->sb, &b->dir);
	if (!fault && !place->is_root && b->dir.depth != place->depth)
		fault = "is no node of its tree";
	return fault;
}

static void walk_node(struct walk *w, struct place place, unsigned indent)
{
	union view_block b;
	const char *fault;

	if (!enter(w, place.block) || !view_read(w->v, place.block, &b))
		return;
	w->n_nodes++;
	fault = node_fault(w, &place, &b);
	view_print(w->v, "%*s%s, ", indent, "", place.is_root ? "root" : "node");
	view_where(w->v, place.block);
	view_print(w->v, ": depth %u, %u of %u bytes, sequence %llu\n", b.dir.depth, b.dir.bytes,
		MAPFS_DIR_NODE_BYTES, (unsigned long long)b.header.sequence);
	if (fault) {
		view_fault(w->v, "block %llu %s", (unsigned long long)place.block, fault);
		return;
	}
	fault = mapfs_dir_place_fault(&b.dir, b.dir.depth, place.is_root, place.from, place.to);
	if (fault)
		view_fault(w->v, "block %llu %s", (unsigned long long)place.block, fault);
	if (b.dir.depth) {
		walk_children(w, &b.dir, place, indent + 2);
	} else {
		view_dir_records(w->v, &b.dir, indent + 2);
		count_entries(w, &b.dir);
	}
}

static void walk_from(struct view *v, uint32_t ino, uint64_t root)
{
	struct walk w = {.v = v, .ino = ino, .seen = view_alloc(v->sb.n_blocks / 8 + 1, 1)};
	struct place place = {root, 0, true, 0, MAPFS_DIR_KEY_END};

	walk_node(&w, place, 0);
	free(w.seen);
	view_print(v, "entries: %llu, nodes: %llu\n", (unsigned long long)w.n_entries,
		(unsigned long long)w.n_nodes);
}

void view_dir(struct view *v, uint32_t ino)
{
	struct mapfs_inode_disk d;
	struct mapfs_piece p;

	view_print(v, "directory, inode %u", ino);
	view_inode_name(v, ino);
	view_print(v, "\n");
	if (!view_read_inode(v, ino, &d))
		return;
	if ((d.mode & FS_IFMT) != FS_IFDIR) {
		view_fault(v, "inode %u is no directory, but of type: %s", ino, view_type(d.mode));
		return;
	}
	if (d.n_root == 0) {
		view_print(v, "no node: it never had an entry\n");
		return;
	}
	mapfs_piece_decode(&d.root[0], &p);
	if (d.n_root != 1 || d.depth || p.logical || p.count != 1 ||
		!mapfs_data_run_valid(&v->sb, p.start, 1)) {
		view_fault(v, "its extents do not lead to the root of a tree");
		return;
	}
	walk_from(v, ino, p.start);
}
