// SPDX-License-Identifier: MIT
/*
 * The page index of an object: a 64-way radix tree that grows at its root.
 *
 * An object of one page has one leaf; the height follows the largest index in use, so that small
 * files are found in one step.  A slot's tag says that some page below it is unclean: write-back
 * finds dirty pages of a large file without looking at the clean ones.
 *
 * All under the object's lock.  No recursion: paths are kept in an array.
 */
#include "object.h"

#include "meta.h"

/* 40 bits of index, 6 a level. */
#define LEVELS_MAX 7

static bool fits(const struct mvm_object *obj, mvm_pgoff_t index)
{
	return obj->levels > 0 && index < node_span(obj->levels);
}

struct mvm_page *index_get(struct mvm_object *obj, mvm_pgoff_t index)
{
	void *at = obj->root;

	if (unlikely(!fits(obj, index)))
		return NULL;
	for (unsigned level = obj->levels; at && level-- > 0;)
		at = ((struct node *)at)->slot[node_slot(index, level)];
	return at;
}

/* A first root that fits the index, or one more node above the root. */
static int grow(struct mvm_object *obj, mvm_pgoff_t index)
{
	unsigned levels = obj->levels + 1;
	struct node *n;

	while (!obj->root && index >= node_span(levels))
		levels++;
	n = node_new(levels - 1);
	if (!n)
		return -MVM_ENOMEM;
	if (obj->root) {
		node_set(n, 0, obj->root);
		n->tags = obj->root->tags != 0;
	}
	obj->root = n;
	obj->levels = levels;
	return 0;
}

/* Free the nodes of the path that hold nothing, from `level` up. */
static void prune(struct mvm_object *obj, struct node **path, unsigned level, mvm_pgoff_t index)
{
	while (level < obj->levels && !path[level]->used) {
		slab_free(SLAB_NODE, path[level++]);
		if (level == obj->levels)
			break;
		node_clear(path[level], node_slot(index, level));
	}
	if (level == obj->levels) {
		obj->root = NULL;
		obj->levels = 0;
	}
}

int index_insert(struct mvm_object *obj, mvm_pgoff_t index, struct mvm_page *page)
{
	struct node *path[LEVELS_MAX], *n;

	while (!fits(obj, index)) {
		if (grow(obj, index) != 0)
			return -MVM_ENOMEM; /* what grew so far is a valid tree */
	}
	n = obj->root;
	for (unsigned level = obj->levels; level-- > 0;) {
		if (!n) {
			n = node_new(level);
			if (!n) {
				prune(obj, path, level + 1, index);
				return -MVM_ENOMEM;
			}
			node_set(path[level + 1], node_slot(index, level + 1), n);
		}
		path[level] = n;
		n = n->slot[node_slot(index, level)];
	}
	MUST(n == NULL);
	node_set(path[0], node_slot(index, 0), page);
	return 0;
}

static void find_path(struct mvm_object *obj, mvm_pgoff_t index, struct node **path)
{
	struct node *n = obj->root;

	for (unsigned level = obj->levels; level-- > 0;) {
		path[level] = n;
		n = n->slot[node_slot(index, level)];
	}
}

void index_remove(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct node *path[LEVELS_MAX];

	find_path(obj, index, path);
	node_clear(path[0], node_slot(index, 0));
	prune(obj, path, 0, index);
}

void index_tag(struct mvm_object *obj, mvm_pgoff_t index, bool unclean)
{
	struct node *path[LEVELS_MAX];
	bool below = unclean;

	find_path(obj, index, path);
	for (unsigned level = 0; level < obj->levels; level++) {
		uint64_t bit = node_bit(node_slot(index, level));

		if (below)
			path[level]->tags |= bit;
		else
			path[level]->tags &= ~bit;
		below = path[level]->tags != 0;
	}
}

struct mvm_page *index_next(
	struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, bool unclean)
{
	return node_next(obj->root, obj->levels, &first, last, unclean);
}

/* Counts, tags and places of all pages agree. */
void index_check(struct mvm_object *obj)
{
	uint64_t cached = 0, dirty = 0, writeback = 0;
	struct mvm_page *page;

	MUST((obj->root == NULL) == (obj->levels == 0));
	for (mvm_pgoff_t at = 0; (page = index_next(obj, at, PAGE_INDEX_MAX, false)) != NULL;
		at++) {
		struct node *path[LEVELS_MAX] = {0};
		bool unclean = page->state & (PAGE_DIRTY | PAGE_WRITEBACK);

		at = page_index(page);
		MUST(page->object == obj && index_get(obj, at) == page);
		MUST(ref_count(&page->refs) >= 1);
		find_path(obj, at, path);
		MUST((path[0]->tags >> node_slot(at, 0) & 1) == unclean);
		for (unsigned level = 1; level < obj->levels; level++)
			MUST((path[level]->tags >> node_slot(at, level) & 1) ==
				(path[level - 1]->tags != 0));
		cached++;
		dirty += (page->state & PAGE_DIRTY) != 0;
		writeback += (page->state & PAGE_WRITEBACK) != 0;
	}
	MUST(cached == obj->cached && dirty == obj->dirty && writeback == obj->writeback);
}
