// SPDX-License-Identifier: MIT
/*
 * A path argument and its walk: what nearly every call on names begins and ends with.
 */
#pragma once

#include <abi/fcntl.h>
#include <kernel/files.h>
#include <kernel/uaccess.h>

struct place {
	struct user_path path;
	struct walk walk;
};

/* dir as in openat.  place_put() is owed after success. */
int place_get(struct place *p, long dir, uaddr_t path);
void place_put(struct place *p);

/* What the calls of fs/vfs.h take: context, base and path. */
#define CTX(place)  (&(place).walk.ctx)
#define BASE(place) ((place).walk.base)
#define TEXT(place) ((place).path.text)

/* AT_ flags as flags of a walk that follows links unless told not to. */
static inline unsigned walk_flags(unsigned at)
{
	return (at & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) | (at & AT_EMPTY_PATH ? PATH_EMPTY : 0);
}

/* stat and access as their *at calls have them, once the flags are known to be good. */
int attributes_at(long dir, uaddr_t path, unsigned at_flags, struct fs_attr *attr);
long access_at(long dir, uaddr_t path, unsigned mode, unsigned at_flags);
