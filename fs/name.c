// SPDX-License-Identifier: MIT
/*
 * The name cache (fs/path.h says what a dentry is).
 *
 * Life of an entry.  It is made under its directory's inode lock, after the file system was asked,
 * and hashed.  Whoever finds it in its bucket counts it up there; whoever takes the count of a
 * hashed entry to 0 leaves it where it is, for the next walk, and puts it on the list of those that
 * may go.  Two events end it: unlink, rmdir and rename unhash it (beside the count is then the bit
 * UNHASHED, and whoever takes the count to 0 frees it); the sweep takes entries of count 0, from 0
 * to UNHASHED in one step, so that it and a walk never both win.
 *
 *	             dentry_insert                    dentry_removed
 *	 (unhashed) ---------------> hashed, n refs ------------------> unhashed, n refs
 *	                               |      ^  find                          | last unref
 *	                    last unref v      |                                v
 *	                     hashed, 0 refs, listed ---------------------->  freed
 *	                                                sweep
 *
 * The list holds every hashed entry of count 0, and others: a walk that finds a listed entry leaves
 * it there (which costs nothing), marks it used, and drops it without a lock.  The sweep goes along
 * the list, oldest first.  What is in use it takes off, to come back with its last reference; what
 * was walked over since goes to the young end; the rest ends.  So each look frees an entry, or
 * undoes what a walk has done, and names that are in use (a directory is, by what is remembered in
 * it) are not looked at again and again, however many they are.  Only names whose files are in use
 * otherwise stay on the list for nothing, and dentry_trim() gives up after a few of them.
 *
 * What it stands for is fixed for life, so a walk reads d->vnode without a lock.  Parent and name
 * change only by rename, under the tree lock and the bucket locks of both places: a walk compares
 * names under the bucket lock, and path texts are made under the tree lock.
 *
 * A removed directory takes the free names in it along: they hold it, and with it the inode.
 *
 * A bucket is a lock and a table (fs/table.h), which is one chain while it has few entries, as
 * nearly always; a walk looks there first.  More entries make more chains in each bucket, under its
 * own lock.
 *
 * Spin locks, outermost first: tree, bucket.
 *
 * Here: making, finding and changing entries.  name_path.c: the way up from an entry, and its text;
 * name_sweep.c: who goes when there are too many, and the proof.
 */
#include "name.h"
#include <errno.h>
#include <string.h>

struct name_cache names;

void dentry_cache_init(size_t max_idle)
{
	for (unsigned i = 0; i < N_BUCKETS; i++)
		fsh_spin_init(&names.buckets[i].lock, "name bucket");
	fsh_spin_init(&names.tree_lock, "name tree");
	names.last = &names.first;
	names.max_idle = max_idle;
}

struct fs_name fs_name_of(const char *string)
{
	struct fs_name name;

	name_scan(string, string + strlen(string), &name);
	return name;
}

void dentry_search_changed(void)
{
	directories_changed();
}

/* --- Making and freeing ---------------------------------------------------------------------- */

/* Among the entries of its directory, or the roots. */
static void sibling_insert(struct dentry *d)
{
	struct dentry **head = d->parent == d ? &names.roots : &d->parent->children;

	d->sibling_next = *head;
	d->sibling_prev = head;
	if (*head)
		(*head)->sibling_prev = &d->sibling_next;
	*head = d;
}

static void sibling_remove(struct dentry *d)
{
	*d->sibling_prev = d->sibling_next;
	if (d->sibling_next)
		d->sibling_next->sibling_prev = d->sibling_prev;
}

void dentry_leave(struct dentry *d)
{
	if (fs_read(d->refs) & LISTED)
		idle_remove(d);
	sibling_remove(d);
	if (d->vnode && d->vnode->alias == d)
		d->vnode->alias = NULL;
	fs_write(names.n, names.n - 1);
}

/* Where the text of a name goes: inside the entry, or allocated; NULL: no memory. */
static char *name_text(struct dentry *d, const struct fs_name *name)
{
	char *text = d->inline_name;

	if (name->bytes >= DENTRY_INLINE_NAME)
		text = fsh_alloc(name->bytes + 1);
	if (text) {
		memcpy(text, name->text, name->bytes);
		text[name->bytes] = '\0';
	}
	return text;
}

static void name_free(struct dentry *d, const char *text)
{
	if (text != d->inline_name)
		fsh_free((void *)text);
}

/* The vnode's reference is the entry's; NULL: it is a free name. */
static void stand_for(struct dentry *d, struct vnode *v)
{
	d->vnode = v;
	if (v)
		__atomic_fetch_add(&v->names, 1, __ATOMIC_RELAXED);
}

/* One reference, unhashed.  Takes over the vnode's reference on success. */
static struct dentry *dentry_alloc(
	struct mount *mount, struct dentry *parent, const struct fs_name *name, struct vnode *v)
{
	struct dentry *d = fsh_alloc(sizeof(*d));

	if (!d)
		return NULL;
	d->name = name_text(d, name);
	if (!d->name) {
		fsh_free(d);
		return NULL;
	}
	d->refs = 1 | UNHASHED;
	d->name_head = name->head;
	d->name_bytes = name->bytes;
	stand_for(d, v);
	d->mount = mount;
	d->parent = parent ? dentry_ref(parent) : d;
	d->link.hash = place_hash(d->parent, name->hash);
	fsh_spin_lock(&names.tree_lock);
	sibling_insert(d);
	fs_write(names.n, names.n + 1);
	fsh_spin_unlock(&names.tree_lock);
	return d;
}

void dentry_free(struct dentry *d)
{
	bucket_fit(bucket_of(d));
	if (d->vnode) {
		__atomic_fetch_sub(&d->vnode->names, 1, __ATOMIC_RELAXED);
		vnode_unref(d->vnode);
	}
	name_free(d, d->name);
	fsh_free(d);
}

/* Drop a reference; tree lock held.  True: it was the last of an entry that nobody finds. */
static bool unref_in_tree(struct dentry *d)
{
	uint32_t refs = fs_read(d->refs), left;

	do
		left = refs == 1 ? LISTED : refs - 1;
	while (!__atomic_compare_exchange_n(
		&d->refs, &refs, left, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	if (refs == 1)
		idle_append(d);
	return (left & ~LISTED) == UNHASHED;
}

/* Returns whose reference is to be dropped next: that of the parent, if this was the end. */
static struct dentry *unref_slowly(struct dentry *d)
{
	struct dentry *parent;
	bool end;

	fsh_spin_lock(&names.tree_lock);
	end = unref_in_tree(d);
	if (end)
		dentry_leave(d);
	fsh_spin_unlock(&names.tree_lock);
	if (!end)
		return NULL;
	parent = d->parent == d ? NULL : d->parent;
	dentry_free(d);
	return parent;
}

static __attribute__((noinline)) void unref_upwards(struct dentry *d)
{
	do
		d = unref_slowly(d);
	while (d && !dentry_unref_fast(d));
}

void dentry_unref(struct dentry *d)
{
	if (d && !dentry_unref_fast(d))
		unref_upwards(d);
}

int dentry_new_root(struct mount *mount, struct vnode *root, struct dentry **out)
{
	static const struct fs_name top = {"", 0, 0, 0};

	*out = dentry_alloc(mount, NULL, &top, root);
	if (!*out) {
		vnode_unref(root);
		return -ENOMEM;
	}
	root->alias = *out;
	return 0;
}

int dentry_new_nameless(
	struct mount *mount, const struct fs_name *shown, struct vnode *v, struct dentry **out)
{
	*out = dentry_alloc(mount, mount->root, shown, v);
	if (!*out) {
		vnode_unref(v);
		return -ENOMEM;
	}
	fsh_spin_lock(&names.tree_lock);
	v->alias = *out;
	fsh_spin_unlock(&names.tree_lock);
	return 0;
}

/* --- The table ------------------------------------------------------------------------------- */

void bucket_refit(struct bucket *b)
{
	struct fs_link **chains;
	uint32_t bits;

	if (!fs_table_wanted(fs_read(b->entries.n), &chains, &bits))
		return;
	fsh_spin_lock(&b->lock);
	fs_table_move(&b->entries, &chains, bits);
	fsh_spin_unlock(&b->lock);
	fsh_free(chains);
}

/* Bucket lock held. */
static void bucket_insert(struct bucket *b, struct dentry *d)
{
	fs_table_insert(&b->entries, &d->link);
	__atomic_fetch_and(&d->refs, ~UNHASHED, __ATOMIC_RELEASE);
}

/* Make d findable, and the name by which its vnode is known. */
static void dentry_insert(struct dentry *d)
{
	struct bucket *b = bucket_of(d);

	fsh_spin_lock(&names.tree_lock);
	if (d->vnode)
		d->vnode->alias = d;
	fsh_spin_lock_nested(&b->lock);
	if (!(d->mount->flags & MOUNT_VOLATILE) || (d->vnode && d->vnode->lasts))
		bucket_insert(b, d);
	fsh_spin_unlock(&b->lock);
	fsh_spin_unlock(&names.tree_lock);
	bucket_fit(b);
}

/* The caller has a reference. */
static void dentry_unhash(struct dentry *d)
{
	struct bucket *b = bucket_of(d);

	fsh_spin_lock(&b->lock);
	if (!(__atomic_fetch_or(&d->refs, UNHASHED, __ATOMIC_ACQ_REL) & UNHASHED))
		fs_table_remove(&b->entries, &d->link);
	directory_gone(d);
	fsh_spin_unlock(&b->lock);
}

/* --- Looking up ------------------------------------------------------------------------------ */

/*
 * A directory that was found by a name which is not remembered, and is remembered by another: the
 * file system is damaged.  (Walks and renames take the locks of what they go through: each must be
 * there once.)
 */
static bool has_other_name(const struct vnode *directory)
{
	bool remembered;

	fsh_spin_lock(&names.tree_lock);
	remembered = directory->alias && !(fs_read(directory->alias->refs) & UNHASHED);
	fsh_spin_unlock(&names.tree_lock);
	return remembered;
}

int dentry_lookup_locked(struct dentry *dir, const struct fs_name *name, struct dentry **out)
{
	struct vnode *v = NULL;
	int err;

	*out = dentry_find(dir, name, false);
	if (*out)
		return 0;
	if (fs_read(dir->vnode->nlink) == 0)
		return -ENOENT;
	err = dir->vnode->ops->lookup(dir->vnode, name, &v);
	if (err && err != -ENOENT)
		return err;
	*out = dentry_alloc(dir->mount, dir, name, v);
	if (!*out) {
		if (v)
			vnode_unref(v);
		return -ENOMEM;
	}
	if (v && vnode_is(v, FS_IFDIR) && has_other_name(v)) {
		dentry_unref(*out);
		*out = NULL;
		return -EIO;
	}
	dentry_insert(*out);
	return 0;
}

int dentry_lookup_slowly(struct dentry *dir, const struct fs_name *name, struct dentry **out)
{
	struct vnode *v = dir->vnode;
	int err;

	if (!vnode_is(v, FS_IFDIR))
		return -ENOTDIR;
	if (name->bytes > FS_NAME_MAX)
		return -ENAMETOOLONG;
	fsh_mutex_lock(&v->lock);
	err = dentry_lookup_locked(dir, name, out);
	fsh_mutex_unlock(&v->lock);
	return err;
}

int dentry_lookup(struct dentry *dir, const struct fs_name *name, struct dentry **out)
{
	*out = dentry_find(dir, name, false);
	return *out ? 0 : dentry_lookup_slowly(dir, name, out);
}

/* --- Changing -------------------------------------------------------------------------------- */

void dentry_cover(struct dentry *d, struct mount *m)
{
	struct bucket *b;

	fsh_spin_lock_nested(&names.tree_lock);
	b = bucket_of(d);
	fsh_spin_lock_nested(&b->lock);
	fs_write(d->covered_by, m);
	directories_changed();
	fsh_spin_unlock(&b->lock);
	fsh_spin_unlock(&names.tree_lock);
}

int dentry_prepare(struct dentry *free_name, struct dentry **fresh)
{
	struct fs_name name = name_of_entry(free_name);

	*fresh = dentry_alloc(free_name->mount, free_name->parent, &name, NULL);
	return *fresh ? 0 : -ENOMEM;
}

void dentry_created(struct dentry *free_name, struct dentry *fresh, struct vnode *v)
{
	fsh_assert(free_name->vnode == NULL && fsh_mutex_held(&free_name->parent->vnode->lock));
	dentry_unhash(free_name);
	stand_for(fresh, v);
	dentry_insert(fresh);
}

/* Tree lock held.  Returns the count that it had, with the bits beside it. */
static uint32_t unhash_in_tree(struct dentry *d)
{
	struct bucket *b = bucket_of(d);
	uint32_t refs;

	fsh_spin_lock_nested(&b->lock);
	refs = __atomic_fetch_or(&d->refs, UNHASHED, __ATOMIC_ACQ_REL);
	if (!(refs & UNHASHED))
		fs_table_remove(&b->entries, &d->link);
	directory_gone(d);
	fsh_spin_unlock(&b->lock);
	return refs;
}

/*
 * The directory is gone: the free names that are remembered in it go, too; those that a walk has
 * in its hands when it lets go of them.
 */
static void drop_free_names(struct dentry *directory)
{
	struct dentry *d, *next, *gone = NULL;

	fsh_spin_lock(&names.tree_lock);
	for (d = directory->children; d; d = next) {
		next = d->sibling_next;
		if (unhash_in_tree(d) == LISTED) {
			dentry_leave(d);
			d->idle_next = gone;
			gone = d;
		}
	}
	fsh_spin_unlock(&names.tree_lock);
	for (d = gone; d; d = next) {
		next = d->idle_next;
		dentry_free(d);
		dentry_unref(directory);
	}
}

void dentry_removed(struct dentry *d)
{
	fsh_assert(fsh_mutex_held(&d->parent->vnode->lock));
	dentry_unhash(d);
	if (vnode_is(d->vnode, FS_IFDIR))
		drop_free_names(d);
}

/* Room for a name that does not fit inside an entry; with none needed, *text stays NULL. */
static int name_room(uint32_t bytes, char **text)
{
	if (bytes < DENTRY_INLINE_NAME)
		return 0;
	*text = fsh_alloc(bytes + 1);
	return *text ? 0 : -ENOMEM;
}

int dentry_names_prepare(struct dentry *from, struct dentry *to, struct dentry_names *room)
{
	int err;

	*room = (struct dentry_names){{NULL, NULL}};
	err = name_room(to->name_bytes, &room->text[0]);
	if (!err)
		err = name_room(from->name_bytes, &room->text[1]);
	if (err)
		dentry_names_free(room);
	return err;
}

void dentry_names_free(struct dentry_names *room)
{
	fsh_free(room->text[0]);
	fsh_free(room->text[1]);
}

struct place {
	struct dentry *parent;
	char name[FS_NAME_MAX + 1];
	uint32_t bytes, name_hash;
	uint64_t head;
};

static void place_of(const struct dentry *d, struct place *place)
{
	place->parent = d->parent;
	place->bytes = d->name_bytes;
	place->name_hash = place_hash(d->parent, d->link.hash);
	place->head = d->name_head;
	memcpy(place->name, d->name, d->name_bytes + 1);
}

/* Give d the place; its old text, if allocated, is left in *room to be freed. */
static void dentry_place(struct dentry *d, const struct place *place, char **room)
{
	char *text = *room ? *room : d->inline_name;

	*room = d->name == d->inline_name ? NULL : (char *)d->name;
	memcpy(text, place->name, place->bytes + 1);
	d->name = text;
	d->name_bytes = place->bytes;
	d->name_head = place->head;
	sibling_remove(d);
	d->parent = place->parent;
	d->link.hash = place_hash(place->parent, place->name_hash);
	sibling_insert(d);
}

static void hash_in_tree(struct dentry *d)
{
	struct bucket *b = bucket_of(d);

	fsh_spin_lock_nested(&b->lock);
	bucket_insert(b, d);
	fsh_spin_unlock(&b->lock);
}

/*
 * While an entry is between its places a walk misses it and goes to the directory's inode lock,
 * which is held: it waits and then sees the new state.  The parents' counts move along with the
 * places when they are exchanged; otherwise `to` keeps its parent and `from` counts a new one.
 */
void dentry_renamed(
	struct dentry *from, struct dentry *to, bool exchange, struct dentry_names *room)
{
	struct place places[2];
	struct dentry *old_parent = from->parent;

	place_of(from, &places[0]);
	place_of(to, &places[1]);
	fsh_spin_lock(&names.tree_lock);
	unhash_in_tree(from);
	unhash_in_tree(to);
	dentry_place(from, &places[1], &room->text[0]);
	if (exchange) {
		dentry_place(to, &places[0], &room->text[1]);
		hash_in_tree(to);
	} else {
		dentry_ref(from->parent);
	}
	hash_in_tree(from);
	fsh_spin_unlock(&names.tree_lock);
	bucket_fit(bucket_of(from));
	if (exchange)
		return;
	dentry_unref(old_parent);
	if (to->vnode && vnode_is(to->vnode, FS_IFDIR))
		drop_free_names(to);
}
