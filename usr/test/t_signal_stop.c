// SPDX-License-Identifier: MIT
// Stop and continue: what the parent hears, what calls do in between, and groups without a parent.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/tap.h"

static volatile sig_atomic_t count;
static volatile int code, status;
static volatile pid_t sender;

static void on_child(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	code = info->si_code;
	status = info->si_status;
	sender = info->si_pid;
	count++;
}

static void on_signal(int signo)
{
	(void)signo;
	count++;
}

static void hear_of_children(int flags)
{
	struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | flags};

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(SIGCHLD, &action, NULL));
}

static void handle(int signo, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(signo, &action, NULL));
}

static void block(int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

static volatile int *shared_words(void)
{
	return (volatile int *)map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void sleep_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static int wait_for(pid_t pid, int options)
{
	int word = -1;

	while (waitpid(pid, &word, options) < 0)
		CHECK_EQ(errno, EINTR);
	return word;
}

static void stop(pid_t pid, int signo)
{
	int word;

	CHECK_OK(kill(pid, signo));
	word = wait_for(pid, WUNTRACED);
	CHECK(WIFSTOPPED(word));
	CHECK_EQ(WSTOPSIG(word), signo);
}

static void go_on(pid_t pid)
{
	int word;

	CHECK_OK(kill(pid, SIGCONT));
	word = wait_for(pid, WCONTINUED);
	CHECK(WIFCONTINUED(word));
}

static void finish(pid_t pid)
{
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(WTERMSIG(end_child(pid)), SIGKILL);
}

static void wait_until(volatile int *word, int value)
{
	while (*word != value)
		sched_yield();
}

static void parent_hears(void)
{
	sigset_t none;
	pid_t pid;

	hear_of_children(0);
	sigemptyset(&none);
	block(SIGCHLD);
	pid = start_child(sleep_for_ever, NULL);
	CHECK_OK(kill(pid, SIGSTOP));
	while (count < 1)
		sigsuspend(&none);
	CHECK_EQ(code, CLD_STOPPED);
	CHECK_EQ(status, SIGSTOP);
	CHECK_EQ(sender, pid);
	CHECK_OK(kill(pid, SIGCONT));
	while (count < 2)
		sigsuspend(&none);
	CHECK_EQ(code, CLD_CONTINUED);
	CHECK_EQ(status, SIGCONT);
	CHECK_OK(kill(pid, SIGKILL));
	while (count < 3)
		sigsuspend(&none);
	CHECK_EQ(code, CLD_KILLED);
	CHECK_EQ(status, SIGKILL);
	end_child(pid);
}

static void parent_may_not_want_to_hear(void)
{
	pid_t pid;

	hear_of_children(SA_NOCLDSTOP);
	pid = start_child(sleep_for_ever, NULL);
	stop(pid, SIGSTOP); // waiting works all the same
	go_on(pid);
	CHECK_EQ(count, 0);
	finish(pid);
	CHECK_EQ(count, 1);
}

static void each_report_comes_once(void)
{
	pid_t pid = start_child(sleep_for_ever, NULL);

	stop(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, NULL, WUNTRACED | WNOHANG), 0);
	go_on(pid);
	CHECK_EQ(waitpid(pid, NULL, WCONTINUED | WUNTRACED | WNOHANG), 0);
	finish(pid);
}

static void stopped_can_be_killed(void)
{
	pid_t pid = start_child(sleep_for_ever, NULL);

	stop(pid, SIGSTOP);
	finish(pid);
}

// Anything else waits until it goes on.
static void stopped_is_not_ended(void)
{
	pid_t pid = start_child(sleep_for_ever, NULL);

	stop(pid, SIGSTOP);
	CHECK_OK(kill(pid, SIGTERM));
	for (int i = 0; i < 100; i++)
		sched_yield();
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(WTERMSIG(end_child(pid)), SIGTERM);
}

static void run_handler(void *arg)
{
	volatile int *words = arg;
	sigset_t none;

	handle(SIGCONT, on_signal);
	sigemptyset(&none);
	block(SIGCONT);
	words[0] = 1;
	while (!count)
		sigsuspend(&none);
	_exit(7);
}

// SIGCONT does its work when it is sent; its handler runs then.
static void continue_has_a_handler(void)
{
	volatile int *words = shared_words();
	pid_t pid = start_child(run_handler, (void *)(uintptr_t)words);

	wait_until(&words[0], 1);
	stop(pid, SIGSTOP);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(WEXITSTATUS(end_child(pid)), 7);
}

static void cancel_each_other(void)
{
	sigset_t both, pending;

	sigemptyset(&both);
	sigaddset(&both, SIGTSTP);
	sigaddset(&both, SIGCONT);
	CHECK_OK(sigprocmask(SIG_BLOCK, &both, NULL));
	CHECK_OK(kill(getpid(), SIGTSTP));
	CHECK_OK(kill(getpid(), SIGCONT));
	CHECK_OK(sigpending(&pending));
	CHECK(!sigismember(&pending, SIGTSTP));
	CHECK(sigismember(&pending, SIGCONT));
	CHECK_OK(kill(getpid(), SIGTSTP));
	CHECK_OK(sigpending(&pending));
	CHECK(sigismember(&pending, SIGTSTP));
	CHECK(!sigismember(&pending, SIGCONT));
	CHECK_OK(kill(getpid(), SIGCONT));
}

static int ends[2];

static void read_a_byte(void *arg)
{
	volatile int *words = arg;
	char c;

	words[0] = 1;
	_exit(read(ends[0], &c, 1) == 1 ? c : 99);
}

// Where no handler runs, a call that a stop broke off goes on.
static void read_goes_on(void)
{
	volatile int *words = shared_words();
	pid_t pid;

	CHECK_OK(pipe(ends));
	pid = start_child(read_a_byte, (void *)(uintptr_t)words);
	wait_until(&words[0], 1);
	stop(pid, SIGSTOP);
	go_on(pid);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(WEXITSTATUS(end_child(pid)), 'x');
}

static void sleep_a_moment(void *arg)
{
	volatile int *words = arg;
	struct timespec time = {words[1] / 1000, words[1] % 1000 * 1000000L}, left = {0, 0};

	words[0] = 1;
	_exit(nanosleep(&time, &left) == 0 ? 3 : 99);
}

// A child that has slept enough before it could be stopped shows nothing: the next sleeps longer.
static void sleep_goes_on(void)
{
	volatile int *words = shared_words();
	int word = 0;
	pid_t pid;

	for (words[1] = 50; !WIFSTOPPED(word); words[1] *= 2) {
		words[0] = 0;
		pid = start_child(sleep_a_moment, (void *)(uintptr_t)words);
		wait_until(&words[0], 1);
		CHECK_OK(kill(pid, SIGSTOP));
		word = wait_for(pid, WUNTRACED);
		CHECK(WIFSTOPPED(word) || WEXITSTATUS(word) == 3);
	}
	go_on(pid);
	CHECK_EQ(WEXITSTATUS(end_child(pid)), 3);
}

static void suspend_until_signal(void *arg)
{
	volatile int *words = arg;
	sigset_t none;

	handle(SIGUSR1, on_signal);
	sigemptyset(&none);
	block(SIGUSR1);
	words[0] = 1;
	words[1] = sigsuspend(&none) == -1 && errno == EINTR && count == 1;
	_exit(4);
}

// sigsuspend and pause wait for a handler; a stop is none.
static void suspend_goes_on(void)
{
	volatile int *words = shared_words();
	pid_t pid = start_child(suspend_until_signal, (void *)(uintptr_t)words);

	wait_until(&words[0], 1);
	stop(pid, SIGSTOP);
	go_on(pid);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EQ(WEXITSTATUS(end_child(pid)), 4);
	CHECK_EQ(words[1], 1);
}

// A group of an own session with nobody above it: the terminal's stops do nothing there.
static void stop_as_orphan(void *arg)
{
	(void)arg;
	CHECK_OK(setsid());
	handle(SIGTSTP, SIG_DFL);
	CHECK_OK(kill(getpid(), SIGTSTP));
	CHECK_OK(kill(getpid(), SIGTTIN));
	CHECK_OK(kill(getpid(), SIGTTOU));
	_exit(6);
}

static void orphans_do_not_stop(void)
{
	CHECK_EQ(WEXITSTATUS(end_child(start_child(stop_as_orphan, NULL))), 6);
}

static void on_hangup(int signo)
{
	(void)signo;
	_exit(0);
}

static void be_stopped(volatile int *words)
{
	handle(SIGHUP, on_hangup);
	words[0] = getpid();
	kill(getpid(), SIGSTOP);
	words[1] = 1; // the hang-up comes first
	_exit(0);
}

// The middle of three: it has a job in a group of its own, which stops; then it ends.
static void leave_a_stopped_job(void *arg)
{
	volatile int *words = arg;
	pid_t job = fork();

	if (job == 0)
		be_stopped(words);
	CHECK_OK(setpgid(job, job));
	CHECK(WIFSTOPPED(wait_for(job, WUNTRACED)));
	_exit(0);
}

// Its job's group is an orphan then: SIGHUP, and SIGCONT so that it gets it.
static void orphaned_jobs_are_hung_up(void)
{
	volatile int *words = shared_words();

	must_exit_well(start_child(leave_a_stopped_job, (void *)(uintptr_t)words));
	CHECK(words[0] > 0);
	while (kill(words[0], 0) == 0)
		sched_yield();
	CHECK_EQ(errno, ESRCH);
	CHECK_EQ(words[1], 0);
}

static const struct test tests[] = {
	{"parent_hears", parent_hears},
	{"parent_may_not_want_to_hear", parent_may_not_want_to_hear},
	{"each_report_comes_once", each_report_comes_once},
	{"stopped_can_be_killed", stopped_can_be_killed},
	{"stopped_is_not_ended", stopped_is_not_ended},
	{"continue_has_a_handler", continue_has_a_handler},
	{"cancel_each_other", cancel_each_other},
	{"read_goes_on", read_goes_on},
	{"sleep_goes_on", sleep_goes_on},
	{"suspend_goes_on", suspend_goes_on},
	{"orphans_do_not_stop", orphans_do_not_stop},
	{"orphaned_jobs_are_hung_up", orphaned_jobs_are_hung_up},
};

TEST_MAIN(tests)
