// SPDX-License-Identifier: MIT
/* What the two kinds of radix tree have in common. */
#include "node.h"

#include "meta.h"

struct node *node_new(unsigned level)
{
	struct node *n = slab_alloc(SLAB_NODE);

	if (n) {
		__builtin_memset(n, 0, sizeof(*n));
		n->refs = 1;
		n->level = (uint16_t)level;
	}
	return n;
}

void *node_next(struct node *root, unsigned levels, uint64_t *key, uint64_t last, bool tagged)
{
	while (root && *key <= last && *key < node_span(levels)) {
		struct node *n = root;
		unsigned level = levels;

		for (;;) {
			unsigned slot = node_slot(*key, --level);
			uint64_t rest = (tagged ? n->tags : n->used) >> slot;

			if (!rest) /* go on behind this node */
				break;
			if (!(rest & 1)) {
				slot += lowest_bit(rest);
				*key &= ~(node_span(level + 1) - 1);
				*key += slot * node_span(level);
			}
			if (level == 0)
				return *key <= last ? n->slot[slot] : NULL;
			n = n->slot[slot];
		}
		*key = (*key | (node_span(level + 1) - 1)) + 1;
	}
	return NULL;
}
