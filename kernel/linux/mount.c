// SPDX-License-Identifier: MIT
/*
 * mount and umount2.
 *
 * A mount is its file system here, and there is one tree for all: so nothing can be mounted at a
 * second place (MS_BIND), and nothing propagates.  Access times are not kept, so whoever asks for
 * less of them is content with what there is.
 */
#include <abi/errno.h>
#include <abi/limits.h>
#include <abi/statfs.h>
#include <kernel/kmem.h>
#include <kernel/place.h>
#include <kernel/syscall.h>

#define SETS    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define IGNORED (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_SILENT)

_Static_assert(SETS == MOUNT_ASKED, "the numbers of mount(2)");

/* The three strings of mount, of which one may be missing where the call does without it. */
struct mount_strings {
	char *source, *type, *options;
};

/* *to may stay NULL. */
static int get_string(uaddr_t from, size_t bytes, char **to)
{
	if (uaddr_is_null(from))
		return 0;
	*to = kmalloc(bytes);
	if (!*to)
		return -ENOMEM;
	long n = copy_in_string(*to, from, bytes);
	return n < 0 ? (int)n : 0;
}

static void put_strings(struct mount_strings *s)
{
	kfree(s->source);
	kfree(s->type);
	kfree(s->options);
}

static int get_strings(struct mount_strings *s, uaddr_t source, uaddr_t type, uaddr_t options)
{
	int err = get_string(type, PATH_MAX, &s->type);

	if (!err)
		err = get_string(source, PATH_MAX, &s->source);
	if (!err)
		err = get_string(options, PATH_MAX, &s->options);
	if (err)
		put_strings(s);
	return err;
}

static int new_mount(struct place *p, const struct mount_strings *s, unsigned flags)
{
	if (!s->type)
		return -EINVAL;
	return vfs_mount(CTX(*p), TEXT(*p), s->type, s->source ? s->source : "none", flags & SETS,
		s->options ? s->options : "");
}

/* All mounts are private, so to make one so is done. */
static int propagation(struct place *p, unsigned flags)
{
	struct dentry *d;
	int err;

	if (!process_is_privileged(process_current()))
		return -EPERM;
	if ((flags & ~(unsigned)(MS_REC | MS_SILENT)) != MS_PRIVATE)
		return -EINVAL;
	err = path_lookup(CTX(*p), NULL, TEXT(*p), PATH_FOLLOW, &d);
	if (err)
		return err;
	err = d == d->mount->root ? 0 : -EINVAL;
	dentry_unref(d);
	return err;
}

static int mount_by_kind(struct place *p, const struct mount_strings *s, unsigned flags)
{
	if (flags & (MS_PRIVATE | MS_SHARED | MS_SLAVE | MS_UNBINDABLE))
		return propagation(p, flags);
	if (flags & ~(unsigned)(SETS | IGNORED | MS_REMOUNT))
		return -EINVAL;
	if (!(flags & MS_REMOUNT))
		return new_mount(p, s, flags);
	if (s->options && *s->options)
		return -EINVAL; /* no file system can change its mind */
	return vfs_remount(CTX(*p), TEXT(*p), flags & SETS);
}

long sys_mount(
	uaddr_t source, uaddr_t target, uaddr_t type, unsigned long flags_argument, uaddr_t options)
{
	unsigned flags = (unsigned)flags_argument;
	struct mount_strings s = {NULL, NULL, NULL};
	struct place p;
	int err = get_strings(&s, source, type, options);

	if (err)
		return err;
	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~MS_MGC_MSK;
	err = place_get(&p, AT_FDCWD, target);
	if (!err) {
		err = mount_by_kind(&p, &s, flags);
		place_put(&p);
	}
	put_strings(&s);
	return err;
}

/*
 * What is busy stays (MNT_FORCE is for servers that do not answer) unless it
 * shall only be detached.
 */
long sys_umount2(uaddr_t path, unsigned long flags_argument)
{
	unsigned flags = (unsigned)flags_argument;
	struct place p;

	if (flags & ~(unsigned)(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW))
		return -EINVAL;
	int err = place_get(&p, AT_FDCWD, path);
	if (err)
		return err;
	err = vfs_umount(
		CTX(p), TEXT(p), flags & UMOUNT_NOFOLLOW ? 0 : PATH_FOLLOW, flags & MNT_DETACH);
	place_put(&p);
	return err;
}
