// SPDX-License-Identifier: MIT
#include "op.h"

#include "mapping.h"

#include <fs_posix.h>
#include <world.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Text -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned paths, numbers;
} kinds[OP_KINDS] = {
	[OP_CREATE] = {"create", 1, 0},
	[OP_WRITE] = {"write", 1, 2},
	[OP_APPEND] = {"append", 1, 1},
	[OP_STORE] = {"store", 1, 2},
	[OP_MSYNC] = {"msync", 1, 2},
	[OP_SCRIBBLE] = {"scribble", 1, 1},
	[OP_RENAME] = {"rename", 2, 0},
	[OP_MOVE] = {"move", 2, 0},
	[OP_EXCHANGE] = {"exchange", 2, 0},
	[OP_LINK] = {"link", 2, 0},
	[OP_SYMLINK] = {"symlink", 1, 1},
	[OP_UNLINK] = {"unlink", 1, 0},
	[OP_HOLD] = {"hold", 1, 0},
	[OP_MKDIR] = {"mkdir", 1, 0},
	[OP_RMDIR] = {"rmdir", 1, 0},
	[OP_TRUNCATE] = {"truncate", 1, 1},
	[OP_PUNCH] = {"punch", 1, 2},
	[OP_ALLOCATE] = {"allocate", 1, 2},
	[OP_RESERVE] = {"reserve", 1, 2},
	[OP_ZERO] = {"zero", 1, 2},
	[OP_CHMOD] = {"chmod", 1, 1},
	[OP_FSYNC] = {"fsync", 1, 0},
	[OP_FDATASYNC] = {"fdatasync", 1, 0},
	[OP_SYNC] = {"sync", 0, 0},
};

static int find_kind(const char *name, enum op_kind *kind)
{
	for (unsigned i = 0; i < OP_KINDS; i++) {
		if (name && strcmp(kinds[i].name, name) == 0) {
			*kind = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* One operation; its text is taken apart. */
static int parse(char *text, struct op *op)
{
	char *rest = text, *word, *end;

	memset(op, 0, sizeof(*op));
	if (find_kind(strtok_r(text, " ", &rest), &op->kind))
		return -EINVAL;
	for (unsigned i = 0; i < kinds[op->kind].paths; i++) {
		word = strtok_r(NULL, " ", &rest);
		if (!word || *word != '/' || strlen(word) >= OP_PATH_BYTES)
			return -EINVAL;
		strcpy(op->path[i], word);
	}
	for (unsigned i = 0; i < kinds[op->kind].numbers; i++) {
		word = strtok_r(NULL, " ", &rest);
		if (!word)
			return -EINVAL;
		op->number[i] = strtoull(word, &end, 10);
		if (*end)
			return -EINVAL;
	}
	return strtok_r(NULL, " ", &rest) ? -EINVAL : 0;
}

int op_next(const char **text, struct op *op)
{
	size_t n = strcspn(*text, ";&"), meets = strspn(*text + n, "&");
	char copy[OP_TEXT_BYTES];
	int err;

	if (n == 0)
		return -ENOENT;
	if (n >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, *text, n);
	copy[n] = 0;
	*text += n + ((*text)[n] == ';') + meets;
	err = parse(copy, op);
	op->meets = (unsigned)meets;
	return err;
}

void op_print(const struct op *op, char text[OP_TEXT_BYTES])
{
	size_t at = (size_t)snprintf(text, OP_TEXT_BYTES, "%s", kinds[op->kind].name);

	for (unsigned i = 0; i < kinds[op->kind].paths; i++)
		at += (size_t)snprintf(text + at, OP_TEXT_BYTES - at, " %s", op->path[i]);
	for (unsigned i = 0; i < kinds[op->kind].numbers; i++)
		at += (size_t)snprintf(
			text + at, OP_TEXT_BYTES - at, " %llu", (unsigned long long)op->number[i]);
}

/* --- What an operation writes ------------------------------------------------------------ */

/* 41 has an inverse modulo 255, so two operations agree at no offset. */
uint8_t op_byte(unsigned index, uint64_t offset)
{
	return (uint8_t)(1 + (index * 41 + offset + offset / 512 * 7) % 255);
}

void op_long_path(const char *path, char *full, size_t bytes)
{
	size_t n = strlen(path), name = n - (size_t)(strrchr(path, '/') + 1 - path);

	if (n + FS_NAME_MAX >= bytes)
		abort();
	strcpy(full, path);
	if (path[n - 1] != '~')
		return;
	memset(full + n, '~', FS_NAME_MAX - name);
	full[n + FS_NAME_MAX - name] = 0;
}

void op_target(char *target, size_t n)
{
	for (size_t i = 0; i < n; i++)
		target[i] = (char)('a' + i % 26);
	target[n] = 0;
}

int64_t op_time_ns(unsigned index)
{
	return 1000000000 + (int64_t)index * FS_TIME_STEP_NS;
}

/* --- Doing it ---------------------------------------------------------------------------- */

static int open_path(struct world *w, const struct op *op, unsigned flags, struct file **file)
{
	char path[FS_PATH_MAX];

	op_long_path(op->path[0], path, sizeof(path));
	return world_open(w, path, flags, file);
}

#define MAX_HELD 16

static struct file *held[MAX_HELD];
static unsigned n_held;

void op_release(void)
{
	mapping_end();
	while (n_held)
		file_unref(held[--n_held]);
}

static int run_hold(struct world *w, const struct op *op)
{
	int err;

	if (n_held == MAX_HELD)
		return -EMFILE;
	err = open_path(w, op, FS_O_RDWR, &held[n_held]);
	n_held += !err;
	return err;
}

static int run_create(struct world *w, const struct op *op)
{
	struct file *file;
	int err = open_path(w, op, FS_O_CREAT | FS_O_EXCL | FS_O_RDWR, &file);

	if (!err)
		file_unref(file);
	return err;
}

static int write_at(struct file *file, uint64_t offset, size_t n, unsigned index)
{
	uint8_t *data = malloc(n);
	int err;

	for (size_t i = 0; i < n; i++)
		data[i] = op_byte(index, offset + i);
	err = world_write(file, data, n, offset);
	free(data);
	return err;
}

/* A store that does not begin and end before `end` is not made. */
static int run_store(struct file *file, const struct op *op, unsigned index)
{
	uint64_t size = mvm_object_size(file->object), start = op->number[0], end = size;
	size_t n = op->number[1];

	if (op->kind == OP_SCRIBBLE) {
		start = size;
		n = op->number[0];
		end = (size + MVM_PAGE_BYTES - 1) / MVM_PAGE_BYTES * MVM_PAGE_BYTES;
	}
	return start + n > end ? -EFAULT : mapping_store(file, start, n, index);
}

static int run_append(struct file *file, size_t n, unsigned index)
{
	struct fs_attr attr;
	int err = file_getattr(file, &attr);

	return err ? err : write_at(file, attr.size_bytes, n, index);
}

/* Operations on one open file. */
static int run_on_file(struct world *w, const struct op *op, unsigned index)
{
	bool only_sync = op->kind == OP_FSYNC || op->kind == OP_FDATASYNC;
	uint64_t first = op->number[0], second = op->number[1];
	struct file *file;
	int err = open_path(w, op, only_sync ? FS_O_RDONLY : FS_O_RDWR, &file);

	if (err)
		return err;
	if (op->kind == OP_WRITE)
		err = write_at(file, first, second, index);
	else if (op->kind == OP_APPEND)
		err = run_append(file, first, index);
	else if (op->kind == OP_STORE || op->kind == OP_SCRIBBLE)
		err = run_store(file, op, index);
	else if (op->kind == OP_MSYNC)
		err = mapping_sync(file, first, second);
	else if (op->kind == OP_TRUNCATE)
		err = file_truncate(file, first);
	else if (op->kind == OP_PUNCH)
		err = file_punch(file, first, first + second);
	else if (op->kind == OP_ALLOCATE)
		err = file_allocate(file, first, first + second, 0);
	else if (op->kind == OP_RESERVE)
		err = file_allocate(file, first, first + second, FS_ALLOCATE_KEEP_SIZE);
	else if (op->kind == OP_ZERO)
		err = file_allocate(file, first, first + second, FS_ALLOCATE_ZERO);
	else
		err = file_sync(file, op->kind == OP_FDATASYNC);
	file_unref(file);
	return err;
}

static int run_on_names(struct world *w, const struct op *op)
{
	struct fs_attr attr = {.mode = (uint32_t)op->number[0]};
	char path[FS_PATH_MAX], other[FS_PATH_MAX], target[FS_PATH_MAX];

	op_long_path(op->path[0], path, sizeof(path));
	if (*op->path[1])
		op_long_path(op->path[1], other, sizeof(other));

	switch (op->kind) {
	case OP_RENAME:
		return vfs_rename(&w->ctx, NULL, path, NULL, other, 0);
	case OP_MOVE:
		return vfs_rename(&w->ctx, NULL, path, NULL, other, FS_RENAME_NOREPLACE);
	case OP_EXCHANGE:
		return vfs_rename(&w->ctx, NULL, path, NULL, other, FS_RENAME_EXCHANGE);
	case OP_LINK:
		return vfs_link(&w->ctx, NULL, path, 0, NULL, other);
	case OP_SYMLINK:
		op_target(target, op->number[0]);
		return vfs_symlink(&w->ctx, target, NULL, path);
	case OP_UNLINK:
		return vfs_unlink(&w->ctx, NULL, path);
	case OP_MKDIR:
		return vfs_mkdir(&w->ctx, NULL, path, 0755);
	case OP_RMDIR:
		return vfs_rmdir(&w->ctx, NULL, path);
	default:
		return vfs_setattr(&w->ctx, NULL, path, 0, &attr, FS_SET_MODE);
	}
}

int op_run(struct world *w, const struct op *op, unsigned index)
{
	fsh_posix_fixed_time_ns = op_time_ns(index);
	switch (op->kind) {
	case OP_CREATE:
		return run_create(w, op);
	case OP_HOLD:
		return run_hold(w, op);
	case OP_SYNC:
		return mount_sync_all();
	case OP_WRITE:
	case OP_APPEND:
	case OP_STORE:
	case OP_MSYNC:
	case OP_SCRIBBLE:
	case OP_TRUNCATE:
	case OP_PUNCH:
	case OP_ALLOCATE:
	case OP_RESERVE:
	case OP_ZERO:
	case OP_FSYNC:
	case OP_FDATASYNC:
		return run_on_file(w, op, index);
	default:
		return run_on_names(w, op);
	}
}
