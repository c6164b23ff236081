// SPDX-License-Identifier: MIT
/*
 * The memory of a process; the sigreturn trampoline; what happens when memory runs out.
 *
 * Out of memory.  mm has reclaimed what it could before it says so.  Then the process with the most
 * private memory is ended with SIGKILL, pid 1 excepted, and the faults that found no memory are
 * tried again; while a process is on its way out, no other is chosen.  A fork is refused earlier,
 * when frames are low, so that a storm of small processes does not end in killing.
 */
#include <abi/errno.h>
#include <abi/personality.h>
#include <abi/resource.h>
#include <arch/context.h>
#include <fs/file.h>
#include <kernel/boot.h>
#include <kernel/frames.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/random.h>
#include <kernel/vmspace.h>
#include <mm/host.h>

#define FORK_RESERVES 2  /* must be free, so that the child can also copy pages */
#define FORK_FRAMES   64 /* that a fork reclaims at a time if they are not, */
#define FORK_ATTEMPTS 4  /* until that has freed nothing so often */

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

	return !boot_has("norandmaps") && !(t && (t->process->personality & ADDR_NO_RANDOMIZE));
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

#define MAX_AREAS 65530 /* of one space, as Linux has it: they are the kernel's memory */

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
		.areas = MAX_AREAS,
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

/* --- Out of memory -------------------------------------------------------------------------- */

struct oom_search {
	struct process *worst;
	struct vmspace *vm; /* its memory, to be compared only */
	int64_t points;     /* its */
	bool dying;         /* somebody is about to give memory back anyway */
};

#define AREAS_A_PAGE 32 /* about: mm's structures count as well as what they map */

/* Lock held, or its own thread: does it have the memory that never comes back while the machine runs? */
static bool is_of_pid_1(const struct process *p)
{
	return p->vm == __atomic_load_n(&init_process->vm, __ATOMIC_RELAXED);
}

/* Lock held: its private resident pages are what would come back. */
static int64_t points_locked(struct process *p)
{
	int64_t adjust = __atomic_load_n(&p->oom_score_adj, __ATOMIC_RELAXED), pages;
	struct mvm_space_stats stats;

	if (!p->vm || is_of_pid_1(p) || adjust == -OOM_ADJ_MAX)
		return OOM_NEVER;
	mvm_space_stats(p->vm->space, &stats);
	pages = (int64_t)(stats.anon_pages + stats.areas / AREAS_A_PAGE);
	return pages ? pages + adjust * (int64_t)frames_total() / OOM_ADJ_MAX : OOM_NEVER;
}

int64_t vmspace_oom_points(struct process *p)
{
	spin_lock(&p->lock);
	int64_t points = points_locked(p);
	spin_unlock(&p->lock);
	return points;
}

/* tree_lock held, so that a process and its memory stay. */
static void look_at(struct process *p, void *arg)
{
	struct oom_search *search = arg;
	int64_t points;

	spin_lock(&p->lock);
	if ((p->vm && p->ending) || p->releasing)
		search->dying = true;
	points = points_locked(p);
	if (points > search->points) {
		search->points = points;
		search->worst = p;
		search->vm = p->vm;
	}
	spin_unlock(&p->lock);
}

/* It ends, too, if it shares the memory that shall come back. */
static void kill_if_shares(struct process *p, void *vm)
{
	bool shares;

	spin_lock(&p->lock);
	shares = p->vm == vm;
	spin_unlock(&p->lock);
	if (shares)
		process_kill(p, SIGKILL);
}

/* End one process, and those that share its memory, unless one is ending. */
static void kill_worst(void)
{
	struct oom_search search = {.points = OOM_NEVER};

	spin_lock(&tree_lock);
	process_for_each(look_at, &search);
	if (!search.dying && search.worst) {
		pr_error("out of memory: killing process %d (%s)", search.worst->nr,
			search.worst->name);
		process_for_each(kill_if_shares, search.vm);
	}
	spin_unlock(&tree_lock);
	if (!search.dying && !search.worst && is_of_pid_1(process_current()))
		panic("out of memory, and only pid 1 is left");
}

#define OOM_PAUSE_NS NS_PER_MS

static void out_of_memory(void)
{
	kill_worst();
	(void)thread_sleep_until(time_now_ns() + OOM_PAUSE_NS, SLEEP_KILLABLE);
}

/* The caller is to give memory back, not to take more: on its way out, too, when it is told no more. */
static bool is_to_end(void)
{
	return thread_interrupted(SLEEP_KILLABLE) ||
	       __atomic_load_n(&process_current()->ending, __ATOMIC_RELAXED);
}

bool vmspace_may_fork(void)
{
	unsigned attempts = 0;

	/* Others may take what we free: as long as there is something to free, it is not too little. */
	while (frames_below(FORK_RESERVES) && attempts < FORK_ATTEMPTS)
		attempts += mvm_reclaim(FORK_FRAMES) == 0;
	return !frames_below(FORK_RESERVES);
}

enum mvm_fault_result vmspace_fault(struct vmspace *vm, vaddr_t va, unsigned access)
{
	enum mvm_fault_result result = mvm_fault(vm->space, va, access);

	if (result == MVM_FAULT_NOMEM) {
		out_of_memory();
		return is_to_end() ? MVM_FAULT_KILLED : MVM_FAULT_OK;
	}
	return result;
}
