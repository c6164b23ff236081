// SPDX-License-Identifier: MIT
/*
 * The page index of an object: a 64-way radix tree that grows at its root.
 *
 * An object of one page has one leaf; the height follows the largest index in use, so that small
 * files are found in one step.  A slot's tag says that some page below it is unclean: write-back
 * finds dirty pages of a large file without looking at the clean ones.
 *
 * All under the object's lock.  No recursion, and no array of a path's nodes: what has to be done
 * from the leaf up to where the path joins others is done on a second way down, from there.
 */
#include "object.h"

#include "meta.h"

struct mvm_page *index_get(struct mvm_object *obj, mvm_pgoff_t index)
{
	return index_get_here(obj, index);
}

void *const *index_run(struct mvm_object *obj, mvm_pgoff_t index, unsigned *n)
{
	unsigned slot = node_slot(index, 0), level = obj->levels;
	struct node *at = obj->root;

	*n = (unsigned)min_u64(*n, NODE_SLOTS - slot);
	object_work(obj, *n);
	if (!index_fits(obj, index))
		return NULL;
	while (at && --level > 0)
		at = at->slot[node_slot(index, level)];
	return at ? &at->slot[slot] : NULL;
}

/* A first root that fits the index, or one more node above the root. */
static OWN_FRAME int grow(struct mvm_object *obj, mvm_pgoff_t index)
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

/* The nodes on the way to the index that hold nothing but this way are freed. */
static void prune(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct node *keep = NULL, *n, *next; /* keep: the lowest that holds something else */
	unsigned level = obj->levels;

	for (n = obj->root; n && level-- > 0; n = n->slot[node_slot(index, level)])
		if (n->used & ~node_bit(node_slot(index, level)))
			keep = n;
	n = obj->root;
	if (keep) {
		n = keep->slot[node_slot(index, keep->level)];
		node_clear(keep, node_slot(index, keep->level));
	} else {
		obj->root = NULL;
		obj->levels = 0;
	}
	for (level = keep ? keep->level : n->level + 1; n && level-- > 0; n = next) {
		next = n->slot[node_slot(index, level)];
		node_clear(n, node_slot(index, level));
		node_free(n);
	}
}

int index_insert(struct mvm_object *obj, mvm_pgoff_t index, struct mvm_page *page)
{
	struct node *n, *child;

	while (!index_fits(obj, index)) {
		if (grow(obj, index) != 0)
			return -MVM_ENOMEM; /* what grew so far is a valid tree */
	}
	for (n = obj->root; n->level > 0; n = child) {
		child = n->slot[node_slot(index, n->level)];
		if (child)
			continue;
		child = node_new(n->level - 1);
		if (!child) {
			prune(obj, index);
			return -MVM_ENOMEM;
		}
		node_set(n, node_slot(index, n->level), child);
	}
	MUST(n->slot[node_slot(index, 0)] == NULL);
	node_set(n, node_slot(index, 0), page);
	return 0;
}

static struct node *leaf_of(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct node *n = obj->root;

	while (n->level > 0)
		n = n->slot[node_slot(index, n->level)];
	return n;
}

void index_remove(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct node *leaf = leaf_of(obj, index);

	node_clear(leaf, node_slot(index, 0));
	if (!leaf->used)
		prune(obj, index);
}

void index_tag(struct mvm_object *obj, mvm_pgoff_t index)
{
	unsigned level = obj->levels;

	for (struct node *n = obj->root; level-- > 0; n = n->slot[node_slot(index, level)])
		n->tags |= node_bit(node_slot(index, level));
}

/* From the lowest node that has another tag down; from the root if none has. */
void index_untag(struct mvm_object *obj, mvm_pgoff_t index)
{
	struct node *from = obj->root, *n = obj->root;
	unsigned level = obj->levels;

	for (; level-- > 0; n = n->slot[node_slot(index, level)])
		if (n->tags & ~node_bit(node_slot(index, level)))
			from = n;
	level = from->level + 1;
	for (n = from; level-- > 0; n = n->slot[node_slot(index, level)])
		n->tags &= ~node_bit(node_slot(index, level));
}

struct mvm_page *index_next(
	struct mvm_object *obj, mvm_pgoff_t first, mvm_pgoff_t last, bool unclean)
{
	object_work(obj, 1);
	return node_next(obj->root, obj->levels, &first, last, unclean);
}

static void check_tags(struct mvm_object *obj, mvm_pgoff_t index, bool unclean)
{
	for (struct node *n = obj->root; n; n = n->slot[node_slot(index, n->level)]) {
		bool tagged = n->tags & node_bit(node_slot(index, n->level));
		const struct node *below = n->slot[node_slot(index, n->level)];

		MUST(tagged == (n->level > 0 ? below->tags != 0 : unclean));
		if (n->level == 0)
			break;
	}
}

/* Counts, tags and places of all pages agree. */
void index_check(struct mvm_object *obj)
{
	uint64_t cached = 0, dirty = 0, writeback = 0, n_unclean = 0;
	struct mvm_page *page;

	MUST((obj->root == NULL) == (obj->levels == 0));
	for (mvm_pgoff_t at = 0; (page = index_next(obj, at, PAGE_INDEX_MAX, false)) != NULL;
		at++) {
		bool unclean = page->state & (PAGE_DIRTY | PAGE_WRITEBACK);

		obj->work = 0; /* a check may take its time */
		at = page_index(page);
		MUST(page->object == obj && index_get(obj, at) == page);
		MUST(ref_count(&page->refs) >= 1);
		check_tags(obj, at, unclean);
		cached++;
		n_unclean += unclean;
		dirty += (page->state & PAGE_DIRTY) != 0;
		writeback += (page->state & PAGE_WRITEBACK) != 0;
	}
	MUST(cached == obj->cached && n_unclean == obj->unclean_n);
	MUST(dirty == obj->dirty && writeback == obj->writeback);
}
