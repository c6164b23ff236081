// SPDX-License-Identifier: MIT
/*
 * The metadata cache: hashed by block number, bounded, unused buffers in order of last use.
 *
 * The bound is a limit that holds on any machine, or, where there is more memory, a share of what
 * could be had: looked at when the cache is full, so that a large folder stays in it, and when
 * memory is short, so that it is given back.  Then pages of files and private memory take what they
 * want, and the share of what is left is small.
 *
 * A buffer is pinned by references (whoever looks at it, transactions that will change it, the
 * collecting group, and the log while it has something newer than what is in place).  The bound is
 * soft: pinned buffers may pass it, and the surplus goes as the pins do.
 *
 * A buffer of a block that was freed may stay: whoever uses the block for metadata again begins
 * with mapfs_buf_new(), and the group that freed it is durable before anybody can.
 *
 * The lock is never held while reading: a buffer that is being read is busy, and others that want
 * it wait for that.  A failed read leaves the buffer invalid, and whoever comes next tries again.
 */
#include "mapfs.h"

#include "dirnode.h"

#include <string.h>

void mapfs_cache_init(struct mapfs_cache *cache, size_t limit)
{
	fsh_mutex_init(&cache->lock, "mapfs cache", FSH_RANK_CACHE);
	fsh_cond_init(&cache->read_done);
	cache->idle.idle_next = cache->idle.idle_prev = &cache->idle;
	cache->limit = cache->bound = limit;
}

/* One part in so many of the memory that could be had; with 64 MiB that is less than the limit. */
#define SHARE 16

static void set_bound(struct mapfs_cache *cache)
{
	uint64_t all, available = 0;

	if (!cache->fixed)
		fsh_page_counts(&all, &available);
	cache->bound = available / SHARE > cache->limit ? available / SHARE : cache->limit;
}

static struct mapfs_buf *buf_of(const struct fs_link *link)
{
	return (struct mapfs_buf *)((char *)link - offsetof(struct mapfs_buf, link));
}

static void idle_add(struct mapfs_cache *cache, struct mapfs_buf *buf)
{
	buf->idle_next = &cache->idle;
	buf->idle_prev = cache->idle.idle_prev;
	buf->idle_prev->idle_next = buf;
	cache->idle.idle_prev = buf;
}

static void idle_remove(struct mapfs_buf *buf)
{
	buf->idle_prev->idle_next = buf->idle_next;
	buf->idle_next->idle_prev = buf->idle_prev;
}

/* Unused, and on no list but its chain. */
static void buf_destroy(struct mapfs_cache *cache, struct mapfs_buf *buf)
{
	fs_table_remove(&cache->table, &buf->link);
	fs_table_fit(&cache->table);
	cache->n_bufs--;
	fsh_page_free(buf->data);
	fsh_free(buf);
}

static size_t shrink_locked(struct mapfs_cache *cache, size_t keep)
{
	struct mapfs_buf *buf;
	size_t n = 0;

	while (cache->n_bufs > keep && (buf = cache->idle.idle_next) != &cache->idle) {
		idle_remove(buf);
		buf_destroy(cache, buf);
		n++;
	}
	return n;
}

size_t mapfs_cache_shrink(struct mapfs *fs, size_t keep)
{
	size_t n;

	fsh_mutex_lock(&fs->cache.lock);
	n = shrink_locked(&fs->cache, keep);
	fsh_mutex_unlock(&fs->cache.lock);
	return n;
}

void mapfs_cache_trim(struct mapfs *fs)
{
	fsh_mutex_lock(&fs->cache.lock);
	set_bound(&fs->cache);
	shrink_locked(&fs->cache, fs->cache.bound);
	fsh_mutex_unlock(&fs->cache.lock);
}

void mapfs_cache_destroy(struct mapfs_cache *cache)
{
	shrink_locked(cache, 0);
	fsh_assert(cache->n_bufs == 0);
	fs_table_fini(&cache->table);
	fsh_cond_destroy(&cache->read_done);
	fsh_mutex_destroy(&cache->lock);
}

static struct mapfs_buf *cache_find(struct mapfs_cache *cache, uint64_t block)
{
	struct fs_link *link = *fs_table_chain(&cache->table, (uint32_t)block);
	struct mapfs_buf *buf;

	while (link && buf_of(link)->block != block)
		link = link->next;
	if (!link)
		return NULL;
	buf = buf_of(link);
	if (buf->refs++ == 0)
		idle_remove(buf);
	return buf;
}

/* A new buffer with one reference, in the table. */
static struct mapfs_buf *cache_add(struct mapfs_cache *cache, uint64_t block)
{
	struct mapfs_buf *buf;

	if (cache->n_bufs >= cache->bound) {
		set_bound(cache);
		shrink_locked(cache, cache->bound - 1);
	}
	buf = fsh_alloc(sizeof(*buf));
	if (!buf)
		return NULL;
	buf->data = fsh_page_alloc();
	if (!buf->data) {
		fsh_free(buf);
		return NULL;
	}
	buf->block = block;
	buf->refs = 1;
	buf->link.hash = (uint32_t)block;
	fs_table_insert(&cache->table, &buf->link);
	fs_table_fit(&cache->table);
	cache->n_bufs++;
	return buf;
}

static void put_locked(struct mapfs_cache *cache, struct mapfs_buf *buf)
{
	fsh_assert(buf->refs > 0);
	if (--buf->refs)
		return;
	if (!buf->valid || cache->n_bufs > cache->bound)
		buf_destroy(cache, buf);
	else
		idle_add(cache, buf);
}

static const char *node_fault(struct mapfs *fs, const struct mapfs_extent_node *node)
{
	uint64_t at = 0;

	if (node->n == 0 || node->n > MAPFS_NODE_EXTENTS || node->depth >= MAPFS_MAX_DEPTH)
		return "has an impossible count of extents";
	return mapfs_extents_fault(
		&fs->sb, node->entry, node->n, MAPFS_NODE_EXTENTS, node->depth, &at);
}

/* The buffer is busy: read and verify it, without the lock. */
static int buf_read(struct mapfs *fs, struct mapfs_buf *buf, enum mapfs_kind kind, uint32_t owner)
{
	uint64_t at = mapfs_recovery_find(fs->recovery, buf->block);
	const char *fault;
	int err;

	err = blk_read(fs->dev, at * MAPFS_BLOCK_SECTORS, buf->data, MAPFS_BLOCK_BYTES);
	if (err)
		return err;
	fault = mapfs_block_fault(fs->seed, buf->data, buf->block, kind, owner);
	if (!fault && kind == MAPFS_KIND_DIR)
		fault = mapfs_dir_node_fault(&fs->sb, buf->data);
	if (!fault && kind == MAPFS_KIND_EXTENTS)
		fault = node_fault(fs, buf->data);
	if (!fault && (kind == MAPFS_KIND_BLOCK_MAP || kind == MAPFS_KIND_INODE_MAP))
		fault = mapfs_bitmap_fault(&fs->sb, buf->data, kind, owner);
	return fault ? mapfs_damaged(fs, "block", buf->block, fault) : 0;
}

/* The first user of an invalid buffer reads it; the cache is locked, except meanwhile. */
static int buf_fill(struct mapfs *fs, struct mapfs_buf *buf, enum mapfs_kind kind, uint32_t owner)
{
	struct mapfs_cache *cache = &fs->cache;
	int err;

	buf->busy = true;
	fsh_mutex_unlock(&cache->lock);
	err = buf_read(fs, buf, kind, owner);
	fsh_mutex_lock(&cache->lock);
	buf->busy = false;
	if (!err) {
		buf->kind = kind;
		buf->owner = owner;
		buf->valid = true;
	}
	fsh_cond_broadcast(&cache->read_done);
	return err;
}

int mapfs_buf_get(struct mapfs *fs, uint64_t block, enum mapfs_kind kind, uint32_t owner,
	struct mapfs_buf **out)
{
	struct mapfs_cache *cache = &fs->cache;
	struct mapfs_buf *buf;
	int err = 0;

	fsh_mutex_lock(&cache->lock);
	buf = cache_find(cache, block);
	if (!buf)
		buf = cache_add(cache, block);
	if (!buf) {
		fsh_mutex_unlock(&cache->lock);
		return -ENOMEM;
	}
	while (buf->busy)
		fsh_cond_wait(&cache->read_done, &cache->lock);
	if (!buf->valid)
		err = buf_fill(fs, buf, kind, owner);
	else if (buf->kind != (uint32_t)kind || buf->owner != owner)
		err = mapfs_damaged(fs, "block", block, "is used for two things");
	if (err)
		put_locked(cache, buf);
	fsh_mutex_unlock(&cache->lock);
	if (!err)
		*out = buf;
	return err;
}

int mapfs_buf_new(struct mapfs *fs, uint64_t block, enum mapfs_kind kind, uint32_t owner,
	struct mapfs_buf **out)
{
	struct mapfs_cache *cache = &fs->cache;
	struct mapfs_header *h;
	struct mapfs_buf *buf;
	int err = 0;

	fsh_mutex_lock(&cache->lock);
	buf = cache_find(cache, block);
	if (!buf)
		buf = cache_add(cache, block);
	if (!buf) {
		err = -ENOMEM;
	} else if (buf->refs > 1) {
		err = mapfs_damaged(fs, "block", block, "is free but in use");
		put_locked(cache, buf);
	} else {
		h = buf->data;
		memset(buf->data, 0, MAPFS_BLOCK_BYTES);
		h->kind = buf->kind = kind;
		h->owner = buf->owner = owner;
		h->block = block;
		buf->valid = true;
		*out = buf;
	}
	fsh_mutex_unlock(&cache->lock);
	return err;
}

struct mapfs_buf *mapfs_buf_ref(struct mapfs *fs, struct mapfs_buf *buf)
{
	fsh_mutex_lock(&fs->cache.lock);
	fsh_assert(buf->refs > 0);
	buf->refs++;
	fsh_mutex_unlock(&fs->cache.lock);
	return buf;
}

void mapfs_buf_put(struct mapfs *fs, struct mapfs_buf *buf)
{
	if (!buf)
		return;
	fsh_mutex_lock(&fs->cache.lock);
	put_locked(&fs->cache, buf);
	fsh_mutex_unlock(&fs->cache.lock);
}
