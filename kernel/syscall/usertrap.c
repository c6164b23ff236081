// SPDX-License-Identifier: MIT
/*
 * What user mode runs into: memory faults, other exceptions, and faults of the kernel's copies.
 *
 * mm decides whether a fault can be served; what it cannot serve becomes a signal with the exact
 * address.  A signal that nobody handles is reported to the log before the process ends: address,
 * area, translation, and the callers as far as frame pointers lead.
 */
#include <abi/signal.h>
#include <arch/trap.h>
#include <fs/path.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/oom.h>
#include <kernel/printk.h>
#include <kernel/process.h>
#include <kernel/sigframe.h>
#include <kernel/vmspace.h>

_Static_assert(
	(int)TRAP_READ == MVM_READ && (int)TRAP_WRITE == MVM_WRITE && (int)TRAP_EXEC == MVM_EXEC,
	"an access is the right that it needs");
_Static_assert(MVM_FAULT_OK == 0, "what trap_user_fault() returns");

int trap_user_fault(vaddr_t addr, enum trap_access access)
{
	return (int)vmspace_try_fault(process_current()->vm, addr, access);
}

void trap_user_fault_failed(struct trapframe *tf, vaddr_t addr, enum trap_access access, int why)
{
	enum mvm_fault_result result = (enum mvm_fault_result)why;

	if (result == MVM_FAULT_NOMEM)
		result = oom_fault(process_current()->vm, addr, access);
	switch (result) {
	case MVM_FAULT_OK:
	case MVM_FAULT_NOMEM:
	case MVM_FAULT_KILLED: /* trap_return_work() sees to it */
		break;
	case MVM_FAULT_MAPERR:
		signal_fault(SIGSEGV, SEGV_MAPERR, addr, tf);
		break;
	case MVM_FAULT_ACCERR:
		signal_fault(SIGSEGV, SEGV_ACCERR, addr, tf);
		break;
	case MVM_FAULT_BUS:
		signal_fault(SIGBUS, BUS_ADRERR, addr, tf);
		break;
	}
}

void trap_user_exception(struct trapframe *tf, enum trap_exception what, vaddr_t addr)
{
	switch (what) {
	case TRAP_ILLEGAL:
		signal_fault(SIGILL, ILL_ILLOPC, addr, tf);
		break;
	case TRAP_BREAKPOINT:
		signal_fault(SIGTRAP, TRAP_BRKPT, addr, tf);
		break;
	case TRAP_MISALIGNED:
		signal_fault(SIGBUS, BUS_ADRALN, addr, tf);
		break;
	case TRAP_BUS:
		signal_fault(SIGSEGV, SEGV_ACCERR, addr, tf);
		break;
	}
}

bool trap_user_copy_fault(struct trapframe *tf, vaddr_t addr, enum trap_access access)
{
	struct thread *t = thread_current();

	(void)tf;
	if (t->faults_off || !t->task)
		return false;
	return vmspace_fault(t->task->process->vm, addr, access) == MVM_FAULT_OK;
}

void trap_return_work(struct trapframe *tf)
{
	uint32_t *work = &thread_current()->arch.work;

	preempt_if_wanted();
	if (__atomic_load_n(work, __ATOMIC_RELAXED) & THREAD_WORK_TICK) {
		__atomic_fetch_and(work, ~(uint32_t)THREAD_WORK_TICK, __ATOMIC_RELAXED);
		process_cpu_tick();
	}
	if (!(__atomic_load_n(work, __ATOMIC_RELAXED) & (THREAD_WORK_SIGNAL | THREAD_WORK_KILL)))
		return;
	/* What is sent from here on sets the bit again. */
	__atomic_fetch_and(work, ~(uint32_t)THREAD_WORK_SIGNAL, __ATOMIC_ACQ_REL);
	signal_deliver(tf);
}

/* --- The report ----------------------------------------------------------------------------- */

static void print_area(struct vmspace *vm, vaddr_t addr, char *text, size_t bytes)
{
	struct mvm_area_info area;
	char *path = "";

	if (!mvm_area_next(vm->space, addr, &area)) {
		pr_warning("  no area at or above it");
		return;
	}
	struct vnode *v = area.object ? vnode_of_object(area.object) : NULL;
	struct dentry *root = process_root(process_current());
	if (v && vnode_path(v, root, text, bytes, &path))
		path = "(no name)";
	dentry_unref(root);
	pr_warning("  %s %lx-%lx %c%c%c%c %s",
		area.start <= addr ? "area" : "nothing there; next is", area.start, area.end,
		area.rights & MVM_READ ? 'r' : '-', area.rights & MVM_WRITE ? 'w' : '-',
		area.rights & MVM_EXEC ? 'x' : '-', area.flags & MVM_MAP_SHARED ? 's' : 'p', path);
	if (area.object)
		mvm_object_unref(area.object);
}

/* The first is where the thread stands. */
static void print_caller(void *ctx, vaddr_t pc)
{
	bool *first = ctx;

	pr_warning("  %s %lx", *first ? "at" : "called from", pc);
	*first = false;
}

static void print_line(void *ctx, const char *line)
{
	(void)ctx;
	pr_warning("  %s", line);
}

#define REPORT_CALLERS 16
#define REPORT_BYTES   256

void user_fault_report(int sig, int code, vaddr_t addr, struct trapframe *tf)
{
	struct process *p = process_current();
	char text[REPORT_BYTES];
	bool first = true;

	pr_warning("process %d (%s): %s, code %d, address %lx, pc %lx", p->nr, p->name,
		signal_name(sig), code, addr, trapframe_pc(tf));
	if (sig == SIGSEGV || sig == SIGBUS) {
		print_area(p->vm, addr, text, sizeof text);
		mvm_describe(p->vm->space, addr, text, sizeof text);
		pr_warning("  %s", text);
	}
	trapframe_print(tf, print_line, NULL);
	arch_backtrace(tf, REPORT_CALLERS, print_caller, &first);
}
