// SPDX-License-Identifier: MIT
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

static int convert(const struct statfs *from, struct statvfs *to)
{
	*to = (struct statvfs){
		.f_bsize = (unsigned long)from->f_bsize,
		.f_frsize = (unsigned long)(from->f_frsize ? from->f_frsize : from->f_bsize),
		.f_blocks = from->f_blocks,
		.f_bfree = from->f_bfree,
		.f_bavail = from->f_bavail,
		.f_files = from->f_files,
		.f_ffree = from->f_ffree,
		.f_favail = from->f_ffree,
		.f_flag = (unsigned long)from->f_flags,
		.f_namemax = (unsigned long)from->f_namelen,
	};
	memcpy(&to->f_fsid, &from->f_fsid, sizeof(to->f_fsid));
	return 0;
}

int statvfs(const char *path, struct statvfs *to)
{
	struct statfs s;

	return statfs(path, &s) == 0 ? convert(&s, to) : -1;
}

int fstatvfs(int fd, struct statvfs *to)
{
	struct statfs s;

	return fstatfs(fd, &s) == 0 ? convert(&s, to) : -1;
}
