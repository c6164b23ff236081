// SPDX-License-Identifier: MIT
#include "mapping.h"

#include "model.h"

#include <fs/file.h>
#include <fs/vnode.h>
#include <mm/vm.h>
#include <posix.h>

#include <errno.h>

#define MAPPED_FILES 16u
#define LOW          ((mvm_vaddr_t)0x400000)
#define HIGH         (LOW + MAPPED_FILES * MODEL_FILE_BYTES)

_Static_assert(MODEL_FILE_BYTES % MVM_PAGE_BYTES == 0, "files are mapped side by side");

static struct mvm_space *space; /* NULL: nothing is mapped */
static const struct mvm_object *mapped[MAPPED_FILES];
static unsigned n_mapped;

static int map(struct file *file)
{
	struct mvm_map map = {
		.addr = LOW + n_mapped * MODEL_FILE_BYTES,
		.bytes = MODEL_FILE_BYTES,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_READ | MVM_WRITE,
		.flags = MVM_MAP_SHARED | MVM_MAP_FIXED,
	};
	int err;

	if (n_mapped == MAPPED_FILES)
		return -EMFILE;
	if (!space && mvm_space_new(LOW, HIGH, &space))
		return -ENOMEM;
	err = file_map(file, true, true, &map.object);
	if (err)
		return err;
	err = mvm_map(space, &map);
	mvm_object_unref(map.object);
	if (!err)
		mapped[n_mapped++] = map.object;
	return err ? -ENOMEM : 0;
}

/* Where the file's byte 0 is, mapped now if it was not. */
static int address_of(struct file *file, mvm_vaddr_t *at)
{
	unsigned i = 0;
	int err;

	while (i < n_mapped && mapped[i] != file->object)
		i++;
	err = i == n_mapped ? map(file) : 0;
	*at = LOW + i * MODEL_FILE_BYTES;
	return err;
}

int mapping_store(struct file *file, uint64_t offset, size_t n, unsigned index)
{
	mvm_vaddr_t at;
	int err = address_of(file, &at);

	for (uint64_t i = offset; i < offset + n && !err; i++) {
		uint8_t byte = op_byte(index, i);
		if (posix_store(space, at + i, &byte, 1) != MVM_FAULT_OK)
			err = -EFAULT;
	}
	return err;
}

static int commit(struct mvm_object *object)
{
	struct vnode *v = vnode_of_object(object);

	return v->ops->fsync(v, true);
}

int mapping_sync(struct file *file, uint64_t offset, size_t n)
{
	uint64_t start = offset / MVM_PAGE_BYTES * MVM_PAGE_BYTES;
	mvm_vaddr_t at;
	int err = address_of(file, &at);

	return err ? err : mvm_sync(space, at + start, offset + n - start, MVM_SYNC_WAIT, commit);
}

void mapping_end(void)
{
	if (space)
		mvm_space_unref(space);
	space = NULL;
	n_mapped = 0;
}
