// SPDX-License-Identifier: MIT
/*
 * The memory of a process; the sigreturn trampoline; what happens when memory is short: faults go
 * to oom.c, and a fork is refused before there is nothing left.
 */
#include <abi/errno.h>
#include <abi/personality.h>
#include <abi/resource.h>
#include <arch/context.h>
#include <fs/file.h>
#include <kernel/boot.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/oom.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/random.h>
#include <kernel/vmspace.h>
#include <mm/host.h>

#define FORK_RESERVES 2  /* must be free, so that the child can also copy pages */
#define FORK_FRAMES   64 /* that a fork reclaims at a time if they are not, */
#define FORK_ATTEMPTS 16 /* so often at most, */
#define FORK_FUTILE   4  /* and one that has freed nothing counts as so many */

static struct mvm_object *trampoline; /* [I] after vmspace_init() */
static bool randomize;                /* likewise */

void vmspace_init(void)
{
	uint8_t *page = frame_alloc_zeroed();

	if (!page)
		panic("no memory for the sigreturn trampoline");
	__builtin_memcpy(page, arch_sigreturn_code, arch_sigreturn_code_bytes);
	if (mvm_object_new_device(virt_to_phys(page) >> PAGE_SHIFT, PAGE_SIZE, &trampoline))
		panic("no memory for the sigreturn trampoline");
	randomize = !boot_has("norandmaps");
}

static int map_trampoline(struct vmspace *vm)
{
	struct mvm_map map = {
		.addr = vm->sigreturn,
		.bytes = PAGE_SIZE,
		.rights = MVM_READ | MVM_EXEC,
		.max_rights = MVM_READ | MVM_EXEC,
		.flags = MVM_MAP_FIXED | MVM_MAP_SHARED,
		.object = trampoline,
	};

	return mvm_map(vm->space, &map);
}

bool vmspace_is_random(void)
{
	struct task *t = thread_current()->task;

	return randomize && !(t && (t->process->personality & ADDR_NO_RANDOMIZE));
}

size_t vmspace_random(size_t spread)
{
	return vmspace_is_random() ? page_align_down(random_u64() % spread) : 0;
}

static struct vmspace *vmspace_alloc(const struct process *owner, struct file *exe)
{
	struct vmspace *vm = kzalloc(sizeof *vm);

	if (vm) {
		vm->refs = 1;
		vm->owner = owner;
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

int vmspace_new(const struct process *owner, struct file *exe, struct vmspace **out)
{
	struct vmspace *vm = vmspace_alloc(owner, exe);
	int err;

	if (!vm)
		return -ENOMEM;
	vm->sigreturn = USER_END - PAGE_SIZE - vmspace_random(VMSPACE_TOP_SPREAD);
	vm->stack_end = vm->sigreturn - vmspace_random(VMSPACE_TOP_SPREAD);
	err = mvm_space_new(USER_BASE, USER_END, &vm->space);
	if (!err)
		err = map_trampoline(vm);
	if (err)
		vmspace_free(vm);
	else
		*out = vm;
	return err;
}

int vmspace_fork(struct vmspace *from, const struct process *owner, struct vmspace **out)
{
	struct vmspace *vm = vmspace_alloc(owner, from->exe);
	int err;

	if (!vm)
		return -ENOMEM;
	/* A break that moves while the space is copied belongs to both or to none. */
	mutex_lock(&from->brk_lock);
	vm->brk_start = from->brk_start;
	vm->brk_end = from->brk_end;
	vm->sigreturn = from->sigreturn;
	vm->stack_end = from->stack_end;
	vm->stack_start = from->stack_start;
	vm->code_start = from->code_start;
	vm->code_end = from->code_end;
	vm->data_start = from->data_start;
	vm->data_end = from->data_end;
	vm->args_start = from->args_start;
	vm->args_end = from->args_end;
	vm->env_end = from->env_end;
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

static bool is_owner(struct vmspace *vm, const struct process *p)
{
	return __atomic_load_n(&vm->owner, __ATOMIC_RELAXED) == p;
}

static size_t max_areas =
	65530; /* [a] of one space, as Linux has it: they are the kernel's memory */

size_t vmspace_max_areas(void)
{
	return __atomic_load_n(&max_areas, __ATOMIC_RELAXED);
}

void vmspace_set_max_areas(size_t areas)
{
	__atomic_store_n(&max_areas, areas, __ATOMIC_RELAXED);
}

static size_t limit_pages(const struct rlimit *limit)
{
	return limit->rlim_cur == RLIM_INFINITY ? MVM_NO_LIMIT : limit->rlim_cur / PAGE_SIZE;
}

void vmspace_set_limits(struct vmspace *vm, const struct process *p)
{
	bool privileged = process_is_privileged(p);
	struct mvm_limits most = {
		.total = limit_pages(&p->limits[RLIMIT_AS]),
		.data = limit_pages(&p->limits[RLIMIT_DATA]),
		.stack = limit_pages(&p->limits[RLIMIT_STACK]),
		.locked = privileged ? MVM_NO_LIMIT : limit_pages(&p->limits[RLIMIT_MEMLOCK]),
		.areas = vmspace_max_areas(),
	};

	if (is_owner(vm, p))
		mvm_space_set_limits(vm->space, &most);
}

void vmspace_disown(struct vmspace *vm, const struct process *p)
{
	if (is_owner(vm, p))
		__atomic_store_n(&vm->owner, NULL, __ATOMIC_RELAXED);
}

void vmspace_count_faults(struct vmspace *vm, const struct process *p, struct cpu_times *times)
{
	struct mvm_space_stats stats;

	if (!is_owner(vm, p))
		return;
	mvm_space_stats(vm->space, &stats);
	times->minor_faults += stats.faults - stats.major_faults;
	times->major_faults += stats.major_faults;
}

struct pmap *vmspace_pmap(struct vmspace *vm)
{
	return &mvm_space_pmap(vm->space)->pmap;
}

int vmspace_prefault(struct vmspace *vm, vaddr_t va, size_t bytes, unsigned access)
{
	return mvm_prefault(vm->space, va, bytes, access);
}

/* --- When memory is short --------------------------------------------------------------------- */

bool vmspace_may_fork(void)
{
	unsigned attempts = oom_is_near() ? FORK_ATTEMPTS : 0; /* whoever is there has searched */

	/* Others may take what we free, and may need at once what we took from them. */
	while (frames_below(FORK_RESERVES) && attempts < FORK_ATTEMPTS)
		attempts += mvm_reclaim(FORK_FRAMES) ? 1 : FORK_FUTILE;
	return !frames_below(FORK_RESERVES);
}

enum mvm_fault_result vmspace_try_fault(struct vmspace *vm, vaddr_t va, unsigned access)
{
	return oom_is_near() ? MVM_FAULT_NOMEM : mvm_fault(vm->space, va, access);
}

enum mvm_fault_result vmspace_fault(struct vmspace *vm, vaddr_t va, unsigned access)
{
	enum mvm_fault_result result = vmspace_try_fault(vm, va, access);

	return result == MVM_FAULT_NOMEM ? oom_fault(vm, va, access) : result;
}
