// SPDX-License-Identifier: MIT
// The commands that change the shell itself and so must run in it.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/util.h"
#include "sh.h"

static int number_or(const char *text, int otherwise)
{
	char *end;
	long n;

	if (!text)
		return otherwise;
	n = strtol(text, &end, 10);
	if (end == text || *end || n < 0 || n > INT_MAX) {
		complain_plain("%s: not a number", text);
		return -1;
	}
	return (int)n;
}

static int run_true(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static int run_false(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 1;
}

static int run_cd(int argc, char **argv)
{
	const char *to = argc > 1 ? argv[1] : var_get("HOME");
	char path[PATH_MAX];
	bool back = to && !strcmp(to, "-");

	if (back)
		to = var_get("OLDPWD");
	if (!to || argc > 2) {
		complain_plain("cd: %s", argc > 2 ? "one folder only" : "no such folder is set");
		return 1;
	}
	if (chdir(to) != 0) {
		complain("cd: %s", to);
		return 1;
	}
	var_set("OLDPWD", var_get("PWD") ? var_get("PWD") : "");
	var_set("PWD", getcwd(path, sizeof path) ? path : "?");
	if (back)
		puts(path);
	return 0;
}

static int run_exit(int argc, char **argv)
{
	int status = number_or(argc > 1 ? argv[1] : NULL, shell.status);

	shell_exit(status < 0 ? 2 : status);
}

// An argument NAME or NAME=VALUE: sets the variable when there is a value.
static bool set_argument(char *argument)
{
	size_t n = name_length(argument);
	char *name;

	if (n == 0 || (argument[n] && argument[n] != '=')) {
		complain_plain("%s: not a name", argument);
		return false;
	}
	if (argument[n] == '=') {
		name = arena_string(&shell.scratch, argument, n);
		var_set(name, argument + n + 1);
	}
	return true;
}

static int run_export(int argc, char **argv)
{
	int status = 0;

	if (argc == 1 || !strcmp(argv[1], "-p"))
		vars_print(true);
	for (int i = 1; i < argc && strcmp(argv[i], "-p"); i++) {
		if (set_argument(argv[i]))
			var_export(arena_string(&shell.scratch, argv[i], name_length(argv[i])));
		else
			status = 1;
	}
	return status;
}

static int run_unset(int argc, char **argv)
{
	bool function = argc > 1 && !strcmp(argv[1], "-f");

	for (int i = 1; i < argc; i++) {
		var_unset(argv[i]);
		for (struct function **f = &shell.functions; function && *f; f = &(*f)->next) {
			if (strcmp((*f)->name, argv[i]))
				continue;
			*f = (*f)->next;
			break;
		}
	}
	return 0;
}

static bool set_option(const char *letters, bool on)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'e':
			shell.exit_on_error = on;
			break;
		case 'u':
			shell.no_unset = on;
			break;
		case 'x':
			shell.trace = on;
			break;
		default:
			complain_plain("set: %c: no such option", *letters);
			return false;
		}
	}
	return true;
}

static void set_params(int n, char **params)
{
	char **copy = need_memory(((size_t)n + 1) * sizeof *copy);

	for (int i = 0; i < n; i++)
		copy[i] = need_string(params[i]);
	copy[n] = NULL;
	shell.params = copy;
	shell.params_n = n;
}

static int run_set(int argc, char **argv)
{
	int i;

	if (argc == 1)
		vars_print(false);
	for (i = 1; i < argc && (argv[i][0] == '-' || argv[i][0] == '+') && argv[i][1]; i++) {
		if (!strcmp(argv[i], "--"))
			break;
		if (!set_option(argv[i] + 1, argv[i][0] == '-'))
			return 2;
	}
	if (i < argc) {
		i += !strcmp(argv[i], "--");
		set_params(argc - i, argv + i);
	}
	return 0;
}

static int run_shift(int argc, char **argv)
{
	int n = number_or(argc > 1 ? argv[1] : NULL, 1);

	if (n < 0 || n > shell.params_n) {
		complain_plain("shift: there are not so many");
		return 1;
	}
	shell.params += n;
	shell.params_n -= n;
	return 0;
}

static int run_umask(int argc, char **argv)
{
	mode_t mask = umask(0);
	char *end;

	umask(mask);
	if (argc == 1) {
		printf("%04o\n", mask);
		return 0;
	}
	mask = (mode_t)strtoul(argv[1], &end, 8);
	if (end == argv[1] || *end || mask > 0777) {
		complain_plain("umask: %s: not a mask", argv[1]);
		return 1;
	}
	umask(mask);
	return 0;
}

static int run_wait(int argc, char **argv)
{
	int status = 0;

	if (argc == 1)
		return wait_background(0);
	for (int i = 1; i < argc; i++) {
		int pid = number_or(argv[i], 0);

		status = pid > 0 ? wait_background(pid) : 2;
	}
	return status;
}

static int run_eval(int argc, char **argv)
{
	struct text text = {.arena = &shell.scratch};
	struct source source;
	int status;

	for (int i = 1; i < argc; i++) {
		text_add_string(&text, argv[i]);
		text_add(&text, ' ');
	}
	source_string(&source, text_end(&text));
	shell.status = 0;
	status = exec_source(&source);
	source_free(&source);
	return status;
}

static int run_dot(int argc, char **argv)
{
	struct source source;
	int fd, status;

	if (argc < 2) {
		complain_plain(".: which file?");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		complain("%s", argv[1]);
		return 1;
	}
	source_fd(&source, fd, false);
	shell.status = 0;
	status = exec_source(&source);
	source_free(&source);
	if (shell.unwind == UNWIND_RETURN) {
		shell.unwind = UNWIND_NOT;
		status = shell.status;
	}
	return status;
}

static int run_exec(int argc, char **argv)
{
	extern char **environ;

	if (argc == 1) {
		shell.keep_redirects = true;
		return 0;
	}
	fflush(stdout);
	environ = vars_environment(&shell.scratch);
	if (shell.interactive) {
		jobs_default_signals();
		signal(SIGTSTP, SIG_DFL); // what it stops, whoever waits for this shell continues
	}
	execvp(argv[1], argv + 1);
	complain("%s", argv[1]);
	if (!shell.interactive)
		shell_exit(errno == ENOENT ? 127 : 126);
	jobs_shell_signals();
	return errno == ENOENT ? 127 : 126;
}

static int leave_loops(int argc, char **argv, enum unwind how)
{
	int levels = number_or(argc > 1 ? argv[1] : NULL, 1);

	if (levels <= 0 || shell.loops == 0)
		return levels <= 0;
	shell.unwind = how;
	shell.unwind_levels = levels < shell.loops ? levels : shell.loops;
	return 0;
}

static int run_break(int argc, char **argv)
{
	return leave_loops(argc, argv, UNWIND_BREAK);
}

static int run_continue(int argc, char **argv)
{
	return leave_loops(argc, argv, UNWIND_CONTINUE);
}

static int run_return(int argc, char **argv)
{
	int status = number_or(argc > 1 ? argv[1] : NULL, shell.status);

	shell.unwind = UNWIND_RETURN;
	shell.status = status < 0 ? 2 : status & 255;
	return shell.status;
}

// One line of standard input, byte by byte: what follows it belongs to the next reader.
static bool read_line(struct text *line, bool raw)
{
	ssize_t n;
	char c;

	while ((n = read(STDIN_FILENO, &c, 1)) == 1 || (n < 0 && errno == EINTR)) {
		if (n < 0 && shell.interrupted)
			break;
		if (n < 0)
			continue;
		if (c == '\\' && !raw) {
			if (read(STDIN_FILENO, &c, 1) != 1)
				break;
			if (c != '\n')
				text_add(line, c);
			continue;
		}
		if (c == '\n') {
			text_end(line);
			return true;
		}
		text_add(line, c);
	}
	text_end(line);
	return false;
}

// Cuts a word off *LINE at a separator; the LAST name gets all that is left.
static char *next_word(char **line, const char *ifs, bool last)
{
	char *word, *end;

	while (**line && isspace((unsigned char)**line) && strchr(ifs, **line))
		(*line)++;
	word = *line;
	if (last) {
		end = word + strlen(word);
		while (end > word && isspace((unsigned char)end[-1]) && strchr(ifs, end[-1]))
			end--;
		*end = '\0';
		return word;
	}
	end = word + strcspn(word, ifs);
	*line = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

static int run_read(int argc, char **argv)
{
	bool raw = argc > 1 && !strcmp(argv[1], "-r");
	const char *ifs = var_get("IFS") ? var_get("IFS") : " \t\n";
	struct text text = {.arena = &shell.scratch};
	bool whole = read_line(&text, raw);
	char *rest = text.s;

	for (int i = 1 + raw; i < argc; i++) {
		if (!is_name(argv[i], strlen(argv[i]))) {
			complain_plain("read: %s: not a name", argv[i]);
			return 2;
		}
		var_set(argv[i], next_word(&rest, ifs, i + 1 == argc));
	}
	return whole ? 0 : 1;
}

static int run_history(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	edit_history();
	return 0;
}

static const struct builtin builtins[] = {
	{".", run_dot, true},
	{":", run_true, true},
	{"[", builtin_test, false},
	{"bg", run_bg, false},
	{"break", run_break, true},
	{"cd", run_cd, false},
	{"continue", run_continue, true},
	{"eval", run_eval, true},
	{"exec", run_exec, true},
	{"exit", run_exit, true},
	{"export", run_export, true},
	{"false", run_false, false},
	{"fg", run_fg, false},
	{"history", run_history, false},
	{"jobs", run_jobs, false},
	{"read", run_read, false},
	{"return", run_return, true},
	{"set", run_set, true},
	{"shift", run_shift, true},
	{"test", builtin_test, false},
	{"true", run_true, false},
	{"umask", run_umask, false},
	{"unset", run_unset, true},
	{"wait", run_wait, false},
};

const struct builtin *builtin_find(const char *name)
{
	for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
		if (!strcmp(name, builtins[i].name))
			return &builtins[i];
	return NULL;
}
