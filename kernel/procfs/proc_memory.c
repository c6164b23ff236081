// SPDX-License-Identifier: MIT
/*
 * /proc/PID/maps, smaps, smaps_rollup and statm: the memory of a process, in Linux's formats to the
 * byte, for programs take them apart.
 *
 * A walk looks at one area after the other and holds no lock in between: an area that is there
 * throughout is shown, of one that comes, goes or is cut meanwhile what was there when the walk passed.
 */
#include "procfs.h"

#include <abi/limits.h>
#include <abi/stat.h>
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

/* --- A walk over the areas ----------------------------------------------------------------------- */

/* Who walks; `area` and its object are valid during a call of show(). */
struct area_walk {
	struct proc_text *text;
	struct vmspace *vm;
	char *buffer; /* PATH_MAX bytes for names */
	struct mvm_area_info area;
};

static void walk_areas(struct proc_text *t, struct process *p, void (*show)(struct area_walk *w))
{
	struct area_walk w = {.text = t, .vm = proc_memory_of(p), .buffer = kmalloc(PATH_MAX)};
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
}

/* --- maps ---------------------------------------------------------------------------------------- */

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

	*path = '\0';
	int err = vnode_path(v, process_root(process_current()), w->buffer, PATH_MAX, &path);
	show_name(w->text, line_bytes, path);
	if (err)
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
	walk_areas(t, p, show_area);
}

/* --- smaps, statm --------------------------------------------------------------------------------- */

static void show_area_pages(struct area_walk *w)
{
	const struct mvm_area_info *area = &w->area;
	struct mvm_residency r;

	show_area(w);
	mvm_residency(w->vm->space, area->start, area->end, &r);
	proc_printf(w->text, "Size:           %8lu kB\nRss:            %8lu kB\n",
		(area->end - area->start) / 1024, r.resident * PAGE_KIB);
	proc_printf(w->text, "Anonymous:      %8lu kB\n", r.anon * PAGE_KIB);
}

void proc_show_smaps(struct proc_text *t, struct process *p)
{
	walk_areas(t, p, show_area_pages);
}
