// SPDX-License-Identifier: MIT
/*
 * How anons come, and how they and the nodes that led to them go.
 *
 * What a tree gives up (anon.c) may still be mapped.  So whoever drops the last reference to an
 * anon or a node puts it into a grave: two chains, through the structures themselves, so that this
 * cannot fail.  When no translation reaches it any more, and no lock is held, the grave is buried.
 * Only then does a node drop its children; those that it was the last to refer to go into the same
 * grave, so that burying takes no recursion, however high the tree is.  Nodes and pages are freed
 * some at a time: the host and the slab take their locks once for all of these.
 */
#include "anon.h"

#include "meta.h"
#include "stats.h"

/* A page that is begun becomes an anon, before others of a chain. */
static inline struct mvm_page *anon_begin(struct mvm_page *page, struct mvm_page *next)
{
	page->anon_refs = 1;
	page->next_anon = next;
	return page;
}

struct mvm_page *anon_new(void)
{
	struct mvm_page *page = page_alloc();

	if (unlikely(!page))
		return NULL;
	anon_begin(page, NULL);
	COUNT(anon_pages, 1);
	return page;
}

struct mvm_page *anon_new_some(unsigned n)
{
	mvm_frame_t frames[MVM_RUN_PAGES];
	unsigned got = mvmh_frame_alloc_some(frames, n), made = 0;
	struct mvm_page *chain = NULL;

	/* The last first, so that the chain is as the host gave them. */
	for (; made < got; made++) {
		mvm_frame_t frame = frames[got - 1 - made];
		struct mvm_page *page = chain ? page_room_near(chain, frame) : page_room(frame);

		if (unlikely(!page))
			break;
		page_begin(page, frame);
		chain = anon_begin(page, chain);
	}
	if (unlikely(made < got))
		mvmh_frame_free_some(frames, got - made);
	COUNT(anon_pages, made);
	return chain;
}

void anon_put(struct mvm_page *anon, struct grave *grave)
{
	if (!ref_put(&anon->anon_refs))
		return;
	anon->next_anon = grave->anons;
	grave->anons = anon;
}

/* Free the first anons of the grave, a run of pages at a time. */
static OWN_FRAME void bury_some(struct grave *grave)
{
	mvm_frame_t frames[MVM_RUN_PAGES];
	unsigned n = 0, gone = 0;

	for (; grave->anons && n < MVM_RUN_PAGES; n++) {
		struct mvm_page *anon = grave->anons;

		grave->anons = anon->next_anon;
		if (page_leave(anon))
			frames[gone++] = anon->frame;
	}
	COUNT(anon_pages, -(long)n);
	mvmh_frame_free_some(frames, gone);
}

/* The children of a node that is gone. */
static void children_put(struct node *n, struct grave *grave)
{
	void **slot = n->slot;

	for (uint64_t rest = n->used; rest; rest >>= 1, slot++) {
		slot += skip_unused(&rest);
		if (n->level)
			node_put(*slot, grave);
		else
			anon_put(*slot, grave);
		*slot = NULL;
	}
	n->used = 0;
}

static OWN_FRAME void bury_nodes(struct grave *grave)
{
	struct node *n, *gone = NULL;
	unsigned n_gone = 0;

	while ((n = grave->nodes) != NULL) {
		grave->nodes = n->next_dead;
		if (!n->block || !large_bury(n))
			children_put(n, grave);
		*(struct node **)n = gone;
		gone = n;
		if (++n_gone == MVM_RUN_PAGES || !grave->nodes) {
			gone = slab_free_some(SLAB_NODE, gone, n_gone);
			n_gone = 0;
		}
	}
}

static OWN_FRAME void bury_all(struct grave *grave)
{
	bury_nodes(grave);
	while (grave->anons)
		bury_some(grave);
}

void anon_bury(struct grave *grave)
{
	struct mvm_page *anon = grave->anons;

	if (grave->nodes || !anon || anon->next_anon) {
		bury_all(grave);
		return;
	}
	grave->anons = NULL;
	COUNT(anon_pages, -1);
	if (page_leave(anon))
		mvmh_frame_free(anon->frame, 0);
}
