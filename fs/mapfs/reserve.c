// SPDX-License-Identifier: MIT
/*
 * Promises: a page of a file that may be stored to has a block reserved, until it is written or
 * leaves the cache.  Exactly one, however often it is asked for; so they are a set: bits of 64
 * pages in nodes that are hashed by file and page number.
 *
 * Promises end under locks that forbid freeing memory, so empty nodes go to a list of spares, from
 * which new ones come.
 *
 * A node also stands for what the tree of extents may need to hold these 64 pages, wherever their
 * blocks are: a constant a node (MAPFS_PROMISE_NODES), reserved with its first page, kept in a pool
 * of the inode, and given back when the chunk's last page is written or gone.  It is nearly always
 * too much; so before a store hears that there is no space, what is dirty is written.
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

/* Spin lock held. */
static bool promised(struct mapfs *fs, uint32_t ino, uint32_t page)
{
	struct mapfs_promise *node = *find_link(fs, ino, page / 64);

	return node && node->pages & bit_of(page);
}

bool mapfs_promised(struct mapfs_inode *inode, uint32_t page)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);
	bool is;

	fsh_spin_lock(&fs->promises.lock);
	is = promised(fs, mapfs_ino(inode), page);
	fsh_spin_unlock(&fs->promises.lock);
	return is;
}

/*
 * Add the page to the set, with `fresh` when there is no node for it; `reserved` blocks were
 * reserved, which is 1, and with a fresh node those for the tree.  False: that is not so, because
 * the page is promised, or because the node went or came meanwhile.
 */
static bool promise_add(
	struct mapfs_inode *inode, uint32_t page, struct mapfs_promise *fresh, uint64_t reserved)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);
	struct mapfs_promise **link;
	bool added;

	fsh_spin_lock(&fs->promises.lock);
	link = find_link(fs, mapfs_ino(inode), page / 64);
	added = (*link != NULL) == (fresh == NULL) && !promised(fs, mapfs_ino(inode), page);
	if (added && fresh) {
		*link = fresh;
		inode->promised_chunks++;
		inode->promised_nodes += (uint32_t)reserved - 1;
		fs->promises.nodes += reserved - 1;
	}
	if (added) {
		(*link)->pages |= bit_of(page);
		fs_write(inode->promised_pages, inode->promised_pages + 1);
	}
	fsh_spin_unlock(&fs->promises.lock);
	return added;
}

static bool chunk_promised(struct mapfs_inode *inode, uint32_t page)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);
	bool is;

	fsh_spin_lock(&fs->promises.lock);
	is = *find_link(fs, mapfs_ino(inode), page / 64);
	fsh_spin_unlock(&fs->promises.lock);
	return is;
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

uint32_t mapfs_promised_pages(struct mapfs_inode *inode)
{
	return fs_read(inode->promised_pages);
}

uint32_t mapfs_promised_nodes(struct mapfs_inode *inode)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);
	uint32_t n;

	fsh_spin_lock(&fs->promises.lock);
	n = inode->promised_nodes;
	fsh_spin_unlock(&fs->promises.lock);
	return n;
}

uint64_t mapfs_all_promised_nodes(struct mapfs *fs)
{
	uint64_t n;

	fsh_spin_lock(&fs->promises.lock);
	n = fs->promises.nodes;
	fsh_spin_unlock(&fs->promises.lock);
	return n;
}

/*
 * One attempt; *added is false when another thread came in between.  When nothing is left, but
 * dirty pages hold more for trees than writing them will take, that is -EAGAIN: it comes back with
 * their write-back.
 */
static int try_promise(struct mapfs_inode *inode, uint32_t page, bool *added)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);
	struct mapfs_promise *fresh = NULL;
	uint64_t need = 1;
	int err;

	if (!chunk_promised(inode, page)) {
		need += MAPFS_PROMISE_NODES;
		fresh = node_get(fs, mapfs_ino(inode), page / 64);
		if (!fresh)
			return -ENOMEM;
	}
	err = mapfs_reserve_data(fs, need);
	if (err == -ENOSPC && mapfs_all_promised_nodes(fs) > 0)
		err = -EAGAIN;
	if (!err) {
		*added = promise_add(inode, page, fresh, need);
		if (!*added)
			mapfs_unreserve(fs, need);
	}
	if (err || !*added)
		fsh_free(fresh);
	return err;
}

int mapfs_promise(struct mapfs_inode *inode, uint32_t page)
{
	bool added = false;
	int err = 0;

	while (!err && !added && !mapfs_promised(inode, page))
		err = try_promise(inode, page, &added);
	return err;
}

/* What the pool has above what the chunks that are left may need.  Spin lock held. */
static uint32_t take_surplus(struct mapfs_inode *inode)
{
	uint32_t wanted = inode->promised_chunks * MAPFS_PROMISE_NODES, surplus = 0;

	if (inode->promised_nodes > wanted) {
		surplus = inode->promised_nodes - wanted;
		inode->promised_nodes = wanted;
		mapfs_of(&inode->vnode)->promises.nodes -= surplus;
	}
	return surplus;
}

bool mapfs_promise_drop(struct mapfs_inode *inode, uint32_t page, bool used)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);
	struct mapfs_promise **link, *node;
	uint64_t back = 0;
	bool was;

	fsh_spin_lock(&fs->promises.lock);
	was = promised(fs, mapfs_ino(inode), page);
	if (was) {
		link = find_link(fs, mapfs_ino(inode), page / 64);
		node = *link;
		node->pages &= ~bit_of(page);
		fs_write(inode->promised_pages, inode->promised_pages - 1);
		if (node->pages == 0) {
			*link = node->next;
			node_put(fs, node);
			inode->promised_chunks--;
		}
		back = take_surplus(inode) + !used;
	}
	fsh_spin_unlock(&fs->promises.lock);
	if (back)
		mapfs_unreserve(fs, back);
	return was;
}

void mapfs_promise_nodes_used(struct mapfs_inode *inode, uint32_t n)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);

	fsh_spin_lock(&fs->promises.lock);
	fsh_assert(inode->promised_nodes >= n);
	inode->promised_nodes -= n;
	fs->promises.nodes -= n;
	fsh_spin_unlock(&fs->promises.lock);
}

/* --- Writing them ------------------------------------------------------------------------ */

static int write_pages_of(struct mapfs_inode *inode)
{
	struct mvm_object *obj;
	int err;

	if (!mapfs_promised_nodes(inode))
		return 0;
	obj = vnode_object(&inode->vnode);
	err = mvm_pc_flush(obj, 0, ~(mvm_pgoff_t)0, MVM_PC_WAIT);
	mvm_object_unref(obj);
	return err;
}

/* An error is told to those who sync the file. */
static int write_pages_of_any(struct vnode *v, void *arg)
{
	(void)arg;
	if (vnode_is(v, FS_IFREG))
		(void)write_pages_of(mapfs_inode_of(v));
	return 0;
}

/* The caller may have its vnode's lock: what becomes of vnodes that go meanwhile takes none. */
int mapfs_promises_settle(struct mapfs_inode *inode)
{
	struct mapfs *fs = mapfs_of(&inode->vnode);
	uint64_t before = mapfs_all_promised_nodes(fs);

	if (mapfs_promised_nodes(inode))
		return write_pages_of(inode);
	(void)vnode_for_each(fs->mount, write_pages_of_any, NULL);
	return before && mapfs_all_promised_nodes(fs) >= before ? -ENOSPC : 0;
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
