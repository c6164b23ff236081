// SPDX-License-Identifier: MIT
// init: the first process. Alone, it says what /etc/motd says and gives the console to a shell, and
// the machine ends with it.
// With arguments it runs them as the only command: each word comes percent-encoded through the
// kernel's command line, the console passes bytes unchanged, and init's exit status, which the
// kernel hands to the power-off device, is the command's.
//
// In both cases init adopts orphans: it waits for whatever ends until the one it started does.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/util.h"

const char prog[] = "init";
const char usage_args[] = "[COMMAND [ARG]...]";

#define NOT_FOUND 127
#define NOT_RUN   126

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

// A new string in which %20 is a space; a percent sign that starts no byte stays.
static char *percent_decode(const char *word)
{
	char *decoded = need_string(word), *to = decoded;

	for (const char *from = word; *from; from++) {
		int high = *from == '%' ? hex_digit(from[1]) : -1;
		int low = high >= 0 ? hex_digit(from[2]) : -1;

		if (low >= 0) {
			*to++ = (char)(high << 4 | low);
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return decoded;
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		if (fd != i)
			dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static void pass_bytes_unchanged(void)
{
	struct termios t;

	if (tcgetattr(STDOUT_FILENO, &t) != 0)
		return;
	t.c_oflag &= ~(tcflag_t)OPOST;
	tcsetattr(STDOUT_FILENO, TCSANOW, &t);
}

static void greet(void)
{
	int fd = open("/etc/motd", O_RDONLY);
	bool read_failed;

	if (fd < 0)
		return;
	if (copy_all(fd, STDOUT_FILENO, &read_failed) != 0)
		complain("/etc/motd");
	close(fd);
}

// In the child: a session of its own, with the console as its terminal and itself in front.
static void lead_session(void)
{
	setsid();
	ioctl(STDIN_FILENO, TIOCSCTTY, 0);
	tcsetpgrp(STDIN_FILENO, getpid());
}

static void run(char **argv)
{
	execvp(argv[0], argv);
	complain("%s", argv[0]);
	_exit(errno == ENOENT ? NOT_FOUND : NOT_RUN);
}

static int wait_for(pid_t child)
{
	int status;
	pid_t pid;

	do {
		pid = wait(&status);
	} while (pid != child && (pid > 0 || errno == EINTR));
	if (pid != child)
		return 1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	static char *shell[] = {"sh", NULL};
	pid_t child;

	open_console();
	if (!getenv("PATH"))
		setenv("PATH", "/bin", 1);
	setenv("HOME", "/", 0);
	for (int i = 1; i < argc; i++)
		argv[i] = percent_decode(argv[i]);
	if (argc > 1)
		pass_bytes_unchanged();
	else
		greet();
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		lead_session();
		run(argc > 1 ? argv + 1 : shell);
	}
	return wait_for(child);
}
