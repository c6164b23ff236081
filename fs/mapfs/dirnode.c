// SPDX-License-Identifier: MIT
#include "dirnode.h"

#include "layout.h"
#include "siphash.h"

#include <string.h>

#define CHILD_BYTES ((unsigned)sizeof(struct mapfs_dir_child))

/* All zeros would make cookies that the vfs uses, all ones would have none behind them. */
uint64_t mapfs_name_hash(const struct mapfs_super *sb, const char *name, size_t n)
{
	uint64_t hash = mapfs_siphash(sb->hash_key, name, n) >> 16;

	if (hash == 0)
		return 1;
	return hash == MAPFS_DIR_HASH_MAX ? MAPFS_DIR_HASH_MAX - 1 : hash;
}

unsigned mapfs_dir_record_bytes(const struct mapfs_dir_node *node, unsigned at)
{
	if (node->depth)
		return CHILD_BYTES;
	return MAPFS_DIRENT_BYTES(mapfs_dirent_at(node, at)->name_len);
}

unsigned mapfs_dir_seek(const struct mapfs_dir_node *node, uint64_t key)
{
	unsigned at = 0;

	while (at < node->bytes && mapfs_dir_key_at(node, at) < key)
		at += mapfs_dir_record_bytes(node, at);
	return at;
}

unsigned mapfs_dir_seek_child(const struct mapfs_dir_node *node, uint64_t key)
{
	unsigned low = 0, high = node->bytes / CHILD_BYTES;

	while (high - low > 1) {
		unsigned middle = (low + high) / 2;
		if (mapfs_dir_key_at(node, middle * CHILD_BYTES) <= key)
			low = middle;
		else
			high = middle;
	}
	return low * CHILD_BYTES;
}

void mapfs_dir_insert(struct mapfs_dir_node *node, unsigned at, uint64_t key, unsigned bytes)
{
	uint8_t *p = node->records + at;

	memmove(p + bytes, p, node->bytes - at);
	memset(p, 0, bytes);
	mapfs_dir_child_at(node, at)->key = key;
	node->bytes = (uint16_t)(node->bytes + bytes);
}

void mapfs_dir_erase(struct mapfs_dir_node *node, unsigned at)
{
	unsigned bytes = mapfs_dir_record_bytes(node, at);

	node->bytes = (uint16_t)(node->bytes - bytes);
	memmove(node->records + at, node->records + at + bytes, node->bytes - at);
	memset(node->records + node->bytes, 0, bytes);
}

void mapfs_dir_split(struct mapfs_dir_node *node, struct mapfs_dir_node *right)
{
	unsigned at = 0;

	while (at < node->bytes / 2u)
		at += mapfs_dir_record_bytes(node, at);
	right->depth = node->depth;
	right->bytes = (uint16_t)(node->bytes - at);
	memcpy(right->records, node->records + at, right->bytes);
	memset(node->records + at, 0, right->bytes);
	node->bytes = (uint16_t)at;
}

void mapfs_dir_join(struct mapfs_dir_node *left, struct mapfs_dir_node *right, uint64_t from)
{
	if (right->depth)
		mapfs_dir_child_at(right, 0)->key = from;
	memcpy(left->records + left->bytes, right->records, right->bytes);
	left->bytes = (uint16_t)(left->bytes + right->bytes);
	right->bytes = 0;
}

void mapfs_dir_copy(struct mapfs_dir_node *node, const struct mapfs_dir_node *from)
{
	node->depth = from->depth;
	node->bytes = from->bytes;
	memcpy(node->records, from->records, sizeof(node->records));
}

static const char *entry_fault(
	const struct mapfs_super *sb, const struct mapfs_dir_node *node, unsigned at)
{
	const struct mapfs_dirent *e = mapfs_dirent_at(node, at);

	if (!mapfs_ino_valid(sb, e->ino))
		return "has a directory entry for an impossible inode";
	if (!mapfs_name_valid(e->name, e->name_len))
		return "has a directory entry with an impossible name";
	return NULL;
}

static const char *record_fault(
	const struct mapfs_super *sb, const struct mapfs_dir_node *node, unsigned at)
{
	unsigned left = node->bytes - at;

	if (left < CHILD_BYTES || left < mapfs_dir_record_bytes(node, at))
		return "has a directory entry that does not fit";
	if (mapfs_dir_key_at(node, at) >= MAPFS_DIR_KEY_END)
		return "has an impossible key";
	if (!node->depth)
		return entry_fault(sb, node, at);
	if (!mapfs_data_run_valid(sb, mapfs_dir_child_at(node, at)->block, 1))
		return "leads outside the data area";
	return NULL;
}

const char *mapfs_dir_node_fault(const struct mapfs_super *sb, const struct mapfs_dir_node *node)
{
	uint64_t next = 0;

	if (node->depth > MAPFS_DIR_MAX_DEPTH || node->bytes > MAPFS_DIR_NODE_BYTES ||
		(node->depth && node->bytes == 0))
		return "has impossible sizes";
	for (unsigned at = 0; at < node->bytes; at += mapfs_dir_record_bytes(node, at)) {
		const char *fault = record_fault(sb, node, at);
		if (fault)
			return fault;
		if (mapfs_dir_key_at(node, at) < next)
			return "has keys out of order";
		next = mapfs_dir_key_at(node, at) + 1;
	}
	return NULL;
}

const char *mapfs_dir_place_fault(
	const struct mapfs_dir_node *node, unsigned depth, bool is_root, uint64_t from, uint64_t to)
{
	if (node->depth != depth)
		return "is no node of its tree";
	if (node->bytes == 0)
		return is_root ? NULL : "is an empty node";
	if (mapfs_dir_seek(node, to) != node->bytes)
		return "has keys of another part of its tree";
	if (depth == 0 && mapfs_dir_key_at(node, 0) < from)
		return "has keys of another part of its tree";
	if (depth && node->bytes > CHILD_BYTES && mapfs_dir_key_at(node, CHILD_BYTES) <= from)
		return "has keys of another part of its tree";
	return NULL;
}
