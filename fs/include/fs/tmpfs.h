// SPDX-License-Identifier: MIT
/*
 * tmpfs as the base of another file system: one whose files live in memory, and that adds some of
 * its own (devfs, devpts).  Its mount() calls tmpfs_mount() and sets ops of its own, which call the
 * other two.
 *
 * Options, with commas between them: mode=OCTAL, the permissions of the top directory (755; of a
 * tmpfs by itself 1777); size=BYTES or size=N%, of memory, what the files may take, and
 * nr_inodes=N, how many there may be: half of memory, and as many as that is pages.
 */
#pragma once

#include <fs/mount.h>

int tmpfs_mount(struct mount *mount, const char *source, const char *options, struct vnode **root);
int tmpfs_statfs(struct mount *mount, struct fs_stat *out);
void tmpfs_unmount(struct mount *mount);
