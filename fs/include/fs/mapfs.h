// SPDX-License-Identifier: MIT
/*
 * mapfs, for whoever sets a system up: the file system of disks.  See fs/mapfs/super.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct blkdev;

/* Make the type "mapfs" known; its source is the name of a block device. */
void mapfs_register(void);

/*
 * Make an empty file system on a device, whose contents are lost.  n_inodes 0: one for every 16
 * KiB.  Equal arguments make equal file systems: the UUID and the time are given.
 * -ENOSPC: the device is too small; -EIO; -ENOMEM.
 */
struct mapfs_make {
	uint64_t n_inodes;
	bool device_is_zero; /* it reads as zeros: inode tables need not be cleared */
	int64_t now_ns;
	uint8_t uuid[16];
	const char *label; /* at most 31 bytes, or NULL */
};
int mapfs_make(struct blkdev *dev, const struct mapfs_make *how);
