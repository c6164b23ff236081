// SPDX-License-Identifier: MIT
/*
 * The files that the host's kernel has open.  It closes them one by one, unless the mount ends
 * while they are in use; then the list tells what is left.
 */
#include "mount.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct handle {
	struct handle *next, **prev;
	struct file *file;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct handle *handles; /* under the lock */

int handle_new(struct file *file, struct fuse_file_info *info)
{
	struct handle *h = malloc(sizeof(*h));

	if (!h) {
		file_unref(file);
		return -ENOMEM;
	}
	pthread_mutex_lock(&lock);
	*h = (struct handle){.file = file, .next = handles, .prev = &handles};
	if (handles)
		handles->prev = &h->next;
	handles = h;
	pthread_mutex_unlock(&lock);
	info->fh = (uintptr_t)h;
	return 0;
}

static struct handle *handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

struct file *handle_file(const struct fuse_file_info *info)
{
	return handle_of(info)->file;
}

static void close_handle(struct handle *h)
{
	pthread_mutex_lock(&lock);
	*h->prev = h->next;
	if (h->next)
		h->next->prev = h->prev;
	pthread_mutex_unlock(&lock);
	file_unref(h->file);
	free(h);
}

void handle_close(const struct fuse_file_info *info)
{
	close_handle(handle_of(info));
}

void handles_end(void)
{
	while (handles)
		close_handle(handles);
}
