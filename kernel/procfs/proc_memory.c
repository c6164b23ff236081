// SPDX-License-Identifier: MIT
/*
 * /proc/PID/maps, smaps, smaps_rollup and statm: the memory of a process, in the formats of Linux
 * 6.1 to the byte, for programs take them apart.
 *
 * A walk looks at one area after the other and holds no lock in between: an area that is there
 * throughout is shown, of one that comes, goes or is cut meanwhile what was there when the walk
 * passed.
 */
#include "procfs.h"

#include <abi/limits.h>
#include <abi/stat.h>
#include <arch/pmap.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/vmspace.h>

#define NAME_COLUMN 73 /* of a line of maps, as Linux has it on 64-bit machines */
#define PAGE_KIB    (PAGE_SIZE / 1024)

struct vmspace *proc_memory_of(struct process *p)
{
	spin_lock(&p->lock);
	struct vmspace *vm = process_vm_get(p);
	spin_unlock(&p->lock);
	return vm;
}

struct vmspace *proc_memory_to_see(struct process *p)
{
	struct vmspace *vm = NULL;

	spin_lock(&p->lock);
	if (proc_may_look(p))
		vm = process_vm_get(p);
	spin_unlock(&p->lock);
	return vm;
}

/* --- A walk over the areas -------------------------------------------------------------------- */

/* Who walks; vm, buffer, area and its object are valid during a call of show(). */
struct area_walk {
	struct proc_text *text;
	struct vmspace *vm;
	char *buffer; /* PATH_MAX bytes for names */
	struct mvm_area_info area;

	/* What add_area() found: */
	struct mvm_residency sum;
	vaddr_t start, end;
	uint64_t locked; /* bytes */
	uint64_t text_pages;
};

/* vm may be NULL; the caller's reference goes. */
static struct area_walk walk_areas(
	struct proc_text *t, struct vmspace *vm, void (*show)(struct area_walk *w))
{
	struct area_walk w = {.text = t, .vm = vm, .buffer = kmalloc(PATH_MAX)};
	vaddr_t from = 0;

	t->no_memory |= !w.buffer;
	while (w.vm && w.buffer && mvm_area_next(w.vm->space, from, &w.area)) {
		show(&w);
		from = w.area.end;
		if (w.area.object)
			mvm_object_unref(w.area.object);
	}
	kfree(w.buffer);
	vmspace_put(w.vm);
	return w;
}

/* --- maps ------------------------------------------------------------------------------------- */

static struct vnode *vnode_of(const struct area_walk *w)
{
	return w->area.object ? vnode_of_object(w->area.object) : NULL;
}

/* The name of what is no file; "": none. */
static const char *plain_name(const struct area_walk *w)
{
	const struct mvm_area_info *area = &w->area;
	const struct vmspace *vm = w->vm;

	if (area->start == vm->sigreturn)
		return "[sigreturn]";
	if (area->object)
		return "/dev/zero (deleted)"; /* shared anonymous memory: so it is called */
	if (area->start <= vm->stack_start && vm->stack_start < area->end)
		return "[stack]";
	if (area->start < vm->brk_end && area->end > vm->brk_start)
		return "[heap]";
	return "";
}

/* The name begins in its column, behind a blank at least. */
static void show_name(struct proc_text *t, size_t line_bytes, const char *name)
{
	int column = line_bytes < NAME_COLUMN ? (int)(NAME_COLUMN - line_bytes) : 0;

	proc_printf(t, "%*s", column, "");
	for (; *name; name++) {
		if (*name == '\n')
			proc_printf(t, "\\012");
		else
			proc_printf(t, "%c", *name);
	}
}

/* A file that has lost its name keeps the last one for as long as it is open by it. */
static void show_file(struct area_walk *w, struct vnode *v, size_t line_bytes)
{
	char *path = w->buffer;

	struct dentry *root = process_root(process_current());
	*path = '\0';
	int err = vnode_path(v, root, w->buffer, PATH_MAX, &path);
	dentry_unref(root);
	show_name(w->text, line_bytes, path);
	if (err == -ENOENT)
		proc_printf(w->text, " (deleted)");
}

static void show_area(struct area_walk *w)
{
	const struct mvm_area_info *area = &w->area;
	struct proc_text *t = w->text;
	struct vnode *v = vnode_of(w);
	uint64_t dev = v ? v->mount->dev : 0;
	size_t start = t->bytes;

	proc_printf(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", area->start, area->end,
		area->rights & MVM_READ ? 'r' : '-', area->rights & MVM_WRITE ? 'w' : '-',
		area->rights & MVM_EXEC ? 'x' : '-', area->flags & MVM_MAP_SHARED ? 's' : 'p',
		area->object ? area->offset_pages * PAGE_SIZE : 0, ABI_MAJOR(dev), ABI_MINOR(dev),
		v ? v->ino : 0UL);
	if (v)
		show_file(w, v, t->bytes - start);
	else if (*plain_name(w))
		show_name(t, t->bytes - start, plain_name(w));
	proc_printf(t, "\n");
}

void proc_show_maps(struct proc_text *t, struct process *p)
{
	walk_areas(t, proc_memory_to_see(p), show_area);
}

/* --- smaps ------------------------------------------------------------------------------------ */

static void show_kib(struct proc_text *t, const char *label, uint64_t kib)
{
	proc_printf(t, "%-16s%8lu kB\n", label, kib);
}

/* What smaps and smaps_rollup have in common; the zeros are what this kernel has not got. */
static void show_residency(
	struct proc_text *t, const struct mvm_residency *r, uint64_t locked, bool rollup)
{
	show_kib(t, "Rss:", r->resident * PAGE_KIB);
	show_kib(t, "Pss:", r->share / 1024);
	show_kib(t, "Pss_Dirty:", r->share_dirty / 1024);
	if (rollup) {
		show_kib(t, "Pss_Anon:", r->share_anon / 1024);
		show_kib(t, "Pss_File:", (r->share - r->share_anon - r->share_kept) / 1024);
		show_kib(t, "Pss_Shmem:", r->share_kept / 1024);
	}
	show_kib(t, "Shared_Clean:", r->shared_clean * PAGE_KIB);
	show_kib(t, "Shared_Dirty:", r->shared_dirty * PAGE_KIB);
	show_kib(t, "Private_Clean:", r->private_clean * PAGE_KIB);
	show_kib(t, "Private_Dirty:", r->private_dirty * PAGE_KIB);
	show_kib(t, "Referenced:", r->used * PAGE_KIB);
	show_kib(t, "Anonymous:", r->anon * PAGE_KIB);
	show_kib(t, "LazyFree:", 0);
	show_kib(t, "AnonHugePages:", r->large * PAGE_KIB);
	show_kib(t, "ShmemPmdMapped:", 0);
	show_kib(t, "FilePmdMapped:", 0);
	show_kib(t, "Shared_Hugetlb:", 0);
	show_kib(t, "Private_Hugetlb:", 0);
	show_kib(t, "Swap:", 0);
	show_kib(t, "SwapPss:", 0);
	show_kib(t, "Locked:", locked / 1024);
}

/* In the order of proc(5). */
static void show_flags(struct proc_text *t, const struct mvm_area_info *area)
{
	bool shared = area->flags & MVM_MAP_SHARED;
	const struct {
		const char *name;
		bool set;
	} flags[] = {
		{"rd", area->rights & MVM_READ},
		{"wr", area->rights & MVM_WRITE},
		{"ex", area->rights & MVM_EXEC},
		{"sh", shared && (area->max_rights & MVM_WRITE)},
		{"mr", area->max_rights & MVM_READ},
		{"mw", area->max_rights & MVM_WRITE},
		{"me", area->max_rights & MVM_EXEC},
		{"ms", shared},
		{"gd", area->flags & MVM_MAP_GROWSDOWN},
		{"lo", area->flags & MVM_MAP_LOCKED},
		{"sr", area->flags & MVM_MAP_SEQUENTIAL},
		{"rr", area->flags & MVM_MAP_RANDOM},
		{"dc", area->flags & MVM_MAP_DONTFORK},
		{"lf", area->flags & MVM_MAP_LOCKONFAULT},
		{"nr", area->flags & MVM_MAP_NORESERVE},
		{"wf", area->flags & MVM_MAP_WIPEONFORK},
		{"hg", area->flags & MVM_MAP_HUGE},
	};

	proc_printf(t, "VmFlags: ");
	for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++)
		if (flags[i].set)
			proc_printf(t, "%s ", flags[i].name);
	proc_printf(t, "\n");
}

static bool is_locked(const struct mvm_area_info *area)
{
	return area->flags & MVM_MAP_LOCKED;
}

#define LARGE_BYTES (PAGE_SIZE << PMAP_ORDER_LARGE)

/* Will some of it be filled by large pages, when it is touched? */
static bool may_be_large(const struct mvm_area_info *area)
{
	vaddr_t first = (area->start + LARGE_BYTES - 1) & -LARGE_BYTES;

	return area->flags & MVM_MAP_HUGE && !(area->flags & MVM_MAP_SHARED) && !area->object &&
	       first < area->end && area->end - first >= LARGE_BYTES;
}

static void show_area_pages(struct area_walk *w)
{
	const struct mvm_area_info *area = &w->area;
	struct mvm_residency r;

	show_area(w);
	mvm_residency(w->vm->space, area->start, area->end, &r);
	show_kib(w->text, "Size:", (area->end - area->start) / 1024);
	show_kib(w->text, "KernelPageSize:", PAGE_KIB);
	show_kib(w->text, "MMUPageSize:", PAGE_KIB);
	show_residency(w->text, &r, is_locked(area) ? r.share : 0, false);
	proc_printf(w->text, "THPeligible:    %d\n", may_be_large(area));
	show_flags(w->text, area);
}

void proc_show_smaps(struct proc_text *t, struct process *p)
{
	walk_areas(t, proc_memory_to_see(p), show_area_pages);
}

/* --- smaps_rollup, statm ---------------------------------------------------------------------- */

static void add_residency(struct mvm_residency *sum, const struct mvm_residency *r)
{
	sum->resident += r->resident;
	sum->anon += r->anon;
	sum->shared_clean += r->shared_clean;
	sum->shared_dirty += r->shared_dirty;
	sum->private_clean += r->private_clean;
	sum->private_dirty += r->private_dirty;
	sum->used += r->used;
	sum->share += r->share;
	sum->share_dirty += r->share_dirty;
	sum->share_anon += r->share_anon;
	sum->share_kept += r->share_kept;
	sum->large += r->large;
}

static void add_area(struct area_walk *w)
{
	const struct mvm_area_info *area = &w->area;
	struct mvm_residency r;

	mvm_residency(w->vm->space, area->start, area->end, &r);
	add_residency(&w->sum, &r);
	if (is_locked(area))
		w->locked += r.share;
	if (!w->end)
		w->start = area->start;
	w->end = area->end;
	if (area->rights & MVM_EXEC)
		w->text_pages += (area->end - area->start) / PAGE_SIZE;
}

/* All areas as if they were one; nothing at all for who has no memory any more. */
void proc_show_smaps_rollup(struct proc_text *t, struct process *p)
{
	struct area_walk w = walk_areas(t, proc_memory_to_see(p), add_area);
	size_t start = t->bytes;

	if (!w.end)
		return;
	proc_printf(t, "%08lx-%08lx ---p %08x %02x:%02x 0 ", w.start, w.end, 0, 0, 0);
	show_name(t, t->bytes - start, "[rollup]");
	proc_printf(t, "\n");
	show_residency(t, &w.sum, w.locked, true);
}

void proc_show_statm(struct proc_text *t, struct process *p)
{
	struct area_walk w = walk_areas(t, proc_memory_of(p), add_area);
	struct vmspace *vm = proc_memory_of(p);
	struct mvm_space_stats stats = {0};

	if (vm)
		mvm_space_stats(vm->space, &stats);
	vmspace_put(vm);
	proc_printf(t, "%lu %lu %lu %lu 0 %lu 0\n", stats.mapped_pages, w.sum.resident,
		w.sum.resident - w.sum.anon, w.text_pages, stats.data_pages + stats.stack_pages);
}
