// SPDX-License-Identifier: MIT
/*
 * Promises: a page of a file that may be stored to has a block reserved, until it is written or
 * leaves the cache.  Exactly one, however often it is asked for; so they are a set: bits of 64
 * pages in nodes that are hashed by file and page number.
 *
 * Promises end under locks that forbid freeing memory, so empty nodes go to a list of spares, from
 * which new ones come.
 *
 * The node is also the unit for what an extent tree will need: 64 neighbouring pages, however
 * scattered their blocks, split at most one leaf, so the worst case of metadata is a constant a
 * node and not a page.
 */
#include "mapfs.h"

static struct mapfs_promise **bucket_of(struct mapfs *fs, uint32_t ino, uint32_t chunk)
{
	return &fs->promises.bucket[(ino * 31 + chunk) % MAPFS_PROMISE_BUCKETS];
}

/* Where the node is linked, or would be: **link is it or NULL.  Spin lock held. */
static struct mapfs_promise **find_link(struct mapfs *fs, uint32_t ino, uint32_t chunk)
{
	struct mapfs_promise **link = bucket_of(fs, ino, chunk);

	while (*link && ((*link)->ino != ino || (*link)->chunk != chunk))
		link = &(*link)->next;
	return link;
}

static uint64_t bit_of(uint32_t page)
{
	return (uint64_t)1 << page % 64;
}

bool mapfs_promised(struct mapfs *fs, uint32_t ino, uint32_t page)
{
	struct mapfs_promise *node;
	bool promised;

	fsh_spin_lock(&fs->promises.lock);
	node = *find_link(fs, ino, page / 64);
	promised = node && node->pages & bit_of(page);
	fsh_spin_unlock(&fs->promises.lock);
	return promised;
}

/* Add the page to the set, with `fresh` when there is no node; false when it was there. */
static bool promise_add(struct mapfs *fs, uint32_t ino, uint32_t page, struct mapfs_promise **fresh)
{
	struct mapfs_promise **link;
	bool added;

	fsh_spin_lock(&fs->promises.lock);
	link = find_link(fs, ino, page / 64);
	if (!*link) {
		*link = *fresh;
		*fresh = NULL;
	}
	added = !((*link)->pages & bit_of(page));
	(*link)->pages |= bit_of(page);
	fsh_spin_unlock(&fs->promises.lock);
	return added;
}

/* A node for a chunk: a spare one or a new one. */
static struct mapfs_promise *node_get(struct mapfs *fs, uint32_t ino, uint32_t chunk)
{
	struct mapfs_promise *node;

	fsh_spin_lock(&fs->promises.lock);
	node = fs->promises.spare;
	if (node)
		fs->promises.spare = node->next;
	fsh_spin_unlock(&fs->promises.lock);
	if (!node)
		node = fsh_alloc(sizeof(*node));
	if (node)
		*node = (struct mapfs_promise){.ino = ino, .chunk = chunk};
	return node;
}

static void node_put(struct mapfs *fs, struct mapfs_promise *node)
{
	node->next = fs->promises.spare;
	fs->promises.spare = node;
}

int mapfs_promise(struct mapfs *fs, uint32_t ino, uint32_t page)
{
	struct mapfs_promise *fresh;
	int err;

	if (mapfs_promised(fs, ino, page))
		return 0;
	fresh = node_get(fs, ino, page / 64);
	if (!fresh)
		return -ENOMEM;
	err = mapfs_reserve(fs, 1);
	if (!err && !promise_add(fs, ino, page, &fresh))
		mapfs_unreserve(fs, 1);
	fsh_free(fresh);
	return err;
}

bool mapfs_promise_drop(struct mapfs *fs, uint32_t ino, uint32_t page, bool used)
{
	struct mapfs_promise **link, *node;
	bool promised;

	fsh_spin_lock(&fs->promises.lock);
	link = find_link(fs, ino, page / 64);
	node = *link;
	promised = node && node->pages & bit_of(page);
	if (promised) {
		node->pages &= ~bit_of(page);
		if (node->pages == 0) {
			*link = node->next;
			node_put(fs, node);
		}
	}
	fsh_spin_unlock(&fs->promises.lock);
	if (promised && !used)
		mapfs_unreserve(fs, 1);
	return promised;
}

void mapfs_promises_trim(struct mapfs *fs)
{
	struct mapfs_promise *spare, *next;

	fsh_spin_lock(&fs->promises.lock);
	spare = fs->promises.spare;
	fs->promises.spare = NULL;
	fsh_spin_unlock(&fs->promises.lock);
	for (; spare; spare = next) {
		next = spare->next;
		fsh_free(spare);
	}
}

void mapfs_promises_destroy(struct mapfs *fs)
{
	mapfs_promises_trim(fs);
	for (unsigned i = 0; i < MAPFS_PROMISE_BUCKETS; i++)
		fsh_assert(!fs->promises.bucket[i]);
}
