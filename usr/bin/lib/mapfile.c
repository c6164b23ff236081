// SPDX-License-Identifier: MIT
#include "mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

static int map_bytes(struct mapped_file *file, bool shared_write, size_t size)
{
	int rights = shared_write ? PROT_READ | PROT_WRITE : PROT_READ;
	void *p = NULL;

	if (size > 0)
		p = mmap(NULL, size, rights, shared_write ? MAP_SHARED : MAP_PRIVATE, file->fd, 0);
	if (p == MAP_FAILED)
		return -1;
	file->bytes = p;
	file->size = size;
	return 0;
}

// Why FD cannot be mapped whole, as an errno, or 0.
static int reason_against(const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		return EISDIR;
	if (!S_ISREG(st->st_mode))
		return ENODEV;
	if ((unsigned long long)st->st_size > SIZE_MAX)
		return EFBIG;
	return 0;
}

int map_file(struct mapped_file *file, const char *path, bool shared_write)
{
	struct stat st;

	*file = (struct mapped_file){.fd = open(path, shared_write ? O_RDWR : O_RDONLY)};
	if (file->fd < 0) {
		complain("%s", path);
		return -1;
	}
	if (fstat(file->fd, &st) != 0)
		goto fail;
	errno = reason_against(&st);
	if (errno == 0 && map_bytes(file, shared_write, (size_t)st.st_size) == 0)
		return 0;
fail:
	complain("%s", path);
	close(file->fd);
	return -1;
}

int map_resize(struct mapped_file *file, const char *path, size_t size)
{
	if (size > file->size && ftruncate(file->fd, (off_t)size) != 0)
		goto fail;
	if (file->bytes && munmap(file->bytes, file->size) != 0)
		goto fail;
	file->bytes = NULL;
	if (size < file->size && ftruncate(file->fd, (off_t)size) != 0)
		goto fail;
	if (map_bytes(file, true, size) == 0)
		return 0;
fail:
	complain("%s", path);
	return -1;
}

void unmap_file(struct mapped_file *file)
{
	if (file->bytes)
		munmap(file->bytes, file->size);
	close(file->fd);
}
