// SPDX-License-Identifier: MIT
/*
 * exec: from a path to a program that begins.
 *
 *	open the file, follow "#!" lines,
 *	see whose rights it has                    the old space is active all the time,
 *	collect the strings                        so that its pointers can be read and any
 *	make a new space: program, heap, stack     error can still be returned
 *	end the other threads, copy what is shared
 *	---- the point of no return ----
 *	switch spaces, drop what is not inherited
 *
 * See also exec_args.c (the strings), exec_elf.c (the program), exec_stack.c (the stack).
 */
#include "exec_stack.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/limits.h>
#include <arch/trap.h>
#include <kernel/exec.h>
#include <kernel/files.h>
#include <kernel/format.h>
#include <kernel/kmem.h>
#include <kernel/process.h>
#include <kernel/strace.h>
#include <kernel/trace.h>

#define SCRIPT_LINE_BYTES 256 /* of a "#!" line, as much as counts */
#define SCRIPT_DEPTH      5
#define HEAD_BYTES        1024 /* read of a file to see what it is; holds most program headers */

/* A "#!" line; the program it names is the next to be opened. */
struct script {
	struct script *outer; /* the script that named this one's file as its interpreter */
	char *interpreter;
	char *argument; /* NULL: none */
	char line[SCRIPT_LINE_BYTES];
};

/* All that is needed until the program runs. */
struct exec {
	const struct exec_request *req;
	const char *path; /* as the program and its interpreters are told it */
	char *fd_path;    /* that, if it had to be made */
	struct file *file;
	struct credentials cred;
	bool alone;            /* fs_state_begin_exec(): to be ended */
	bool secure;           /* its rights are not those of who runs it */
	struct script *script; /* the innermost, or NULL */
	unsigned depth;
	size_t head_bytes;
	struct exec_args args;
	struct process_parts parts;
	struct exec_image image;
	vaddr_t sp;
	char head[HEAD_BYTES];
};

/* --- The file -------------------------------------------------------------------------------- */

static int open_program(struct exec *x, long dir, const char *path, unsigned flags)
{
	struct walk w;
	int err = walk_begin(&w, dir, path);

	if (err)
		return err;
	err = vfs_open_program(&w.ctx, w.base, path,
		(flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) |
			(flags & AT_EMPTY_PATH ? PATH_EMPTY : 0),
		&x->file);
	walk_end(&w);
	return err;
}

static bool begins_at_descriptor(const struct exec_request *req)
{
	return req->path[0] != '/' && (int)req->dir != AT_FDCWD;
}

/* What begins at a descriptor has a name through that. */
static int name_program(struct exec *x)
{
	const struct exec_request *req = x->req;
	size_t bytes = __builtin_strlen(req->path) + sizeof "/dev/fd/-2147483648/";

	x->path = req->path;
	if (!begins_at_descriptor(req))
		return 0;
	x->path = x->fd_path = kmalloc(bytes);
	if (!x->fd_path)
		return -ENOMEM;
	ksnprintf(x->fd_path, bytes, "/dev/fd/%d%s%s", (int)req->dir, req->path[0] ? "/" : "",
		req->path);
	return 0;
}

static int read_head(struct exec *x)
{
	struct kernel_buffer buffer;

	kernel_buffer_init(&buffer, x->head, true);
	return file_pread(x->file, &buffer.ops, sizeof x->head, 0, &x->head_bytes);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *s)
{
	while (is_blank(*s))
		s++;
	return s;
}

/* Is there an end of the first word among the bytes of [s, end]? */
static bool has_whole_word(const char *s, const char *end)
{
	while (s <= end && is_blank(*s))
		s++;
	while (s <= end && *s && !is_blank(*s))
		s++;
	return s <= end;
}

/*
 * The text behind "#!" up to the line's end, terminated, without blanks at its end.  Of a line that
 * is longer than what counts, the interpreter's name must be whole.
 */
static int copy_line(struct exec *x, char *line)
{
	size_t max = x->head_bytes < SCRIPT_LINE_BYTES ? x->head_bytes : SCRIPT_LINE_BYTES;
	size_t n = 2;

	while (n < max && x->head[n] != '\n')
		n++;
	if (n == SCRIPT_LINE_BYTES && !has_whole_word(x->head + 2, x->head + --n))
		return -ENOEXEC;
	while (n > 2 && is_blank(x->head[n - 1]))
		n--;
	__builtin_memcpy(line, x->head + 2, n - 2);
	line[n - 2] = 0;
	return 0;
}

/* x->file is a script: note its interpreter, and its one argument, as the next to be opened. */
static int push_script(struct exec *x)
{
	struct script *s = kmalloc(sizeof *s);
	char *end;

	if (!s)
		return -ENOMEM;
	s->outer = x->script;
	x->script = s;
	int err = copy_line(x, s->line);
	if (err)
		return err;
	s->interpreter = skip_blanks(s->line);
	for (end = s->interpreter; *end && !is_blank(*end); end++)
		;
	s->argument = *end ? skip_blanks(end) : NULL;
	*end = 0;
	file_unref(x->file);
	x->file = NULL;
	if (x->depth++ == SCRIPT_DEPTH)
		return -ELOOP;
	if (!*s->interpreter)
		return -ENOEXEC;
	/* The interpreter could not open a script whose descriptor goes. */
	return begins_at_descriptor(x->req) && fd_get_close_on_exec(x->req->dir) > 0 ? -ENOENT : 0;
}

/* Open the program, through as many scripts as it takes, and read its first bytes. */
static int find_program(struct exec *x)
{
	int err = open_program(x, x->req->dir, x->req->path, x->req->flags);

	for (;;) {
		if (!err)
			err = read_head(x);
		if (err)
			return err;
		if (x->head_bytes < 2 || x->head[0] != '#' || x->head[1] != '!')
			break;
		err = push_script(x);
		if (!err)
			err = open_program(x, AT_FDCWD, x->script->interpreter, 0);
	}
	if (x->head_bytes < SELFMAG || __builtin_memcmp(x->head, ELFMAG, SELFMAG))
		return -ENOEXEC;
	return 0;
}

/* --- Whose rights it has ---------------------------------------------------------------------- */

#define SET_GROUP_ID (FS_ISGID | 0010) /* without the right to execute it means something else */

/* May a program's file raise rights here?  Not if somebody could steer it from outside. */
static bool may_set_ids(const struct exec *x)
{
	struct process *p = process_current();

	if ((x->file->vnode->mount->flags & MOUNT_NOSUID) || p->no_new_privs)
		return false;
	return x->alone || process_is_privileged(p);
}

/* Those of the process as it is now; another thread may be changing them. */
static struct credentials own_rights(void)
{
	struct process *p = process_current();

	spin_lock(&p->lock);
	struct credentials own = p->cred;
	spin_unlock(&p->lock);
	return own;
}

/* The effective ids, and with them the saved ones and those of the file system. */
static void choose_rights(struct exec *x)
{
	const struct vnode *v = x->file->vnode;
	const struct credentials old = own_rights();
	struct credentials *new = &x->cred;
	uint32_t mode = v->mode;

	*new = old;
	if (may_set_ids(x)) {
		if (mode & FS_ISUID)
			new->euid = v->uid;
		if ((mode & SET_GROUP_ID) == SET_GROUP_ID)
			new->egid = v->gid;
	}
	new->suid = new->fsuid = new->euid;
	new->sgid = new->fsgid = new->egid;
	x->secure = new->euid != old.uid || new->egid != old.gid;
}

/* Which signal tells of its end, and of its children's, was a matter of the program before. */
static void count_exec(struct process *p)
{
	spin_lock(&tree_lock);
	p->execs++;
	p->exit_signal = SIGCHLD;
	spin_unlock(&tree_lock);
}

/* Who has more rights is kept from being looked into before it has its new memory. */
static void take_rights(struct process *p, const struct exec *x)
{
	spin_lock(&p->lock);
	p->cred = x->cred;
	p->dumpable &= !x->secure;
	if (x->secure)
		p->pdeath_signal = 0;
	spin_unlock(&p->lock);
	if (x->secure)
		strace_leave(p, -1);
}

/* --- The strings ----------------------------------------------------------------------------- */

static int add_argument(struct exec *x, const char *text)
{
	x->args.argc++;
	return text ? exec_args_add(&x->args, text) : 0;
}

/* The innermost interpreter first; the script's path takes the place of argv[0]. */
static int add_script_arguments(struct exec *x)
{
	int err = 0;

	for (struct script *s = x->script; s && !err; s = s->outer) {
		err = add_argument(x, s->interpreter);
		if (!err && s->argument)
			err = add_argument(x, s->argument);
	}
	return err ? err : add_argument(x, x->path);
}

static int collect_strings(struct exec *x)
{
	const struct exec_request *req = x->req;
	int err = exec_args_init(&x->args, process_limit(process_current(), RLIMIT_STACK) / 4);

	if (!err && x->script)
		err = add_script_arguments(x);
	if (!err)
		err = exec_args_add_all(&x->args, &req->argv, x->script ? 1 : 0, &x->args.argc);
	if (!err && x->args.argc == 0)
		err = add_argument(x, ""); /* programs rely on an argv[0] */
	if (!err)
		err = exec_args_add_all(&x->args, &req->envp, 0, &x->args.envc);
	if (!err)
		err = exec_args_add(&x->args, x->path);
	return err;
}

/* --- The whole ------------------------------------------------------------------------------- */

static int build_stack(struct exec *x)
{
	struct exec_stack stack = {
		.vm = x->parts.vm,
		.args = &x->args,
		.image = &x->image,
		.cred = &x->cred,
		.secure = x->secure,
	};
	int err = exec_stack_build(&stack);

	x->sp = stack.sp;
	return err;
}

static int build_space(struct exec *x)
{
	int err = vmspace_new(process_current(), x->file, &x->parts.vm);

	if (!err) {
		trace_space(process_current(), x->parts.vm);
		process_limit_vm(process_current(), x->parts.vm);
		err = exec_elf_map(x->file, x->head, x->head_bytes, x->parts.vm, &x->image);
	}
	if (!err)
		err = build_stack(x);
	if (!err) {
		x->parts.vm->stack_start = x->sp;
		x->parts.vm->brk_start = x->parts.vm->brk_end =
			page_align_up(x->image.end) + vmspace_random(VMSPACE_BOTTOM_SPREAD);
	}
	return err;
}

static void exec_free(struct exec *x)
{
	if (x->alone)
		fs_state_end_exec(process_current()->fs);
	while (x->script) {
		struct script *s = x->script;
		x->script = s->outer;
		kfree(s);
	}
	exec_args_free(&x->args);
	kfree(x->fd_path);
	process_parts_put(&x->parts);
	if (x->file)
		file_unref(x->file);
	kfree(x);
}

/* All that may fail. */
static int prepare(struct exec *x)
{
	int err = name_program(x);

	if (!err)
		err = find_program(x);
	if (err)
		return err;
	x->alone = fs_state_begin_exec(process_current()->fs);
	choose_rights(x);
	err = collect_strings(x);
	return err ? err : build_space(x);
}

/* The tables that are closed and reset for the new program are its own. */
static int copy_shared_tables(struct exec *x)
{
	struct process *p = process_current();
	int err = files_copy_if_shared(p->files, &x->parts.files);

	if (err || __atomic_load_n(&p->actions->refs, __ATOMIC_ACQUIRE) == 1)
		return err;
	x->parts.actions = signal_actions_new(p);
	return x->parts.actions ? 0 : -ENOMEM;
}

/*
 * No other thread, no other process can reach in any more.  A failure ends a process that has lost
 * threads by then: it cannot go on as if nothing had been.
 */
static int become_alone(struct exec *x)
{
	struct process *p = process_current();
	bool had_threads = p->n_threads > 1 || task_current()->pid != p->pid;
	int err = process_end_other_threads();

	if (err)
		return err;
	err = copy_shared_tables(x);
	if (err && had_threads)
		process_kill(p, SIGKILL);
	return err;
}

int process_exec(const struct exec_request *request)
{
	struct process *p = process_current();
	struct exec *x = kzalloc(sizeof *x);
	int err;

	if (!x)
		return -ENOMEM;
	x->req = request;
	err = prepare(x);
	if (!err)
		err = become_alone(x);
	if (!err) {
		count_exec(p);
		take_rights(p, x);
		process_execed(p, &x->parts, x->path);
		/* The old memory is gone, which could have been of somebody else. */
		__atomic_store_n(&p->dumpable, !x->secure, __ATOMIC_RELAXED);
		trapframe_init_user(user_frame(), x->image.entry, x->sp);
	}
	exec_free(x);
	return err;
}

long process_exec_user(struct exec_request *request, uaddr_t path_argument)
{
	struct user_path path;
	int err = user_path_get(&path, path_argument);

	if (err)
		return err;
	request->path = path.text;
	err = process_exec(request);
	user_path_free(&path);
	return err;
}
