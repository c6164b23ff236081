// SPDX-License-Identifier: MIT
/* tmpfs's pager through mm's kit (mm/test/kit_pager.h). */
#include "harness.h"

#include <kit_pager.h>

static struct file *file;
static const char *const path = "/f";

static struct mvm_object *tmpfs_open(struct kit_pager *kit, uint64_t bytes)
{
	(void)kit;
	assert_int_equal(test_setup(NULL), 0);
	file = must_open(path, FS_O_CREAT | FS_O_RDWR);
	assert_int_equal(file_truncate(file, bytes), 0);
	return file->object;
}

static void tmpfs_close(struct kit_pager *kit, struct mvm_object *obj)
{
	(void)kit;
	assert_ptr_equal(file->object, obj);
	file_unref(file);
	assert_int_equal(vfs_unlink(&ctx, NULL, path), 0);
	assert_int_equal(test_teardown(NULL), 0);
}

static int tmpfs_resize(struct kit_pager *kit, struct mvm_object *obj, uint64_t bytes)
{
	(void)kit, (void)obj;
	return file_truncate(file, bytes);
}

int main(void)
{
	static struct kit_pager tmpfs = {
		.name = "tmpfs",
		.open = tmpfs_open,
		.close = tmpfs_close,
		.resize = tmpfs_resize,
	};

	return group_setup(NULL) ? 2 : kit_pager(&tmpfs, test_seed());
}
