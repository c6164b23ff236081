// SPDX-License-Identifier: MIT
// Jobs: children and their process groups, the terminal, and waiting.
//
// An interactive shell gives each pipeline a process group of its own and the terminal to the one
// it waits for, so that Ctrl-C and Ctrl-Z reach this one only. Parent and child both call setpgid
// and tcsetpgrp: whoever comes first, it is done before it matters. The shell itself ignores
// SIGTTOU, which lets it take the terminal back.
//
// A job in front that stops joins the list, where those in the background are; fg and bg let it go
// on. What has ended stays in the list, without a number once it was told, until wait asks for it.
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

#define NOT_FOUND 127

enum state { RUNS, STOPPED, ENDED };

struct member {
	pid_t pid;
	enum state state;
	int status; // as waitpid has it
};

struct job {
	struct job *next;
	int number; // 0: it was told that it ended
	pid_t group;
	char *text; // of an interactive shell
	enum state told;
	struct termios modes; // the terminal's, when it stopped
	bool has_modes;
	size_t n;
	struct member members[];
};

static int terminal = -1; // of an interactive shell
static struct termios terminal_modes;
static struct job *jobs; // the current one first

// --- signals

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

void jobs_shell_signals(void)
{
	set_signal(SIGINT, on_interrupt);
	set_signal(SIGQUIT, SIG_IGN);
	set_signal(SIGTERM, SIG_IGN);
	set_signal(SIGTSTP, SIG_IGN);
	set_signal(SIGTTIN, SIG_IGN);
	set_signal(SIGTTOU, SIG_IGN);
}

void jobs_default_signals(void)
{
	set_signal(SIGINT, SIG_DFL);
	set_signal(SIGQUIT, SIG_DFL);
	set_signal(SIGTERM, SIG_DFL);
	set_signal(SIGTSTP, SIG_DFL);
	set_signal(SIGTTIN, SIG_DFL);
	set_signal(SIGTTOU, SIG_DFL);
}

// A shell that was started in the background waits until somebody brings it to the front.
static void wait_for_front(void)
{
	pid_t front;

	while ((front = tcgetpgrp(terminal)) >= 0 && front != getpgrp())
		kill(0, SIGTTIN);
}

void jobs_init(bool interactive)
{
	shell.pid = getpid();
	shell.interactive = interactive;
	if (!interactive)
		return;
	terminal = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, FD_KEPT_MIN);
	if (terminal >= 0)
		wait_for_front();
	jobs_shell_signals();
	if (terminal < 0 || tcgetattr(terminal, &terminal_modes) != 0)
		return;
	if (getpgrp() != getpid())
		setpgid(0, 0);
	shell.group = getpgrp();
	shell.job_groups = tcsetpgrp(terminal, shell.group) == 0;
}

// --- children

void job_become_child(pid_t group, bool in_front)
{
	bool own_group = shell.job_groups && group != shell.group;

	if (shell.job_groups) {
		setpgid(0, group);
		if (in_front)
			tcsetpgrp(terminal, group ? group : getpid());
	}
	if (shell.interactive)
		jobs_default_signals();
	if (shell.interactive && !own_group)
		set_signal(SIGTSTP, SIG_IGN); // nobody would continue it
	if (!shell.job_groups && !in_front) {
		set_signal(SIGINT, SIG_IGN);
		set_signal(SIGQUIT, SIG_IGN);
	}
	shell.interactive = shell.job_groups = shell.exec_directly = false;
	shell.loops = 0;
	jobs = NULL;
}

pid_t job_fork(pid_t group, bool in_front)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		complain("fork");
	if (pid == 0)
		job_become_child(group, in_front);
	if (pid > 0 && shell.job_groups)
		setpgid(pid, group ? group : pid);
	return pid;
}

static int exit_status(int wait_status)
{
	if (WIFSTOPPED(wait_status))
		return 128 + WSTOPSIG(wait_status);
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

int wait_child(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return exit_status(status);
}

// --- the list

// As it would be written, but for what is inside of compound commands.
static void add_text(struct text *text, const struct node *node)
{
	if (node->kind == NODE_PIPE) {
		add_text(text, node->left);
		text_add_string(text, " | ");
		add_text(text, node->right);
	} else if (node->kind == NODE_SIMPLE) {
		for (const struct word *w = node->words; w; w = w->next) {
			text_add_string(text, w->text);
			if (w->next)
				text_add(text, ' ');
		}
	} else {
		text_add_string(text, node->kind == NODE_SUBSHELL ? "( ... )" : "{ ... }");
	}
}

static char *text_of(const struct node *node)
{
	struct text text = {.arena = &shell.scratch};

	add_text(&text, node);
	return need_string(text_end(&text));
}

static int free_number(void)
{
	int number = 1;

	for (const struct job *j = jobs; j;)
		if (j->number == number) {
			number++;
			j = jobs;
		} else {
			j = j->next;
		}
	return number;
}

static struct job *job_new(const struct node *node, const pid_t *pids, size_t n)
{
	struct job *job = need_memory(sizeof *job + n * sizeof job->members[0]);

	*job = (struct job){.next = jobs, .group = pids[0], .n = n};
	for (size_t i = 0; i < n; i++)
		job->members[i] = (struct member){.pid = pids[i]};
	if (shell.interactive) {
		job->number = free_number();
		job->text = text_of(node);
	}
	jobs = job;
	return job;
}

static void unlink_job(struct job *job)
{
	struct job **link = &jobs;

	while (*link != job)
		link = &(*link)->next;
	*link = job->next;
}

static void job_free(struct job *job)
{
	unlink_job(job);
	free(job->text);
	free(job);
}

static void make_current(struct job *job)
{
	unlink_job(job);
	job->next = jobs;
	jobs = job;
}

static enum state state_of(const struct job *job)
{
	bool stopped = false;

	for (size_t i = 0; i < job->n; i++) {
		if (job->members[i].state == RUNS)
			return RUNS;
		stopped |= job->members[i].state == STOPPED;
	}
	return stopped ? STOPPED : ENDED;
}

// The last member's status is the job's.
static int status_of(const struct job *job)
{
	return job->members[job->n - 1].status;
}

static void note(struct member *member, int status)
{
	if (WIFCONTINUED(status)) {
		member->state = RUNS;
		return;
	}
	member->state = WIFSTOPPED(status) ? STOPPED : ENDED;
	member->status = status;
}

static void look_at(struct job *job)
{
	int status;

	for (size_t i = 0; i < job->n; i++)
		while (job->members[i].state != ENDED &&
			waitpid(job->members[i].pid, &status, WNOHANG | WUNTRACED | WCONTINUED) > 0)
			note(&job->members[i], status);
}

static void tell(struct job *job)
{
	static const char *const names[] = {"Running", "Stopped", "Done"};

	job->told = state_of(job);
	fprintf(stderr, "[%d] %c %-8s %s\n", job->number, job == jobs ? '+' : ' ', names[job->told],
		job->text);
	if (job->told == ENDED)
		job->number = 0;
}

void jobs_report(void)
{
	for (struct job *job = jobs; job; job = job->next) {
		look_at(job);
		if (job->number && state_of(job) != job->told)
			tell(job);
	}
}

// --- in front

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

static void report_stop(struct job *job)
{
	job->has_modes = tcgetattr(terminal, &job->modes) == 0;
	tcsetattr(terminal, TCSADRAIN, &terminal_modes);
	make_current(job);
	fputc('\n', stderr);
	tell(job);
	shell.unwind = UNWIND_ABORT; // what stands behind it would run without it
}

static void wait_members(struct job *job)
{
	int status;

	for (size_t i = 0; i < job->n; i++) {
		struct member *m = &job->members[i];

		while (m->state == RUNS) {
			if (waitpid(m->pid, &status, shell.job_groups ? WUNTRACED : 0) == m->pid)
				note(m, status);
			else if (errno != EINTR)
				note(m, NOT_FOUND << 8);
		}
	}
}

// Gives the terminal to the job, waits until it ends or stops, and takes the terminal back.
static int bring_to_front(struct job *job)
{
	int status;

	if (shell.job_groups)
		tcsetpgrp(terminal, job->group);
	if (shell.interrupted) // between two commands it reached the shell alone
		kill(-job->group, SIGINT);
	wait_members(job);
	if (shell.job_groups)
		tcsetpgrp(terminal, shell.group);
	status = status_of(job);
	if (state_of(job) == STOPPED) {
		report_stop(job);
	} else {
		job_free(job);
		report_end(status);
	}
	return exit_status(status);
}

int job_run(const struct node *node, const pid_t *pids, size_t n)
{
	return bring_to_front(job_new(node, pids, n));
}

// --- in the background

void job_add_background(const struct node *node, pid_t pid)
{
	struct job *job = job_new(node, &pid, 1);

	shell.background = pid;
	if (shell.interactive)
		fprintf(stderr, "[%d] %d\n", job->number, pid);
}

// Waits until it ends; a job that stops is left alone.
static int wait_job(struct job *job)
{
	int status;

	for (size_t i = 0; i < job->n && !shell.interrupted; i++) {
		struct member *m = &job->members[i];

		while (m->state == RUNS && !shell.interrupted) {
			if (waitpid(m->pid, &status, shell.job_groups ? WUNTRACED : 0) == m->pid)
				note(m, status);
			else if (errno != EINTR)
				return NOT_FOUND;
		}
	}
	return shell.interrupted ? 128 + SIGINT : exit_status(status_of(job));
}

static bool is_of(const struct job *job, pid_t pid)
{
	return !pid || job->members[job->n - 1].pid == pid;
}

int wait_background(pid_t pid)
{
	int status = pid ? NOT_FOUND : 0, result;

	for (struct job *job = jobs, *next; job && !shell.interrupted; job = next) {
		next = job->next;
		if (!is_of(job, pid) || state_of(job) == STOPPED)
			continue;
		result = wait_job(job);
		status = pid ? result : 0;
		if (state_of(job) == ENDED)
			job_free(job);
	}
	return status;
}

// --- builtins

// "%2", "2", or the current one.
static struct job *find_job(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "%";
	int number;

	if (!shell.job_groups) {
		complain_plain("%s: there is no job control", argv[0]);
		return NULL;
	}
	jobs_report();
	name += *name == '%';
	number = atoi(name);
	for (struct job *job = jobs; job; job = job->next)
		if (job->number && (!number || job->number == number))
			return job;
	complain_plain("%s: no such job", argv[0]);
	return NULL;
}

static void go_on(struct job *job)
{
	for (size_t i = 0; i < job->n; i++)
		if (job->members[i].state == STOPPED)
			job->members[i].state = RUNS;
	job->told = RUNS;
	kill(-job->group, SIGCONT);
}

int run_jobs(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (struct job *job = jobs; job; job = job->next) {
		look_at(job);
		if (job->number)
			tell(job);
	}
	return 0;
}

int run_fg(int argc, char **argv)
{
	struct job *job = find_job(argc, argv);

	if (!job)
		return 1;
	fprintf(stderr, "%s\n", job->text);
	tcsetpgrp(terminal, job->group);
	if (job->has_modes)
		tcsetattr(terminal, TCSADRAIN, &job->modes);
	go_on(job);
	return bring_to_front(job);
}

int run_bg(int argc, char **argv)
{
	struct job *job = find_job(argc, argv);

	if (!job)
		return 1;
	fprintf(stderr, "[%d] %s &\n", job->number, job->text);
	go_on(job);
	return 0;
}
