// SPDX-License-Identifier: MIT
/*
 * The memory of a process; the sigreturn trampoline; what happens when memory runs out.
 *
 * Out of memory.  mm has reclaimed what it could before it says so.  The process whose fault could
 * not be served is ended with SIGKILL, unless it is pid 1, when the largest process goes instead:
 * simple, and the culprit is rarely somebody else on a machine of this size.
 */
#include <abi/errno.h>
#include <arch/context.h>
#include <fs/file.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/vmspace.h>
#include <mm/host.h>

static struct mvm_object *trampoline;

void vmspace_init(void)
{
	uint8_t *page = frame_alloc_zeroed();

	if (!page)
		panic("no memory for the sigreturn trampoline");
	__builtin_memcpy(page, arch_sigreturn_code, arch_sigreturn_code_bytes);
	if (mvm_object_new_device(virt_to_phys(page) >> PAGE_SHIFT, PAGE_SIZE, &trampoline))
		panic("no memory for the sigreturn trampoline");
}

static int map_trampoline(struct mvm_space *space)
{
	struct mvm_map map = {
		.addr = VMSPACE_SIGRETURN,
		.bytes = PAGE_SIZE,
		.rights = MVM_READ | MVM_EXEC,
		.max_rights = MVM_READ | MVM_EXEC,
		.flags = MVM_MAP_FIXED | MVM_MAP_SHARED,
		.object = trampoline,
	};

	return mvm_map(space, &map);
}

static struct vmspace *vmspace_alloc(struct file *exe)
{
	struct vmspace *vm = kzalloc(sizeof *vm);

	if (vm) {
		vm->refs = 1;
		mutex_init(&vm->brk_lock, "brk", RANK_PROCESS_EXEC);
		vm->exe = exe ? file_ref(exe) : NULL;
	}
	return vm;
}

static void vmspace_free(struct vmspace *vm)
{
	if (vm->space)
		mvm_space_unref(vm->space);
	if (vm->exe)
		file_unref(vm->exe);
	kfree(vm);
}

int vmspace_new(struct file *exe, struct vmspace **out)
{
	struct vmspace *vm = vmspace_alloc(exe);
	int err;

	if (!vm)
		return -ENOMEM;
	err = mvm_space_new(USER_BASE, USER_END, &vm->space);
	if (!err)
		err = map_trampoline(vm->space);
	if (err)
		vmspace_free(vm);
	else
		*out = vm;
	return err;
}

int vmspace_fork(struct vmspace *from, struct vmspace **out)
{
	struct vmspace *vm = vmspace_alloc(from->exe);
	int err;

	if (!vm)
		return -ENOMEM;
	/* A break that moves while the space is copied belongs to both or to none. */
	mutex_lock(&from->brk_lock);
	vm->brk_start = from->brk_start;
	vm->brk_end = from->brk_end;
	vm->stack_start = from->stack_start;
	vm->args_start = from->args_start;
	vm->args_end = from->args_end;
	err = mvm_space_fork(from->space, &vm->space);
	mutex_unlock(&from->brk_lock);
	if (err)
		vmspace_free(vm);
	else
		*out = vm;
	return err;
}

void vmspace_put(struct vmspace *vm)
{
	if (vm && __atomic_fetch_sub(&vm->refs, 1, __ATOMIC_ACQ_REL) == 1)
		vmspace_free(vm);
}

struct pmap *vmspace_pmap(struct vmspace *vm)
{
	return &mvm_space_pmap(vm->space)->pmap;
}

int vmspace_prefault(struct vmspace *vm, vaddr_t va, size_t bytes, unsigned access)
{
	return mvm_prefault(vm->space, va, bytes, access);
}

/* --- Out of memory -------------------------------------------------------------------------- */

static uint64_t resident_pages(struct process *p)
{
	struct mvm_space_stats stats = {0};

	spin_lock(&p->lock);
	struct vmspace *vm = process_vm_get(p);
	spin_unlock(&p->lock);
	if (vm)
		mvm_space_stats(vm->space, &stats);
	vmspace_put(vm);
	return stats.anon_pages;
}

/* Referenced, or NULL. */
static struct process *largest_process(void)
{
	struct process *largest = NULL;
	uint64_t most = 0;
	pid_t nr = 2;

	for (;;) {
		spin_lock(&tree_lock);
		struct process *p = process_next(nr);
		if (p) {
			nr = p->nr + 1;
			process_ref(p);
		}
		spin_unlock(&tree_lock);
		if (!p)
			return largest;
		uint64_t pages = resident_pages(p);
		if (pages > most) {
			if (largest)
				process_unref(largest);
			largest = p;
			most = pages;
		} else {
			process_unref(p);
		}
	}
}

static void out_of_memory(void)
{
	struct process *p = process_current();

	if (p == init_process) {
		p = largest_process();
		if (!p)
			panic("out of memory, and only pid 1 is left");
	} else {
		process_ref(p);
	}
	pr_error("out of memory: killing process %d (%s)", p->nr, p->name);
	process_kill(p, SIGKILL);
	process_unref(p);
}

enum mvm_fault_result vmspace_fault(struct vmspace *vm, vaddr_t va, unsigned access)
{
	enum mvm_fault_result result = mvm_fault(vm->space, va, access);

	if (result == MVM_FAULT_NOMEM) {
		out_of_memory();
		thread_yield();
		return thread_interrupted(SLEEP_KILLABLE) ? MVM_FAULT_KILLED : MVM_FAULT_OK;
	}
	return result;
}
