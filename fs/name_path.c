// SPDX-License-Identifier: MIT
/*
 * Up from an entry: its parent, its ancestors, its path as text.  All under the tree lock, under
 * which rename moves entries; so what is seen is one moment of the tree.
 */
#include "name.h"
#include <errno.h>
#include <string.h>

struct dentry *dentry_parent(struct dentry *d)
{
	struct dentry *parent;

	fsh_spin_lock(&names.tree_lock);
	parent = dentry_ref(d->parent);
	fsh_spin_unlock(&names.tree_lock);
	return parent;
}

bool dentry_is_below(struct dentry *d, const struct dentry *ancestor)
{
	bool below;

	fsh_spin_lock(&names.tree_lock);
	while (d != ancestor && d->parent != d)
		d = d->parent;
	below = d == ancestor;
	fsh_spin_unlock(&names.tree_lock);
	return below;
}

/* Put "/name" before *to; false: no room. */
static bool prepend(const struct dentry *d, char *buffer, char **to)
{
	if ((size_t)(*to - buffer) < d->name_bytes + 1)
		return false;
	*to -= d->name_bytes;
	memcpy(*to, d->name, d->name_bytes);
	*--*to = '/';
	return true;
}

/*
 * Write the path of d, going up over mounts, at the end of buffer.  Tree lock held; the mount
 * table's marks above are kept by the mounts that are in use.  True: root was met on the way.
 */
static bool path_text(
	const struct dentry *d, const struct dentry *root, char *buffer, char **to, int *err)
{
	while (d != root) {
		if (d->parent == d) {
			d = __atomic_load_n(&d->mount->covered, __ATOMIC_ACQUIRE);
			if (!d)
				return false;
			continue;
		}
		if (fs_read(d->refs) & UNHASHED && !(d->mount->flags & MOUNT_VOLATILE))
			*err = -ENOENT;
		if (!prepend(d, buffer, to)) {
			*err = -ERANGE;
			return true;
		}
		d = d->parent;
	}
	return true;
}

static int path_below(
	const struct dentry *d, const struct dentry *root, char *buffer, size_t bytes, char **out)
{
	int err = 0;

	if (bytes < 2)
		return -ERANGE;
	*out = buffer + bytes - 1;
	**out = '\0';
	if (!path_text(d, root, buffer, out, &err) && !err)
		err = -EXDEV;
	if (**out == '\0')
		*--*out = '/';
	return err;
}

int dentry_path(struct dentry *d, struct dentry *root, char *buffer, size_t bytes, char **out)
{
	int err;

	fsh_spin_lock(&names.tree_lock);
	err = path_below(d, root, buffer, bytes, out);
	fsh_spin_unlock(&names.tree_lock);
	return err;
}

int vnode_path(struct vnode *v, struct dentry *root, char *buffer, size_t bytes, char **out)
{
	int err = -ENOENT;

	fsh_spin_lock(&names.tree_lock);
	if (v->alias)
		err = path_below(v->alias, root, buffer, bytes, out);
	fsh_spin_unlock(&names.tree_lock);
	return err;
}
