// SPDX-License-Identifier: MIT
/*
 * Mutated images: fields of known structures get values that hurt (zero, all ones, one more, the
 * block itself, somebody else's block or inode, a neighbour's value), and the checksums around them
 * are made right again, so that the code behind the checksums has to cope; some are only flipped
 * bits.  Copies in the log are mutated as what they are copies of.
 *
 * Each image is mounted for reading, which writes nothing; looked at by fsck -n, which writes
 * nothing; mounted, walked, read and changed; repaired; and used again.  An operation may fail,
 * nothing else may happen: no crash, no access out of bounds, no endless work (requests of the disk
 * are counted; an alarm ends what makes none).
 *
 * MAPFS_MUTATIONS is how many images; image K of seed S follows from the two alone: MAPFS_SEED=S
 * MAPFS_MUTATION=K makes it again.
 */
#include "world.h"

#include <mapfs/layout.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_BYTES (4 << 20)
#define MOST_READS \
	100000 /* requests, of one look at everything; a sound image takes a few hundred */
#define HANG_SECONDS 60
#define MOST_BLOCKS  2000

static struct world w;
static uint8_t *base[2]; /* clean; and as a crash left it, with groups in the log */
static struct mapfs_super sb;
static uint32_t crc_seed;
static uint64_t metadata[2][MOST_BLOCKS];
static unsigned n_metadata[2], which;
static uint64_t rnd;

static struct progress {
	unsigned image, mounted, mounted_to_read, repaired;
} * progress; /* shared with the process that does the work */

/* --- The images -------------------------------------------------------------------------- */

static void *block_at(uint64_t block)
{
	return testdisk_block(w.disk, block);
}

static bool is_metadata(uint64_t block)
{
	const struct mapfs_header *h = block_at(block);

	return h->kind && h->crc == mapfs_block_crc(crc_seed, h);
}

/*
 * Blocks that say what they are, wherever they are: the log's copies too; and
 * two of the inode table.
 */
static void find_metadata(unsigned of)
{
	uint64_t *found = metadata[of];

	memcpy(&sb, block_at(0), sizeof(sb));
	crc_seed = mapfs_crc_seed(&sb);
	found[n_metadata[of]++] = 0;
	for (unsigned i = 1; i <= 2; i++)
		found[n_metadata[of]++] = mapfs_inode_map_at(&sb, 0) + i;
	for (uint64_t b = 1; b < sb.n_blocks && n_metadata[of] < MOST_BLOCKS; b++)
		if (is_metadata(b))
			found[n_metadata[of]++] = b;
	assert_in_range(n_metadata[of], 20, MOST_BLOCKS - 1);
}

static void make_files(void)
{
	char name[300], target[700];
	struct file *file;

	memset(target, 't', 699);
	target[699] = 0;
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d", 0755), 0);
	assert_int_equal(vfs_mkdir(&w.ctx, NULL, "/d/e", 0755), 0);
	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "/d/%0200d", i);
		assert_int_equal(world_put(&w, name, (size_t)i * 100, (unsigned)i), 0);
	}
	assert_int_equal(vfs_symlink(&w.ctx, target, NULL, "/d/e/link"), 0);
	assert_int_equal(vfs_symlink(&w.ctx, "short", NULL, "/d/e/short"), 0);
	assert_int_equal(world_open(&w, "/d/e/tree", FS_O_CREAT | FS_O_RDWR, &file), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(world_write(file, "x", 1, (uint64_t)i * 8192), 0);
	assert_int_equal(file_allocate(file, 400000, 450000, 0), 0);
	file_unref(file);
}

/* More of it, some of which only the log has; and an orphan. */
static void make_groups(void)
{
	struct file *orphan;
	char name[40];

	assert_int_equal(world_put(&w, "/orphan", 50000, 7), 0);
	assert_int_equal(world_open(&w, "/orphan", FS_O_RDWR, &orphan), 0);
	assert_int_equal(vfs_unlink(&w.ctx, NULL, "/orphan"), 0);
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "/logged-%d", i);
		assert_int_equal(world_put(&w, name, 9000, (unsigned)i), 0);
		if (i % 2)
			assert_int_equal(mount_sync_all(), 0);
	}
	base[1] = testdisk_save(w.disk);
	find_metadata(1);
	file_unref(orphan);
}

static void prepare(void)
{
	world_make(&w, DISK_BYTES, 0);
	world_mount(&w);
	make_files();
	world_unmount(&w);
	base[0] = testdisk_save(w.disk);
	find_metadata(0);
	world_mount(&w);
	make_groups();
	world_unmount(&w);
}

/* --- Mutations --------------------------------------------------------------------------- */

static uint64_t pick(uint64_t n)
{
	return world_random(&rnd) % n;
}

static uint64_t some_block(void)
{
	return metadata[which][pick(n_metadata[which])];
}

/* A value for a field that was `old`, of the block `self`. */
static uint64_t bad_value(uint64_t old, uint64_t self)
{
	switch (pick(12)) {
	case 0:
		return 0;
	case 1:
		return ~(uint64_t)0;
	case 2:
		return old + 1;
	case 3:
		return old - 1;
	case 4:
		return self;
	case 5:
		return some_block();
	case 6:
		return sb.n_blocks - pick(3);
	case 7:
		return (uint64_t)1 << pick(64);
	case 8:
		return old ^ (uint64_t)1 << pick(64);
	case 9:
		return 1 + pick(90); /* an inode */
	case 10:
		return pick(sb.n_blocks);
	default:
		return world_random(&rnd);
	}
}

struct field {
	uint32_t kind;
	unsigned offset, bytes;
	unsigned stride, n; /* of a table; 0: once */
};

#define FIELD(kind, type, member)                                                             \
	{                                                                                     \
		kind, offsetof(struct type, member), sizeof(((struct type *)0)->member), 0, 0 \
	}
#define TABLE(kind, type, table, member, item, n)                                   \
	{                                                                           \
		kind, offsetof(struct type, table) + offsetof(struct item, member), \
			sizeof(((struct item *)0)->member), sizeof(struct item), n  \
	}
#define SUPER 1u /* no kind: block 0 */

static const struct field fields[] = {
	FIELD(SUPER, mapfs_super, version),
	FIELD(SUPER, mapfs_super, incompat),
	FIELD(SUPER, mapfs_super, ro_compat),
	FIELD(SUPER, mapfs_super, n_blocks),
	FIELD(SUPER, mapfs_super, log_start),
	FIELD(SUPER, mapfs_super, log_blocks),
	FIELD(SUPER, mapfs_super, groups_start),
	FIELD(SUPER, mapfs_super, n_groups),
	FIELD(SUPER, mapfs_super, group_blocks),
	FIELD(SUPER, mapfs_super, inodes_per_group),
	FIELD(SUPER, mapfs_super, block_bytes),
	FIELD(SUPER, mapfs_super, inode_bytes),
	FIELD(SUPER, mapfs_super, root_ino),
	FIELD(SUPER, mapfs_super, hash_key),
	FIELD(MAPFS_KIND_STATE, mapfs_state, clean),
	FIELD(MAPFS_KIND_STATE, mapfs_state, orphan_head),
	FIELD(MAPFS_KIND_STATE, mapfs_state, free_blocks),
	FIELD(MAPFS_KIND_STATE, mapfs_state, free_inodes),
	FIELD(MAPFS_KIND_LOG_HEAD, mapfs_log_head, offset),
	FIELD(MAPFS_KIND_LOG_HEAD, mapfs_log_head, header.sequence),
	FIELD(MAPFS_KIND_LOG_BLOCKS, mapfs_log_blocks, n_copies),
	FIELD(MAPFS_KIND_LOG_BLOCKS, mapfs_log_blocks, header.sequence),
	FIELD(MAPFS_KIND_LOG_BLOCKS, mapfs_log_blocks, header.owner),
	TABLE(MAPFS_KIND_LOG_BLOCKS, mapfs_log_blocks, entry, block, mapfs_log_entry, 4),
	TABLE(MAPFS_KIND_LOG_BLOCKS, mapfs_log_blocks, entry, kind, mapfs_log_entry, 4),
	TABLE(MAPFS_KIND_LOG_BLOCKS, mapfs_log_blocks, entry, crc, mapfs_log_entry, 4),
	FIELD(MAPFS_KIND_LOG_COMMIT, mapfs_log_commit, n_copies),
	FIELD(MAPFS_KIND_LOG_COMMIT, mapfs_log_commit, header.owner),
	FIELD(MAPFS_KIND_BLOCK_MAP, mapfs_bitmap, n_free),
	{MAPFS_KIND_BLOCK_MAP, offsetof(struct mapfs_bitmap, bits), 8, 8, 20},
	FIELD(MAPFS_KIND_INODE_MAP, mapfs_bitmap, n_free),
	{MAPFS_KIND_INODE_MAP, offsetof(struct mapfs_bitmap, bits), 4, 4, 8},
	FIELD(MAPFS_KIND_EXTENTS, mapfs_extent_node, n),
	FIELD(MAPFS_KIND_EXTENTS, mapfs_extent_node, depth),
	FIELD(MAPFS_KIND_EXTENTS, mapfs_extent_node, header.owner),
	TABLE(MAPFS_KIND_EXTENTS, mapfs_extent_node, entry, logical, mapfs_extent, 45),
	TABLE(MAPFS_KIND_EXTENTS, mapfs_extent_node, entry, count, mapfs_extent, 45),
	TABLE(MAPFS_KIND_EXTENTS, mapfs_extent_node, entry, start_low, mapfs_extent, 45),
	TABLE(MAPFS_KIND_EXTENTS, mapfs_extent_node, entry, start_high, mapfs_extent, 45),
	FIELD(MAPFS_KIND_DIR, mapfs_dir_node, depth),
	FIELD(MAPFS_KIND_DIR, mapfs_dir_node, bytes),
	FIELD(MAPFS_KIND_DIR, mapfs_dir_node, header.owner),
	/*
	 * The first records: keys, blocks or inodes and lengths; then whatever lies
	 * at eight bytes.
	 */
	{MAPFS_KIND_DIR, offsetof(struct mapfs_dir_node, records), 8, 16, 20},
	{MAPFS_KIND_DIR, offsetof(struct mapfs_dir_node, records) + 8, 8, 16, 20},
	{MAPFS_KIND_DIR, offsetof(struct mapfs_dir_node, records) + 12, 1, 8, 100},
	{MAPFS_KIND_SYMLINK, sizeof(struct mapfs_header), 8, 8, 80},
	FIELD(MAPFS_KIND_INODES, mapfs_inode_disk, mode),
	FIELD(MAPFS_KIND_INODES, mapfs_inode_disk, n_root),
	FIELD(MAPFS_KIND_INODES, mapfs_inode_disk, depth),
	FIELD(MAPFS_KIND_INODES, mapfs_inode_disk, nlink),
	FIELD(MAPFS_KIND_INODES, mapfs_inode_disk, flags),
	FIELD(MAPFS_KIND_INODES, mapfs_inode_disk, size),
	FIELD(MAPFS_KIND_INODES, mapfs_inode_disk, n_blocks),
	FIELD(MAPFS_KIND_INODES, mapfs_inode_disk, parent),
	FIELD(MAPFS_KIND_INODES, mapfs_inode_disk, orphan_next),
	TABLE(MAPFS_KIND_INODES, mapfs_inode_disk, root, logical, mapfs_extent, 3),
	TABLE(MAPFS_KIND_INODES, mapfs_inode_disk, root, count, mapfs_extent, 3),
	TABLE(MAPFS_KIND_INODES, mapfs_inode_disk, root, start_low, mapfs_extent, 3),
	TABLE(MAPFS_KIND_INODES, mapfs_inode_disk, root, start_high, mapfs_extent, 3),
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static uint32_t kind_of(uint64_t block)
{
	const struct mapfs_header *h = block_at(block);

	if (block == 0 || block == sb.n_blocks - 1)
		return SUPER;
	return is_metadata(block) ? h->kind : MAPFS_KIND_INODES;
}

/* Of an inode table: one of its inodes. */
static uint8_t *structure_at(uint64_t block, uint32_t kind)
{
	uint8_t *p = block_at(block);

	return kind == MAPFS_KIND_INODES ? p + pick(MAPFS_INODES_PER_BLOCK) * MAPFS_INODE_BYTES : p;
}

static void mutate_field(uint64_t block, uint32_t kind)
{
	uint8_t *p = structure_at(block, kind);
	uint64_t value = 0, at;
	const struct field *f;

	do
		f = &fields[pick(N_FIELDS)];
	while (f->kind != kind);
	at = f->offset + (f->n ? pick(f->n) * f->stride : 0);
	if (f->n && pick(3) == 0) { /* what a neighbour has */
		memcpy(p + at, p + f->offset + pick(f->n) * f->stride, f->bytes);
		return;
	}
	memcpy(&value, p + at, f->bytes < 8 ? f->bytes : 8);
	value = bad_value(value, block);
	memcpy(p + at, &value, f->bytes < 8 ? f->bytes : 8);
}

static void seal_inodes(uint64_t block)
{
	struct mapfs_inode_disk *d = block_at(block);
	uint64_t first = (block - mapfs_inode_map_at(&sb, 0) - 1) * MAPFS_INODES_PER_BLOCK + 1;

	for (unsigned i = 0; i < MAPFS_INODES_PER_BLOCK; i++)
		if (d[i].mode)
			d[i].crc = mapfs_inode_crc(crc_seed, (uint32_t)first + i, &d[i]);
}

/* A copy in the log has a checksum in its descriptor, too, which stands somewhere before it. */
static void seal_entry(uint64_t block)
{
	uint64_t at = block;

	if (block < sb.log_start + MAPFS_LOG_HEADS || block >= sb.log_start + sb.log_blocks)
		return;
	while (--at >= sb.log_start + MAPFS_LOG_HEADS) {
		struct mapfs_log_blocks *d = block_at(at);
		uint64_t i = block - at - 1;
		if (d->header.kind != MAPFS_KIND_LOG_BLOCKS)
			continue;
		if (i < d->n_copies && i < MAPFS_LOG_ENTRIES) {
			d->entry[i].crc =
				mapfs_copy_crc(crc_seed, block_at(block), d->entry[i].kind);
			d->header.crc = mapfs_block_crc(crc_seed, d);
		}
		return;
	}
}

static void seal(uint64_t block, uint32_t kind)
{
	struct mapfs_header *h = block_at(block);

	if (kind == SUPER) {
		struct mapfs_super *s = block_at(block);
		s->crc = mapfs_super_crc(s);
	} else if (kind == MAPFS_KIND_INODES) {
		seal_inodes(block);
	} else {
		h->crc = mapfs_block_crc(crc_seed, h);
		seal_entry(block);
	}
}

static void mutate_once(void)
{
	uint64_t block = some_block(), other = some_block();
	uint32_t kind = kind_of(block);
	uint8_t *p = block_at(block);

	switch (pick(10)) {
	case 0: /* as the medium may do it: nothing is sealed */
		p[pick(MAPFS_BLOCK_BYTES)] ^= (uint8_t)(1 << pick(8));
		return;
	case 1: /* a write that went elsewhere */
		memcpy(p, block_at(other), MAPFS_BLOCK_BYTES);
		return;
	case 2: /* a part of another block of the kind */
		if (kind_of(other) == kind && kind != SUPER)
			memcpy(p + sizeof(struct mapfs_header),
				block_at(other) + sizeof(struct mapfs_header),
				pick(MAPFS_BLOCK_BYTES - sizeof(struct mapfs_header)));
		break;
	default:
		mutate_field(block, kind);
		break;
	}
	seal(block, kind);
	if (kind == SUPER && pick(2))
		memcpy(block_at(sb.n_blocks - 1), block_at(0), MAPFS_BLOCK_BYTES);
}

/* --- Use ----------------------------------------------------------------------------------- */

struct visit {
	struct fs_readdir r;
	char names[100][256];
	unsigned n;
};

static bool note_name(struct fs_readdir *r, const struct fs_entry *e)
{
	struct visit *v = (struct visit *)r;

	if ((e->name_bytes == 1 && e->name[0] == '.') ||
		(e->name_bytes == 2 && !memcmp(e->name, "..", 2)))
		return true;
	if (v->n == 100)
		return false;
	memcpy(v->names[v->n], e->name, e->name_bytes);
	v->names[v->n++][e->name_bytes] = 0;
	return true;
}

static void look(const char *path, unsigned depth)
{
	static uint8_t data[60000];
	struct visit *v = NULL;
	struct fs_attr attr;
	struct file *file;
	char text[4096];
	size_t done;

	if (vfs_stat(&w.ctx, NULL, path, 0, &attr))
		return;
	(void)vfs_readlink(&w.ctx, NULL, path, 0, text, sizeof(text));
	if (world_open(&w, path, FS_O_RDONLY | FS_O_NOFOLLOW, &file))
		return;
	if ((attr.mode & FS_IFMT) == FS_IFDIR) {
		v = calloc(1, sizeof(*v));
		v->r.emit = note_name;
		(void)file_readdir(file, &v->r);
	} else {
		(void)world_read(file, data, sizeof(data), 0, &done);
		(void)world_read(
			file, data, sizeof(data), attr.size_bytes - sizeof(data) / 2, &done);
	}
	file_unref(file);
	for (unsigned i = 0; v && i < v->n && depth < 5; i++)
		if (snprintf(text, sizeof(text), "%s/%s", path, v->names[i]) < (int)sizeof(text))
			look(text, depth + 1);
	free(v);
}

static void change(void)
{
	struct fs_attr attr = {.size_bytes = 5000};
	struct file *file;
	char name[300];

	(void)world_put(&w, "/new", 30000, 1);
	(void)world_put(&w, "/logged-3", 3000, 1);
	(void)vfs_mkdir(&w.ctx, NULL, "/d/dir", 0755);
	(void)vfs_rename(&w.ctx, NULL, "/d/e", NULL, "/moved", 0);
	(void)vfs_rename(&w.ctx, NULL, "/new", NULL, "/logged-4", FS_RENAME_EXCHANGE);
	if (world_open(&w, "/moved/tree", FS_O_RDWR, &file) == 0) {
		(void)world_write(file, "yy", 2, 20 * 4096 - 1);
		(void)file_punch(file, 30000, 60000);
		(void)file_allocate(file, 0, 100000, 0);
		(void)mvm_pc_touch_write(file->object, 430000, 'z');
		file_unref(file);
	}
	(void)vfs_setattr(&w.ctx, NULL, "/moved/tree", 0, &attr, FS_SET_SIZE);
	(void)vfs_link(&w.ctx, NULL, "/moved/tree", 0, NULL, "/second");
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "/d/%0200d", i);
		(void)vfs_unlink(&w.ctx, NULL, name);
	}
	(void)vfs_unlink(&w.ctx, NULL, "/moved/link");
	(void)mount_sync_all();
}

/* --- One image ----------------------------------------------------------------------------- */

static void within_bounds(const char *what, uint64_t reads)
{
	if (w.disk->dev.counts.reads - reads > MOST_READS)
		fail_msg("%s took %llu reads", what,
			(unsigned long long)(w.disk->dev.counts.reads - reads));
}

static void read_only(void)
{
	struct blk_counts before = w.disk->dev.counts;

	if (mount_root("mapfs", "test", MOUNT_RDONLY, &w.ctx.root) == 0) {
		progress->mounted_to_read++;
		w.ctx.cwd = w.ctx.root;
		look("", 0);
		world_unmount(&w);
	}
	within_bounds("a look", before.reads);
	(void)world_try_fsck(&w, false);
	within_bounds("fsck -n", before.reads);
	assert_int_equal(w.disk->dev.counts.writes, before.writes);
}

static bool use(void)
{
	uint64_t reads = w.disk->dev.counts.reads;

	if (world_try_mount(&w))
		return false;
	look("", 0);
	change();
	look("", 0);
	world_unmount(&w);
	within_bounds("use", reads);
	return true;
}

static void not_for_writing(void)
{
	if (world_try_mount(&w) == 0) {
		assert_true(mount_readonly(w.ctx.root->mount));
		world_unmount(&w);
	}
}

/*
 * An image whose super blocks are both wrong is nobody's, one that says that it is newer is for
 * reading at most; all others fsck makes whole.
 */
static void repair_and_use(void)
{
	enum image_fsck_result result = world_try_fsck(&w, true);

	if (result == IMAGE_ERRORS)
		result = world_try_fsck(&w, true);
	if (result == IMAGE_ERRORS) {
		not_for_writing();
		return;
	}
	progress->repaired++;
	world_fsck(&w, false, IMAGE_CLEAN);
	assert_true(use());
	world_fsck(&w, false, IMAGE_CLEAN);
}

static void do_image(uint64_t seed, unsigned image)
{
	rnd = (seed ^ (image + 1) * 0x9e3779b97f4a7c15u) | 1;
	for (unsigned i = 0; i < 4; i++)
		(void)world_random(&rnd);
	progress->image = image;
	which = (unsigned)pick(2);
	testdisk_load(w.disk, base[which]);
	for (uint64_t n = 1 + pick(3); n > 0; n--)
		mutate_once();
	alarm(HANG_SECONDS);
	read_only();
	progress->mounted += use();
	repair_and_use();
	alarm(0);
}

static void do_images(uint64_t seed, unsigned first, unsigned n)
{
	prepare();
	for (unsigned i = first; i < first + n; i++)
		do_image(seed, i);
	testdisk_forget(w.disk, base[0]);
	testdisk_forget(w.disk, base[1]);
	world_free(&w);
}

static unsigned number(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 0) : otherwise;
}

/* In a process of its own, so that whatever it dies of, its number is told. */
static void images_end_in_errors_only(void **state)
{
	unsigned n = number("MAPFS_MUTATIONS", 2500), one = number("MAPFS_MUTATION", ~0u);
	uint64_t seed = world_seed();
	int status;
	pid_t child;

	(void)state;
	progress = mmap(
		NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(progress != MAP_FAILED);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		do_images(seed, one == ~0u ? 0 : one, one == ~0u ? n : 1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (status)
		fail_msg("status %#x; repeat: MAPFS_SEED=%llu MAPFS_MUTATION=%u", (unsigned)status,
			(unsigned long long)seed, progress->image);
	fprintf(stderr, "# %u images: %u mounted to be read, %u to be written, %u repaired\n",
		progress->image + 1, progress->mounted_to_read, progress->mounted,
		progress->repaired);
	assert_true(one != ~0u || progress->mounted > n / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(images_end_in_errors_only)};

	return cmocka_run_group_tests_name("mapfs_mutated", tests, NULL, NULL);
}
