// SPDX-License-Identifier: MIT
/*
 * Between the files of procfs: procfs.c (the file system), proc_process.c, proc_memory.c and
 * proc_system.c (what its files say), proc_trace.c (the event ring).
 */
#pragma once

#include <fs/vfs.h>
#include <kernel/process.h>

/* Text that grows: what a file says, made when it is opened. */
struct proc_text {
	char *data;
	size_t bytes, capacity;
	bool no_memory; /* the text is cut; opening fails */
};

void proc_printf(struct proc_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * A name in proc: a text, a symbolic link, a directory, or something with operations of its own.
 * p is NULL for files of the whole system, else it is referenced, and may be a zombie.
 */
struct proc_entry {
	const char *name;
	uint32_t mode; /* type and permissions */
	void (*show)(struct proc_text *text, struct process *p);
	int (*link)(struct process *p, char *to, size_t bytes);
	const struct file_ops *ops;
	const struct proc_entry *entries; /* of a directory; a nameless one ends */
};

extern const struct proc_entry proc_system_entries[], proc_process_entries[];
extern const struct proc_entry proc_sys_entries[];
extern const struct file_ops proc_trace_ops;

/*
 * For operations that take a command: the whole write as a string, without a newline at its end.
 * -EINVAL: empty, or no room; -EFAULT.
 */
int proc_command(struct mvm_copy *c, size_t n, char *line, size_t bytes);

/* proc_mounts.c */
void proc_show_mounts(struct proc_text *text, struct process *p);
void proc_show_mountinfo(struct proc_text *text, struct process *p);

/* proc_memory.c: the memory of a process, with a reference, or NULL (a zombie); and its files. */
struct vmspace *proc_memory_of(struct process *p);
void proc_show_maps(struct proc_text *text, struct process *p);
void proc_show_smaps(struct proc_text *text, struct process *p);
void proc_show_smaps_rollup(struct proc_text *text, struct process *p);
void proc_show_statm(struct proc_text *text, struct process *p);
