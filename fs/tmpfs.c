// SPDX-License-Identifier: MIT
/*
 * tmpfs: files that live in memory and end with it.
 *
 * A node is a vnode, pinned in the vnode cache as long as it has names.  A regular file's pages are
 * the page cache's own: its pager fills with zeros and cannot write, so a page that was stored to
 * stays until it is truncated away.  How many there may be says tmpfs_limits.h.
 *
 * A directory is a list of entries in the order of their cookies, which only rise, so a readdir
 * goes on where it was whatever came and went; a hash table of its own finds names.
 */
#include "private.h"
#include "tmpfs_limits.h"
#include <fs/tmpfs.h>
#include <errno.h>
#include <string.h>

#define TMPFS_MAGIC 0x01021994

struct node;

/* A name in a directory.  [d] the directory's inode lock. */
struct entry {
	struct fs_link link;                  /* [d] its hash: of the name */
	struct node *node;                    /* [d] */
	uint64_t cookie;                      /* [d] */
	struct entry *list_next, **list_prev; /* [d] */
	uint32_t bytes;                       /* [I] */
	char name[];                          /* [I] not terminated */
};

struct node {
	struct vnode vnode;
	char *target; /* [I] of a symbolic link */
};

struct directory {
	struct node node;
	struct fs_table names;       /* [d] */
	struct entry *first, **last; /* [d] */
	struct entry *read;   /* [d] what was read last, or comes before that one, now gone */
	uint64_t next_cookie; /* [d] */
};

struct tmpfs {
	uint64_t next_ino; /* [a] */
	struct tmpfs_limits limits;
};

static struct node *node_of(struct vnode *v)
{
	return (struct node *)((char *)v - offsetof(struct node, vnode));
}

static struct directory *directory_of(struct vnode *v)
{
	return (struct directory *)node_of(v);
}

static struct tmpfs *tmpfs_of(const struct node *node)
{
	return node->vnode.mount->fs;
}

/* --- Pages ----------------------------------------------------------------------------------- */

static int fill_zero(struct mvm_object *obj, mvm_pgoff_t index, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		memset(fsh_frame_data(mvm_object_frame(obj, index + i)), 0, MVM_PAGE_BYTES);
	return 0;
}

static struct tmpfs_limits *limits_of(struct mvm_object *obj)
{
	return &tmpfs_of(node_of(mvm_object_owner(obj)))->limits;
}

/* Asked once for a page: what is dirty stays dirty, as nothing writes it. */
static int take_page(struct mvm_object *obj, mvm_pgoff_t index)
{
	(void)index;
	return tmpfs_take_page(limits_of(obj)) ? 0 : -MVM_ENOSPC;
}

static void give_page(struct mvm_object *obj, mvm_pgoff_t index)
{
	(void)index;
	tmpfs_give_page(limits_of(obj));
}

static const struct mvm_pager_ops tmpfs_pager = {
	.fill = fill_zero,
	.make_writable = take_page,
	.unreserve = give_page,
	.release = vnode_object_release,
};

/* --- Entries --------------------------------------------------------------------------------- */

static struct entry *entry_of(const struct fs_link *link)
{
	return (struct entry *)((char *)link - offsetof(struct entry, link));
}

static struct entry *entry_find(struct directory *dir, const struct fs_name *name)
{
	struct fs_link *link = *fs_table_chain(&dir->names, name->hash);

	for (; link; link = link->next) {
		struct entry *e = entry_of(link);

		if (link->hash == name->hash && e->bytes == name->bytes &&
			memcmp(e->name, name->text, name->bytes) == 0)
			return e;
	}
	return NULL;
}

static struct entry *entry_alloc(const struct fs_name *name)
{
	struct entry *e = fsh_alloc(offsetof(struct entry, name) + name->bytes);

	if (!e)
		return NULL;
	e->link.hash = name->hash;
	e->bytes = name->bytes;
	memcpy(e->name, name->text, name->bytes);
	return e;
}

static void entry_insert(struct directory *dir, struct entry *e, struct node *node)
{
	e->node = node;
	e->cookie = dir->next_cookie++;
	e->list_next = NULL;
	e->list_prev = dir->last;
	*dir->last = e;
	dir->last = &e->list_next;
	fs_table_insert(&dir->names, &e->link);
	fs_table_fit(&dir->names);
}

static struct entry *entry_before(const struct directory *dir, const struct entry *e)
{
	if (e->list_prev == &dir->first)
		return NULL;
	return (struct entry *)((char *)e->list_prev - offsetof(struct entry, list_next));
}

static void entry_free(struct directory *dir, struct entry *e)
{
	if (dir->read == e)
		dir->read = entry_before(dir, e);
	*e->list_prev = e->list_next;
	if (e->list_next)
		e->list_next->list_prev = e->list_prev;
	else
		dir->last = e->list_prev;
	fs_table_remove(&dir->names, &e->link);
	fs_table_fit(&dir->names);
	fsh_free(e);
}

/* --- Nodes ----------------------------------------------------------------------------------- */

static const struct vnode_ops tmpfs_vnode_ops;

/* What it counts: a file once for each name, else once. */
static uint64_t weight(const struct vnode *v)
{
	return vnode_is(v, FS_IFDIR) || !v->nlink ? 1 : v->nlink;
}

static void node_free(struct node *node)
{
	tmpfs_give_nodes(&tmpfs_of(node)->limits, weight(&node->vnode));
	fsh_free(node->target);
	fsh_free(node);
}

static void directory_begin(struct directory *dir)
{
	dir->node.vnode.nlink = 2;
	dir->last = &dir->first;
	dir->next_cookie = 2;
}

/* A link's target, or a file's object: what the type needs. */
static int node_begin(struct node *node, const struct vnode_new *what)
{
	if (vnode_is(&node->vnode, FS_IFDIR))
		directory_begin(directory_of(&node->vnode));
	if (vnode_is(&node->vnode, FS_IFREG))
		return vnode_init_object(&node->vnode, &tmpfs_pager, 0);
	if (!vnode_is(&node->vnode, FS_IFLNK))
		return 0;
	node->vnode.size_bytes = strlen(what->target);
	node->target = fsh_alloc(node->vnode.size_bytes + 1);
	if (!node->target)
		return -ENOMEM;
	memcpy(node->target, what->target, node->vnode.size_bytes + 1);
	return 0;
}

/* One reference, the caller's, and pinned. */
static int node_new(struct mount *mount, const struct vnode_new *what, struct node **out)
{
	bool directory = (what->mode & FS_IFMT) == FS_IFDIR;
	struct tmpfs *fs = mount->fs;
	struct node *node;
	struct vnode *v;
	int err;

	if (!tmpfs_take_node(&fs->limits))
		return -ENOSPC;
	node = fsh_alloc(directory ? sizeof(struct directory) : sizeof(struct node));
	if (!node) {
		tmpfs_give_nodes(&fs->limits, 1);
		return -ENOMEM;
	}
	v = &node->vnode;
	vnode_init(v, mount, &tmpfs_vnode_ops,
		__atomic_add_fetch(&fs->next_ino, 1, __ATOMIC_RELAXED), what->mode);
	v->uid = what->uid;
	v->gid = what->gid;
	v->rdev = what->rdev;
	v->atime = v->mtime = v->ctime = v->btime = fs_time_now();
	v->seals = FS_SEAL_SEAL; /* but for memfd's */
	err = node_begin(node, what);
	if (err) {
		/* Neither pinned nor cached: this evicts. */
		vnode_unref(v);
		return err;
	}
	vnode_pin(v);
	vnode_cache_add(v);
	*out = node;
	return 0;
}

int tmpfs_node_new(struct mount *mount, const struct vnode_new *what, struct vnode **out)
{
	struct node *node;
	int err = node_new(mount, what, &node);

	if (!err)
		*out = &node->vnode;
	return err;
}

/* Only an unmount finds one that is not empty. */
static void directory_end(struct directory *dir)
{
	while (dir->first)
		entry_free(dir, dir->first);
	fs_table_fini(&dir->names);
}

static void tmpfs_evict(struct vnode *v)
{
	if (vnode_is(v, FS_IFDIR))
		directory_end(directory_of(v));
	vnode_fini(v);
	node_free(node_of(v));
}

/* --- Operations on directories --------------------------------------------------------------- */

static int tmpfs_lookup(struct vnode *dir, const struct fs_name *name, struct vnode **out)
{
	struct entry *e = entry_find(directory_of(dir), name);

	if (!e)
		return -ENOENT;
	*out = vnode_ref(&e->node->vnode);
	return 0;
}

static int tmpfs_create(struct vnode *dir, const struct fs_name *name, const struct vnode_new *what,
	struct vnode **out)
{
	struct entry *e = entry_alloc(name);
	struct node *node;
	int err;

	if (!e)
		return -ENOMEM;
	err = node_new(dir->mount, what, &node);
	if (err) {
		fsh_free(e);
		return err;
	}
	entry_insert(directory_of(dir), e, node);
	if (vnode_is(&node->vnode, FS_IFDIR))
		fs_write(dir->nlink, dir->nlink + 1);
	vnode_touch(dir);
	*out = &node->vnode;
	return 0;
}

static int tmpfs_link(struct vnode *dir, const struct fs_name *name, struct vnode *v)
{
	struct tmpfs *fs = dir->mount->fs;
	struct entry *e = entry_alloc(name);

	if (!e)
		return -ENOMEM;
	if (!tmpfs_take_node(&fs->limits)) {
		fsh_free(e);
		return -ENOSPC;
	}
	entry_insert(directory_of(dir), e, node_of(v));
	fs_write(v->nlink, v->nlink + 1);
	fs_write(v->ctime, fs_time_now());
	vnode_touch(dir);
	return 0;
}

/* v has lost a name in dir. */
static void name_lost(struct vnode *dir, struct vnode *v)
{
	fs_write(v->ctime, fs_time_now());
	if (vnode_is(v, FS_IFDIR)) {
		fs_write(dir->nlink, dir->nlink - 1);
		vnode_set_nlink(v, 0);
	} else {
		if (v->nlink > 1)
			tmpfs_give_nodes(&tmpfs_of(node_of(v))->limits, 1);
		vnode_set_nlink(v, v->nlink - 1);
	}
}

static int tmpfs_unlink(struct vnode *dir, const struct fs_name *name, struct vnode *v)
{
	entry_free(directory_of(dir), entry_find(directory_of(dir), name));
	vnode_touch(dir);
	name_lost(dir, v);
	return 0;
}

static int tmpfs_rmdir(struct vnode *dir, const struct fs_name *name, struct vnode *v)
{
	if (directory_of(v)->first)
		return -ENOTEMPTY;
	return tmpfs_unlink(dir, name, v);
}

static void count_parent(struct vnode *from_dir, struct vnode *to_dir, const struct vnode *moved)
{
	if (!vnode_is(moved, FS_IFDIR))
		return;
	fs_write(from_dir->nlink, from_dir->nlink - 1);
	fs_write(to_dir->nlink, to_dir->nlink + 1);
}

static void exchange(const struct vnode_rename *r)
{
	struct entry *from = entry_find(directory_of(r->from_dir), r->from_name);
	struct entry *to = entry_find(directory_of(r->to_dir), r->to_name);

	from->node = node_of(r->to);
	to->node = node_of(r->from);
	count_parent(r->from_dir, r->to_dir, r->from);
	count_parent(r->to_dir, r->from_dir, r->to);
	fs_write(r->to->ctime, fs_time_now());
}

static int move(const struct vnode_rename *r)
{
	struct directory *from = directory_of(r->from_dir);
	struct entry *e;

	if (r->to && vnode_is(r->to, FS_IFDIR) && directory_of(r->to)->first)
		return -ENOTEMPTY;
	e = entry_alloc(r->to_name);
	if (!e)
		return -ENOMEM;
	if (r->to)
		tmpfs_unlink(r->to_dir, r->to_name, r->to);
	entry_free(from, entry_find(from, r->from_name));
	entry_insert(directory_of(r->to_dir), e, node_of(r->from));
	count_parent(r->from_dir, r->to_dir, r->from);
	return 0;
}

static int tmpfs_rename(const struct vnode_rename *r)
{
	int err = 0;

	if (r->flags & FS_RENAME_EXCHANGE)
		exchange(r);
	else
		err = move(r);
	if (err)
		return err;
	fs_write(r->from->ctime, fs_time_now());
	vnode_touch(r->from_dir);
	vnode_touch(r->to_dir);
	return 0;
}

/*
 * The first entry from this cookie on.  Whoever reads on finds it where the last reading ended; of
 * two who read at once the one behind searches from the beginning.
 */
static struct entry *entry_from(const struct directory *dir, uint64_t cookie)
{
	struct entry *e = dir->read;

	if (!e || e->cookie >= cookie)
		e = dir->first;
	while (e && e->cookie < cookie)
		e = e->list_next;
	return e;
}

static int tmpfs_readdir(struct vnode *v, uint64_t *cookie, struct fs_readdir *r)
{
	struct directory *dir = directory_of(v);

	for (struct entry *e = entry_from(dir, *cookie); e; e = e->list_next) {
		struct fs_entry entry = {
			.name = e->name,
			.name_bytes = e->bytes,
			.mode = e->node->vnode.mode,
			.ino = e->node->vnode.ino,
			.next = e->cookie + 1,
		};

		if (!r->emit(r, &entry))
			break;
		*cookie = entry.next;
		dir->read = e;
	}
	return 0;
}

/* --- Operations on any file ------------------------------------------------------------------ */

static int tmpfs_readlink(struct vnode *v, char *to, size_t bytes)
{
	if (bytes > v->size_bytes)
		bytes = v->size_bytes;
	memcpy(to, node_of(v)->target, bytes);
	return (int)bytes;
}

static int tmpfs_getattr(struct vnode *v, struct fs_attr *attr)
{
	struct mvm_object_counts counts;

	if (!v->object)
		return 0;
	mvm_object_counts(v->object, &counts);
	attr->blocks = counts.dirty_pages * (MVM_PAGE_BYTES / 512);
	return 0;
}

static int tmpfs_setattr(struct vnode *v, const struct fs_attr *attr, unsigned mask)
{
	if (mask & FS_SET_SIZE) {
		int err = mvm_pc_truncate(v->object, attr->size_bytes);

		if (err)
			return err;
		fs_write(v->mtime, fs_time_now());
	}
	vnode_apply_attr(v, attr, mask);
	return 0;
}

/* What the cache drops is gone: it has the only copy. */
static int tmpfs_punch(struct vnode *v, uint64_t start, uint64_t end)
{
	int err = mvm_pc_punch(v->object, start, end, NULL);

	if (!err)
		vnode_touch(v);
	return err;
}

static const struct vnode_ops tmpfs_vnode_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.readdir = tmpfs_readdir,
	.readlink = tmpfs_readlink,
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
	.punch = tmpfs_punch,
	.evict = tmpfs_evict,
};

/* --- The mount ------------------------------------------------------------------------------- */

int tmpfs_statfs(struct mount *mount, struct fs_stat *out)
{
	struct tmpfs *fs = mount->fs;

	out->magic = TMPFS_MAGIC;
	tmpfs_limits_stat(&fs->limits, out);
	return 0;
}

void tmpfs_unmount(struct mount *mount)
{
	struct tmpfs *fs = mount->fs;

	if (fs_read(fs->limits.nodes))
		return; /* the machine goes down and somebody is still here */
	fsh_free(fs);
}

static const struct mount_ops tmpfs_mount_ops = {
	.statfs = tmpfs_statfs,
	.unmount = tmpfs_unmount,
};

static int mount_with(struct mount *mount, const char *options, uint32_t mode, struct vnode **root)
{
	struct tmpfs *fs = fsh_alloc(sizeof(*fs));
	struct vnode_new top;
	struct node *node;
	int err;

	if (!fs)
		return -ENOMEM;
	err = tmpfs_limits_init(&fs->limits, &mode, options);
	top = (struct vnode_new){.mode = FS_IFDIR | mode};
	mount->fs = fs;
	mount->ops = &tmpfs_mount_ops;
	mount->flags |= MOUNT_SEALS;
	if (!err)
		err = node_new(mount, &top, &node);
	if (err) {
		fsh_free(fs);
		return err;
	}
	*root = &node->vnode;
	return 0;
}

int tmpfs_mount(struct mount *mount, const char *source, const char *options, struct vnode **root)
{
	(void)source;
	return mount_with(mount, options, 0755, root);
}

/* By itself it is everybody's, as on Linux. */
static int plain_mount(
	struct mount *mount, const char *source, const char *options, struct vnode **root)
{
	(void)source;
	return mount_with(mount, options, 01777, root);
}

struct fs_type tmpfs_type = {.name = "tmpfs", .mount = plain_mount};
