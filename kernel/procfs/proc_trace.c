// SPDX-License-Identifier: MIT
/*
 * /proc/trace: mm's event ring as text, and what is traced.
 *
 * Reading takes records out of the ring, each line
 *
 *	TIME_NS HART PID EVENT key=value ...
 *
 * and returns 0 when the ring is empty.  The first line of each open file has the event "schema",
 * with the version of what the events mean (mm/vm.h); a line "lost=N" tells of records that were
 * overwritten.
 * Writing "1" traces every process, "0" none, "pid N" that process; children, and programs that
 * they execute, inherit it.
 */
#include "procfs.h"

#include <abi/errno.h>
#include <kernel/format.h>
#include <kernel/kmem.h>
#include <kernel/trace.h>
#include <kernel/vmspace.h>

#define BATCH_RECORDS 16
#define LINE_BYTES    160
#define TEXT_BYTES    (BATCH_RECORDS * LINE_BYTES + LINE_BYTES)

bool trace_everything;

/* --- Records as text -------------------------------------------------------------------------- */

/* How the two numbers of an event read. */
enum field { NONE, HEX, DEC, RIGHTS, FRAME, SIGNED };

struct event_text {
	const char *name;
	bool has_va;
	const char *a, *b; /* names of the numbers */
	enum field a_is, b_is;
};

static const struct event_text events[] = {
	[MVM_TRACE_MAP] = {"map", true, "end", "rights", HEX, RIGHTS},
	[MVM_TRACE_UNMAP] = {"unmap", true, "end", NULL, HEX, NONE},
	[MVM_TRACE_PROTECT] = {"protect", true, "end", "rights", HEX, RIGHTS},
	[MVM_TRACE_FAULT] = {"trap", true, "access", NULL, RIGHTS, NONE},
	[MVM_TRACE_AREA] = {"area", true, "start", "end", HEX, HEX},
	[MVM_TRACE_ANON] = {"anon", true, "frame", NULL, FRAME, NONE},
	[MVM_TRACE_OBJECT] = {"object", true, "index", "frame", DEC, FRAME},
	[MVM_TRACE_FILL] = {"fill", true, "index", "pages", DEC, DEC},
	[MVM_TRACE_ZERO] = {"zero", true, "frame", NULL, FRAME, NONE},
	[MVM_TRACE_COPY] = {"copy", true, "from", "to", FRAME, FRAME},
	[MVM_TRACE_WRITABLE] = {"writable", true, "index", "error", DEC, SIGNED},
	[MVM_TRACE_PTE] = {"pte", true, "frame", "rights", FRAME, RIGHTS},
	[MVM_TRACE_RETRY] = {"retry", true, "reason", NULL, DEC, NONE},
	[MVM_TRACE_FAULT_END] = {"end", true, "result", "ns", DEC, DEC},
	[MVM_TRACE_EVICT] = {"evict", false, "index", "frame", DEC, FRAME},
	[MVM_TRACE_WRITEBACK] = {"writeback", false, "index", "pages", DEC, DEC},
	[MVM_TRACE_SHOOTDOWN] = {"shootdown", false, "whole", NULL, DEC, NONE},
	[MVM_TRACE_FORK] = {"fork", false, "child", NULL, DEC, NONE},
};

static int print_field(char *to, size_t size, const char *name, enum field is, uint64_t value)
{
	switch (is) {
	case NONE:
		return 0;
	case HEX:
		return ksnprintf(to, size, " %s=0x%lx", name, value);
	case DEC:
		return ksnprintf(to, size, " %s=%lu", name, value);
	case SIGNED:
		return ksnprintf(to, size, " %s=%ld", name, (long)value);
	case RIGHTS:
		return ksnprintf(to, size, " %s=%c%c%c", name, value & MVM_READ ? 'r' : '-',
			value & MVM_WRITE ? 'w' : '-', value & MVM_EXEC ? 'x' : '-');
	case FRAME:
		if ((mvm_frame_t)value == MVM_NO_FRAME)
			return ksnprintf(to, size, " %s=none", name);
		return ksnprintf(to, size, " %s=0x%lx", name, value);
	}
	return 0;
}

/* One line; LINE_BYTES are enough for any. */
static size_t print_record(char *to, const struct mvm_trace_record *r)
{
	static const struct event_text unknown = {"event", true, "a", "b", HEX, HEX};
	const struct event_text *e = &unknown;
	size_t n;

	if (r->event < sizeof events / sizeof *events && events[r->event].name)
		e = &events[r->event];
	n = (size_t)ksnprintf(to, LINE_BYTES, "%lu %u %u %s", r->time_ns, r->hart, r->tag, e->name);
	if (e->has_va)
		n += (size_t)ksnprintf(to + n, LINE_BYTES - n, " va=0x%lx", r->va);
	n += (size_t)print_field(to + n, LINE_BYTES - n, e->a, e->a_is, r->a);
	n += (size_t)print_field(to + n, LINE_BYTES - n, e->b, e->b_is, r->b);
	to[n++] = '\n';
	return n;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Lines that were taken from the ring and not read yet; of one open file. */
struct pending {
	struct mvm_trace_record records[BATCH_RECORDS];
	size_t head, bytes;
	char text[TEXT_BYTES];
};

static void refill(struct pending *p)
{
	uint64_t lost = 0;
	size_t n = mvm_trace_read(p->records, BATCH_RECORDS, &lost);

	p->head = p->bytes = 0;
	if (lost)
		p->bytes = (size_t)ksnprintf(p->text, LINE_BYTES, "0 0 0 lost lost=%lu\n", lost);
	for (size_t i = 0; i < n; i++)
		p->bytes += print_record(p->text + p->bytes, &p->records[i]);
}

/* The file's position lock serializes readers of one file. */
static struct pending *pending_of(struct file *file)
{
	struct pending *p = file->private_data;

	if (p)
		return p;
	p = file->private_data = kzalloc(sizeof(struct pending));
	if (p)
		p->bytes = (size_t)ksnprintf(
			p->text, LINE_BYTES, "0 0 0 schema version=%d\n", MVM_TRACE_VERSION);
	return p;
}

static int copy_pending(struct pending *p, struct mvm_copy *c, size_t n, size_t *done)
{
	while (*done < n) {
		if (p->head == p->bytes)
			refill(p);
		size_t want = p->bytes - p->head < n - *done ? p->bytes - p->head : n - *done;
		if (!want)
			break;
		size_t got = c->copy(c, p->text + p->head, *done, want);
		p->head += got;
		*done += got;
		if (got < want) {
			int err = c->prefault ? c->prefault(c, *done, want - got) : -EFAULT;
			if (err)
				return err;
		}
	}
	return 0;
}

static int trace_read(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct pending *p = pending_of(file);

	*done = 0;
	if (!p)
		return -ENOMEM;
	int err = copy_pending(p, c, n, done);
	*offset += *done;
	return err;
}

static void trace_release(struct file *file)
{
	kfree(file->private_data);
}

/* --- Switches --------------------------------------------------------------------------------- */

static void trace_process(struct process *p, bool on)
{
	spin_lock(&p->lock);
	struct vmspace *vm = process_vm_get(p);
	spin_unlock(&p->lock);
	if (vm)
		mvm_trace_enable(vm->space, on);
	vmspace_put(vm);
	__atomic_store_n(&p->traced, on, __ATOMIC_RELAXED);
}

/* Referenced: the process with the lowest number from nr on. */
static struct process *next_process(pid_t nr)
{
	spin_lock(&tree_lock);
	struct process *p = process_next(nr);
	if (p)
		process_ref(p);
	spin_unlock(&tree_lock);
	return p;
}

static void trace_all(bool on)
{
	struct process *p;

	__atomic_store_n(&trace_everything, on, __ATOMIC_RELAXED);
	for (pid_t nr = 1; (p = next_process(nr)) != NULL;) {
		nr = p->nr + 1;
		trace_process(p, on);
		process_unref(p);
	}
}

static int trace_one(pid_t nr)
{
	struct process *p = next_process(nr);
	bool found = p && p->nr == nr;

	if (found)
		trace_process(p, true);
	if (p)
		process_unref(p);
	return found ? 0 : -ESRCH;
}

static pid_t parse_number(const char *s)
{
	pid_t nr = 0;

	while (*s >= '0' && *s <= '9' && nr < PID_MAX)
		nr = nr * 10 + (*s++ - '0');
	return *s ? 0 : nr;
}

static int command(const char *line)
{
	if (__builtin_strcmp(line, "1") == 0 || __builtin_strcmp(line, "0") == 0) {
		trace_all(line[0] == '1');
		return 0;
	}
	if (__builtin_strncmp(line, "pid ", 4) == 0)
		return trace_one(parse_number(line + 4));
	return -EINVAL;
}

#define COMMAND_BYTES 32

static int trace_write(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	char line[COMMAND_BYTES];
	int err = proc_command(c, n, line, sizeof line);

	(void)file, (void)offset;
	if (!err)
		err = command(line);
	*done = err ? 0 : n;
	return err;
}

const struct file_ops proc_trace_ops = {
	.read = trace_read,
	.write = trace_write,
	.release = trace_release,
};

void trace_space(struct process *p, struct vmspace *vm)
{
	mvm_space_set_tag(vm->space, (uint32_t)p->nr);
	if (__atomic_load_n(&trace_everything, __ATOMIC_RELAXED) ||
		__atomic_load_n(&p->traced, __ATOMIC_RELAXED))
		mvm_trace_enable(vm->space, true);
}
