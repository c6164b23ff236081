// SPDX-License-Identifier: MIT
/* What the two kinds of radix tree have in common. */
#include "node.h"

#include "meta.h"

struct node *node_new(unsigned level)
{
	struct node *n = slab_alloc(SLAB_NODE);

	if (n) {
		if (unlikely(n->used != 0))
			__builtin_memset(n->slot, 0, sizeof(n->slot));
		n->refs = 1;
		n->level = (uint8_t)level;
		n->shift = (uint8_t)node_shift(level);
		n->block = false;
		n->used = 0;
		n->tags = 0;
	}
	return n;
}

void node_free(struct node *n)
{
	slab_free(SLAB_NODE, n);
}

void node_check_free(const struct node *n)
{
	for (unsigned slot = 0; slot < NODE_SLOTS; slot++)
		MUST(n->used || !n->slot[slot]);
}

void *node_next(struct node *root, unsigned levels, uint64_t *key, uint64_t last, bool tagged)
{
	while (root && *key <= last && *key < node_span(levels)) {
		struct node *n = root;
		unsigned above = levels, level;

		for (;; above = level) {
			unsigned slot;
			uint64_t rest;

			if (unlikely(!node_on_way(n, above, *key))) {
				uint64_t begin = node_begin(n, above, *key);

				if (begin < *key)
					break;
				*key = begin;
			}
			level = n->level;
			slot = node_slot(*key, level);
			rest = (tagged ? n->tags : n->used) >> slot;
			if (!rest) {
				above = level + 1;
				break;
			}
			if (!(rest & 1)) {
				slot += lowest_bit(rest);
				*key &= ~(node_span(level + 1) - 1);
				*key += slot * node_span(level);
			}
			if (level == 0)
				return *key <= last ? n->slot[slot] : NULL;
			n = n->slot[slot];
		}
		*key = (*key | (node_span(above) - 1)) + 1; /* go on behind */
	}
	return NULL;
}
