// SPDX-License-Identifier: MIT
// Runs a tree. What changes the shell itself (builtins, functions, loops) runs in it; everything
// else in a child (jobs.c).
//
// Leaving. break, continue, return and errors set shell.unwind; each construct that sees it after
// a part has run stops, and the one that is meant clears it.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/util.h"
#include "sh.h"

#define NOT_FOUND 127
#define NOT_RUN   126

extern char **environ;

struct shell shell;

static bool substituted; // since the current simple command began

_Noreturn void shell_exit(int status)
{
	fflush(stdout);
	exit(status & 255);
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

static int run_program(const struct node *node, char **argv, struct assignment *assignments)
{
	const struct redirect *redirects = node->redirects;
	pid_t pid;

	if (shell.exec_directly)
		child_program(argv, assignments, redirects);
	pid = job_fork(0, true);
	if (pid < 0)
		return NOT_RUN;
	if (pid == 0)
		child_program(argv, assignments, redirects);
	return job_run(node, &pid, 1);
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

	shell.exec_directly = false;
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
		redirect_forget(saved);
	else
		redirect_restore(saved);
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
			status = run_program(node, words.s, assignments);
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
	shell.exec_directly = node->kind == NODE_SIMPLE;
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
		pids[i] = job_fork(i ? pids[0] : 0, in_front);
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
	status = started ? job_run(node, pids, started) : 1;
	arena_cut(&shell.scratch, mark);
	return started == n ? status : 1;
}

static int exec_background(const struct node *node)
{
	pid_t pid = job_fork(0, false);

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
	job_add_background(node->left, pid);
	return 0;
}

static int exec_subshell(const struct node *node)
{
	pid_t pid = job_fork(0, true);

	if (pid < 0)
		return 1;
	if (pid == 0) {
		if (redirect_all(node->redirects, NULL) != 0)
			shell_exit(1);
		run_child(node->left);
	}
	return job_run(node, &pid, 1);
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
	redirect_restore(saved);
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

		job_become_child(shell.group, true);
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
	shell.status = pid > 0 ? wait_child(pid) : 1;
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
			jobs_report();
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
