// SPDX-License-Identifier: MIT
/*
 * The walk along a path.
 *
 * The walk holds one reference, on the entry where it is, once it has left its beginning, which the
 * caller holds.  Each component is looked up in the name cache; a symbolic link that must be followed is
 * replaced, in front of what is left of the path, by its target, in a buffer of the walk's own:
 *
 *	"a/link/b"   at a:   rest "/b",  target "../x"   ->  rest "../x/b"
 *
 * or, where a link leads to a file and not along a path (vnode_ops.follow), the walk goes on there.
 * So the walk never recurses, and the number of links is all that bounds it: the text that is left may
 * grow beyond the longest path.
 *
 * A step to what the cache remembers is all in here, with one lock and one count; everything else is in
 * walk_slowly().
 */
#include "name.h"
#include <errno.h>
#include <string.h>

#define MADE_BYTES 64 /* room at first for a link that is made when it is read (/proc) */

struct walk {
	const struct fs_context *ctx;
	struct dentry *at;
	bool counted; /* `at` is; else the caller holds it: the walk has not left where it began */
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

/* Cut the next component off *rest; false at the end. */
static inline bool next_component(const char **rest, struct fs_name *name)
{
	name_scan(skip_slashes(*rest), NULL, name);
	*rest = name->text + name->bytes;
	return name->bytes != 0;
}

static inline bool may_be_dots(const struct fs_name *name)
{
	return name->text[0] == '.' && name->bytes <= 2;
}

static enum path_last kind_of(const struct fs_name *name)
{
	if (!may_be_dots(name))
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
	w->at = base ? base : ctx->cwd;
	w->counted = false;
}

static inline void walk_leave(struct walk *w)
{
	if (w->counted && !dentry_unref_fast(w->at))
		dentry_unref(w->at);
}

/* The walk takes over the reference on where it goes. */
static inline void walk_to(struct walk *w, struct dentry *d)
{
	walk_leave(w);
	w->at = d;
	w->counted = true;
}

/* Where the walk is, with a reference for somebody who goes on with it. */
static inline struct dentry *walk_take(struct walk *w)
{
	return w->counted ? w->at : dentry_ref(w->at);
}

static void walk_end(struct walk *w)
{
	walk_leave(w);
	fsh_free(w->buffer);
}

static __attribute__((noinline)) void walk_up(struct walk *w)
{
	while (w->at != w->ctx->root) {
		if (w->at->parent != w->at) {
			walk_to(w, mount_cross_down(dentry_parent(w->at)));
			return;
		}
		if (!fs_read(w->at->mount->covered))
			return;
		walk_to(w, mount_cross_up(dentry_ref(w->at)));
	}
}

/* In most directories whoever asks may search, in nearly all of them uid 0. */
static inline int may_search(const struct walk *w)
{
	const struct vnode *v = w->at->vnode;
	uint32_t mode = fs_read(v->mode);

	if ((mode & FS_IFMT) != FS_IFDIR)
		return -ENOTDIR;
	if (!v->ops->permission && ((mode & 0111) == 0111 || w->ctx->cred->uid == 0))
		return 0;
	return vnode_permission(v, w->ctx->cred, FS_EXECUTE);
}

/* Put the target of link, which is in w->at, before the rest of the path. */
static int follow_text(struct walk *w, struct dentry *link)
{
	size_t rest_bytes = strlen(w->rest) + 1, size = vnode_size(link->vnode);
	size_t room = size ? size : MADE_BYTES;
	char *buffer;
	int n;

	for (;;) {
		buffer = fsh_alloc(room + rest_bytes);
		if (!buffer)
			return -ENOMEM;
		n = link->vnode->ops->readlink(link->vnode, buffer, room);
		if (size || n < (int)room || room == FS_PATH_MAX)
			break;
		fsh_free(buffer);
		room = FS_PATH_MAX;
	}
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

/* What is not remembered, or a link: the rest of the walk goes on behind it.  d: if it was found. */
static __attribute__((noinline)) int walk_slowly(
	struct walk *w, const struct fs_name *name, bool follow_link, struct dentry *d)
{
	int err = d ? 0 : dentry_lookup_slowly(w->at, name, &d);

	if (err)
		return err;
	if (!d->vnode) {
		err = -ENOENT;
	} else if (follow_link && vnode_is(d->vnode, FS_IFLNK)) {
		w->rest = name->text + name->bytes;
		err = follow(w, d);
	} else {
		walk_to(w, mount_cross_down(d));
		return 0;
	}
	dentry_unref(d);
	return err;
}

/* One component; a symbolic link is followed if asked. */
static inline int walk_name(struct walk *w, const struct fs_name *name, bool follow_link)
{
	struct dentry *d = dentry_find(w->at, name, true);

	if (!d || !d->vnode || vnode_is(d->vnode, FS_IFLNK) || fs_read(d->covered_by))
		return walk_slowly(w, name, follow_link, d);
	walk_to(w, d);
	return 0;
}

static inline int walk_step(struct walk *w, const struct fs_name *name, bool follow_link)
{
	int err = may_search(w);

	if (err)
		return err;
	if (may_be_dots(name) && kind_of(name) != PATH_LAST_NAME) {
		if (name->bytes == 2)
			walk_up(w);
		return 0;
	}
	return walk_name(w, name, follow_link);
}

/* --- Whole walks ----------------------------------------------------------------------------- */

static inline int walk_all(struct walk *w, unsigned flags)
{
	struct fs_name name;
	bool slash = false;
	int err;

	while (next_component(&w->rest, &name)) {
		const char *rest = skip_slashes(w->rest);
		bool last = *rest == '\0';

		slash = last && rest != w->rest;
		w->rest = rest;
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
		walk_leave(&w);
	else
		*out = walk_take(&w);
	if (w.buffer)
		fsh_free(w.buffer);
	dentry_trim_if_many();
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

	out->dir = NULL;
	if (err) {
		walk_end(w);
		w->buffer = NULL;
	} else {
		out->dir = walk_take(w);
	}
	out->ctx = w->ctx;
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
		.counted = true,
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
	dentry_trim_if_many();
}
