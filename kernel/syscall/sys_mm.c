// SPDX-License-Identifier: MIT
/*
 * System calls on memory: from the ABI's flags and rules to mm's.  kernel/linux has those beyond
 * the core.
 */
#include <abi/errno.h>
#include <abi/mman.h>
#include <kernel/files.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include <kernel/vmspace.h>

static struct vmspace *current_vm(void)
{
	return process_current()->vm;
}

/* --- brk ------------------------------------------------------------------------------------- */

/* Never fails: the break stays where it is instead. */
long sys_brk(vaddr_t end)
{
	struct vmspace *vm = current_vm();
	int err = 0;

	mutex_lock(&vm->brk_lock);
	if (end >= vm->brk_start && end < USER_END) {
		vaddr_t old_page = page_align_up(vm->brk_end), page = page_align_up(end);
		if (page != old_page)
			err = mvm_brk(vm->space, vm->brk_start, old_page, page);
		if (!err)
			vm->brk_end = end;
	}
	vaddr_t result = vm->brk_end;
	mutex_unlock(&vm->brk_lock);
	return (long)result;
}

/* --- mmap ------------------------------------------------------------------------------------ */

/* Refused only by MAP_SHARED_VALIDATE: others ignore what they do not know, as the ABI has it. */
#define MAP_KNOWN                                                                                \
	(MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE | \
		MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |           \
		MAP_FIXED_NOREPLACE)

/* What mm has a flag of the same meaning for. */
static unsigned mm_flags(unsigned flags)
{
	static const struct {
		unsigned flag, mm;
	} same[] = {
		{MAP_FIXED, MVM_MAP_FIXED},
		{MAP_FIXED_NOREPLACE, MVM_MAP_FIXED_NOREPLACE},
		{MAP_GROWSDOWN, MVM_MAP_GROWSDOWN},
		{MAP_LOCKED, MVM_MAP_LOCKED},
		{MAP_POPULATE, MVM_MAP_POPULATE},
		{MAP_NORESERVE, MVM_MAP_NORESERVE},
	};
	unsigned out = (flags & MAP_TYPE) == MAP_PRIVATE ? 0 : MVM_MAP_SHARED;

	if (!(flags & ~(unsigned)(MAP_TYPE | MAP_ANONYMOUS))) /* as most are */
		return out;
	if (flags & MAP_FIXED_NOREPLACE)
		flags &= ~(unsigned)MAP_FIXED;
	/* Prefaulting was asked for without waiting for the disk: then it is left out. */
	if (flags & MAP_NONBLOCK)
		flags &= ~(unsigned)MAP_POPULATE;
	for (unsigned i = 0; i < sizeof same / sizeof *same; i++)
		if (flags & same[i].flag)
			out |= same[i].mm;
	return out;
}

/* Where a null pointer leads nothing is mapped, ever. */
static int check_place(const struct mvm_map *map)
{
	if (map->bytes > USER_END)
		return -ENOMEM;
	if (!(map->flags & (MVM_MAP_FIXED | MVM_MAP_FIXED_NOREPLACE)))
		return 0;
	if (map->addr > USER_END - map->bytes)
		return -ENOMEM;
	if (map->addr & PAGE_MASK)
		return -EINVAL;
	return map->addr < USER_BASE ? -EPERM : 0;
}

/* Stacks are private and anonymous. */
static int check_type(unsigned flags)
{
	bool anonymous = flags & MAP_ANONYMOUS;

	switch (flags & MAP_TYPE) {
	case MAP_PRIVATE:
		return !anonymous && (flags & MAP_GROWSDOWN) ? -EINVAL : 0;
	case MAP_SHARED_VALIDATE:
		if (anonymous)
			return -EINVAL;
		if (flags & ~MAP_KNOWN)
			return -EOPNOTSUPP;
		return flags & MAP_GROWSDOWN ? -EINVAL : 0;
	case MAP_SHARED:
		return flags & MAP_GROWSDOWN ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

/* The object behind a file's mapping, and the most it may ever be used for. */
static int find_object(struct file *file, struct mvm_map *map)
{
	bool shared = map->flags & MVM_MAP_SHARED;
	bool noexec = file->dentry && (file->dentry->mount->flags & MOUNT_NOEXEC);
	int err = file_map(file, shared, shared && (map->rights & MVM_WRITE), &map->object);

	if (err)
		return err;
	if (shared && !file_may_map_writable(file))
		map->max_rights &= ~(unsigned)MVM_WRITE;
	if (noexec)
		map->max_rights &= ~(unsigned)MVM_EXEC;
	return noexec && (map->rights & MVM_EXEC) ? -EPERM : 0;
}

/* May there be such a map, whatever it shows? */
static inline int check_request(const struct mvm_map *map, size_t bytes, unsigned flags)
{
	int err;

	if (map->bytes == 0) /* none, or so many that they wrapped around */
		return bytes == 0 ? -EINVAL : -ENOMEM;
	if (flags & MAP_HUGETLB) /* there are none to be had */
		return -EINVAL;
	err = check_place(map);
	if (err)
		return err;
	if ((flags & MAP_LOCKED) && !process_may_lock_memory(process_current()))
		return -EPERM;
	return check_type(flags);
}

/* Shared, and of no file or of /dev/zero: memory that fork shares. */
static __attribute__((noinline)) int map_shared_anon(struct mvm_map *map)
{
	int err = mvm_object_new_shared_anon(map->bytes, &map->object);

	if (err)
		return err;
	err = mvm_map(current_vm()->space, map);
	mvm_object_unref(map->object);
	return err;
}

static int map_object(struct file *file, struct mvm_map *map)
{
	int err = find_object(file, map);

	if (!err && !map->object && (map->flags & MVM_MAP_SHARED))
		return map_shared_anon(map);
	if (!err)
		err = mvm_map(current_vm()->space, map);
	if (map->object)
		mvm_object_unref(map->object);
	return err;
}

/* `offset`: in bytes. */
static __attribute__((noinline)) int map_file(
	long fd, uint64_t offset, size_t bytes, unsigned flags, struct mvm_map *map)
{
	struct file *file = fd_get(fd);
	int err;

	if (!file)
		return -EBADF;
	map->offset_pages = offset / PAGE_SIZE;
	err = check_request(map, bytes, flags);
	if (!err)
		err = map_object(file, map);
	file_unref(file);
	return err == -EFBIG ? -EOVERFLOW : err;
}

static inline int map_anonymous(size_t bytes, unsigned flags, struct mvm_map *map)
{
	int err = check_request(map, bytes, flags);

	if (err)
		return err;
	if (map->flags & MVM_MAP_SHARED)
		return map_shared_anon(map);
	return mvm_map(current_vm()->space, map);
}

long sys_mmap(vaddr_t addr, size_t bytes, unsigned long rights, unsigned long flags_argument,
	long fd, int64_t offset)
{
	unsigned flags = (unsigned)flags_argument;
	struct mvm_map map = {
		.addr = addr,
		.bytes = page_align_up(bytes),
		.rights = rights & MVM_RWX,
		.max_rights = MVM_RWX,
		.flags = mm_flags(flags),
	};
	int err;

	if (offset % (int64_t)PAGE_SIZE)
		return -EINVAL;
	if (flags & MAP_ANONYMOUS)
		err = map_anonymous(bytes, flags, &map);
	else
		err = map_file(fd, (uint64_t)offset, bytes, flags, &map);
	return err ? err : (long)map.addr;
}

/* --- The others ------------------------------------------------------------------------------ */

/* mm knows a range that is none of a program's, and there is one error for all of them. */
long sys_munmap(vaddr_t addr, size_t bytes)
{
	return mvm_unmap(current_vm()->space, addr, bytes);
}

/*
 * PROT_GROWSDOWN: from the start of the stack on in which the range begins.  No memory grows
 * upwards, so PROT_GROWSUP only finds out what is wrong.
 */
static int grow_range(vaddr_t *addr, size_t *bytes, bool down)
{
	struct mvm_area_info area;

	if (!mvm_area_next(current_vm()->space, *addr, &area))
		return -ENOMEM;
	if (area.object)
		mvm_object_unref(area.object);
	if (area.start >= (down ? *addr + *bytes : *addr + 1))
		return -ENOMEM;
	if (!down || !(area.flags & MVM_MAP_GROWSDOWN))
		return -EINVAL;
	*bytes += *addr - area.start;
	*addr = area.start;
	return 0;
}

/* Of its own, so that the others need no frame. */
static __attribute__((noinline)) long protect_grown(
	vaddr_t addr, size_t bytes, unsigned rights, bool down)
{
	int err = grow_range(&addr, &bytes, down);

	return err ? err : mvm_protect(current_vm()->space, addr, bytes, rights);
}

long sys_mprotect(vaddr_t addr, size_t bytes, unsigned long rights_argument)
{
	unsigned rights = (unsigned)rights_argument,
		 grows = rights & (PROT_GROWSDOWN | PROT_GROWSUP);

	rights &= ~grows;
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	int err = user_range(addr, &bytes, -ENOMEM);
	if (err || !bytes)
		return err;
	if (rights & ~(unsigned)(PROT_READ | PROT_WRITE | PROT_EXEC))
		return -EINVAL;
	if (grows)
		return protect_grown(addr, bytes, rights, grows == PROT_GROWSDOWN);
	return mvm_protect(current_vm()->space, addr, bytes, rights);
}

/* The file system's part of msync(MS_SYNC), for one object; its pages of the range are written. */
static int commit(struct mvm_object *object)
{
	struct vnode *v = vnode_of_object(object);

	return v && v->ops->fsync ? v->ops->fsync(v, true) : 0;
}

long sys_msync(vaddr_t addr, size_t bytes, unsigned long flags_argument)
{
	unsigned flags = (unsigned)flags_argument;

	if (flags & ~(unsigned)(MS_ASYNC | MS_SYNC | MS_INVALIDATE))
		return -EINVAL;
	if ((flags & MS_ASYNC) && (flags & MS_SYNC))
		return -EINVAL;
	int err = user_range(addr, &bytes, -ENOMEM);
	if (err || !bytes)
		return err;
	return mvm_sync(current_vm()->space, addr, bytes,
		(flags & MS_SYNC ? MVM_SYNC_WAIT : 0) |
			(flags & MS_INVALIDATE ? MVM_SYNC_INVALIDATE : 0),
		commit);
}
