// SPDX-License-Identifier: MIT
// Runs a tree. What changes the shell itself (builtins, functions, loops) runs in it; everything
// else in a child.
//
// Job groups. An interactive shell gives each pipeline a process group of its own and the terminal
// to the one it waits for, so that Ctrl-C reaches this one only. Parent and child both call
// setpgid and tcsetpgrp: whoever comes first, it is done before it matters. The shell itself
// ignores SIGTTOU, which lets it take the terminal back. Stopping jobs (Ctrl-Z) is not offered, so
// SIGTSTP stays ignored in its children.
//
// Leaving. break, continue, return and errors set shell.unwind; each construct that sees it after
// a part has run stops, and the one that is meant clears it.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "../lib/util.h"
#include "sh.h"

#define NOT_FOUND   127
#define NOT_RUN     126
#define FD_KEPT_MIN 10   // descriptors of the shell's own start here
#define HERE_INLINE 4096 // what a pipe takes without a reader

extern char **environ;

struct shell shell;

static int terminal = -1; // of an interactive shell
static struct termios terminal_modes;
static bool exec_directly; // this child has only one command left to run
static bool substituted;   // since the current simple command began

struct background {
	struct background *next;
	pid_t pid;
	bool done;
	int status;
};

static struct background *backgrounds;

_Noreturn void shell_exit(int status)
{
	fflush(stdout);
	exit(status & 255);
}

static int exit_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

// --- signals, groups, the terminal

static void on_interrupt(int number)
{
	(void)number;
	shell.interrupted = 1;
}

static void set_signal(int number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

void exec_shell_signals(void)
{
	set_signal(SIGINT, on_interrupt);
	set_signal(SIGQUIT, SIG_IGN);
	set_signal(SIGTERM, SIG_IGN);
	set_signal(SIGTSTP, SIG_IGN);
	set_signal(SIGTTIN, SIG_IGN);
	set_signal(SIGTTOU, SIG_IGN);
}

void exec_default_signals(void)
{
	set_signal(SIGINT, SIG_DFL);
	set_signal(SIGQUIT, SIG_DFL);
	set_signal(SIGTERM, SIG_DFL);
	set_signal(SIGTTIN, SIG_DFL);
	set_signal(SIGTTOU, SIG_DFL);
}

void exec_init(bool interactive)
{
	shell.pid = getpid();
	shell.interactive = interactive;
	if (!interactive)
		return;
	exec_shell_signals();
	terminal = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, FD_KEPT_MIN);
	if (terminal < 0 || tcgetattr(terminal, &terminal_modes) != 0)
		return;
	if (getpgrp() != getpid())
		setpgid(0, 0);
	shell.group = getpgrp();
	shell.job_groups = tcsetpgrp(terminal, shell.group) == 0;
}

static void become_child(pid_t group, bool in_front)
{
	if (shell.job_groups) {
		setpgid(0, group);
		if (in_front)
			tcsetpgrp(terminal, group ? group : getpid());
	}
	if (shell.interactive)
		exec_default_signals();
	if (!shell.job_groups && !in_front) {
		set_signal(SIGINT, SIG_IGN);
		set_signal(SIGQUIT, SIG_IGN);
	}
	shell.interactive = shell.job_groups = exec_directly = false;
	shell.loops = 0;
	backgrounds = NULL;
}

// Forks a member of the job GROUP (0: of a new one). Returns 0 in the child.
static pid_t fork_member(pid_t group, bool in_front)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		complain("fork");
	if (pid == 0)
		become_child(group, in_front);
	if (pid > 0 && shell.job_groups)
		setpgid(pid, group ? group : pid);
	return pid;
}

static int wait_pid(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return status;
}

// Tells of a signal that killed a job, and stops everything after Ctrl-C.
static void report_end(int status)
{
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (number && number != SIGINT && number != SIGPIPE)
		fprintf(stderr, "%s\n", strsignal(number));
	if (number && shell.job_groups) {
		tcsetattr(terminal, TCSADRAIN, &terminal_modes);
		if (number == SIGINT) {
			fputc('\n', stderr);
			shell.unwind = UNWIND_ABORT;
		}
	}
}

// Gives the terminal to a job in front, waits for its members, and takes the terminal back. The
// last member's status is the job's.
static int wait_job(pid_t group, const pid_t *pids, size_t n)
{
	int status = 0;

	if (shell.job_groups)
		tcsetpgrp(terminal, group);
	if (shell.interrupted) // between two commands it reached the shell alone
		kill(-group, SIGINT);
	for (size_t i = 0; i < n; i++)
		status = wait_pid(pids[i]);
	if (shell.job_groups)
		tcsetpgrp(terminal, shell.group);
	report_end(status);
	return exit_status(status);
}

// --- jobs in the background

static void note_end(pid_t pid, int status)
{
	for (struct background *b = backgrounds; b; b = b->next)
		if (b->pid == pid) {
			b->done = true;
			b->status = exit_status(status);
		}
}

static void reap_background(void)
{
	for (struct background *b = backgrounds; b; b = b->next) {
		int status;

		if (!b->done && waitpid(b->pid, &status, WNOHANG) == b->pid) {
			note_end(b->pid, status);
			if (shell.interactive)
				fprintf(stderr, "[%d] done\n", b->pid);
		}
	}
}

static void background_add(pid_t pid)
{
	struct background *b = need_memory(sizeof *b);

	*b = (struct background){.next = backgrounds, .pid = pid};
	backgrounds = b;
	shell.background = pid;
	if (shell.interactive)
		fprintf(stderr, "[%d]\n", pid);
}

static int wait_one(struct background *b)
{
	int status;

	while (!b->done) {
		if (waitpid(b->pid, &status, 0) == b->pid)
			note_end(b->pid, status);
		else if (errno != EINTR)
			return NOT_FOUND;
		else if (shell.interrupted)
			return 128 + SIGINT;
	}
	return b->status;
}

int wait_background(pid_t pid)
{
	struct background *b, **link;
	int status = pid ? NOT_FOUND : 0;

	for (b = backgrounds; b && !shell.interrupted; b = b->next)
		if (!pid)
			wait_one(b);
		else if (b->pid == pid)
			status = wait_one(b);
	for (link = &backgrounds; (b = *link);) {
		if (b->done && (!pid || b->pid == pid)) {
			*link = b->next;
			free(b);
		} else {
			link = &b->next;
		}
	}
	return status;
}

// --- redirections

struct saved {
	struct saved *next;
	int fd, copy; // copy -1: the descriptor was closed
};

// A pipe with TEXT in it. A long text needs a process that writes it.
static int open_here(const struct redirect *r)
{
	const char *text = r->literal ? r->target : expand_here(r->target);
	int ends[2];
	size_t n;

	if (!text || pipe2(ends, O_CLOEXEC) != 0) {
		if (text)
			complain("pipe");
		return -1;
	}
	n = strlen(text);
	if (n <= HERE_INLINE) {
		write_all(ends[1], text, n);
	} else if (fork() == 0) {
		set_signal(SIGPIPE, SIG_DFL);
		_exit(write_all(ends[1], text, n) != 0);
	}
	close(ends[1]);
	return ends[0];
}

static int open_target(const struct redirect *r)
{
	static const int flags[] = {
		[REDIRECT_IN] = O_RDONLY,
		[REDIRECT_OUT] = O_WRONLY | O_CREAT | O_TRUNC,
		[REDIRECT_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
		[REDIRECT_READ_WRITE] = O_RDWR | O_CREAT,
		[REDIRECT_CLOBBER] = O_WRONLY | O_CREAT | O_TRUNC,
	};
	const char *path = expand_string(r->target);
	int fd;

	if (!path)
		return -1;
	fd = open(path, flags[r->kind] | O_CLOEXEC, 0666);
	if (fd < 0)
		complain("%s", path);
	return fd;
}

// Saves FD in *SAVED (when that is wanted), so that it can be given another meaning.
static void save_fd(int fd, struct saved **saved)
{
	struct saved *one;

	if (!saved)
		return;
	one = arena_get(&shell.scratch, sizeof *one);
	*one = (struct saved){*saved, fd, fcntl(fd, F_DUPFD_CLOEXEC, FD_KEPT_MIN)};
	*saved = one;
}

static int redirect_copy(const struct redirect *r, struct saved **saved)
{
	const char *from = expand_string(r->target);
	char *end;
	long fd;

	if (!from)
		return -1;
	save_fd(r->fd, saved);
	if (!strcmp(from, "-")) {
		close(r->fd);
		return 0;
	}
	fd = strtol(from, &end, 10);
	if (end == from || *end || dup2((int)fd, r->fd) < 0) {
		errno = EBADF;
		complain("%s", from);
		return -1;
	}
	return 0;
}

static int redirect_one(const struct redirect *r, struct saved **saved)
{
	int fd;

	if (r->kind == REDIRECT_DUP_IN || r->kind == REDIRECT_DUP_OUT)
		return redirect_copy(r, saved);
	fd = r->kind >= REDIRECT_HERE ? open_here(r) : open_target(r);
	if (fd < 0)
		return -1;
	if (fd == r->fd) { // it was closed before
		fcntl(fd, F_SETFD, 0);
		return 0;
	}
	save_fd(r->fd, saved);
	if (dup2(fd, r->fd) < 0) {
		complain("%d", r->fd);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static int redirect_all(const struct redirect *list, struct saved **saved)
{
	for (; list; list = list->next)
		if (redirect_one(list, saved) != 0)
			return -1;
	return 0;
}

static void restore(struct saved *saved)
{
	fflush(stdout);
	for (; saved; saved = saved->next) {
		if (saved->copy >= 0) {
			dup2(saved->copy, saved->fd);
			close(saved->copy);
		} else {
			close(saved->fd);
		}
	}
}

// exec without a command: the redirections stay, their copies are not wanted.
static void forget(struct saved *saved)
{
	for (; saved; saved = saved->next)
		if (saved->copy >= 0)
			close(saved->copy);
}

// --- simple commands

struct assignment {
	struct assignment *next;
	const char *name, *value;
	const char *old; // while it is temporary
	bool was_exported;
};

// Without a command the assignments are for good and done one by one: a=1 b=$a.
static bool expand_assignments(const struct word *words, bool for_good, struct assignment **list)
{
	struct assignment **end = list;

	for (; words; words = words->next) {
		size_t n = name_length(words->text);
		struct assignment *a = arena_get(&shell.scratch, sizeof *a);

		*a = (struct assignment){.name = arena_string(&shell.scratch, words->text, n)};
		a->value = expand_string(words->text + n + 1);
		if (!a->value)
			return false;
		if (for_good) {
			var_set(a->name, a->value);
			continue;
		}
		*end = a;
		end = &a->next;
	}
	return true;
}

static void assign(struct assignment *list, bool export)
{
	for (; list; list = list->next) {
		const char *old = var_get(list->name);

		list->old = old ? arena_string(&shell.scratch, old, strlen(old)) : NULL;
		list->was_exported = var_is_exported(list->name);
		var_set(list->name, list->value);
		if (export)
			var_export(list->name);
	}
}

static void unassign(const struct assignment *list)
{
	for (; list; list = list->next) {
		var_unset(list->name);
		if (list->old)
			var_set(list->name, list->old);
		if (list->was_exported)
			var_export(list->name);
	}
}

static void trace_words(char **argv)
{
	fputs("+", stderr);
	for (; *argv; argv++)
		fprintf(stderr, " %s", *argv);
	fputc('\n', stderr);
}

// execvp takes a file that is executable but no program for a script.
static _Noreturn void exec_program(char **argv)
{
	int error;

	environ = vars_environment(&shell.scratch);
	execvp(argv[0], argv);
	error = errno;
	if (error == ENOENT && !strchr(argv[0], '/'))
		complain_plain("%s: not found", argv[0]);
	else
		complain("%s", argv[0]);
	shell_exit(error == ENOENT ? NOT_FOUND : NOT_RUN);
}

static _Noreturn void child_program(
	char **argv, struct assignment *assignments, const struct redirect *redirects)
{
	if (redirect_all(redirects, NULL) != 0)
		shell_exit(1);
	assign(assignments, true);
	exec_program(argv);
}

static int run_program(
	char **argv, struct assignment *assignments, const struct redirect *redirects)
{
	pid_t pid;

	if (exec_directly)
		child_program(argv, assignments, redirects);
	pid = fork_member(0, true);
	if (pid < 0)
		return NOT_RUN;
	if (pid == 0)
		child_program(argv, assignments, redirects);
	return wait_job(pid, &pid, 1);
}

static int call_function(const struct function *function, size_t argc, char **argv)
{
	char **params = shell.params;
	int params_n = shell.params_n, loops = shell.loops, status;

	shell.params = argv + 1;
	shell.params_n = (int)argc - 1;
	shell.loops = 0;
	status = exec_node(function->body);
	shell.params = params;
	shell.params_n = params_n;
	shell.loops = loops;
	if (shell.unwind == UNWIND_RETURN) {
		shell.unwind = UNWIND_NOT;
		status = shell.status;
	}
	return status;
}

static const struct function *function_find(const char *name)
{
	for (const struct function *f = shell.functions; f; f = f->next)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

// A builtin, a function, or no command at all: assignments and redirections touch the shell.
static int run_inside(const struct builtin *builtin, const struct function *function,
	struct strings *words, struct assignment *assignments, const struct redirect *redirects)
{
	bool stay = words->n == 0 || (builtin && builtin->special);
	struct saved *saved = NULL;
	int status = 1;

	exec_directly = false;
	if (redirect_all(redirects, &saved) != 0)
		goto out;
	assign(assignments, !stay);
	if (function)
		status = call_function(function, words->n, words->s);
	else if (builtin)
		status = builtin->run((int)words->n, words->s);
	else
		status = substituted ? shell.status : 0;
	if (!stay)
		unassign(assignments);
out:
	fflush(stdout);
	if (shell.keep_redirects)
		forget(saved);
	else
		restore(saved);
	shell.keep_redirects = false;
	return status;
}

static int expansion_failed(void)
{
	if (!shell.interactive)
		shell_exit(1);
	shell.unwind = UNWIND_ABORT;
	return 1;
}

static int exec_simple(const struct node *node)
{
	struct arena_mark mark = arena_mark(&shell.scratch);
	struct strings words = {.arena = &shell.scratch};
	struct assignment *assignments = NULL;
	const struct function *function = NULL;
	const struct builtin *builtin = NULL;
	int status;

	substituted = false;
	if (!expand_words(node->words, &words) ||
		!expand_assignments(node->assignments, words.n == 0, &assignments)) {
		status = expansion_failed();
	} else {
		strings_end(&words);
		if (shell.trace && words.n)
			trace_words(words.s);
		if (words.n && !(function = function_find(words.s[0])))
			builtin = builtin_find(words.s[0]);
		if (words.n && !function && !builtin)
			status = run_program(words.s, assignments, node->redirects);
		else
			status =
				run_inside(builtin, function, &words, assignments, node->redirects);
	}
	arena_cut(&shell.scratch, mark);
	return status;
}

// --- compound commands

static _Noreturn void run_child(const struct node *node)
{
	exec_directly = node->kind == NODE_SIMPLE;
	shell_exit(exec_node(node));
}

static size_t stage_count(const struct node *node)
{
	size_t n = 1;

	for (; node->kind == NODE_PIPE; node = node->right)
		n++;
	return n;
}

// In the child: its ends of the pipes before and behind it become its input and output.
static void use_pipes(int in, const int out[2])
{
	if (in >= 0) {
		dup2(in, STDIN_FILENO);
		close(in);
	}
	if (out[1] >= 0) {
		dup2(out[1], STDOUT_FILENO);
		close(out[1]);
		close(out[0]);
	}
}

// Forks the stages from left to right; returns how many there are in PIDS.
static size_t start_stages(const struct node *node, pid_t *pids, size_t n, bool in_front)
{
	int in = -1, out[2];
	size_t i;

	for (i = 0; i < n; i++, node = node->right) {
		out[0] = out[1] = -1;
		if (i + 1 < n && pipe2(out, O_CLOEXEC) != 0) {
			complain("pipe");
			break;
		}
		pids[i] = fork_member(i ? pids[0] : 0, in_front);
		if (pids[i] == 0) {
			use_pipes(in, out);
			run_child(i + 1 < n ? node->left : node);
		}
		if (in >= 0)
			close(in);
		if (out[1] >= 0)
			close(out[1]);
		in = out[0];
		if (pids[i] < 0)
			break;
	}
	if (in >= 0)
		close(in);
	return i;
}

static int exec_pipe(const struct node *node)
{
	struct arena_mark mark = arena_mark(&shell.scratch);
	size_t n = stage_count(node), started;
	pid_t *pids = arena_get(&shell.scratch, n * sizeof *pids);
	int status;

	started = start_stages(node, pids, n, true);
	status = started ? wait_job(pids[0], pids, started) : 1;
	arena_cut(&shell.scratch, mark);
	return started == n ? status : 1;
}

static int exec_background(const struct node *node)
{
	pid_t pid = fork_member(0, false);

	if (pid < 0)
		return 1;
	if (pid == 0) {
		int null = shell.group ? -1 : open("/dev/null", O_RDONLY);

		if (null >= 0) {
			dup2(null, STDIN_FILENO);
			close(null);
		}
		run_child(node->left);
	}
	background_add(pid);
	return 0;
}

static int exec_subshell(const struct node *node)
{
	pid_t pid = fork_member(0, true);

	if (pid < 0)
		return 1;
	if (pid == 0) {
		if (redirect_all(node->redirects, NULL) != 0)
			shell_exit(1);
		run_child(node->left);
	}
	return wait_job(pid, &pid, 1);
}

static int exec_condition(const struct node *node)
{
	int status;

	shell.conditions++;
	status = exec_node(node);
	shell.conditions--;
	return status;
}

// After a loop's body: whether the loop ends. break N and continue N leave N-1 loops first.
static bool loop_ends(void)
{
	if (shell.unwind == UNWIND_NOT)
		return false;
	if (shell.unwind != UNWIND_BREAK && shell.unwind != UNWIND_CONTINUE)
		return true;
	if (--shell.unwind_levels > 0)
		return true;
	if (shell.unwind == UNWIND_CONTINUE) {
		shell.unwind = UNWIND_NOT;
		return false;
	}
	shell.unwind = UNWIND_NOT;
	return true;
}

static int exec_while(const struct node *node)
{
	bool until = node->kind == NODE_UNTIL;
	int status = 0;

	shell.loops++;
	for (;;) {
		bool holds = (exec_condition(node->left) == 0) != until;

		if (shell.unwind) {
			if (loop_ends())
				break;
			continue;
		}
		if (!holds)
			break;
		status = exec_node(node->right);
		if (loop_ends())
			break;
	}
	shell.loops--;
	return status;
}

static int exec_for(const struct node *node)
{
	struct arena_mark mark = arena_mark(&shell.scratch);
	struct strings words = {.arena = &shell.scratch};
	int status = 0;

	if (!expand_words(node->words, &words))
		return expansion_failed();
	for (int i = 0; node->all_params && i < shell.params_n; i++)
		strings_add(&words, shell.params[i]);
	shell.loops++;
	for (size_t i = 0; i < words.n; i++) {
		var_set(node->name, words.s[i]);
		status = exec_node(node->right);
		if (loop_ends())
			break;
	}
	shell.loops--;
	arena_cut(&shell.scratch, mark);
	return status;
}

static bool item_matches(const struct case_item *item, const char *subject)
{
	for (const struct word *w = item->patterns; w; w = w->next) {
		const char *pattern = expand_pattern(w->text);

		if (pattern && pattern_match(pattern, subject))
			return true;
	}
	return false;
}

static int exec_case(const struct node *node)
{
	struct arena_mark mark = arena_mark(&shell.scratch);
	const char *subject = expand_string(node->words->text);
	const struct case_item *item = node->items;

	if (!subject)
		return expansion_failed();
	while (item && !item_matches(item, subject))
		item = item->next;
	arena_cut(&shell.scratch, mark);
	return item && item->body ? exec_node(item->body) : 0;
}

static int exec_function(const struct node *node)
{
	struct function *f = (struct function *)function_find(node->name);

	if (!f) {
		f = need_memory(sizeof *f);
		*f = (struct function){.next = shell.functions, .name = node->name};
		shell.functions = f;
	}
	f->body = node->left;
	shell.keep_tree = true;
	return 0;
}

static int exec_kind(const struct node *node)
{
	int status;

	switch (node->kind) {
	case NODE_SIMPLE:
		return exec_simple(node);
	case NODE_PIPE:
		return exec_pipe(node);
	case NODE_AND:
	case NODE_OR:
		status = exec_condition(node->left);
		if (shell.unwind || (status == 0) != (node->kind == NODE_AND))
			return status;
		return exec_node(node->right);
	case NODE_NOT:
		return !exec_condition(node->left);
	case NODE_SEQUENCE:
		status = exec_node(node->left);
		return shell.unwind ? status : exec_node(node->right);
	case NODE_BACKGROUND:
		return exec_background(node);
	case NODE_SUBSHELL:
		return exec_subshell(node);
	case NODE_GROUP:
		return exec_node(node->left);
	case NODE_IF:
		status = exec_condition(node->left);
		if (shell.unwind)
			return status;
		if (status == 0)
			return exec_node(node->right);
		return node->other ? exec_node(node->other) : 0;
	case NODE_WHILE:
	case NODE_UNTIL:
		return exec_while(node);
	case NODE_FOR:
		return exec_for(node);
	case NODE_CASE:
		return exec_case(node);
	case NODE_FUNCTION:
		return exec_function(node);
	}
	return 1;
}

// Compound commands have their redirections around them. A simple command and a subshell, which
// perhaps run in a child, do their own.
static int exec_redirected(const struct node *node)
{
	struct arena_mark mark = arena_mark(&shell.scratch);
	struct saved *saved = NULL;
	int status = 1;

	fflush(stdout);
	if (redirect_all(node->redirects, &saved) == 0)
		status = exec_kind(node);
	restore(saved);
	arena_cut(&shell.scratch, mark);
	return status;
}

static bool can_exit(const struct node *node)
{
	return node->kind == NODE_SIMPLE || node->kind == NODE_PIPE || node->kind == NODE_SUBSHELL;
}

int exec_node(const struct node *node)
{
	bool own = node->kind == NODE_SIMPLE || node->kind == NODE_SUBSHELL;
	int status;

	if (shell.interrupted) {
		shell.unwind = UNWIND_ABORT;
		return shell.status = 128 + SIGINT;
	}
	status = node->redirects && !own ? exec_redirected(node) : exec_kind(node);
	if (shell.unwind != UNWIND_RETURN)
		shell.status = status;
	if (status && shell.exit_on_error && !shell.conditions && can_exit(node))
		shell_exit(status);
	return shell.status;
}

// --- where commands come from

char *exec_substitution(const char *command)
{
	char *output = need_memory(4096);
	size_t n = 0, room = 4096;
	ssize_t got = 0;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		die("pipe");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct source source;

		become_child(shell.group, true);
		dup2(ends[1], STDOUT_FILENO);
		source_string(&source, command);
		shell_exit(exec_source(&source));
	}
	close(ends[1]);
	while (pid > 0 && (got = read(ends[0], output + n, room - n - 1)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		n += (size_t)got;
		if (room - n == 1) {
			room *= 2;
			output = realloc(output, room);
			if (!output)
				die("%zu bytes", room);
		}
	}
	close(ends[0]);
	shell.status = pid > 0 ? exit_status(wait_pid(pid)) : 1;
	substituted = true;
	while (n > 0 && output[n - 1] == '\n')
		n--;
	output[n] = '\0';
	return output;
}

// An interactive shell goes on after every error with the next line.
static void recover(struct source *source)
{
	if (shell.interrupted)
		shell.status = 128 + SIGINT;
	shell.interrupted = 0;
	shell.unwind = UNWIND_NOT;
	shell.conditions = shell.loops = 0;
	source_discard_line(source);
}

int exec_source(struct source *source)
{
	enum parse_result result;
	struct node *node;

	do {
		struct arena arena = {NULL};

		if (source->interactive)
			reap_background();
		result = parse_command(source, &arena, &node);
		if (result == PARSE_ERROR) {
			shell.status = 2;
			if (source->interactive)
				recover(source);
			else if (shell.interactive)
				result = PARSE_END; // of a file or a string: the prompt goes on
			else
				shell_exit(2);
		} else if (node) {
			shell.keep_tree = false;
			exec_node(node);
			if (shell.unwind == UNWIND_ABORT && source->interactive)
				recover(source);
		}
		if (!shell.keep_tree)
			arena_free(&arena);
	} while (result != PARSE_END && !shell.unwind);
	return shell.status;
}
