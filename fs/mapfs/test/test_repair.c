// SPDX-License-Identifier: MIT
/*
 * What fsck finds, kind by kind.  Each row of the table plants one damage in an image that has a
 * little of everything, with right checksums where the checksum is not the matter.  Then
 *
 *	fsck -n		says so, and not a byte of the image changes
 *	fsck		repairs it, and says so
 *	fsck -n		finds nothing any more
 *	mount		whatever was not damaged has its name, its attributes and its bytes, in the
 *			blocks that it had; what lost its name is in lost+found
 *	use		the tree can be changed, and is clean afterwards
 */
#include "anatomy.h"
#include "inventory.h"

#include <mapfs/recover.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_BYTES  (40 << 20)
#define N_INODES    512
#define N_SCATTERED (MAPFS_ROOT_EXTENTS * MAPFS_NODE_EXTENTS + 100) /* two levels of indices */
#define N_TREE      100                                             /* names of 200 letters */

static struct world w;
static struct anatomy a, was; /* the disk; the image before the damage */
static uint8_t *pristine;
static struct inventory *before;
static bool ready; /* all this is there */

/* What the row's damage may do: to the inode itself, to its name. */
static bool hurt[INVENTORY_INODES], lost[INVENTORY_INODES];

static uint32_t ino_of(const char *path)
{
	uint32_t ino = inventory_ino(before, path);

	if (!ino)
		fail_msg("there is no %s", path);
	return ino;
}

static uint32_t hurting(const char *path)
{
	hurt[ino_of(path)] = true;
	return ino_of(path);
}

static uint32_t losing(const char *path)
{
	lost[ino_of(path)] = true;
	return ino_of(path);
}

/* --- The image --------------------------------------------------------------------------- */

static void make_scattered(const char *path, unsigned n)
{
	struct file *file;

	assert_int_equal(world_open(&w, path, FS_O_CREAT | FS_O_RDWR, &file), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(world_write(file, &i, sizeof(i), (uint64_t)i * 8192), 0);
	file_unref(file);
}

static const char *in_tree(unsigned i)
{
	static char name[300];

	snprintf(name, sizeof(name), "/tree/%0200u", i);
	return name;
}

static void make_names(void)
{
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/tree", 0755), 0);
	for (unsigned i = 0; i < N_TREE; i++)
		assert_int_equal(world_put(&w, in_tree(i), 10 + i, i), 0);
}

static void make_folders(void)
{
	char name[64], target[700];

	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = 0;
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d", 0755), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/sub", 0700), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/sub/deep", 0700), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/void", 0755), 0);
	assert_int_equal(world_put(&w, "/d/sub/deep/file", 5000, 77), 0);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "/d/file-%u", i);
		assert_int_equal(world_put(&w, name, i * 1500, i), 0);
	}
	assert_int_equal(vfs_link(&w.ctx, NULL, "/d/file-9", 0, NULL, "/d/sub/link"), 0);
	assert_int_equal(vfs_symlink(&w.ctx, "short", NULL, "/d/short"), 0);
	assert_int_equal(vfs_symlink(&w.ctx, target, NULL, "/d/long"), 0);
	assert_int_equal(vfs_mknod(&w.ctx, NULL, "/d/fifo", FS_IFIFO | 0600, 0), 0);
}

static int setup(void **state)
{
	(void)state;
	world_make(&w, DISK_BYTES, N_INODES);
	world_mount(&w);
	make_folders();
	make_names();
	make_scattered("/pieces", 900);
	make_scattered("/scattered", N_SCATTERED);
	assert_int_equal(world_put(&w, "/a", 50000, 1), 0);
	assert_int_equal(world_put(&w, "/b", 50000, 2), 0);
	world_unmount(&w);
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
	before = inventory_take(&w);
	world_unmount(&w);
	pristine = testdisk_save(w.disk);
	anatomy_look(&a, testdisk_block(w.disk, 0));
	anatomy_look(&was, pristine);
	assert_int_equal(a.sb.n_groups, 1);
	ready = true;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	inventory_free(before);
	testdisk_forget(w.disk, pristine);
	world_free(&w);
	return 0;
}

/* --- Super blocks, log, state ------------------------------------------------------------ */

static struct mapfs_super *super(bool copy)
{
	return anatomy_block(&a, copy ? a.sb.n_blocks - 1 : MAPFS_SUPER_BLOCK);
}

static void super_zeroed(void)
{
	memset(super(false), 0, MAPFS_BLOCK_BYTES);
}

static void super_flipped(void)
{
	super(false)->label[3] ^= 1;
}

static void super_contradicts_itself(void)
{
	super(false)->n_groups += 5;
	super(false)->crc = mapfs_super_crc(super(false));
}

static void copy_zeroed(void)
{
	memset(super(true), 0, MAPFS_BLOCK_BYTES);
}

static void copy_differs(void)
{
	super(true)->label[0] = 'x';
	super(true)->crc = mapfs_super_crc(super(true));
}

static struct mapfs_log_head *log_head(unsigned which)
{
	return anatomy_block(&a, a.sb.log_start + which);
}

static void heads_flipped(void)
{
	log_head(0)->reserved[9] ^= 1;
	log_head(1)->reserved[9] ^= 1;
}

static void heads_exchanged(void)
{
	struct mapfs_log_head head = *log_head(0);

	*log_head(0) = *log_head(1);
	*log_head(1) = head;
}

static void heads_lead_nowhere(void)
{
	for (unsigned i = 0; i < MAPFS_LOG_HEADS; i++) {
		log_head(i)->offset = a.sb.log_blocks;
		anatomy_seal(&a, log_head(i));
	}
}

/* A crash tore the head that was being written, the older one or the newer one. */
static void first_head_torn(void)
{
	memset((char *)log_head(0) + 512, 0x5a, 512);
}

static void second_head_torn(void)
{
	memset(log_head(1), 0x5a, 512);
}

static void garbage_in_the_ring(void)
{
	uint64_t seed = 4711, *p;

	for (uint64_t i = 0; i < mapfs_ring_blocks(&a.sb); i++) {
		p = anatomy_block(&a, mapfs_ring_block(&a.sb, i));
		for (unsigned k = 0; k < MAPFS_BLOCK_BYTES / 8; k++)
			p[k] = world_random(&seed);
	}
}

static void garbage_and_no_heads(void)
{
	garbage_in_the_ring();
	heads_flipped();
}

static void state_flipped(void)
{
	anatomy_state(&a)->mounts ^= 1;
}

static void state_elsewhere(void)
{
	anatomy_state(&a)->header.block = 7;
	anatomy_seal(&a, anatomy_state(&a));
}

/* --- Checksums --------------------------------------------------------------------------- */

static void block_map_flipped(void)
{
	anatomy_map(&a, false)->bits[500] ^= 1;
}

static void inode_map_flipped(void)
{
	anatomy_map(&a, true)->bits[1] ^= 1;
}

static void inode_flipped(void)
{
	anatomy_inode(&a, hurting("/a"))->mtime_ns ^= 1;
}

static void inode_of_a_folder_flipped(void)
{
	anatomy_inode(&a, hurting("/d/sub"))->mtime_ns ^= 1;
	losing("/d/sub/deep");
	losing("/d/sub/deep/file"); /* comes with its folder */
	losing("/d/sub/link");      /* has another name */
}

static void inode_of_the_root_flipped(void)
{
	anatomy_inode(&a, hurting("/"))->mtime_ns ^= 1;
	for (unsigned i = 1; i < INVENTORY_INODES; i++)
		lost[i] = before->thing[i].n_names;
}

static void folder_flipped(void)
{
	struct mapfs_dir_node *leaf = anatomy_node(&a, MAPFS_KIND_DIR, ino_of("/d/sub"), 0, 0);

	leaf->records[3] ^= 1;
	losing("/d/sub/deep");
	losing("/d/sub/deep/file");
	losing("/d/sub/link");
}

/* All names of a leaf of /tree. */
static struct mapfs_dir_node *losing_leaf(unsigned i)
{
	struct mapfs_dir_node *leaf = anatomy_node(&a, MAPFS_KIND_DIR, ino_of("/tree"), 0, i);

	for (unsigned at = 0; at < leaf->bytes; at += mapfs_dir_record_bytes(leaf, at))
		lost[mapfs_dirent_at(leaf, at)->ino] = true;
	return leaf;
}

static void leaf_flipped(void)
{
	losing_leaf(2)->records[100] ^= 1;
}

static struct mapfs_dir_node *tree_root(void)
{
	struct mapfs_dir_node *root = anatomy_node(&a, MAPFS_KIND_DIR, ino_of("/tree"), 1, 0);

	assert_true(root->bytes >= 4 * sizeof(struct mapfs_dir_child));
	return root;
}

/* Only what is in leaves is believed, but no way leads to them. */
static struct mapfs_dir_node *losing_tree(void)
{
	for (unsigned i = 0; anatomy_node(&a, MAPFS_KIND_DIR, ino_of("/tree"), 0, i); i++)
		losing_leaf(i);
	return tree_root();
}

static void index_flipped(void)
{
	losing_tree()->records[3] ^= 1;
}

static struct mapfs_extent_node *extents_of(const char *path, unsigned depth, unsigned i)
{
	struct mapfs_extent_node *node =
		anatomy_node(&a, MAPFS_KIND_EXTENTS, ino_of(path), depth, i);

	assert_non_null(node);
	return node;
}

static void extents_flipped(void)
{
	extents_of("/pieces", 0, 1)->entry[3].logical ^= 1;
	hurting("/pieces");
}

static void extent_index_flipped(void)
{
	extents_of("/scattered", 1, 0)->entry[2].logical ^= 1;
	hurting("/scattered");
}

static void last_extents_flipped(void)
{
	extents_of("/scattered", 0, MAPFS_ROOT_EXTENTS)->entry[2].logical ^= 1;
	hurting("/scattered");
}

static void target_flipped(void)
{
	const struct mapfs_inode_disk *d = anatomy_inode(&a, hurting("/d/long"));
	struct mapfs_piece p;

	mapfs_piece_decode(&d->root[0], &p);
	((char *)anatomy_block(&a, p.start))[50] ^= 1;
}

/* --- One owner a block ------------------------------------------------------------------- */

static void set_extent(const char *path, unsigned i, uint64_t start, uint32_t count)
{
	uint32_t ino = hurting(path);
	struct mapfs_piece p;

	mapfs_piece_decode(&anatomy_inode(&a, ino)->root[i], &p);
	p.start = start;
	p.count = count ? count : p.count;
	mapfs_piece_encode(&p, &anatomy_inode(&a, ino)->root[i]);
	anatomy_seal_inode(&a, ino);
}

static uint64_t first_block_of(const char *path)
{
	struct mapfs_piece p;

	mapfs_piece_decode(&anatomy_inode(&a, ino_of(path))->root[0], &p);
	return p.start;
}

static uint64_t number_of(const void *block)
{
	return ((const struct mapfs_header *)block)->block;
}

static void data_of_a_later_file(void)
{
	set_extent("/a", 0, first_block_of("/b"), 0);
}

static void data_of_an_earlier_file(void)
{
	set_extent("/b", 0, first_block_of("/a") + 3, 0);
}

static void folder_as_data(void)
{
	set_extent("/a", 0, first_block_of("/d/sub"), 1);
}

static void extents_as_data(void)
{
	set_extent("/d/file-3", 0, number_of(extents_of("/pieces", 0, 0)), 0);
}

static void target_as_data(void)
{
	set_extent("/d/file-3", 0, first_block_of("/d/long"), 0);
}

static void data_as_a_folder(void)
{
	set_extent("/d/sub", 0, first_block_of("/b"), 0);
	losing("/d/sub/deep");
	losing("/d/sub/deep/file");
	losing("/d/sub/link");
}

static void folder_of_another(void)
{
	set_extent("/tree", 0, first_block_of("/d/sub"), 0);
	losing_tree();
	hurt[ino_of("/tree")] = false;
}

static void outside_of_the_data(void)
{
	set_extent("/a", 0, mapfs_block_map_at(&a.sb, 0), 0);
}

static void behind_the_disk(void)
{
	set_extent("/a", 0, a.sb.n_blocks - 3, 0);
}

/* --- Bitmaps and counts ------------------------------------------------------------------ */

static void change_bit(bool inodes, uint64_t bit)
{
	anatomy_map(&a, inodes)->bits[bit / 8] ^= (uint8_t)(1 << bit % 8);
	anatomy_seal(&a, anatomy_map(&a, inodes));
}

static void used_block_is_free(void)
{
	change_bit(false, first_block_of("/a") - mapfs_group_first(&a.sb, 0));
}

static void free_block_is_used(void)
{
	change_bit(false, mapfs_group_length(&a.sb, 0) - 2);
}

static void table_is_free(void)
{
	change_bit(false, 3);
}

static void bit_behind_the_end(void)
{
	change_bit(false, MAPFS_GROUP_BLOCKS - 1);
}

static void used_inode_is_free(void)
{
	change_bit(true, ino_of("/a") - 1);
}

static void free_inode_is_used(void)
{
	change_bit(true, N_INODES - 1);
}

static void wrong_count_of_blocks(void)
{
	anatomy_map(&a, false)->n_free--;
	anatomy_seal(&a, anatomy_map(&a, false));
}

static void wrong_count_of_inodes(void)
{
	anatomy_map(&a, true)->n_free++;
	anatomy_seal(&a, anatomy_map(&a, true));
}

static void wrong_free_blocks(void)
{
	anatomy_state(&a)->free_blocks++;
	anatomy_seal(&a, anatomy_state(&a));
}

static void wrong_free_inodes(void)
{
	anatomy_state(&a)->free_inodes--;
	anatomy_seal(&a, anatomy_state(&a));
}

/* --- Extents, sizes, trees --------------------------------------------------------------- */

static void exchange(struct mapfs_extent *x, struct mapfs_extent *y)
{
	struct mapfs_extent e = *x;

	*x = *y;
	*y = e;
}

/* Change an inode, and seal it. */
#define CHANGE_INODE(ino, change)                                     \
	do {                                                          \
		uint32_t ino_ = (ino);                                \
		struct mapfs_inode_disk *d = anatomy_inode(&a, ino_); \
		change;                                               \
		anatomy_seal_inode(&a, ino_);                         \
	} while (0)

static void extents_unsorted(void)
{
	struct mapfs_extent_node *node = extents_of("/pieces", 0, 1);

	exchange(&node->entry[10], &node->entry[11]);
	anatomy_seal(&a, node);
	hurting("/pieces");
}

static void extents_overlap(void)
{
	struct mapfs_extent_node *node = extents_of("/pieces", 0, 1);

	node->entry[10].count = 3;
	anatomy_seal(&a, node);
	hurting("/pieces");
}

static void extent_of_nothing(void)
{
	struct mapfs_extent_node *node = extents_of("/pieces", 0, 1);

	node->entry[10].count = 0;
	anatomy_seal(&a, node);
	hurting("/pieces");
}

static void extent_in_the_root_of_nothing(void)
{
	CHANGE_INODE(hurting("/a"), d->root[0].count = 0);
}

static void indices_unsorted(void)
{
	CHANGE_INODE(hurting("/pieces"), exchange(&d->root[0], &d->root[1]));
}

static void extents_behind_the_end(void)
{
	CHANGE_INODE(hurting("/a"), d->size = 4096);
}

static void wrong_number_of_blocks(void)
{
	CHANGE_INODE(ino_of("/a"), d->n_blocks = 9);
}

static void wrong_number_of_blocks_in_a_folder(void)
{
	CHANGE_INODE(ino_of("/tree"), d->n_blocks++);
}

static void wrong_size_of_a_folder(void)
{
	CHANGE_INODE(ino_of("/tree"), d->size = 5);
}

static void size_beyond_all(void)
{
	CHANGE_INODE(hurting("/a"), d->size = MAPFS_MAX_FILE + 1);
}

static void long_target_in_the_inode(void)
{
	CHANGE_INODE(hurting("/d/short"), d->size = 200);
}

static void node_of_wrong_depth(void)
{
	struct mapfs_extent_node *node = extents_of("/pieces", 0, 1);

	node->depth = 1;
	anatomy_seal(&a, node);
	hurting("/pieces");
}

static void node_with_too_much(void)
{
	struct mapfs_extent_node *node = extents_of("/pieces", 0, 1);

	node->n = MAPFS_NODE_EXTENTS + 1;
	anatomy_seal(&a, node);
	hurting("/pieces");
}

static void node_with_nothing(void)
{
	struct mapfs_extent_node *node = extents_of("/scattered", 0, 5);

	node->n = 0;
	anatomy_seal(&a, node);
	hurting("/scattered");
}

static void node_twice(void)
{
	CHANGE_INODE(hurting("/pieces"), d->root[1].start_low = d->root[0].start_low);
}

static void node_of_another_file(void)
{
	CHANGE_INODE(hurting("/pieces"),
		d->root[1].start_low = (uint32_t)number_of(extents_of("/scattered", 0, 3)));
}

static void tree_too_deep(void)
{
	CHANGE_INODE(hurting("/pieces"), d->depth = MAPFS_MAX_DEPTH + 1);
}

static void root_too_full(void)
{
	CHANGE_INODE(hurting("/pieces"), d->n_root = MAPFS_ROOT_EXTENTS + 1);
}

static void no_type(void)
{
	CHANGE_INODE(hurting("/a"), d->mode = 0644);
}

static void data_in_the_inode_of_a_file(void)
{
	CHANGE_INODE(hurting("/a"), d->flags |= MAPFS_INODE_INLINE_DATA);
}

static void folder_with_two_roots(void)
{
	CHANGE_INODE(ino_of("/d/sub"), d->root[0].count = 2);
	losing("/d/sub/deep");
	losing("/d/sub/deep/file");
	losing("/d/sub/link");
}

/* --- Trees of directories ---------------------------------------------------------------- */

static struct mapfs_dir_child *child(unsigned i)
{
	return mapfs_dir_child_at(tree_root(), i * (unsigned)sizeof(struct mapfs_dir_child));
}

static struct mapfs_dir_node *leaf_below(unsigned i)
{
	return anatomy_block(&a, child(i)->block);
}

/* The names in the leaf to which the root's i-th child leads. */
static struct mapfs_dir_node *losing_below(unsigned i)
{
	struct mapfs_dir_node *leaf = leaf_below(i);

	for (unsigned at = 0; at < leaf->bytes; at += mapfs_dir_record_bytes(leaf, at))
		lost[mapfs_dirent_at(leaf, at)->ino] = true;
	return leaf;
}

static void children_of_one_key(void)
{
	child(1)->key = child(0)->key;
	anatomy_seal(&a, losing_tree());
}

static void key_a_little_higher(void)
{
	child(1)->key = mapfs_dir_key_at(leaf_below(1), 0) + 1;
	anatomy_seal(&a, tree_root());
}

static void key_much_lower(void)
{
	child(1)->key = mapfs_dir_key_at(leaf_below(0), 0);
	anatomy_seal(&a, tree_root());
}

static void leaf_twice(void)
{
	losing_below(2);
	child(2)->block = child(1)->block;
	anatomy_seal(&a, tree_root());
}

static void round_and_round(void)
{
	losing_below(2);
	child(2)->block = number_of(tree_root());
	anatomy_seal(&a, tree_root());
}

static void child_outside_of_the_data(void)
{
	losing_tree();
	child(2)->block = MAPFS_STATE_BLOCK;
	anatomy_seal(&a, tree_root());
}

static void root_of_a_greater_depth(void)
{
	struct mapfs_dir_node *root = losing_tree();

	root->depth = 2;
	anatomy_seal(&a, root);
}

static void root_of_no_depth(void)
{
	struct mapfs_dir_node *root = losing_tree();

	root->depth = MAPFS_DIR_MAX_DEPTH + 1;
	anatomy_seal(&a, root);
}

static void too_many_bytes(void)
{
	struct mapfs_dir_node *root = losing_tree();

	root->bytes += 8;
	anatomy_seal(&a, root);
}

static void empty_leaf(void)
{
	struct mapfs_dir_node *leaf = losing_below(1);

	leaf->bytes = 0;
	anatomy_seal(&a, leaf);
}

static void leaf_of_another_owner(void)
{
	struct mapfs_dir_node *leaf = losing_below(1);

	leaf->header.owner = ino_of("/d");
	anatomy_seal(&a, leaf);
}

/* The record behind the first one of a leaf, which is of one length like all others. */
static struct mapfs_dirent *second_of(struct mapfs_dir_node *leaf)
{
	return mapfs_dirent_at(leaf, mapfs_dir_record_bytes(leaf, 0));
}

static void keys_exchanged(void)
{
	struct mapfs_dir_node *leaf = losing_below(1);
	struct mapfs_dirent *first = mapfs_dirent_at(leaf, 0), *second = second_of(leaf);
	uint64_t key = first->key;

	first->key = second->key;
	second->key = key;
	anatomy_seal(&a, leaf);
}

/* The name stays, where it cannot be found; then it is put where it can. */
static void key_of_another_hash(void)
{
	struct mapfs_dir_node *leaf = leaf_below(1);

	mapfs_dirent_at(leaf, 0)->key = second_of(leaf)->key - 1;
	anatomy_seal(&a, leaf);
}

static struct mapfs_dirent *entry(
	const char *folder, const char *name, struct mapfs_dir_node **leaf)
{
	return anatomy_entry(&a, ino_of(folder), name, leaf);
}

static void losing_all_in_d(void)
{
	for (uint32_t i = 1; i < INVENTORY_INODES; i++)
		if (before->thing[i].n_names && !strncmp(before->thing[i].name[0], "/d/", 3))
			lost[i] = true;
}

static void impossible_name(void)
{
	struct mapfs_dir_node *leaf;

	entry("/d", "file-3", &leaf)->name[2] = '/';
	anatomy_seal(&a, leaf);
	losing_all_in_d();
}

static void impossible_inode(void)
{
	struct mapfs_dir_node *leaf;

	entry("/d", "file-3", &leaf)->ino = N_INODES + 1;
	anatomy_seal(&a, leaf);
	losing_all_in_d();
}

/* --- Names ------------------------------------------------------------------------------- */

/* Another entry in /d behind the one that there is: the same hash, the next number. */
static void put_entry_behind(const char *name, const char *as, uint32_t ino, uint32_t mode)
{
	struct mapfs_dir_node *leaf;
	const struct mapfs_dirent *e = entry("/d", name, &leaf);
	unsigned n = (unsigned)strlen(as);
	uint64_t key =
		strcmp(name, as) ? mapfs_dir_key(mapfs_name_hash(&a.sb, as, n), 0) : e->key + 1;
	unsigned at = mapfs_dir_seek(leaf, key);
	struct mapfs_dirent *new;

	mapfs_dir_insert(leaf, at, key, MAPFS_DIRENT_BYTES(n));
	new = mapfs_dirent_at(leaf, at);
	new->ino = ino;
	new->type = (uint8_t)FS_DTYPE(mode);
	new->name_len = (uint8_t)n;
	memcpy(new->name, as, n);
	anatomy_seal(&a, leaf);
}

static void name_twice(void)
{
	put_entry_behind("file-3", "file-3", ino_of("/d/file-4"), FS_IFREG);
}

static void name_of_nothing(void)
{
	put_entry_behind("file-3", "nothing", N_INODES - 1, FS_IFREG);
}

static void wrong_type(void)
{
	struct mapfs_dir_node *leaf;

	entry("/d", "file-3", &leaf)->type = (uint8_t)FS_DTYPE(FS_IFDIR);
	anatomy_seal(&a, leaf);
	losing("/d/file-3");
}

static void second_name_of_a_folder(void)
{
	put_entry_behind("file-3", "another", ino_of("/void"), FS_IFDIR);
}

static void too_many_links(void)
{
	CHANGE_INODE(ino_of("/a"), d->nlink = 5);
}

static void too_few_links(void)
{
	CHANGE_INODE(ino_of("/d/file-9"), d->nlink = 1);
}

static void no_links_but_a_name(void)
{
	CHANGE_INODE(ino_of("/a"), d->nlink = 0);
}

static void wrong_links_of_a_folder(void)
{
	CHANGE_INODE(ino_of("/d"), d->nlink = 7);
}

/* --- Connectivity ------------------------------------------------------------------------ */

static void take_name_away(const char *folder, const char *name)
{
	struct mapfs_dir_node *leaf;
	struct mapfs_dirent *e = entry(folder, name, &leaf);

	mapfs_dir_erase(leaf, (unsigned)((uint8_t *)e - leaf->records));
	anatomy_seal(&a, leaf);
}

static void file_without_a_name(void)
{
	take_name_away("/d", "file-5");
	losing("/d/file-5");
}

static void folder_without_a_name(void)
{
	take_name_away("/d", "sub");
	losing("/d/sub");
	losing("/d/sub/deep");
	losing("/d/sub/deep/file");
	losing("/d/sub/link");
}

/* /d/sub is in /d/sub/deep, which is in it, and nowhere else. */
static void folders_in_a_circle(void)
{
	struct mapfs_dir_node *leaf;
	struct mapfs_dirent *e;

	folder_without_a_name();
	e = entry("/d/sub/deep", "file", &leaf);
	e->ino = ino_of("/d/sub");
	e->type = (uint8_t)FS_DTYPE(FS_IFDIR);
	anatomy_seal(&a, leaf);
	CHANGE_INODE(ino_of("/d/sub"), d->parent = ino_of("/d/sub/deep"));
}

static void wrong_parent(void)
{
	CHANGE_INODE(ino_of("/d/sub"), d->parent = ino_of("/void"));
}

static void root_is_a_file(void)
{
	CHANGE_INODE(hurting("/"), d->mode = FS_IFREG | 0644; d->size = 4096);
	for (unsigned i = 1; i < INVENTORY_INODES; i++)
		lost[i] = before->thing[i].n_names;
}

/* --- Orphans ----------------------------------------------------------------------------- */

static void set_orphans(uint32_t first)
{
	anatomy_state(&a)->orphan_head = first;
	anatomy_seal(&a, anatomy_state(&a));
}

static void orphan_that_is_none(void)
{
	set_orphans(ino_of("/a"));
}

static void orphan_without_an_inode(void)
{
	set_orphans(N_INODES);
}

static void orphan_of_no_number(void)
{
	set_orphans(N_INODES + 1);
}

static void orphan_not_on_the_list(void)
{
	CHANGE_INODE(ino_of("/a"), d->flags |= MAPFS_INODE_ORPHAN);
}

static void orphans_in_a_circle(void)
{
	CHANGE_INODE(ino_of("/a"), d->flags |= MAPFS_INODE_ORPHAN; d->orphan_next = ino_of("/b"));
	CHANGE_INODE(ino_of("/b"), d->flags |= MAPFS_INODE_ORPHAN; d->orphan_next = ino_of("/a"));
	set_orphans(ino_of("/a"));
}

static void deleted_but_not_on_the_list(void)
{
	take_name_away("/d", "file-5");
	CHANGE_INODE(hurting("/d/file-5"), d->nlink = 0);
}

/* --- The table --------------------------------------------------------------------------- */

static const struct row {
	const char *kind;
	void (*plant)(void);
	const char *name;
	const char *says; /* NULL: nothing, as it is what a crash may leave */
} rows[] = {
#define ROW(kind, plant, says)            \
	{                                 \
		kind, plant, #plant, says \
	}
	ROW("super blocks", super_zeroed, "super block: not a mapfs image"),
	ROW("super blocks", super_flipped, "super block: the super block's checksum is wrong"),
	ROW("super blocks", super_contradicts_itself, "numbers contradict each other"),
	ROW("super blocks", copy_zeroed, "copy of the super block: not a mapfs image"),
	ROW("super blocks", copy_differs, "copy of the super block: differs"),
	ROW("journal", heads_flipped, "head of the log has a wrong checksum"),
	ROW("journal", heads_exchanged, "head of the log belongs elsewhere"),
	ROW("journal", heads_lead_nowhere, "head of the log has impossible numbers"),
	ROW("journal", garbage_and_no_heads, "head of the log has a wrong checksum"),
	ROW("journal", first_head_torn, NULL),
	ROW("journal", second_head_torn, NULL),
	ROW("journal", garbage_in_the_ring, NULL),
	ROW("checksums", state_flipped, "state block has a wrong checksum"),
	ROW("checksums", state_elsewhere, "state block belongs elsewhere"),
	ROW("checksums", block_map_flipped, "bitmap of the blocks of group 0 has a wrong checksum"),
	ROW("checksums", inode_map_flipped, "bitmap of the inodes of group 0 has a wrong checksum"),
	ROW("checksums", inode_flipped, "has a wrong checksum"),
	ROW("checksums", inode_of_a_folder_flipped, "has a wrong checksum"),
	ROW("checksums", inode_of_the_root_flipped, "there is no root directory"),
	ROW("checksums", folder_flipped, "has a wrong checksum"),
	ROW("checksums", leaf_flipped, "has a wrong checksum"),
	ROW("checksums", index_flipped, "has a wrong checksum"),
	ROW("checksums", extents_flipped, "has a damaged map"),
	ROW("checksums", extent_index_flipped, "has a damaged map"),
	ROW("checksums", last_extents_flipped, "has a damaged map"),
	ROW("checksums", target_flipped, "has a wrong checksum"),
	ROW("one owner a block", data_of_a_later_file, "has a block that something else has"),
	ROW("one owner a block", data_of_an_earlier_file, "has a block that something else has"),
	ROW("one owner a block", folder_as_data, "has a block that something else has"),
	ROW("one owner a block", extents_as_data, "has a block that something else has"),
	ROW("one owner a block", target_as_data, "has a block that something else has"),
	ROW("one owner a block", data_as_a_folder, "holds something else"),
	ROW("one owner a block", folder_of_another, "belongs to another owner"),
	ROW("one owner a block", outside_of_the_data, "outside the data area"),
	ROW("one owner a block", behind_the_disk, "outside the data area"),
	ROW("exact bitmaps", used_block_is_free, "bitmap of the blocks of group 0 is wrong"),
	ROW("exact bitmaps", free_block_is_used, "bitmap of the blocks of group 0 is wrong"),
	ROW("exact bitmaps", table_is_free, "bitmap of the blocks of group 0 is wrong"),
	ROW("exact bitmaps", bit_behind_the_end, "bitmap of the blocks of group 0 is wrong"),
	ROW("exact bitmaps", used_inode_is_free, "bitmap of the inodes of group 0 is wrong"),
	ROW("exact bitmaps", free_inode_is_used, "bitmap of the inodes of group 0 is wrong"),
	ROW("extents", extents_unsorted, "has extents out of order"),
	ROW("extents", extents_overlap, "has extents out of order"),
	ROW("extents", extent_of_nothing, "has extents out of order"),
	ROW("extents", extent_in_the_root_of_nothing, "has extents out of order"),
	ROW("extents", indices_unsorted, "has a map out of order"),
	ROW("sizes", extents_behind_the_end, "has blocks behind its end"),
	ROW("sizes", wrong_number_of_blocks, "counts 9 blocks but has 13"),
	ROW("sizes", wrong_number_of_blocks_in_a_folder, "counts"),
	ROW("sizes", wrong_size_of_a_folder, "and 5 bytes but has"),
	ROW("sizes", size_beyond_all, "has impossible sizes"),
	ROW("sizes", long_target_in_the_inode, "has data where its extents should be"),
	ROW("tree shape", node_of_wrong_depth, "has a damaged map"),
	ROW("tree shape", node_with_too_much, "has a damaged map"),
	ROW("tree shape", node_with_nothing, "has a damaged map"),
	ROW("tree shape", node_twice, "has a node that something else has"),
	ROW("tree shape", node_of_another_file, "has a damaged map"),
	ROW("tree shape", tree_too_deep, "has impossible sizes"),
	ROW("tree shape", root_too_full, "has impossible sizes"),
	ROW("tree shape", no_type, "is of no known type"),
	ROW("tree shape", data_in_the_inode_of_a_file, "has data where its extents should be"),
	ROW("tree shape", folder_with_two_roots, "has something else for its root"),
	ROW("tree shape", leaf_twice, "has another owner, too"),
	ROW("tree shape", round_and_round, "is no node of its tree"),
	ROW("tree shape", child_outside_of_the_data, "leads outside the data area"),
	ROW("tree shape", root_of_a_greater_depth, "is no node of its tree"),
	ROW("tree shape", root_of_no_depth, "has impossible sizes"),
	ROW("tree shape", too_many_bytes, "does not fit"),
	ROW("tree shape", empty_leaf, "is an empty node"),
	ROW("tree shape", leaf_of_another_owner, "belongs to another owner"),
	ROW("hash order", children_of_one_key, "has keys out of order"),
	ROW("hash order", key_a_little_higher, "has keys of another part of its tree"),
	ROW("hash order", key_much_lower, "has keys of another part of its tree"),
	ROW("hash order", keys_exchanged, "has keys out of order"),
	ROW("hash order", key_of_another_hash, "has a name under a wrong hash"),
	ROW("names", impossible_name, "with an impossible name"),
	ROW("names", impossible_inode, "for an impossible inode"),
	ROW("names", name_twice, "entry 'file-3' of directory"),
	ROW("names", name_of_nothing, "leads to an inode that is not in use"),
	ROW("names", wrong_type, "has the wrong type"),
	ROW("names", second_name_of_a_folder, "is a second name of a directory"),
	ROW("link counts", too_many_links, "counts 5 links but has 1"),
	ROW("link counts", too_few_links, "counts 1 links but has 2"),
	ROW("link counts", no_links_but_a_name, "counts 0 links but has 1"),
	ROW("link counts", wrong_links_of_a_folder, "counts 7 links but has 3"),
	ROW("connectivity", file_without_a_name, "is in use but has no name"),
	ROW("connectivity", folder_without_a_name, "is in use but has no name"),
	ROW("connectivity", folders_in_a_circle, "is in use but has no name"),
	ROW("connectivity", wrong_parent, "says it is in"),
	ROW("connectivity", root_is_a_file, "there is no root directory"),
	ROW("orphans", orphan_that_is_none, "the list of orphans is broken"),
	ROW("orphans", orphan_without_an_inode, "the list of orphans is broken"),
	ROW("orphans", orphan_of_no_number, "the list of orphans is broken"),
	ROW("orphans", orphan_not_on_the_list, "was being cut"),
	ROW("orphans", orphans_in_a_circle, "the list of orphans is broken"),
	ROW("orphans", deleted_but_not_on_the_list, "was deleted while it was open"),
	ROW("free counts", wrong_count_of_blocks, "count of free blocks of group 0 is"),
	ROW("free counts", wrong_count_of_inodes, "count of free inodes of group 0 is"),
	ROW("free counts", wrong_free_blocks, "free counts are"),
	ROW("free counts", wrong_free_inodes, "free counts are"),
};

/* --- Each row ---------------------------------------------------------------------------- */

static void expect_said(const struct row *row, const char *text)
{
	if (!strstr(world_said(), text))
		fail_msg(
			"%s, %s: expected '%s', got: %s", row->kind, row->name, text, world_said());
}

static void expect_fsck(const struct row *row, bool fix, enum image_fsck_result want)
{
	enum image_fsck_result result = world_try_fsck(&w, fix);

	if (result != want)
		fail_msg("%s, %s: fsck %s: %d instead of %d: %s", row->kind, row->name,
			fix ? "" : "-n", result, want, world_said());
}

/* fsck -n writes nothing, and changes nothing. */
static void look_only(const struct row *row)
{
	uint8_t *planted = testdisk_save(w.disk);
	uint64_t writes = w.disk->dev.counts.writes;

	expect_fsck(row, false, row->says ? IMAGE_ERRORS : IMAGE_CLEAN);
	if (row->says)
		expect_said(row, row->says);
	assert_int_equal(w.disk->dev.counts.writes, writes);
	assert_memory_equal(testdisk_block(w.disk, 0), planted, DISK_BYTES);
	testdisk_forget(w.disk, planted);
}

static void same_blocks(void *arg, const struct mapfs_piece *p)
{
	const struct row *row = arg;

	if (memcmp(anatomy_block(&a, p->start), anatomy_block(&was, p->start),
		    (size_t)p->count * MAPFS_BLOCK_BYTES) != 0)
		fail_msg("%s, %s: blocks of an undamaged file have changed", row->kind, row->name);
}

/* It is in lost+found, or below something that is. */
static bool is_found(const struct thing *thing)
{
	for (unsigned i = 0; i < thing->n_names && i < INVENTORY_NAMES; i++)
		if (strncmp(thing->name[i], "/lost+found/#", 13) == 0)
			return true;
	return false;
}

static bool has_all_names(const struct thing *old, const struct thing *new)
{
	for (unsigned i = 0; i < old->n_names && i < INVENTORY_NAMES; i++)
		if (!inventory_has(new, old->name[i]))
			return false;
	return true;
}

static void check_thing(const struct row *row, const struct thing *old, const struct thing *new)
{
	uint64_t ino = old->attr.ino;
	const char *name = old->name[0];

	if (!new->n_names)
		fail_msg("%s, %s: %s is gone", row->kind, row->name, name);
	if (!inventory_same_contents(old, new))
		fail_msg("%s, %s: %s has changed", row->kind, row->name, name);
	if ((old->attr.mode & FS_IFMT) == FS_IFREG)
		anatomy_pieces(&was, (uint32_t)ino, same_blocks, (void *)row);
	if (!lost[ino] && (!has_all_names(old, new) || new->n_names != old->n_names))
		fail_msg("%s, %s: %s has lost its name", row->kind, row->name, name);
	if (lost[ino] && !is_found(new) && new->n_names != old->n_names - 1)
		fail_msg("%s, %s: %s is not in lost+found", row->kind, row->name, name);
}

/* Whatever is not damaged is what it was. */
static void check_things(const struct row *row)
{
	struct inventory *after;

	world_mount(&w);
	after = inventory_take(&w);
	for (unsigned i = 1; i < INVENTORY_INODES; i++)
		if (before->thing[i].n_names && !hurt[i])
			check_thing(row, &before->thing[i], &after->thing[i]);
	inventory_free(after);
}

/* What was repaired can be used. */
static void change_things(void)
{
	assert_int_equal(world_put(&w, "/new", 100000, 5), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/folder", 0755), 0);
	assert_int_equal(vfs_rename(&w.ctx, NULL, "/new", NULL, "/folder/new", 0), 0);
	for (unsigned i = 0; i < N_TREE; i += 3)
		(void)vfs_unlink(&w.ctx, NULL, in_tree(i));
	world_check(&w, "/folder/new", 100000, 5);
	world_unmount(&w);
}

/* What a crash may leave is put in place, if it is anything. */
static void repair(const struct row *row)
{
	if (row->says) {
		expect_fsck(row, true, IMAGE_FIXED);
		expect_said(row, ": repaired");
	} else {
		assert_in_range(world_try_fsck(&w, true), IMAGE_CLEAN, IMAGE_FIXED);
	}
}

static void run(void **state)
{
	const struct row *row = *state;

	testdisk_load(w.disk, pristine);
	memset(hurt, 0, sizeof(hurt));
	memset(lost, 0, sizeof(lost));
	row->plant();
	look_only(row);
	repair(row);
	expect_fsck(row, false, IMAGE_CLEAN);
	check_things(row);
	change_things();
	expect_fsck(row, false, IMAGE_CLEAN);
}

/* --- Stories ----------------------------------------------------------------------------- */

/* Without a super block nothing can be told, and nothing is touched. */
static void both_super_blocks_are_gone(void **state)
{
	uint8_t *planted;

	(void)state;
	testdisk_load(w.disk, pristine);
	super_zeroed();
	copy_zeroed();
	planted = testdisk_save(w.disk);
	world_fsck(&w, false, IMAGE_ERRORS);
	world_fsck(&w, true, IMAGE_ERRORS);
	assert_non_null(strstr(world_said(), "not a mapfs image"));
	assert_memory_equal(testdisk_block(w.disk, 0), planted, DISK_BYTES);
	testdisk_forget(w.disk, planted);
}

/* Whole, and not for this code to change: not even by a copy that it would know. */
static void what_is_newer_is_left_alone(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct mapfs_super *sb = super(false);
		uint8_t *planted;

		testdisk_load(w.disk, pristine);
		sb->version += i == 0;
		sb->incompat |= i == 1 ? 1u << 30 : 0;
		sb->ro_compat |= i == 2 ? 1u << 30 : 0;
		sb->crc = mapfs_super_crc(sb);
		planted = testdisk_save(w.disk);
		world_fsck(&w, true, IMAGE_ERRORS);
		assert_memory_equal(testdisk_block(w.disk, 0), planted, DISK_BYTES);
		testdisk_forget(w.disk, planted);
	}
}

/* An inode of 900 bytes that lost its name, after somebody has made these. */
static void lose_a_file(const char *folder, const char *file, char name[32])
{
	testdisk_load(w.disk, pristine);
	sprintf(name, "#%u", ino_of("/d/file-5"));
	world_mount(&w);
	if (folder)
		assert_int_equal(vfs_mkdir(&w.ctx, NULL, folder, 0755), 0);
	if (file)
		assert_int_equal(world_put(&w, file, 300, 42), 0);
	world_unmount(&w);
	take_name_away("/d", "file-5");
	world_fsck(&w, true, IMAGE_FIXED);
	world_fsck(&w, false, IMAGE_CLEAN);
	world_mount(&w);
}

static void names_in_lost_found_may_be_taken(void **state)
{
	char taken[64], found[64], name[32];

	(void)state;
	sprintf(taken, "/lost+found/#%u", ino_of("/d/file-5"));
	lose_a_file("/lost+found", taken, name);
	sprintf(found, "%s.1", taken);
	world_check(&w, taken, 300, 42);
	world_check(&w, found, 5 * 1500, 5);
}

static void lost_found_may_be_a_file(void **state)
{
	char found[64], name[32];

	(void)state;
	lose_a_file(NULL, "/lost+found", name);
	sprintf(found, "/lost+found.1/%s", name);
	world_check(&w, "/lost+found", 300, 42);
	world_check(&w, found, 5 * 1500, 5);
}

static void check_name(const char *path, size_t n, unsigned tag)
{
	world_mount(&w);
	world_check(&w, path, n, tag);
	world_unmount(&w);
}

/* What only the log has counts: fsck -n reads it there, a repair puts it in place first. */
static void the_log_is_replayed(void **state)
{
	uint8_t *crashed;
	uint64_t seed = 1;

	(void)state;
	testdisk_load(w.disk, pristine);
	world_mount(&w);
	assert_int_equal(world_put(&w, "/synced", 30000, 6), 0);
	assert_int_equal(vfs_rename(&w.ctx, NULL, "/b", NULL, "/d/b", 0), 0);
	assert_int_equal(mount_sync_all(), 0);
	assert_int_equal(world_put(&w, "/not-synced", 30000, 7), 0);
	testdisk_power_cut(w.disk, &seed);
	crashed = testdisk_save(w.disk);
	world_unmount(&w);
	testdisk_load(w.disk, crashed);
	world_fsck(&w, false, IMAGE_CLEAN);
	assert_memory_equal(testdisk_block(w.disk, 0), crashed, DISK_BYTES);
	CHANGE_INODE(ino_of(in_tree(50)), d->nlink = 3); /* not in a block that the log has */
	world_fsck(&w, false, IMAGE_ERRORS);
	assert_non_null(strstr(world_said(), "counts 3 links but has 1"));
	world_fsck(&w, true, IMAGE_FIXED);
	assert_non_null(strstr(world_said(), "were in the log only"));
	world_fsck(&w, false, IMAGE_CLEAN);
	check_name("/synced", 30000, 6);
	check_name("/d/b", 50000, 2);
	check_name(in_tree(50), 60, 50);
	testdisk_forget(w.disk, crashed);
}

/* After a test that failed, or one that wants to look. */
static int unmount(void **state)
{
	(void)state;
	if (w.ctx.root)
		world_unmount(&w);
	return 0;
}

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* --find NAME: only that test, which must fail (unchecked.py). */
int main(int argc, char **argv)
{
	bool find = argc == 3 && strcmp(argv[1], "--find") == 0;
	struct CMUnitTest tests[N_ROWS + 4] = {
		cmocka_unit_test_teardown(both_super_blocks_are_gone, unmount),
		cmocka_unit_test_teardown(what_is_newer_is_left_alone, unmount),
		cmocka_unit_test_teardown(names_in_lost_found_may_be_taken, unmount),
		cmocka_unit_test_teardown(lost_found_may_be_a_file, unmount),
		cmocka_unit_test_teardown(the_log_is_replayed, unmount),
	};

	for (unsigned i = 0; i < N_ROWS; i++)
		tests[4 + i] =
			(struct CMUnitTest){rows[i].name, run, NULL, unmount, (void *)&rows[i]};
	if (find)
		cmocka_set_test_filter(argv[2]);
	if (cmocka_run_group_tests_name("mapfs_repair", tests, setup, teardown) == 0)
		return find;
	return !(find && ready);
}
