// SPDX-License-Identifier: MIT
/*
 * The walk along a path.
 *
 * The walk holds one reference, on the entry where it is, once it has left its beginning, which the
 * caller holds.  Each component is looked up in the name cache; a symbolic link that must be
 * followed is replaced, in front of what is left of the path, by its target, in a buffer of the
 * walk's own:
 *
 *	"a/link/b"   at a:   rest "/b",  target "../x"   ->  rest "../x/b"
 *
 * or, where a link leads to a file and not along a path (vnode_ops.follow), the walk goes on there.
 * So the walk never recurses, and the number of links is all that bounds it: the text that is left
 * may grow beyond the longest path.
 *
 * A step to what the cache remembers is all in here, with one lock and one count; everything else
 * is in walk_slowly().
 *
 * The directory before the last component is often that of one of the walks before, whoever walks:
 * a thread keeps the last few (struct path_recents), and where a path begins with the same text at
 * the same place, its last component alone is looked up, in one step.  What a walk would have met
 * on the way is the same as long as no directory has gone or moved, none was covered or bared, and
 * none has other rights; the cache counts all of these, for all directories together
 * (names.directories), as they are rare.  Kept is only what was reached by remembered names alone:
 * no link, no "..", no name that has to be asked for each time (MOUNT_VOLATILE); and through
 * directories that everybody may search, so that it does not matter who asks.
 *
 * They are in the order of their use, and given up for another is the one used longest ago (LRU).
 * Who goes round among more than there are finds none, and walks whole: that is the worst for this
 * order, and for every other that goes by age.  Giving up one at random would find some of them
 * then, but would also give up some of few that are used all the time, whenever another is met.
 *
 * What is kept is not referenced, so nobody is kept from unmounting or removing it, and it is only
 * compared.  An entry that is found, under its bucket's lock, with that parent keeps the parent
 * there as long as the lock is held.  If another directory had come to lie at the same address, the
 * first one went before it came, and before anything was entered in it: that count, read under the
 * lock, would tell.
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
	bool plain; /* so far it could be kept (struct path_recents) */
	const char *path;
	const struct dentry *from;
	uint64_t directories; /* when it began */
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
	*rest = name_scan(skip_slashes(*rest), NULL, name);
	return name->bytes != 0;
}

static inline bool may_be_dots(const struct fs_name *name)
{
	return name->text[0] == '.' && name->bytes <= 2;
}

/*
 * Does the path, which may end before, begin with this text?  Word by word, as both lie so.  What
 * is behind the end in the last word is read, too, and does not count: a whole word is never partly
 * somewhere else.
 */
static inline __attribute__((no_sanitize("address"))) bool begins_with(
	const char *path, const char *text, size_t n)
{
	const uint64_t *a = (const uint64_t *)path, *b = (const uint64_t *)text;

	for (; n >= 8; n -= 8)
		if (*a++ != *b++)
			return false;
	return n == 0 || (*a ^ *b) << (64 - 8 * n) == 0;
}

/* As what comes from a system call does: of other paths nothing is kept. */
static inline bool lies_in_words(const char *path)
{
	return (uintptr_t)path % 8 == 0;
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

static inline struct dentry *beginning(
	const struct fs_context *ctx, struct dentry *base, const char *path)
{
	if (*path == '/')
		return ctx->root;
	return base ? base : ctx->cwd;
}

static void walk_begin(
	struct walk *w, const struct fs_context *ctx, struct dentry *from, const char *path)
{
	w->ctx = ctx;
	w->path = w->rest = path;
	w->buffer = NULL;
	w->links = 0;
	w->from = w->at = from;
	w->counted = false;
	w->plain = ctx->recent && lies_in_words(path);
	w->directories = __atomic_load_n(&names.directories, __ATOMIC_ACQUIRE);
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
	w->plain = false;
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
static inline bool may_search_at_once(
	const struct vnode *v, const struct fs_cred *cred, bool *everybody)
{
	*everybody = (fs_read(v->mode) & 0111) == 0111 && !v->ops->permission;
	return *everybody || (cred->uid == 0 && !v->ops->permission);
}

static inline int may_search(struct walk *w)
{
	const struct vnode *v = w->at->vnode;
	bool everybody, at_once;

	if (!vnode_is(v, FS_IFDIR))
		return -ENOTDIR;
	at_once = may_search_at_once(v, w->ctx->cred, &everybody);
	w->plain &= everybody;
	return at_once ? 0 : vnode_permission(v, w->ctx->cred, FS_EXECUTE);
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

/*
 * What is not remembered, or a link: the rest of the walk goes on behind it.
 * d: if it was found.
 */
static __attribute__((noinline)) int walk_slowly(
	struct walk *w, const struct fs_name *name, bool follow_link, struct dentry *d)
{
	int err = d ? 0 : dentry_lookup_slowly(w->at, name, &d);

	w->plain = false;
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

/* From a directory that may be searched. */
static inline int walk_step(struct walk *w, const struct fs_name *name, bool follow_link)
{
	if (may_be_dots(name) && kind_of(name) != PATH_LAST_NAME) {
		if (name->bytes == 2)
			walk_up(w);
		return 0;
	}
	return walk_name(w, name, follow_link);
}

/* --- Recent directories ----------------------------------------------------------------------- */

/* What this link leads to is the one used last, from now on. */
static inline struct path_recent *use_recent(struct path_recents *all, struct path_recent **link)
{
	struct path_recent *r = *link;

	*link = r->older;
	r->older = all->first;
	return all->first = r;
}

static bool is_by_text(const struct path_recent *r, const struct walk *w, size_t bytes)
{
	return r->from == w->from && r->bytes == bytes && begins_with(w->path, r->text, bytes);
}

/*
 * How the walk came to where it is, before this component: in place of what is there by the same
 * text, of which more need not be true any more; or in the next unused; or of the oldest.
 */
static __attribute__((noinline)) void keep_recent(const struct walk *w, const struct fs_name *last)
{
	struct path_recents *all = w->ctx->recent;
	struct path_recent **link = &all->first, *r;
	size_t bytes = (size_t)(last->text - w->path), n = 0;

	if (bytes > PATH_RECENT_BYTES)
		return;
	while (*link && !is_by_text(*link, w, bytes) && ++n < PATH_RECENT_DIRECTORIES)
		link = &(*link)->older;
	if (!*link)
		*link = &all->kept[n];
	r = use_recent(all, link);
	r->directories = w->directories;
	r->from = w->from;
	r->dir = w->at;
	r->bytes = (uint32_t)bytes;
	memcpy(r->text, w->path, bytes);
}

/* May the last component be looked up here?  How the walk came here is kept if that was plain. */
static inline int may_search_last(struct walk *w, const struct fs_name *last)
{
	bool plain = w->plain && w->counted;
	int err = may_search(w);

	if (!err && plain)
		keep_recent(w, last);
	return err;
}

/* Is this what a walk with these flags would end at, after all that r knows?  Bucket lock held. */
static inline bool ends_walk(const struct path_recent *r, const struct dentry *d,
	const struct fs_cred *cred, unsigned flags)
{
	bool everybody;
	uint32_t type;

	if (fs_read(names.directories) != r->directories || !d->vnode || fs_read(d->covered_by))
		return false;
	type = fs_read(d->vnode->mode) & FS_IFMT;
	return type != FS_IFLNK && (type == FS_IFDIR || !(flags & PATH_DIRECTORY)) &&
	       may_search_at_once(d->parent->vnode, cred, &everybody);
}

static inline __attribute__((always_inline)) struct dentry *find_in_recent(
	const struct path_recent *r, const struct fs_name *name, const struct fs_cred *cred,
	unsigned flags)
{
	struct bucket *b = bucket_at(place_hash(r->dir, name->hash));
	struct dentry *d;

	fsh_spin_lock(&b->lock);
	d = bucket_find(b, r->dir, name);
	if (d && ends_walk(r, d, cred, flags)) {
		mark_used(d);
		dentry_ref(d);
	} else {
		d = NULL;
	}
	fsh_spin_unlock(&b->lock);
	return d;
}

/* Does a walk from there along this path come to a name in it?  *name: that. */
static inline bool leads_to(const struct path_recent *r, const struct dentry *from,
	const char *path, struct fs_name *name)
{
	return r->from == from && begins_with(path, r->text, r->bytes) &&
	       *name_scan(path + r->bytes, NULL, name) == '\0';
}

/* --- Whole walks ----------------------------------------------------------------------------- */

static int walk_all(struct walk *w, unsigned flags)
{
	struct fs_name name;
	bool slash = false;
	int err;

	while (next_component(&w->rest, &name)) {
		const char *rest = skip_slashes(w->rest);
		bool last = *rest == '\0';

		slash = last && rest != w->rest;
		w->rest = rest;
		err = last ? may_search_last(w, &name) : may_search(w);
		if (!err)
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

static __attribute__((noinline)) int walk_whole(const struct fs_context *ctx, struct dentry *from,
	const char *path, unsigned flags, struct dentry **out)
{
	struct walk w;
	int err;

	if (*path == '\0' && !(flags & PATH_EMPTY))
		return -ENOENT;
	walk_begin(&w, ctx, from, path);
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

/* Not in the recent directory that was used last: in one of the others, or whole. */
static __attribute__((noinline)) int walk_otherwise(const struct fs_context *ctx,
	struct dentry *from, const char *path, unsigned flags, struct dentry **out)
{
	struct path_recent **link = &ctx->recent->first->older;
	struct fs_name name;

	while (*link && !leads_to(*link, from, path, &name))
		link = &(*link)->older;
	*out = *link ? find_in_recent(use_recent(ctx->recent, link), &name, ctx->cred, flags)
		     : NULL;
	return *out ? 0 : walk_whole(ctx, from, path, flags, out);
}

/* Written so that what is found in the directory used last needs no call and no registers saved. */
int path_lookup(const struct fs_context *ctx, struct dentry *base, const char *path, unsigned flags,
	struct dentry **out)
{
	struct dentry *from = beginning(ctx, base, path), *d;
	const struct path_recent *r = ctx->recent ? ctx->recent->first : NULL;
	struct fs_name name;

	if (!r || !lies_in_words(path))
		return walk_whole(ctx, from, path, flags, out);
	if (!leads_to(r, from, path, &name))
		return walk_otherwise(ctx, from, path, flags, out);
	d = find_in_recent(r, &name, ctx->cred, flags);
	if (!d)
		return walk_whole(ctx, from, path, flags, out);
	*out = d;
	return 0;
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
		err = may_search(w);
		if (!err)
			err = walk_step(w, &out->last, true);
		if (err)
			return err;
	}
	if (out->kind == PATH_LAST_NAME && out->last.bytes > FS_NAME_MAX)
		return -ENAMETOOLONG;
	return out->kind == PATH_LAST_ROOT ? may_search(w) : may_search_last(w, &out->last);
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
	walk_begin(&w, ctx, beginning(ctx, base, path), path);
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
