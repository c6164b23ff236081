// SPDX-License-Identifier: MIT
/* mapfs's pager through mm's kit (mm/test/kit_pager.h). */
#include "world.h"

#include <kit_pager.h>

#include <posix.h>

static struct world world;
static struct file *file;
static struct fs_stat before;

static struct mvm_object *mapfs_open(struct kit_pager *kit, uint64_t bytes)
{
	(void)kit;
	world_make(&world, 16 << 20, 0);
	world_mount(&world);
	assert_int_equal(world_open(&world, "/f", FS_O_CREAT | FS_O_RDWR, &file), 0);
	before = world_statfs(&world);
	assert_int_equal(file_truncate(file, bytes), 0);
	return file->object;
}

/* No block may stay behind, nor be missed by fsck. */
static void mapfs_close(struct kit_pager *kit, struct mvm_object *obj)
{
	struct fs_stat after;

	(void)kit;
	assert_ptr_equal(file->object, obj);
	file_unref(file);
	assert_int_equal(vfs_unlink(&world.ctx, NULL, "/f"), 0);
	after = world_statfs(&world);
	assert_int_equal(after.free_blocks, before.free_blocks);
	world_unmount(&world);
	world_fsck(&world, false, IMAGE_CLEAN);
	world_free(&world);
}

static int mapfs_resize(struct kit_pager *kit, struct mvm_object *obj, uint64_t bytes)
{
	(void)kit, (void)obj;
	return file_truncate(file, bytes);
}

int main(void)
{
	static struct kit_pager mapfs = {
		.name = "mapfs",
		.keeps = true,
		.open = mapfs_open,
		.close = mapfs_close,
		.resize = mapfs_resize,
	};

	return kit_pager(&mapfs, world_seed());
}
