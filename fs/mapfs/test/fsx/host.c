// SPDX-License-Identifier: MIT
#include "back.h"
#include "exercise.h"
#include "host.h"

#include <world.h>

#include <mapfs/mapfs.h>
#include <mm/vm.h>
#include <posix.h>

#include <stdio.h>
#include <unistd.h>

#define LOW  ((mvm_vaddr_t)0x10000000)
#define HIGH ((mvm_vaddr_t)0x40000000)

static struct world w;
static struct file *file[FSX_DESCRIPTORS];
static struct mvm_space *space[FSX_SPACES];
static struct fs_stat at_first;
static uint64_t room; /* blocks that the files may have; 0: all there are */
static uint64_t taken;

/* --- An episode -------------------------------------------------------------------------- */

static void set_cache(size_t blocks)
{
	struct mapfs *fs = w.ctx.root->mount->fs;

	fs->cache.limit = fs->cache.bound = blocks;
	fs->cache.fixed = true;
	mapfs_cache_shrink(fs, blocks);
}

/* Blocks are promised to nobody, so that the disk is full when the rest is used. */
static void take_blocks(void)
{
	struct mapfs *fs = w.ctx.root->mount->fs;
	struct mapfs_space *blocks = &fs->space[MAPFS_BLOCKS];
	uint64_t all = blocks->free - blocks->reserved, used = at_first.free_blocks - all;

	taken = !room ? 0 : used < room ? all - (room - used) : all;
	assert_int_equal(mapfs_reserve(fs, taken), 0);
}

static void give_blocks(void)
{
	mapfs_unreserve(w.ctx.root->mount->fs, taken);
	taken = 0;
}

void host_begin(uint64_t seed, unsigned episode)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u + episode + 1;

	(void)world_random(&state);
	room = episode % 4 == 3 ? 40 + world_random(&state) % 60 : 0;
	world_make(&w, 16 << 20, 0);
	world_mount(&w);
	/* The top directory keeps the block that its first entry takes. */
	assert_int_equal(world_put(&w, "/f0", 0, 0), 0);
	assert_int_equal(vfs_unlink(&w.ctx, NULL, "/f0"), 0);
	at_first = world_statfs(&w);
	take_blocks();
	set_cache(world_random(&state) % 2 ? 32 : 1024);
	posix_seed(world_random(&state));
	posix_limit_frames(world_random(&state) % 2 ? 350 : 4000);
	posix_forget(world_random(&state) % 2 ? 8 : 0);
	for (unsigned i = 0; i < FSX_SPACES; i++)
		assert_int_equal(mvm_space_new(LOW, HIGH, &space[i]), 0);
}

void host_end(void)
{
	struct fs_stat st;

	for (unsigned i = 0; i < FSX_SPACES; i++)
		mvm_space_unref(space[i]);
	mvm_check();
	give_blocks();
	st = world_statfs(&w);
	if (st.free_blocks != at_first.free_blocks || st.free_inodes != at_first.free_inodes)
		fail_msg("%lld blocks and %lld inodes did not come back",
			(long long)(at_first.free_blocks - st.free_blocks),
			(long long)(at_first.free_inodes - st.free_inodes));
	world_unmount(&w);
	world_fsck(&w, false, IMAGE_CLEAN);
	assert_int_equal(posix_frames_used(), 1); /* the page of zeros */
	world_free(&w);
}

unsigned back_features(void)
{
	return BACK_ALLOCATES | BACK_PUNCHES | BACK_COUNTS_BLOCKS | BACK_ZEROES_TAILS |
	       (room ? BACK_IS_FULL : 0);
}

/* --- Files ------------------------------------------------------------------------------- */

static const char *path_of(unsigned name)
{
	static char path[8];

	snprintf(path, sizeof(path), "/f%u", name);
	return path;
}

int back_open(unsigned descriptor, unsigned name, unsigned flags)
{
	return world_open(&w, path_of(name), FS_O_CREAT | FS_O_RDWR | flags, &file[descriptor]);
}

void back_close(unsigned descriptor)
{
	file_unref(file[descriptor]);
}

int back_unlink(unsigned name)
{
	return vfs_unlink(&w.ctx, NULL, path_of(name));
}

int back_read(unsigned descriptor, void *to, size_t n, uint64_t at, size_t *done)
{
	return world_read(file[descriptor], to, n, at, done);
}

int back_write(unsigned descriptor, const void *from, size_t n, uint64_t at, size_t *done)
{
	return world_write_some(file[descriptor], from, n, at, done);
}

int back_truncate(unsigned descriptor, uint64_t size)
{
	return file_truncate(file[descriptor], size);
}

int back_allocate(unsigned descriptor, int mode, uint64_t at, uint64_t n)
{
	unsigned how = (mode & BACK_KEEP_SIZE ? FS_ALLOCATE_KEEP_SIZE : 0) |
		       (mode & BACK_ZERO_RANGE ? FS_ALLOCATE_ZERO : 0);

	if (mode & BACK_PUNCH_HOLE)
		return file_punch(file[descriptor], at, at + n);
	return file_allocate(file[descriptor], at, at + n, how);
}

int back_fsync(unsigned descriptor, bool data_only)
{
	return file_sync(file[descriptor], data_only);
}

int back_sync(void)
{
	return mount_sync_all();
}

int back_stat(unsigned descriptor, struct back_stat *st)
{
	struct fs_attr attr;
	int err = file_getattr(file[descriptor], &attr);

	*st = (struct back_stat){attr.size_bytes, attr.blocks, attr.nlink};
	return err;
}

/* --- Mappings ---------------------------------------------------------------------------- */

static mvm_vaddr_t address(unsigned area, size_t at)
{
	return LOW + area * (size_t)FSX_FILE_PAGES * FSX_PAGE + at;
}

int back_map(unsigned in, unsigned area, unsigned descriptor, bool shared, unsigned first_page,
	unsigned pages)
{
	struct mvm_map map = {.addr = address(area, 0),
		.bytes = pages * (size_t)FSX_PAGE,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED_NOREPLACE | (shared ? MVM_MAP_SHARED : 0),
		.offset_pages = first_page};
	int err = file_map(file[descriptor], shared, true, &map.object);

	if (err)
		return err;
	err = mvm_map(space[in], &map);
	mvm_object_unref(map.object);
	return err;
}

int back_unmap(unsigned in, unsigned area, unsigned pages)
{
	return mvm_unmap(space[in], address(area, 0), pages * (size_t)FSX_PAGE);
}

/* As the kernel's msync. */
static int commit(struct mvm_object *object)
{
	struct vnode *v = vnode_of_object(object);

	return v->ops->fsync(v, true);
}

int back_msync(unsigned in, unsigned area, unsigned page, unsigned pages, bool wait)
{
	return mvm_sync(space[in], address(area, page * (size_t)FSX_PAGE), pages * (size_t)FSX_PAGE,
		wait ? MVM_SYNC_WAIT : 0, wait ? commit : NULL);
}

int back_forget(unsigned in, unsigned area, unsigned page, unsigned pages)
{
	return mvm_advise(space[in], address(area, page * (size_t)FSX_PAGE),
		pages * (size_t)FSX_PAGE, MVM_ADVISE_DONTNEED);
}

/* Page by page, as *done is to say how far it came. */
static int access_bytes(
	unsigned in, unsigned area, size_t at, uint8_t *bytes, size_t n, bool store, size_t *done)
{
	size_t piece;

	for (*done = 0; *done < n; *done += piece) {
		mvm_vaddr_t va = address(area, at + *done);
		enum mvm_fault_result result;
		piece = FSX_PAGE - va % FSX_PAGE;
		piece = piece < n - *done ? piece : n - *done;
		result = store ? posix_store(space[in], va, bytes + *done, piece)
			       : posix_load(space[in], va, bytes + *done, piece);
		if (result != MVM_FAULT_OK)
			return result == MVM_FAULT_BUS ? -EFAULT : -ENOMEM;
	}
	return 0;
}

int back_load(unsigned in, unsigned area, size_t at, void *to, size_t n, size_t *done)
{
	return access_bytes(in, area, at, to, n, false, done);
}

int back_store(unsigned in, unsigned area, size_t at, const void *from, size_t n, size_t *done)
{
	return access_bytes(in, area, at, (uint8_t *)(uintptr_t)from, n, true, done);
}

void back_fork(unsigned from, unsigned to)
{
	mvm_space_unref(space[to]);
	assert_int_equal(mvm_space_fork(space[from], &space[to]), 0);
}

/* --- Pressure ---------------------------------------------------------------------------- */

void back_press(unsigned how)
{
	switch (how % 8) {
	case 0:
	case 1:
		assert_int_equal(mvm_writeback(0, how % 8), 0);
		break;
	case 2:
	case 3:
		mvm_reclaim(1 + how / 8 % 60);
		break;
	case 4:
		mvm_reclaim(FSX_FILE_PAGES * 8);
		break;
	case 5:
		mount_shrink_all(0);
		break;
	case 6:
		dentry_shrink(0);
		vnode_shrink(0);
		break;
	case 7:
		mvm_check();
		vfs_check();
		break;
	}
}

void back_remount(void)
{
	size_t limit = ((struct mapfs *)w.ctx.root->mount->fs)->cache.limit;

	give_blocks();
	world_remount(&w);
	take_blocks();
	set_cache(limit);
}

bool host_is_to_fail;

static void print(const char *line)
{
	fprintf(stderr, "# %s\n", line);
}

_Noreturn void back_fail(const char *why)
{
	fsx_history(false, print);
	fprintf(stderr, "%sok - %s\n", host_is_to_fail ? "" : "not ", why);
	_exit(1);
}
