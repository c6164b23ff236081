// SPDX-License-Identifier: MIT
/*
 * exec: from a path to a program that begins.
 *
 *	open the file, follow "#!" lines           the old space is active all the time,
 *	collect the strings                        so that its pointers can be read and any
 *	make a new space: program, heap, stack     error can still be returned
 *	---- the point of no return ----
 *	switch spaces, drop what is not inherited
 *
 * The new stack, from its end (vmspace.h) down:
 *
 *	8 zero bytes | path, environment strings, argument strings (in rising order: arguments
 *	first) | 16 random bytes | auxv | envp | argv | argc  <- sp, 16-byte aligned
 */
#include "exec_args.h"
#include "exec_elf.h"

#include <abi/auxv.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/limits.h>
#include <arch/cpu.h>
#include <arch/trap.h>
#include <kernel/boot.h>
#include <kernel/exec.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/process.h>
#include <kernel/random.h>
#include <kernel/trace.h>

#define SCRIPT_LINE_BYTES 256 /* of a "#!" line, as much as counts */
#define SCRIPT_DEPTH      5
#define STACK_SPARE_BYTES (4 * PAGE_SIZE) /* mapped below sp from the start */
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
	const char *path;
	const struct exec_strings *argv, *envp;
	struct file *file;
	struct script *script; /* the innermost, or NULL */
	unsigned depth;
	size_t head_bytes;
	struct exec_args args;
	struct vmspace *vm;
	struct exec_image image;
	vaddr_t sp;
	char head[HEAD_BYTES];
};

/* --- The file -------------------------------------------------------------------------------- */

static int open_program(struct exec *x, const char *path)
{
	struct walk w;
	int err = walk_begin(&w, AT_FDCWD, path);

	if (err)
		return err;
	err = vfs_open(&w.ctx, NULL, path, FS_O_RDONLY, 0, &x->file);
	if (!err) {
		struct vnode *v = x->file->vnode;
		if (!vnode_is(v, FS_IFREG) || (v->mount->flags & MOUNT_NOEXEC))
			err = -EACCES;
		else
			err = vnode_permission(v, &w.cred, FS_EXECUTE);
	}
	walk_end(&w);
	return err;
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

/* The text behind "#!" up to the line's end, terminated, without blanks at its end. */
static int copy_line(struct exec *x, char *line)
{
	size_t max = x->head_bytes < SCRIPT_LINE_BYTES ? x->head_bytes : SCRIPT_LINE_BYTES;
	size_t n = 2;

	while (n < max && x->head[n] != '\n')
		n++;
	if (n == SCRIPT_LINE_BYTES)
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
	return *s->interpreter ? 0 : -ENOEXEC;
}

/* Open the program, through as many scripts as it takes, and read its first bytes. */
static int find_program(struct exec *x)
{
	int err;

	for (;;) {
		err = open_program(x, x->script ? x->script->interpreter : x->path);
		if (!err)
			err = read_head(x);
		if (err)
			return err;
		if (x->head_bytes < 2 || x->head[0] != '#' || x->head[1] != '!')
			break;
		err = push_script(x);
		if (err)
			return err;
	}
	if (x->head_bytes < SELFMAG || __builtin_memcmp(x->head, ELFMAG, SELFMAG))
		return -ENOEXEC;
	return 0;
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
	size_t limit = process_limit(process_current(), RLIMIT_STACK) / 4;
	int err = exec_args_init(&x->args, limit);

	if (!err && x->script)
		err = add_script_arguments(x);
	if (!err)
		err = exec_args_add_all(&x->args, x->argv, x->script ? 1 : 0, &x->args.argc);
	if (!err && x->args.argc == 0)
		err = add_argument(x, ""); /* programs rely on an argv[0] */
	if (!err)
		err = exec_args_add_all(&x->args, x->envp, 0, &x->args.envc);
	if (!err)
		err = exec_args_add(&x->args, x->path);
	return err;
}

/* --- The stack ------------------------------------------------------------------------------- */

/* Words on their way to the new stack. */
struct words {
	struct vmspace *vm;
	vaddr_t at; /* where the buffered ones go */
	unsigned n;
	int err;
	uint64_t buffer[128];
};

static void words_flush(struct words *w)
{
	size_t bytes = w->n * sizeof w->buffer[0];

	if (!w->err && w->n)
		w->err = mvm_space_write(w->vm->space, w->at, w->buffer, bytes, false);
	w->at += bytes;
	w->n = 0;
}

static void word(struct words *w, uint64_t value)
{
	if (w->n == sizeof w->buffer / sizeof w->buffer[0])
		words_flush(w);
	w->buffer[w->n++] = value;
}

static void aux(struct words *w, uint64_t type, uint64_t value)
{
	word(w, type);
	word(w, value);
}

#define N_AUX 18 /* of aux() below, the end included */

static void write_auxv(struct words *w, struct exec *x, vaddr_t path, vaddr_t random)
{
	const struct credentials *cred = &process_current()->cred;

	aux(w, AT_HWCAP, arch_hwcap());
	aux(w, AT_PAGESZ, PAGE_SIZE);
	aux(w, AT_CLKTCK, CLOCK_TICKS_PER_SEC);
	aux(w, AT_PHDR, x->image.headers);
	aux(w, AT_PHENT, sizeof(Elf64_Phdr));
	aux(w, AT_PHNUM, x->image.n_headers);
	aux(w, AT_BASE, 0);
	aux(w, AT_FLAGS, 0);
	aux(w, AT_ENTRY, x->image.entry);
	aux(w, AT_UID, cred->uid);
	aux(w, AT_EUID, cred->euid);
	aux(w, AT_GID, cred->gid);
	aux(w, AT_EGID, cred->egid);
	aux(w, AT_SECURE, 0);
	aux(w, AT_RANDOM, random);
	aux(w, AT_EXECFN, path);
	aux(w, AT_MINSIGSTKSZ, MINSIGSTKSZ);
	aux(w, AT_NULL, 0);
}

/* Addresses of n strings from `offset` of the block at `strings` on; then a 0. */
static size_t write_vector(
	struct words *w, const struct exec_args *args, vaddr_t strings, size_t offset, unsigned n)
{
	while (n--) {
		word(w, strings + offset);
		offset += exec_args_string_bytes(args, offset);
	}
	word(w, 0);
	return offset;
}

static int write_strings(struct exec *x, vaddr_t to)
{
	const struct exec_args *args = &x->args;
	int err = 0;

	for (size_t done = 0; !err && done < args->bytes; done += PAGE_SIZE) {
		size_t n = args->bytes - done < PAGE_SIZE ? args->bytes - done : PAGE_SIZE;
		err = mvm_space_write(
			x->vm->space, to + done, args->pages[done / PAGE_SIZE], n, false);
	}
	return err;
}

static int map_stack(struct exec *x, vaddr_t lowest)
{
	vaddr_t start = page_align_down(lowest) - STACK_SPARE_BYTES;
	struct mvm_map map = {
		.addr = start,
		.bytes = x->vm->stack_end - start,
		.rights = MVM_READ | MVM_WRITE,
		.max_rights = MVM_RWX,
		.flags = MVM_MAP_FIXED | MVM_MAP_GROWSDOWN,
	};

	return mvm_map(x->vm->space, &map);
}

static void write_words(struct words *w, struct exec *x, vaddr_t strings, vaddr_t random)
{
	const struct exec_args *args = &x->args;
	size_t offset;

	word(w, args->argc);
	offset = write_vector(w, args, strings, 0, args->argc);
	x->vm->args_start = strings;
	x->vm->args_end = strings + offset;
	offset = write_vector(w, args, strings, offset, args->envc);
	write_auxv(w, x, strings + offset, random);
	words_flush(w);
}

static int build_stack(struct exec *x)
{
	const struct exec_args *args = &x->args;
	size_t n_words = 1 + args->argc + 1 + args->envc + 1 + 2 * N_AUX;
	vaddr_t strings = x->vm->stack_end - 8 - args->bytes;
	vaddr_t random = (strings - 16) & ~15UL;
	uint8_t random_data[16];

	if (!boot_has("norandmaps")) {
		uint64_t shift;
		random_bytes(&shift, sizeof shift);
		random -= shift % PAGE_SIZE & ~15UL;
	}
	x->sp = (random - n_words * sizeof(uint64_t)) & ~15UL;
	int err = map_stack(x, x->sp);
	if (!err)
		err = write_strings(x, strings);
	random_bytes(random_data, sizeof random_data);
	if (!err)
		err = mvm_space_write(x->vm->space, random, random_data, sizeof random_data, false);
	if (err)
		return err;
	struct words *w = kmalloc(sizeof *w);
	if (!w)
		return -ENOMEM;
	*w = (struct words){.vm = x->vm, .at = x->sp};
	write_words(w, x, strings, random);
	err = w->err;
	kfree(w);
	return err;
}

/* --- The whole ------------------------------------------------------------------------------- */

static int build_space(struct exec *x)
{
	int err = vmspace_new(process_current(), x->file, &x->vm);

	if (!err) {
		trace_space(process_current(), x->vm);
		process_limit_vm(process_current(), x->vm);
		err = exec_elf_map(x->file, x->head, x->head_bytes, x->vm, &x->image);
	}
	if (!err)
		err = build_stack(x);
	if (!err) {
		x->vm->stack_start = x->sp;
		x->vm->brk_start = x->vm->brk_end =
			page_align_up(x->image.end) + vmspace_random(VMSPACE_BOTTOM_SPREAD);
	}
	return err;
}

static void exec_free(struct exec *x)
{
	while (x->script) {
		struct script *s = x->script;
		x->script = s->outer;
		kfree(s);
	}
	exec_args_free(&x->args);
	vmspace_put(x->vm);
	if (x->file)
		file_unref(x->file);
	kfree(x);
}

int process_exec(const char *path, const struct exec_strings *argv, const struct exec_strings *envp)
{
	struct exec *x = kzalloc(sizeof *x);
	int err;

	if (!x)
		return -ENOMEM;
	x->path = path;
	x->argv = argv;
	x->envp = envp;
	err = find_program(x);
	if (!err)
		err = collect_strings(x);
	if (!err)
		err = build_space(x);
	if (!err)
		err = process_end_other_threads();
	if (!err) {
		process_execed(process_current(), x->vm, path);
		x->vm = NULL;
		trapframe_init_user(user_frame(), x->image.entry, x->sp);
	}
	exec_free(x);
	return err;
}
