// SPDX-License-Identifier: MIT
/*
 * The files that the host's kernel knows.  It calls them by number, ours is the inode's, and says
 * how often it was told of a file and has forgotten it again.  Until the two are even the number
 * stands for that file, with or without a name: so its entry is held, which holds the vnode.
 *
 * Of a file with several names, it is the entry of the name that was looked up last.  A directory
 * has only one, which moves along when it is renamed, so it can be walked from.
 */
#include "mount.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct node {
	struct node *next;
	uint64_t ino;
	struct dentry *entry; /* counted */
	uint64_t lookups;
};

static struct {
	pthread_mutex_t lock; /* of all */
	struct node **buckets;
	size_t n_buckets, n; /* the former a power of two */
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct node **bucket_of(uint64_t ino)
{
	return &table.buckets[ino & (table.n_buckets - 1)];
}

static struct node **find(uint64_t ino)
{
	struct node **link = bucket_of(ino);

	while (*link && (*link)->ino != ino)
		link = &(*link)->next;
	return link;
}

/* Twice as many buckets, if there is memory: it works without. */
static void grow(void)
{
	size_t n_old = table.n_buckets;
	struct node **old = table.buckets, *node, *next;
	struct node **larger = calloc(2 * n_old, sizeof(*larger));

	if (!larger)
		return;
	table.buckets = larger;
	table.n_buckets = 2 * n_old;
	for (size_t i = 0; i < n_old; i++) {
		for (node = old[i]; node; node = next) {
			next = node->next;
			node->next = *bucket_of(node->ino);
			*bucket_of(node->ino) = node;
		}
	}
	free(old);
}

void nodes_begin(struct dentry *root)
{
	table.n_buckets = 1024;
	table.buckets = calloc(table.n_buckets, sizeof(*table.buckets));
	if (!table.buckets || node_remember(root))
		image_die(8, "out of memory");
}

void nodes_end(void)
{
	struct node *node, *next;

	for (size_t i = 0; i < table.n_buckets; i++) {
		for (node = table.buckets[i]; node; node = next) {
			next = node->next;
			dentry_unref(node->entry);
			free(node);
		}
	}
	free(table.buckets);
}

struct dentry *node_entry(uint64_t ino)
{
	struct dentry *entry;

	pthread_mutex_lock(&table.lock);
	entry = dentry_ref((*find(ino))->entry);
	pthread_mutex_unlock(&table.lock);
	return entry;
}

static struct node *find_or_add(uint64_t ino)
{
	struct node **link = find(ino);

	if (*link)
		return *link;
	*link = calloc(1, sizeof(**link));
	if (*link) {
		(*link)->ino = ino;
		table.n++;
	}
	return *link;
}

int node_remember(struct dentry *d)
{
	struct dentry *before = NULL;
	struct node *node;

	pthread_mutex_lock(&table.lock);
	if (table.n > table.n_buckets)
		grow();
	node = find_or_add(d->vnode->ino);
	if (node) {
		before = node->entry;
		node->entry = dentry_ref(d);
		node->lookups++;
	}
	pthread_mutex_unlock(&table.lock);
	dentry_unref(before);
	return node ? 0 : -ENOMEM;
}

void node_forget(uint64_t ino, uint64_t lookups)
{
	struct node **link, *node;

	pthread_mutex_lock(&table.lock);
	link = find(ino);
	node = *link;
	node->lookups -= lookups;
	if (node->lookups) {
		node = NULL;
	} else {
		*link = node->next;
		table.n--;
	}
	pthread_mutex_unlock(&table.lock);
	if (!node)
		return;
	dentry_unref(node->entry);
	free(node);
}
