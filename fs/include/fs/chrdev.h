// SPDX-License-Identifier: MIT
/*
 * Character devices: by number, as a node on any file system names them, and by name in devfs.
 */
#pragma once

#include <fs/file.h>
#include <fs/types.h>

struct chrdev {
	const char *name; /* in /dev; NULL: it has no node there */
	uint64_t dev;     /* FS_DEV(major, minor) */
	bool all_minors;  /* it is every device of its major */
	uint32_t mode;    /* permissions of the node in devfs */
	unsigned state;   /* FILE_STREAM or 0 */
	const struct file_ops *ops;

	/*
	 * Called when a file is opened: may replace file->ops, set private_data, refuse.
	 * NULL: nothing to do.
	 */
	int (*open)(struct chrdev *device, struct file *file);
	void *driver; /* the driver's */
	struct chrdev *next;
};

/* The device stays for ever.  devfs shows it at once.  -EEXIST: number or name is taken. */
int chrdev_register(struct chrdev *device);
struct chrdev *chrdev_find(uint64_t dev);

struct chrdev *chrdev_next(struct chrdev *prev);
