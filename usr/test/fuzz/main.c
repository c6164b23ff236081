// SPDX-License-Identifier: MIT
// fuzz: system calls with arguments that are good, odd and hostile, by several processes and
// threads.
//
//	fuzz [-s SEED] [-t SECONDS] [-r ROUND] [-n ROUNDS] [-w WORKERS] [-v]
//
// A round is WORKERS processes (default 3), each a user of its own, with limits, that make calls
// for a while; every other round somebody holds most of the machine's memory. SEED (default: from
// the clock; printed) and the number of the round decide what each of them calls: -s SEED -r ROUND
// -n 1 makes that round again, as far as the threads of a worker and its neighbours allow. -t: how
// long rounds are begun (default 120); -v: say every call before it is made.
//
// It is TAP. Found are errors that a call's row in abi/syscalls.def does not have, kernel
// addresses, and the poison of debug builds in what comes back, and a process that cannot be ended;
// a panic, which a lock report is, and a machine that stands still are for who runs it. Afterwards
// the machine must be as it was: processes, frames, kernel memory by cache, disk blocks.
//
// BEYOND_CORE: workers are users, and the core has one.
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/stock.h"

#define FOLDER       "/fuzz"
#define FIRST_USER   2000
#define ROUND_CALLS  1500
#define ROUND_S      4 // then who still waits is killed
#define HANG_S       60
#define LITTLE_KIB   80000 // of memory: where somebody holds most of it
#define LEAVE_KIB    3000
#define SPARE        16 // objects that caches may have more of
#define WARM_ROUNDS  4
#define MOST_WORKERS 8

struct findings *findings;

static struct {
	uint64_t seed;
	unsigned seconds, first, rounds, workers;
	bool verbose;
} options = {.seconds = 120, .workers = 3};

static unsigned passed, failed;

static void verdict(bool good, const char *name, const char *why)
{
	printf("%s %u - %s%s%s\n", good ? "ok" : "not ok", passed + failed + 1, name,
		good ? "" : ": ", good ? "" : why);
	fflush(stdout);
	if (good)
		passed++;
	else
		failed++;
}

// --- the folder

static void make_node(const char *name, mode_t mode)
{
	if (mknod(name, mode, 0) != 0 || chmod(name, mode & 07777) != 0)
		perror(name);
}

static void begin_folder(void)
{
	umask(0);
	remove_all(FOLDER);
	if (mkdir(FOLDER, 0777) != 0 || chdir(FOLDER) != 0 || mkdir("dir", 0777) != 0) {
		perror(FOLDER);
		exit(2);
	}
	make_node("a", S_IFREG | 0666);
	make_node("b", S_IFREG | 0666);
	make_node("c", S_IFREG | 0666);
	make_node("dir/a", S_IFREG | 0666);
	make_node("fifo", S_IFIFO | 0666);
	if (symlink("dir/a", "link") != 0 || symlink("loop", "loop") != 0)
		perror("symlink");
}

static void end_folder(void)
{
	if (chdir("/") != 0)
		perror("/");
	remove_all(FOLDER);
	unlink("/dev/shm/fuzz");
}

// --- rounds

static void become(unsigned user)
{
	if (setgid(user) != 0 || setuid(user) != 0)
		_exit(2);
	setsid();
}

// All that a user's processes have begun ends, wherever it has gone.
static void end_user(unsigned user)
{
	pid_t pid;

	while ((pid = fork()) < 0)
		sched_yield();
	if (pid == 0) {
		become(user);
		for (int i = 0; i < 50 && kill(-1, SIGKILL) == 0; i++)
			sched_yield();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void hold_memory(void)
{
	char *p;

	while (number_in("/proc/meminfo", "MemAvailable", ':') > LEAVE_KIB) {
		p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (p == MAP_FAILED)
			break;
	}
	for (;;)
		pause();
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	struct rng r = {a * 0x9e3779b97f4a7c15ul + b + 1};

	rng_next(&r);
	return rng_next(&r);
}

static void nothing(int sig)
{
	(void)sig;
}

// An alarm interrupts what waits, after so many seconds and every second from then on.
static void alarm_after(unsigned seconds)
{
	struct itimerval limit = {{1, 0}, {seconds, 0}}, off = {{0, 0}, {0, 0}};

	setitimer(ITIMER_REAL, seconds ? &limit : &off, NULL);
}

static void wait_for(const pid_t *workers, unsigned n)
{
	unsigned i = 0;

	alarm_after(ROUND_S);
	while (i < n && (workers[i] < 0 || waitpid(workers[i], NULL, 0) > 0 || errno != EINTR))
		i++;
	alarm_after(0);
}

// Who was killed must be gone some time.
static void wait_for_all(unsigned round)
{
	char why[96];

	alarm_after(HANG_S);
	while (waitpid(-1, NULL, 0) > 0)
		;
	if (errno != EINTR) {
		alarm_after(0);
		return;
	}
	snprintf(why, sizeof why, "seed %#lx, round %u: one is still there",
		(unsigned long)options.seed, round);
	verdict(false, "everybody_can_be_ended", why);
	exit(1);
}

static bool has_little_memory(void)
{
	return number_in("/proc/meminfo", "MemTotal", ':') < LITTLE_KIB;
}

static void one_round(unsigned round)
{
	pid_t workers[MOST_WORKERS], holder = 0;

	if (round % 2 && has_little_memory() && (holder = fork()) == 0)
		hold_memory();
	for (unsigned i = 0; i < options.workers; i++) {
		workers[i] = fork();
		if (workers[i] == 0) {
			become(FIRST_USER + i);
			work(mix(mix(options.seed, round), i), ROUND_CALLS, options.verbose);
		}
	}
	wait_for(workers, options.workers); // where memory is short some could not be made
	if (holder > 0)
		kill(holder, SIGKILL);
	for (unsigned i = 0; i < options.workers; i++)
		end_user(FIRST_USER + i);
	wait_for_all(round);
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static unsigned run_rounds(unsigned first, unsigned rounds, unsigned seconds)
{
	time_t end = now() + seconds;
	unsigned round = first;

	begin_folder();
	while (rounds ? round < first + rounds : now() < end)
		one_round(round++);
	end_folder();
	return round;
}

// --- the verdict

// The seed is part of the reason: it replays what was found.
static void judge_findings(void)
{
	unsigned n = findings->n < FINDINGS ? findings->n : FINDINGS;
	char why[1024];
	int at = snprintf(why, sizeof why, "seed %#lx", (unsigned long)options.seed);

	for (unsigned i = 0; i < n; i++) {
		printf("# %s\n", findings->text[i]);
		if (at < (int)sizeof why)
			at += snprintf(why + at, sizeof why - at, "; %s", findings->text[i]);
	}
	verdict(n == 0, "results_are_those_of_the_table", why);
}

// A fuzzer whose calls all fail is none: of the calls that can succeed so many must have.
static void judge_reach(void)
{
	unsigned calls = 0, went = 0;
	char why[64];

	printf("# never succeeded:");
	for (int i = 0; i < CALL_SLOTS; i++) {
		const struct call_row *call = call_of(i);

		if (!call || call->is == ROW_ABSENT)
			continue;
		calls++;
		went += findings->went[i] != 0;
		if (!findings->went[i])
			printf(" %s", call->name);
	}
	snprintf(why, sizeof why, "%u of %u", went, calls);
	printf("\n# %s calls succeeded, in %lu calls\n", why, (unsigned long)findings->calls);
	verdict(went * 2 > calls, "calls_go_some_way", why);
}

// Nor is one whose processes make no others, or have all the memory they want.
static void judge_company(long reclaimed)
{
	bool tight = !has_little_memory() || reclaimed > 0;
	char why[96];

	snprintf(why, sizeof why, "%u processes and %u threads made, %ld pages reclaimed",
		findings->processes, findings->threads, reclaimed);
	printf("# %s\n", why);
	verdict(findings->processes > 0 && findings->threads > 0 && tight, "there_is_company", why);
}

static bool parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "s:t:r:n:w:v")) != -1) {
		switch (option) {
		case 's':
			options.seed = strtoul(optarg, NULL, 0);
			break;
		case 't':
			options.seconds = (unsigned)atoi(optarg);
			break;
		case 'r':
			options.first = (unsigned)atoi(optarg);
			break;
		case 'n':
			options.rounds = (unsigned)atoi(optarg);
			break;
		case 'w':
			options.workers = (unsigned)atoi(optarg);
			break;
		case 'v':
			options.verbose = true;
			break;
		default:
			return false;
		}
	}
	return optind == argc && options.workers >= 1 && options.workers <= MOST_WORKERS;
}

int main(int argc, char **argv)
{
	struct sigaction on_alarm = {.sa_handler = nothing};
	struct timespec clock;
	char why[512];

	clock_gettime(CLOCK_REALTIME, &clock);
	options.seed = (uint64_t)clock.tv_sec ^ (uint64_t)clock.tv_nsec << 20;
	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: fuzz [-s SEED] [-t SECONDS] [-r ROUND] [-n ROUNDS] [-w "
				"WORKERS] [-v]\n");
		return 2;
	}
	printf("# seed %#lx\n", (unsigned long)options.seed);
	fflush(stdout);
	sigaction(SIGALRM, &on_alarm, NULL);
	findings = mmap(
		NULL, sizeof *findings, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (findings == MAP_FAILED)
		return 2;

	run_rounds(options.first, WARM_ROUNDS, 0); // now the kernel has what it keeps for good
	struct stock *before = take_stock();
	long reclaimed = number_in("/proc/vmstat", "mapache_reclaim_freed", ' ');
	unsigned end = run_rounds(options.first, options.rounds, options.seconds);

	printf("# rounds %u to %u\n", options.first, end);
	judge_findings();
	judge_reach();
	judge_company(number_in("/proc/vmstat", "mapache_reclaim_freed", ' ') - reclaimed);
	verdict(is_well(before, SPARE, why, sizeof why), "the_machine_is_well", why);
	printf("1..%u\n", passed + failed);
	return failed != 0;
}
