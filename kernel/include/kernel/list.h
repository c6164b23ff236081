// SPDX-License-Identifier: MIT
/*
 * Doubly linked lists, intrusive and circular: a head is a node that belongs to no element.
 *
 * A node that is initialized or removed points to itself, so that list_remove() is harmless on it
 * and list_empty() tells whether it is queued.  Locking is the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *node)
{
	node->next = node->prev = node;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

/* node is not in a list. */
static inline void list_insert_after(struct list *where, struct list *node)
{
	node->prev = where;
	node->next = where->next;
	where->next->prev = node;
	where->next = node;
}

static inline void list_push_front(struct list *head, struct list *node)
{
	list_insert_after(head, node);
}

static inline void list_push_back(struct list *head, struct list *node)
{
	list_insert_after(head->prev, node);
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* The element that has `node` as its member. */
#define list_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

/* Over nodes; the _safe form allows the current one to be removed. */
#define list_for_each(node, head) \
	for (struct list *node = (head)->next; node != (head); node = node->next)
#define list_for_each_safe(node, head)                                                    \
	for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
		node = node##_next, node##_next = node->next)
