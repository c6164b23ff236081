// SPDX-License-Identifier: MIT
#include "inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 4096

struct listing {
	struct fs_readdir r;
	char *name[NAMES_MAX];
	unsigned n;
};

static bool note(struct fs_readdir *r, const struct fs_entry *e)
{
	struct listing *l = (struct listing *)r;

	if ((e->name_bytes == 1 && e->name[0] == '.') ||
		(e->name_bytes == 2 && !memcmp(e->name, "..", 2)))
		return true;
	assert_in_range(l->n, 0, NAMES_MAX - 1);
	l->name[l->n++] = strndup(e->name, e->name_bytes);
	return true;
}

static uint64_t digest_of(uint64_t digest, const void *data, size_t n)
{
	/* FNV-1a */
	for (const uint8_t *p = data; n; p++, n--)
		digest = (digest ^ *p) * 0x100000001b3u;
	return digest;
}

static uint64_t digest_of_file(struct world *w, const char *path)
{
	static uint8_t data[1 << 16];
	uint64_t digest = 0xcbf29ce484222325u, at = 0;
	struct file *file;
	size_t done;

	assert_int_equal(world_open(w, path, FS_O_RDONLY, &file), 0);
	do {
		assert_int_equal(world_read(file, data, sizeof(data), at, &done), 0);
		digest = digest_of(digest, data, done);
		at += done;
	} while (done);
	file_unref(file);
	return digest;
}

static uint64_t digest_of_link(struct world *w, const char *path)
{
	char target[4096];
	int n = vfs_readlink(&w->ctx, NULL, path, 0, target, sizeof(target));

	assert_in_range(n, 1, sizeof(target));
	return digest_of(0xcbf29ce484222325u, target, (size_t)n);
}

static void take(struct world *w, struct inventory *inv, const char *path);

static void take_folder(struct world *w, struct inventory *inv, const char *path)
{
	struct listing *l = calloc(1, sizeof(*l));
	char below[4096];
	struct file *file;

	l->r.emit = note;
	assert_int_equal(world_open(w, path, FS_O_RDONLY, &file), 0);
	assert_int_equal(file_readdir(file, &l->r), 0);
	file_unref(file);
	for (unsigned i = 0; i < l->n; i++) {
		snprintf(below, sizeof(below), "%s/%s", strcmp(path, "/") ? path : "", l->name[i]);
		take(w, inv, below);
		free(l->name[i]);
	}
	free(l);
}

static void take(struct world *w, struct inventory *inv, const char *path)
{
	struct fs_attr attr;
	struct thing *thing;

	assert_int_equal(vfs_stat(&w->ctx, NULL, path, 0, &attr), 0);
	assert_in_range(attr.ino, 1, INVENTORY_INODES - 1);
	thing = &inv->thing[attr.ino];
	if (thing->n_names < INVENTORY_NAMES)
		thing->name[thing->n_names] = strdup(path);
	if (thing->n_names++)
		return;
	thing->attr = attr;
	if ((attr.mode & FS_IFMT) == FS_IFREG)
		thing->digest = digest_of_file(w, path);
	else if ((attr.mode & FS_IFMT) == FS_IFLNK)
		thing->digest = digest_of_link(w, path);
	else if ((attr.mode & FS_IFMT) == FS_IFDIR)
		take_folder(w, inv, path);
}

struct inventory *inventory_take(struct world *w)
{
	struct inventory *inv = calloc(1, sizeof(*inv));

	take(w, inv, "/");
	return inv;
}

void inventory_free(struct inventory *inv)
{
	for (unsigned i = 0; i < INVENTORY_INODES; i++)
		for (unsigned k = 0; k < INVENTORY_NAMES; k++)
			free(inv->thing[i].name[k]);
	free(inv);
}

bool inventory_has(const struct thing *thing, const char *name)
{
	for (unsigned i = 0; i < thing->n_names && i < INVENTORY_NAMES; i++)
		if (strcmp(thing->name[i], name) == 0)
			return true;
	return false;
}

uint32_t inventory_ino(const struct inventory *inv, const char *path)
{
	for (uint32_t i = 0; i < INVENTORY_INODES; i++)
		if (inventory_has(&inv->thing[i], path))
			return i;
	return 0;
}

bool inventory_same_contents(const struct thing *a, const struct thing *b)
{
	if (a->attr.mode != b->attr.mode || a->attr.uid != b->attr.uid ||
		a->attr.gid != b->attr.gid)
		return false;
	if ((a->attr.mode & FS_IFMT) == FS_IFDIR)
		return true;
	return a->attr.size_bytes == b->attr.size_bytes && a->attr.mtime == b->attr.mtime &&
	       a->digest == b->digest;
}
