// SPDX-License-Identifier: MIT
// sh: the shell. Commands come from a terminal, a file, standard input or an argument.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/util.h"
#include "sh.h"

const char prog[] = "sh";
const char usage_args[] = "[-eux] [-c COMMAND [NAME [ARG]...] | FILE [ARG]...]";

extern char **environ;

static void set_default(const char *name, const char *value)
{
	if (!var_get(name))
		var_set(name, value);
}

static void set_variables(bool interactive)
{
	char path[PATH_MAX], number[16];

	vars_import(environ);
	set_default("PATH", "/bin");
	var_export("PATH");
	if (interactive) {
		set_default("PS1", "mapache:$PWD# ");
		set_default("PS2", "> ");
	}
	var_set("PWD", getcwd(path, sizeof path) ? path : "/");
	var_export("PWD");
	snprintf(number, sizeof number, "%d", getppid());
	var_set("PPID", number);
	var_unset("IFS");
}

// Returns the index of the first argument that is no option; *COMMAND becomes that of -c.
static int read_options(int argc, char **argv, const char **command)
{
	bool wants_command = false;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
		if (!strcmp(argv[i], "--")) {
			i++;
			break;
		}
		for (const char *p = argv[i] + 1; *p; p++) {
			wants_command |= *p == 'c';
			shell.exit_on_error |= *p == 'e';
			shell.no_unset |= *p == 'u';
			shell.trace |= *p == 'x';
			if (!strchr("ceux", *p))
				usage();
		}
	}
	if (wants_command) {
		if (i == argc)
			usage();
		*command = argv[i++];
	}
	return i;
}

static void open_script(struct source *source, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		complain("%s", path);
		exit(errno == ENOENT ? 127 : 126);
	}
	source_fd(source, fd, false);
}

int main(int argc, char **argv)
{
	const char *command = NULL;
	int i = read_options(argc, argv, &command), status;
	bool interactive = !command && i == argc && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	struct source source;

	shell.name = argv[0];
	set_variables(interactive);
	jobs_init(interactive);
	if (command)
		source_string(&source, command);
	else if (i < argc)
		open_script(&source, argv[i]);
	else
		source_fd(&source, STDIN_FILENO, interactive);
	if (i < argc)
		shell.name = argv[i++];
	shell.params = argv + i;
	shell.params_n = argc - i;
	status = exec_source(&source);
	if (interactive)
		fputs("exit\n", stderr);
	shell_exit(status);
}
