// SPDX-License-Identifier: MIT
/*
 * System calls on memory: from the ABI's flags and rules to mm's.
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
		MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_FIXED_NOREPLACE)

static unsigned mm_flags(unsigned flags)
{
	unsigned out = 0;

	if ((flags & MAP_TYPE) != MAP_PRIVATE)
		out |= MVM_MAP_SHARED;
	if (flags & MAP_FIXED_NOREPLACE)
		out |= MVM_MAP_FIXED_NOREPLACE;
	else if (flags & MAP_FIXED)
		out |= MVM_MAP_FIXED;
	if (flags & MAP_POPULATE)
		out |= MVM_MAP_POPULATE;
	if (flags & MAP_NORESERVE)
		out |= MVM_MAP_NORESERVE;
	return out;
}

static int check_flags(unsigned rights, unsigned flags)
{
	unsigned type = flags & MAP_TYPE;

	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && (flags & ~MAP_KNOWN))
		return -EOPNOTSUPP;
	if (flags & MAP_HUGETLB)
		return -EINVAL; /* there are no huge pages to be had */
	if (flags & MAP_LOCKED)
		return -EPERM; /* nobody may lock memory yet */
	return rights & ~(PROT_READ | PROT_WRITE | PROT_EXEC) ? -EINVAL : 0;
}

/* The object behind a file's mapping, and the most it may ever be used for. */
static int object_of_fd(long fd, unsigned rights, bool shared, struct mvm_map *map)
{
	struct file *file = fd_get(fd);
	int err;

	if (!file)
		return -EBADF;
	err = file_map(file, shared, shared && (rights & PROT_WRITE), &map->object);
	map->max_rights = MVM_RWX;
	if (shared && !(file->state & FILE_WRITABLE))
		map->max_rights &= ~(unsigned)MVM_WRITE;
	if (!err && file->dentry && (file->dentry->mount->flags & MOUNT_NOEXEC)) {
		map->max_rights &= ~(unsigned)MVM_EXEC;
		if (rights & PROT_EXEC) {
			err = -EPERM;
			if (map->object)
				mvm_object_unref(map->object);
		}
	}
	file_unref(file);
	return err;
}

static int find_object(long fd, unsigned rights, unsigned flags, struct mvm_map *map)
{
	bool shared = map->flags & MVM_MAP_SHARED;
	int err = 0;

	map->max_rights = MVM_RWX;
	if (!(flags & MAP_ANONYMOUS))
		err = object_of_fd(fd, rights, shared, map);
	/* No object and shared: /dev/zero, or MAP_ANONYMOUS. */
	if (!err && shared && !map->object)
		err = mvm_object_new_shared_anon(page_align_up(map->bytes), &map->object);
	return err;
}

long sys_mmap(vaddr_t addr, size_t bytes, unsigned long rights_argument,
	unsigned long flags_argument, long fd, int64_t offset)
{
	unsigned rights = (unsigned)rights_argument, flags = (unsigned)flags_argument;
	struct mvm_map map = {
		.addr = addr,
		.bytes = bytes,
		.rights = rights,
		.flags = mm_flags(flags),
		.offset_pages = (uint64_t)offset / PAGE_SIZE,
	};
	int err = check_flags(rights, flags);

	if (err)
		return err;
	if (offset % (int64_t)PAGE_SIZE || !bytes)
		return -EINVAL;
	if (bytes > USER_END)
		return -ENOMEM;
	if ((map.flags & (MVM_MAP_FIXED | MVM_MAP_FIXED_NOREPLACE)) && addr < USER_BASE)
		return -EPERM; /* where a null pointer leads nothing is mapped, ever */
	if ((flags & MAP_GROWSDOWN) && (flags & MAP_ANONYMOUS))
		map.flags |= MVM_MAP_GROWSDOWN;
	err = find_object(fd, rights, flags, &map);
	if (err)
		return err;
	if (flags & MAP_ANONYMOUS)
		map.offset_pages = 0;
	err = mvm_map(current_vm()->space, &map);
	if (map.object)
		mvm_object_unref(map.object);
	return err == -EFBIG ? -EOVERFLOW : err ? err : (long)map.addr;
}

/* --- The others ------------------------------------------------------------------------------ */

/* Round the length up to pages.  -EINVAL: unaligned; `overflow`: beyond what can be addressed. */
static int check_range(vaddr_t addr, size_t *bytes, int overflow)
{
	if (addr & PAGE_MASK)
		return -EINVAL;
	if (*bytes > USER_END || addr > USER_END - *bytes)
		return overflow;
	*bytes = page_align_up(*bytes);
	return 0;
}

long sys_munmap(vaddr_t addr, size_t bytes)
{
	int err = check_range(addr, &bytes, -EINVAL);

	if (err || !bytes)
		return -EINVAL;
	return mvm_unmap(current_vm()->space, addr, bytes);
}

long sys_mprotect(vaddr_t addr, size_t bytes, unsigned long rights_argument)
{
	unsigned rights = (unsigned)rights_argument;
	int err = check_range(addr, &bytes, -ENOMEM);

	if (err || (rights & ~(unsigned)(PROT_READ | PROT_WRITE | PROT_EXEC)))
		return err ? err : -EINVAL;
	return bytes ? mvm_protect(current_vm()->space, addr, bytes, rights) : 0;
}

/* The file system's part of msync(MS_SYNC), for one object; its pages of the range are written. */
static int commit(struct mvm_object *object)
{
	struct vnode *v = vnode_of_object(object);

	return v && v->ops->fsync ? v->ops->fsync(v, true) : 0;
}

long sys_msync(vaddr_t addr, size_t bytes, unsigned long flags_argument)
{
	unsigned flags = (unsigned)flags_argument, mm = 0;

	if (flags & ~(unsigned)(MS_ASYNC | MS_SYNC | MS_INVALIDATE))
		return -EINVAL;
	if ((flags & MS_ASYNC) && (flags & MS_SYNC))
		return -EINVAL;
	int err = check_range(addr, &bytes, -ENOMEM);
	if (err || !bytes)
		return err;
	if (flags & MS_SYNC)
		mm |= MVM_SYNC_WAIT;
	if (flags & MS_INVALIDATE)
		mm |= MVM_SYNC_INVALIDATE;
	return mvm_sync(current_vm()->space, addr, bytes, mm, flags & MS_SYNC ? commit : NULL);
}
