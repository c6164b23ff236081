// SPDX-License-Identifier: MIT
/*
 * Between the files of procfs: procfs.c (the file system); proc_process.c (stat, status and their
 * like), proc_limits.c, proc_files.c (descriptors and links), proc_memory.c: what a process's files
 * say; proc_system.c, proc_load.c, proc_harts.c, proc_sys.c: what those of the system do;
 * proc_trace.c (the event ring).
 */
#pragma once

#include <fs/vfs.h>
#include <kernel/process.h>

/* Which process, thread and descriptor a file is about; 0, 0, -1: none. */
struct proc_key {
	pid_t pid, tid;
	int fd;
};

/* Text that grows: what a file says. */
struct proc_text {
	char *data;
	size_t bytes, capacity;
	bool no_memory;      /* the text is cut; reading fails */
	struct proc_key key; /* of the file */
};

void proc_printf(struct proc_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct proc_entry;

/* A directory in which numbers are names. */
struct proc_numbers {
	/* The lowest in use that is at least `from`; -1: none. */
	long (*next)(struct process *p, long from);
	enum { PROC_PID, PROC_TID, PROC_FD } what;
	const struct proc_entry *each; /* what stands behind each; its name does not count */
};

/*
 * A name in proc: a text, a symbolic link, a directory, or something with operations of its own.
 * p is NULL for files of the whole system, else it is referenced, and may be a zombie.
 */
struct proc_entry {
	const char *name;
	uint32_t mode; /* type and permissions */
	bool guarded;  /* only for who may look into the process: proc_may_look() */

	const char *text; /* a text that never changes, or */
	void (*show)(struct proc_text *text, struct process *p);
	/* A write, as a line.  NULL: it cannot be written to. */
	int (*store)(struct process *p, const struct proc_key *key, const char *line);
	uint8_t counts; /* of a write so many bytes count, as they are; 0: it is a line */

	int (*link)(struct process *p, const struct proc_key *key, char *to, size_t bytes);
	/* Where the link leads to, referenced.  NULL: where its text says.  -ENXIO: nowhere. */
	int (*follow)(struct process *p, const struct proc_key *key, struct dentry **out);

	const struct file_ops *ops;
	const struct proc_entry *entries;   /* of a directory; a nameless one ends; or NULL */
	const struct proc_numbers *numbers; /* of a directory, or NULL */
};

extern const struct proc_entry proc_system_entries[], proc_process_entries[];
extern const struct proc_entry proc_thread_entries[], proc_sys_entries[];
extern const struct file_ops proc_trace_ops, proc_strace_ops;
extern const struct proc_numbers proc_processes, proc_threads, proc_files, proc_file_infos;

/*
 * The rule of ptrace(2) for looking: the same user and group through and through, or uid 0.  Holds
 * for what p has as long as p->lock is held, otherwise for what it had.
 */
bool proc_may_look(struct process *p);

/* With the reference of the caller, or NULL. */
struct process *proc_find(pid_t nr);

/* Text that is the target of a link; returns its length, cut to `bytes`. */
int proc_link_text(char *to, size_t bytes, const char *text);
/* The path of d, as the running process sees it, likewise. */
int proc_link_path(struct dentry *d, char *to, size_t bytes);

/*
 * For operations that take a command: the whole write as a string, without a newline at its end.
 * -EINVAL: empty, or no room; -EFAULT.
 */
int proc_command(struct mvm_copy *c, size_t n, char *line, size_t bytes);

/* proc_mounts.c */
void proc_show_mounts(struct proc_text *text, struct process *p);
void proc_show_mountinfo(struct proc_text *text, struct process *p);

/* proc_memory.c: the memory of a process, with a reference, or NULL (a zombie). */
struct vmspace *proc_memory_of(struct process *p);
/* The same for whoever may look into it, else NULL. */
struct vmspace *proc_memory_to_see(struct process *p);
/* Its files. */
void proc_show_maps(struct proc_text *text, struct process *p);
void proc_show_smaps(struct proc_text *text, struct process *p);
void proc_show_smaps_rollup(struct proc_text *text, struct process *p);
void proc_show_statm(struct proc_text *text, struct process *p);

/* proc_limits.c */
void proc_show_limits(struct proc_text *text, struct process *p);
void proc_show_oom_score(struct proc_text *text, struct process *p);
void proc_show_oom_score_adj(struct proc_text *text, struct process *p);
int proc_store_oom_score_adj(struct process *p, const struct proc_key *key, const char *line);

/* proc_files.c */
uint32_t proc_fd_mode(struct process *p, int fd); /* of fd/N: how it was opened */
int proc_link_exe(struct process *p, const struct proc_key *key, char *to, size_t bytes);
int proc_link_cwd(struct process *p, const struct proc_key *key, char *to, size_t bytes);
int proc_link_root(struct process *p, const struct proc_key *key, char *to, size_t bytes);
int proc_follow_exe(struct process *p, const struct proc_key *key, struct dentry **out);
int proc_follow_cwd(struct process *p, const struct proc_key *key, struct dentry **out);
int proc_follow_root(struct process *p, const struct proc_key *key, struct dentry **out);

/* proc_harts.c */
void proc_show_harts(struct proc_text *text, struct process *p);
void proc_show_lockstat(struct proc_text *text, struct process *p);

/* proc_load.c: the load, sampled from when it is started. */
void proc_load_start(void);
void proc_show_loadavg(struct proc_text *text, struct process *p);
