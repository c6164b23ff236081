// SPDX-License-Identifier: MIT
/*
 * The walk along a path.
 *
 * The walk holds one reference, on the entry where it is.  Each component is looked up in the name
 * cache; a symbolic link that must be followed is replaced, in front of what is left of the path,
 * by its target, in a buffer of the walk's own:
 *
 *	"a/link/b"   at a:   rest "/b",  target "../x"   ->  rest "../x/b"
 *
 * or, where a link leads to a file and not along a path (vnode_ops.follow), the walk goes on there.
 * So the walk never recurses, and the number of links is all that bounds it: the text that is left may
grow beyond the longest path.
 */
#include "private.h"
#include <errno.h>
#include <string.h>

struct walk {
	const struct fs_context *ctx;
	struct dentry *at; /* counted */
	const char *rest;
	char *buffer; /* holds rest once a link was followed, or NULL */
	unsigned links;
};

/* --- Components ------------------------------------------------------------------------------ */

static const char *skip_slashes(const char *p)
{
	while (*p == '/')
		p++;
	return p;
}

/* Cut the next component off *rest, hashing it on the way; false at the end. */
static bool next_component(const char **rest, struct fs_name *name)
{
	const char *start = skip_slashes(*rest), *p = start;
	uint32_t hash = 0;

	for (; *p && *p != '/'; p++)
		hash = hash * 31 + (unsigned char)*p;
	*name = (struct fs_name){start, (uint32_t)(p - start), hash};
	*rest = p;
	return p != start;
}

static enum path_last kind_of(const struct fs_name *name)
{
	if (name->text[0] != '.' || name->bytes > 2)
		return PATH_LAST_NAME;
	if (name->bytes == 1)
		return PATH_LAST_DOT;
	return name->text[1] == '.' ? PATH_LAST_DOTDOT : PATH_LAST_NAME;
}

/* --- Steps ----------------------------------------------------------------------------------- */

static void walk_begin(
	struct walk *w, const struct fs_context *ctx, struct dentry *base, const char *path)
{
	w->ctx = ctx;
	w->rest = path;
	w->buffer = NULL;
	w->links = 0;
	if (*path == '/')
		base = ctx->root;
	w->at = dentry_ref(base ? base : ctx->cwd);
}

static void walk_end(struct walk *w)
{
	dentry_unref(w->at);
	fsh_free(w->buffer);
}

/* The reference moves to where the walk goes. */
static void walk_to(struct walk *w, struct dentry *d)
{
	dentry_unref(w->at);
	w->at = d;
}

static void walk_up(struct walk *w)
{
	while (w->at != w->ctx->root) {
		if (w->at->parent != w->at) {
			walk_to(w, dentry_parent(w->at));
			w->at = mount_cross_down(w->at);
			return;
		}
		if (!fs_read(w->at->mount->covered))
			return;
		w->at = mount_cross_up(w->at);
	}
}

static int may_search(struct walk *w)
{
	if (!vnode_is(w->at->vnode, FS_IFDIR))
		return -ENOTDIR;
	return vnode_permission(w->at->vnode, w->ctx->cred, FS_EXECUTE);
}

/* Put the target of link, which is in w->at, before the rest of the path. */
static int follow_text(struct walk *w, struct dentry *link)
{
	size_t rest_bytes = strlen(w->rest) + 1, target_bytes = vnode_size(link->vnode);
	char *buffer;
	int n;

	if (!target_bytes)
		target_bytes = FS_PATH_MAX; /* made when it is read: /proc */
	buffer = fsh_alloc(target_bytes + rest_bytes);
	if (!buffer)
		return -ENOMEM;
	n = link->vnode->ops->readlink(link->vnode, buffer, target_bytes);
	if (n > 0) {
		memcpy(buffer + n, w->rest, rest_bytes);
		fsh_free(w->buffer);
		w->rest = w->buffer = buffer;
		if (*buffer == '/')
			walk_to(w, dentry_ref(w->ctx->root));
		return 0;
	}
	fsh_free(buffer);
	return n < 0 ? n : -ENOENT;
}

static int follow(struct walk *w, struct dentry *link)
{
	struct dentry *target;
	int err;

	if (++w->links > FS_SYMLINKS_MAX)
		return -ELOOP;
	if (!link->vnode->ops->follow)
		return follow_text(w, link);
	err = link->vnode->ops->follow(link->vnode, &target);
	if (!err)
		walk_to(w, target);
	return err;
}

/* One component; a symbolic link is followed if asked. */
static int walk_name(struct walk *w, const struct fs_name *name, bool follow_link)
{
	struct dentry *d;
	int err = dentry_lookup(w->at, name, &d);

	if (err)
		return err;
	if (!d->vnode) {
		err = -ENOENT;
	} else if (follow_link && vnode_is(d->vnode, FS_IFLNK)) {
		err = follow(w, d);
	} else {
		walk_to(w, fs_read(d->covered_by) ? mount_cross_down(d) : d);
		return 0;
	}
	dentry_unref(d);
	return err;
}

static int walk_step(struct walk *w, const struct fs_name *name, bool follow_link)
{
	int err = may_search(w);

	if (err)
		return err;
	switch (kind_of(name)) {
	case PATH_LAST_DOT:
		return 0;
	case PATH_LAST_DOTDOT:
		walk_up(w);
		return 0;
	default:
		return walk_name(w, name, follow_link);
	}
}

/* --- Whole walks ----------------------------------------------------------------------------- */

static int walk_all(struct walk *w, unsigned flags)
{
	struct fs_name name;
	bool slash = false;
	int err;

	while (next_component(&w->rest, &name)) {
		const char *rest = w->rest;
		bool last = *skip_slashes(rest) == '\0';

		slash = last && *rest == '/';
		err = walk_step(w, &name, !last || slash || (flags & PATH_FOLLOW));
		if (err)
			return err;
		if (last && w->rest == rest)
			break; /* no link was followed */
	}
	if ((slash || (flags & PATH_DIRECTORY)) && !vnode_is(w->at->vnode, FS_IFDIR))
		return -ENOTDIR;
	return 0;
}

int path_lookup(const struct fs_context *ctx, struct dentry *base, const char *path, unsigned flags,
	struct dentry **out)
{
	struct walk w;
	int err;

	if (*path == '\0' && !(flags & PATH_EMPTY))
		return -ENOENT;
	walk_begin(&w, ctx, base, path);
	err = walk_all(&w, flags);
	if (err)
		dentry_unref(w.at);
	else
		*out = w.at;
	fsh_free(w.buffer);
	dentry_trim();
	return err;
}

/* Walk all but the last component, and say what that is. */
static int walk_parent(struct walk *w, struct path_parent *out)
{
	int err;

	out->kind = PATH_LAST_ROOT;
	out->slash = false;
	while (next_component(&w->rest, &out->last)) {
		if (*skip_slashes(w->rest) == '\0') {
			out->kind = kind_of(&out->last);
			out->slash = *w->rest == '/';
			break;
		}
		err = walk_step(w, &out->last, true);
		if (err)
			return err;
	}
	if (out->kind == PATH_LAST_NAME && out->last.bytes > FS_NAME_MAX)
		return -ENAMETOOLONG;
	return may_search(w);
}

/* Move the walk in and out of the caller's struct, which keeps it between calls. */
static int parent_result(struct walk *w, struct path_parent *out)
{
	int err = walk_parent(w, out);

	if (err) {
		walk_end(w);
		w->at = NULL;
		w->buffer = NULL;
	}
	out->ctx = w->ctx;
	out->dir = w->at;
	out->buffer = w->buffer;
	out->links = w->links;
	return err;
}

int path_open_parent(const struct fs_context *ctx, struct dentry *base, const char *path,
	struct path_parent *out)
{
	struct walk w;

	*out = (struct path_parent){.dir = NULL};
	if (*path == '\0')
		return -ENOENT;
	walk_begin(&w, ctx, base, path);
	return parent_result(&w, out);
}

int path_follow_last(struct path_parent *parent, struct dentry *link)
{
	struct walk w = {
		.ctx = parent->ctx,
		.at = parent->dir,
		.rest = parent->last.text + parent->last.bytes,
		.buffer = parent->buffer,
		.links = parent->links,
	};
	int err = follow(&w, link);

	if (!err)
		return parent_result(&w, parent);
	walk_end(&w);
	*parent = (struct path_parent){.dir = NULL};
	return err;
}

void path_close(struct path_parent *parent)
{
	dentry_unref(parent->dir);
	fsh_free(parent->buffer);
	dentry_trim();
}
