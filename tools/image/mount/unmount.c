// SPDX-License-Identifier: MIT
/*
 * mount -u: the host's umount(2) is over before the image is written.  This waits for it, so that
 * the next command may be fsck, or a guest.
 */
#include "mount.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* The image that is mounted on the folder, by the host's table of mounts; NULL: none. */
static char *image_mounted_on(const char *folder)
{
	FILE *table = setmntent("/proc/self/mounts", "r");
	struct mntent *m;
	char *image = NULL;

	while (table && (m = getmntent(table))) {
		if (strcmp(m->mnt_dir, folder) || strcmp(m->mnt_type, "fuse.mapfs"))
			continue;
		free(image);
		image = strdup(m->mnt_fsname);
	}
	if (table)
		endmntent(table);
	return image;
}

/* For who is not root; it says itself what is wrong. */
static bool ask_fusermount(const char *folder)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		execlp("fusermount3", "fusermount3", "-u", folder, NULL);
		image_die_errno(8, "fusermount3", -errno);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return false;
	errno = EPERM;
	return status == 0;
}

int unmount_folder(const char *folder)
{
	char *image = image_mounted_on(folder);

	if (!image)
		image_die(1, "%s: no image is mounted here", folder);
	if (umount2(folder, UMOUNT_NOFOLLOW) < 0 && (errno != EPERM || !ask_fusermount(folder)))
		image_die_errno(1, folder, -errno);
	image_wait_unused(image);
	free(image);
	return 0;
}
