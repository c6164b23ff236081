// SPDX-License-Identifier: MIT
#include "observe.h"

#include <world.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (1u << 20) /* what no workload makes */

struct listing {
	struct fs_readdir r;
	struct observed *o;
	unsigned dir;
	bool fits;
};

/* As operations have it: a name of FS_NAME_MAX bytes that ends with ~ has only one of these. */
static size_t short_name_bytes(const struct fs_entry *e)
{
	size_t n = e->name_bytes;

	while (e->name_bytes == FS_NAME_MAX && n > 1 && e->name[n - 1] == '~' &&
		e->name[n - 2] == '~')
		n--;
	return n;
}

static bool see_entry(struct fs_readdir *r, const struct fs_entry *e)
{
	struct listing *l = (struct listing *)r;
	struct observed_node *node = &l->o->node[l->o->n];
	size_t n = short_name_bytes(e);

	if (e->name[0] == '.' && (e->name_bytes == 1 || (e->name_bytes == 2 && e->name[1] == '.')))
		return true;
	l->fits = l->o->n < OBSERVED_NODES && n < MODEL_NAME_BYTES;
	if (!l->fits)
		return false;
	memset(node, 0, sizeof(*node));
	node->dir = l->dir;
	memcpy(node->name, e->name, n);
	l->o->n++;
	return true;
}

static void path_of(const struct observed *o, unsigned i, char path[FS_PATH_MAX])
{
	if (i == 0) {
		path[0] = 0;
		return;
	}
	path_of(o, o->node[i].dir, path);
	strcat(strcat(path, "/"), o->node[i].name);
}

static int read_dir(struct observed *o, struct world *w, unsigned i, const char *path)
{
	struct listing l = {{.emit = see_entry}, o, i, true};
	struct file *file;
	int err = world_open(w, path, FS_O_RDONLY | FS_O_DIRECTORY | FS_O_NOATIME, &file);

	if (err)
		return err;
	err = file_readdir(file, &l.r);
	file_unref(file);
	return l.fits ? err : -E2BIG;
}

static int read_file(struct observed_node *node, struct world *w, const char *path)
{
	struct file *file;
	size_t done;
	int err;

	if (node->attr.size_bytes > MAX_BYTES)
		return -EFBIG;
	node->data = malloc(node->attr.size_bytes + 1);
	if ((node->attr.mode & FS_IFMT) == FS_IFLNK) {
		int n = vfs_readlink(
			&w->ctx, NULL, path, 0, (char *)node->data, node->attr.size_bytes + 1);
		return n == (int)node->attr.size_bytes ? 0 : n < 0 ? n : -EIO;
	}
	err = world_open(w, path, FS_O_RDONLY | FS_O_NOATIME, &file);
	if (err)
		return err;
	err = world_read(file, node->data, node->attr.size_bytes + 1, 0, &done);
	file_unref(file);
	return err ? err : done == node->attr.size_bytes ? 0 : -EIO;
}

static unsigned find_twin(const struct observed *o, unsigned i)
{
	unsigned twin = 0;

	while (o->node[twin].attr.ino != o->node[i].attr.ino)
		twin++;
	return twin;
}

static int read_node(struct observed *o, struct world *w, unsigned i, const char *path)
{
	struct observed_node *node = &o->node[i];
	int err = vfs_stat(&w->ctx, NULL, path, 0, &node->attr);

	if (err)
		return err;
	node->twin = find_twin(o, i);
	if ((node->attr.mode & FS_IFMT) == FS_IFDIR)
		return read_dir(o, w, i, path);
	return node->twin == i ? read_file(node, w, path) : 0;
}

static uint64_t digest(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t word;

	for (; n > 0; n -= n < 8 ? n : 8, p += 8) {
		word = 0;
		memcpy(&word, p, n < 8 ? n : 8);
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return h;
}

/* Order on the disk does not matter, so nodes are summed. */
static uint64_t node_digest(const struct observed *o, unsigned i)
{
	const struct observed_node *node = &o->node[i];
	const struct fs_attr *a = &node->attr;
	uint64_t fields[] = {a->ino, a->mode, a->nlink, a->uid, a->gid, a->size_bytes,
		(uint64_t)a->mtime, (uint64_t)a->ctime};
	char path[FS_PATH_MAX];
	uint64_t h;

	path_of(o, i, path);
	h = digest(0xcbf29ce484222325u, path, strlen(path));
	h = digest(h, fields, sizeof(fields));
	return node->data ? digest(h, node->data, a->size_bytes) : h;
}

bool observe(struct observed *o, struct world *w, char why[256])
{
	char path[FS_PATH_MAX], full[FS_PATH_MAX];

	memset(&o->node[0], 0, sizeof(o->node[0]));
	o->n = 1;
	o->digest = 0;
	for (unsigned i = 0; i < o->n; i++) {
		int err;
		path_of(o, i, path);
		op_long_path(i ? path : "/", full, sizeof(full));
		err = read_node(o, w, i, full);
		if (err) {
			snprintf(why, 256, "%.100s/ cannot be read: error %d", path, -err);
			return false;
		}
		o->digest += node_digest(o, i);
	}
	return true;
}

void observed_free(struct observed *o)
{
	for (unsigned i = 0; i < o->n; i++)
		free(o->node[i].data);
	o->n = 0;
}
