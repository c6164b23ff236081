// SPDX-License-Identifier: MIT
// strace: the system calls of a command, or of a process that is there, one a line.
//
// The kernel tells of each call when it begins and when it ends (/proc/strace); a line is printed
// when both are known, so calls of several threads stand in the order in which they ended.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "decode.h"
#include "lib/calls.h"
#include "lib/signals.h"
#include "lib/util.h"

const char prog[] = "strace";
const char usage_args[] = "[-f] [-o FILE] [-e NAME[,NAME]...] { -p PID | COMMAND [ARG]... }";

#define STREAM     "/proc/strace"
#define READ_BYTES (64 << 10)

static struct {
	bool follow;
	FILE *to;
	const char *names; // ",read,write,": only these; NULL: all
	pid_t pid;
} options;

// --- calls that have begun

struct begun {
	struct begun *next;
	struct strace_record *enter;
};

static struct begun *all_begun;

static void begin(const struct strace_record *r)
{
	struct begun *b = need_memory(sizeof *b);

	b->enter = need_memory(r->bytes);
	memcpy(b->enter, r, r->bytes);
	b->next = all_begun;
	all_begun = b;
}

// The call that a thread has begun, or any of a process (TID 0), taken out of the list; NULL: none.
static struct strace_record *take_begun(pid_t pid, pid_t tid)
{
	for (struct begun **at = &all_begun; *at; at = &(*at)->next) {
		struct begun *b = *at;
		struct strace_record *enter = b->enter;

		if (enter->pid != pid || (tid && enter->tid != tid))
			continue;
		*at = b->next;
		free(b);
		return enter;
	}
	return NULL;
}

// --- lines

static bool is_wanted(unsigned long number)
{
	const struct call_row *call = call_of((long)number);
	char name[64];

	if (!options.names)
		return true;
	snprintf(name, sizeof name, ",%s,", call ? call->name : "?");
	return strstr(options.names, name);
}

static void print_who(pid_t tid)
{
	if (options.follow)
		fprintf(options.to, "[pid %5d] ", tid);
}

static void end_call(struct strace_record *enter, const struct strace_record *exit)
{
	if (enter && is_wanted(enter->number)) {
		print_who(enter->tid);
		print_call(options.to, enter, exit);
		fputc('\n', options.to);
	}
	free(enter);
}

static void print_end(const struct strace_record *r)
{
	int status = (int)r->values[0];
	struct strace_record *enter;

	while ((enter = take_begun(r->pid, 0)))
		end_call(enter, NULL);
	print_who(r->tid);
	if (WIFSIGNALED(status))
		fprintf(options.to, "+++ killed by SIG%s +++\n", signal_name(WTERMSIG(status)));
	else
		fprintf(options.to, "+++ exited with %d +++\n", WEXITSTATUS(status));
}

// Before the command there is this program's child, which waits to be told that it is traced.
static bool is_before_command(const struct strace_record *r)
{
	static bool began;

	began |= options.pid || (r->event == STRACE_ENTER && r->number == SYS_execve);
	return !began;
}

static void print_record(const struct strace_record *r)
{
	if (is_before_command(r))
		return;
	if (r->event == STRACE_ENTER)
		begin(r);
	else if (r->event == STRACE_EXIT)
		end_call(take_begun(r->pid, r->tid), r);
	else
		print_end(r);
}

// To the end of the stream: all who were traced have ended.
static void print_stream(int stream)
{
	static _Alignas(8) char buffer[READ_BYTES];
	size_t there = 0, at;
	ssize_t n;

	while ((n = read(stream, buffer + there, sizeof buffer - there)) > 0) {
		there += (size_t)n;
		for (at = 0; there - at >= sizeof(struct strace_record);) {
			const struct strace_record *r = (const struct strace_record *)(buffer + at);

			if (there - at < r->bytes)
				break;
			print_record(r);
			at += r->bytes;
		}
		memmove(buffer, buffer + at, there - at);
		there -= at;
	}
	if (n < 0)
		die(STREAM);
}

// --- who is traced

static void attach(int stream, pid_t pid)
{
	char line[32];
	int n = snprintf(line, sizeof line, "%d%s", pid, options.follow ? " follow" : "");

	if (write(stream, line, (size_t)n) != n)
		die("%d", pid);
}

// As execvp() would find it.
static char *find_command(const char *name)
{
	const char *path = getenv("PATH");
	char *list = need_string(path ? path : "/bin"), *found = NULL;

	if (strchr(name, '/'))
		return need_string(name);
	for (char *dir = strtok(list, ":"); dir; dir = strtok(NULL, ":")) {
		found = path_join(dir, name);
		if (access(found, X_OK) == 0)
			break;
		free(found);
		found = NULL;
	}
	free(list);
	if (!found) {
		errno = ENOENT;
		die("%s", name);
	}
	return found;
}

// A child that becomes the command once it is traced: execve is the first call that is.
static pid_t start(int stream, char **argv)
{
	char *path = find_command(argv[0]), byte = 0;
	extern char **environ;
	int go[2];
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		die("%s", argv[0]);
	if (pid == 0) {
		if (read(go[0], &byte, 1) == 1)
			execve(path, argv, environ);
		complain("%s", path);
		_exit(errno == ENOENT ? 127 : 126);
	}
	attach(stream, pid);
	if (write(go[1], &byte, 1) != 1)
		die("%s", argv[0]);
	close(go[0]);
	close(go[1]);
	free(path);
	return pid;
}

static void take_names(const char *list)
{
	char *names = need_memory(strlen(list) + 3);

	if (strncmp(list, "trace=", 6) == 0)
		list += 6;
	sprintf(names, ",%s,", list);
	options.names = names;
}

static void parse(int argc, char **argv)
{
	int option;

	options.to = stderr;
	while ((option = getopt(argc, argv, "+fo:e:p:")) != -1) {
		switch (option) {
		case 'f':
			options.follow = true;
			break;
		case 'o':
			if (!(options.to = fopen(optarg, "we")))
				die("%s", optarg);
			break;
		case 'e':
			take_names(optarg);
			break;
		case 'p':
			options.pid = (pid_t)strtol(optarg, NULL, 10);
			break;
		default:
			usage();
		}
	}
	if ((options.pid > 0) == (optind < argc))
		usage();
}

int main(int argc, char **argv)
{
	int stream, status = 0;
	pid_t child = 0;

	parse(argc, argv);
	stream = open(STREAM, O_RDWR | O_CLOEXEC);
	if (stream < 0)
		die(STREAM);
	if (options.pid)
		attach(stream, options.pid);
	else
		child = start(stream, argv + optind);
	print_stream(stream);
	if (fflush(options.to) != 0)
		die("output");
	if (child && waitpid(child, &status, 0) == child)
		return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return finish(0);
}
