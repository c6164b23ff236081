// SPDX-License-Identifier: MIT
/* What has its fixed place: super blocks, the state block, and each group's bitmaps. */
#include "view.h"

#include <string.h>

/* --- Super blocks ------------------------------------------------------------------------ */

static void print_bytes(struct view *v, const char *name, const uint8_t *p, unsigned n)
{
	view_print(v, "  %-14s ", name);
	for (unsigned i = 0; i < n; i++)
		view_print(v, "%s%02x",
			n == 16 && (i == 4 || i == 6 || i == 8 || i == 10) ? "-" : "", p[i]);
	view_print(v, "\n");
}

static void print_features(struct view *v, const struct mapfs_super *sb)
{
	if (!sb->incompat && !sb->ro_compat && !sb->compat)
		view_field(v, "features", "none");
	else
		view_field(v, "features", "incompat %#llx, ro_compat %#llx, compat %#llx",
			(unsigned long long)sb->incompat, (unsigned long long)sb->ro_compat,
			(unsigned long long)sb->compat);
}

void view_super_fields(struct view *v, const struct mapfs_super *sb)
{
	char text[VIEW_TIME_BYTES], size[VIEW_SIZE_BYTES];

	view_print(v, "  %-14s ", "magic");
	view_text(v, (const char *)sb->magic, sizeof(sb->magic));
	view_print(v, "\n");
	view_field(v, "version", "%u", sb->version);
	view_field(v, "checksum", "%08x, %s", sb->crc,
		sb->crc == mapfs_super_crc(sb) ? "right" : "wrong");
	print_features(v, sb);
	print_bytes(v, "uuid", sb->uuid, sizeof(sb->uuid));
	view_print(v, "  %-14s \"", "label");
	view_text(v, (const char *)sb->label, strnlen((const char *)sb->label, sizeof(sb->label)));
	view_print(v, "\"\n");
	view_field(v, "made", "%s", view_time(sb->made_ns, text));
	view_field(v, "size", "%llu blocks of %u bytes: %s", (unsigned long long)sb->n_blocks,
		sb->block_bytes, view_size(sb->n_blocks * MAPFS_BLOCK_BYTES, size));
	view_field(v, "log", "%llu blocks from block %llu on", (unsigned long long)sb->log_blocks,
		(unsigned long long)sb->log_start);
	view_field(v, "groups", "%u of %u blocks, from block %llu on", sb->n_groups,
		sb->group_blocks, (unsigned long long)sb->groups_start);
	view_field(v, "inodes", "%u a group, of %u bytes; the root is %u", sb->inodes_per_group,
		sb->inode_bytes, sb->root_ino);
	print_bytes(v, "hash key", (const uint8_t *)sb->hash_key, sizeof(sb->hash_key));
}

static void print_super(struct view *v, uint64_t block, struct mapfs_super *sb)
{
	union view_block b;
	const char *fault;
	bool read_only = false;

	memset(sb, 0, sizeof(*sb));
	if (!view_read_in_place(v, block, &b))
		return;
	*sb = b.super;
	fault = mapfs_super_fault(sb, v->n_device_blocks, &read_only);
	if (fault)
		view_fault(v, "%s", fault);
	view_super_fields(v, sb);
	if (read_only)
		view_field(v, "writable", "no: it has features that this code does not know");
}

void view_supers(struct view *v)
{
	uint64_t last = v->super_fault ? v->n_device_blocks - 1 : v->sb.n_blocks - 1;
	struct mapfs_super sb;
	union view_block copy;

	view_print(v, "super block, block %u\n", MAPFS_SUPER_BLOCK);
	print_super(v, MAPFS_SUPER_BLOCK, &sb);
	if (v->n_device_blocks < 2)
		return;
	view_print(v, "copy of the super block, block %llu\n", (unsigned long long)last);
	if (!view_read_in_place(v, last, &copy))
		return;
	if (memcmp(&sb, &copy.super, sizeof(sb)) == 0) {
		view_print(v, "  equal to the super block, byte for byte\n");
		return;
	}
	view_fault(v, "differs from the super block");
	print_super(v, last, &sb);
}

/* --- State ------------------------------------------------------------------------------- */

/* The list goes through the inodes, so that it is one of them that may be broken. */
static void print_orphans(struct view *v, uint32_t ino)
{
	uint32_t left = v->sb.n_groups * v->sb.inodes_per_group;
	struct mapfs_inode_disk d;

	for (; ino; ino = d.orphan_next) {
		if (!mapfs_ino_valid(&v->sb, ino) || left-- == 0) {
			view_fault(v, "the list of orphans is broken: inode %u", ino);
			return;
		}
		if (!view_read_inode(v, ino, &d))
			return;
		view_print(v, "  %-14s inode %u", "orphan", ino);
		view_inode_name(v, ino);
		view_print(v, ", %u links, %llu bytes\n", d.nlink, (unsigned long long)d.size);
		if (d.crc != mapfs_inode_crc(v->seed, ino, &d) || !(d.flags & MAPFS_INODE_ORPHAN)) {
			view_fault(v, "the list of orphans is broken: inode %u is not one", ino);
			return;
		}
	}
}

void view_state_fields(struct view *v, const struct mapfs_state *state)
{
	char text[VIEW_TIME_BYTES];

	view_field(v, "clean", "%s",
		state->clean ? "yes" : "no: it is mounted, or a crash ended that");
	view_field(v, "free blocks", "%llu%s", (unsigned long long)state->free_blocks,
		state->clean ? "" : " (when it last was clean)");
	view_field(v, "free inodes", "%llu", (unsigned long long)state->free_inodes);
	view_field(v, "mounts", "%llu that changed something", (unsigned long long)state->mounts);
	view_field(v, "last mount", "%s", view_time(state->mounted_ns, text));
	view_field(
		v, "orphans", state->orphan_head ? "from inode %u on" : "none", state->orphan_head);
}

void view_state(struct view *v)
{
	union view_block b;

	view_print(v, "state, ");
	view_where(v, MAPFS_STATE_BLOCK);
	view_print(v, "\n");
	if (!view_read(v, MAPFS_STATE_BLOCK, &b))
		return;
	view_header(v, &b, MAPFS_STATE_BLOCK, MAPFS_KIND_STATE, 0);
	view_state_fields(v, &b.state);
	print_orphans(v, b.state.orphan_head);
}

/* --- Groups and bitmaps ------------------------------------------------------------------ */

/* Bits of the first n that are clear. */
static uint32_t count_clear(const struct mapfs_bitmap *map, uint32_t n)
{
	uint32_t clear = 0;

	for (uint32_t i = 0; i < n; i++)
		clear += !(map->bits[i / 8] >> i % 8 & 1);
	return clear;
}

static void print_free(struct view *v, uint32_t group, bool of_blocks)
{
	uint32_t n = of_blocks ? mapfs_group_length(&v->sb, group) : v->sb.inodes_per_group;
	uint64_t at =
		of_blocks ? mapfs_block_map_at(&v->sb, group) : mapfs_inode_map_at(&v->sb, group);
	union view_block b;
	const char *fault;

	if (!view_read(v, at, &b))
		return;
	fault = mapfs_block_fault(
		v->seed, &b, at, of_blocks ? MAPFS_KIND_BLOCK_MAP : MAPFS_KIND_INODE_MAP, group);
	view_print(v, "  %-7s %5u of %5u free, bitmap ", of_blocks ? "blocks" : "inodes",
		count_clear(&b.map, n), n);
	view_where(v, at);
	view_print(v, "\n");
	if (fault)
		view_fault(v, "that bitmap %s", fault);
	else if (b.map.n_free != count_clear(&b.map, n))
		view_fault(v, "that bitmap says that %u are free", b.map.n_free);
}

void view_groups(struct view *v)
{
	const struct mapfs_super *sb = &v->sb;

	for (uint32_t g = 0; g < sb->n_groups; g++) {
		uint64_t first = mapfs_group_first(sb, g);

		view_print(v, "group %u: blocks %llu .. %llu, inodes %u .. %u\n", g,
			(unsigned long long)first,
			(unsigned long long)(first + mapfs_group_length(sb, g) - 1),
			g * sb->inodes_per_group + 1, (g + 1) * sb->inodes_per_group);
		print_free(v, g, true);
		print_free(v, g, false);
		view_print(v, "  inode table %llu .. %llu, data from %llu on\n",
			(unsigned long long)first + 2,
			(unsigned long long)first + mapfs_group_overhead(sb) - 1,
			(unsigned long long)first + mapfs_group_overhead(sb));
	}
}

static bool bit(const struct mapfs_bitmap *map, uint32_t i)
{
	return map->bits[i / 8] >> i % 8 & 1;
}

/* Numbers are those of blocks or inodes, not of bits; the header says which group it is. */
void view_bitmap_runs(struct view *v, const struct mapfs_bitmap *map, bool of_blocks)
{
	uint32_t group = map->header.owner, n, end;
	uint64_t first;

	if (group >= v->sb.n_groups) {
		view_fault(v, "there is no group %u", group);
		return;
	}
	n = of_blocks ? mapfs_group_length(&v->sb, group) : v->sb.inodes_per_group;
	first = of_blocks ? mapfs_group_first(&v->sb, group)
			  : (uint64_t)group * v->sb.inodes_per_group + 1;
	view_field(v, "free", "%u of %u", map->n_free, n);
	for (uint32_t i = 0; i < n; i = end) {
		for (end = i; end < n && bit(map, end) == bit(map, i); end++)
			;
		view_print(v, "    %-5s %llu .. %llu (%u)\n", bit(map, i) ? "used" : "free",
			(unsigned long long)(first + i), (unsigned long long)(first + end - 1),
			end - i);
	}
	for (uint32_t i = n; i < MAPFS_GROUP_BLOCKS; i++) {
		if (!bit(map, i)) {
			view_fault(v, "bit %u, past the end, is not set", i);
			break;
		}
	}
}

static void print_bitmap(struct view *v, uint32_t group, bool of_blocks)
{
	uint32_t kind = of_blocks ? MAPFS_KIND_BLOCK_MAP : MAPFS_KIND_INODE_MAP;
	uint64_t at =
		of_blocks ? mapfs_block_map_at(&v->sb, group) : mapfs_inode_map_at(&v->sb, group);
	union view_block b;

	view_print(v, "%s of group %u, ", of_blocks ? "blocks" : "inodes", group);
	view_where(v, at);
	view_print(v, "\n");
	if (view_read(v, at, &b) && view_header(v, &b, at, kind, group))
		view_bitmap_runs(v, &b.map, of_blocks);
}

void view_bitmaps(struct view *v, uint32_t group)
{
	print_bitmap(v, group, true);
	print_bitmap(v, group, false);
}
