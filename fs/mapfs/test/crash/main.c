// SPDX-License-Identifier: MIT
/*
 * mapfs_crash: does mapfs keep what it promised, wherever the power goes away?
 *
 * The problem.  A crash leaves what was flushed and any part of what was not, in any order.  A test
 * that cuts the power now and then meets almost none of these states.  Here they are made, one
 * after the other, and each is mounted and looked at:
 *
 *	 workload.c      which operations                       model.c   what they mean
 *	     |                                                     |
 *	 record.c        done once, for real, over the recording test disk
 *	     |           writes, flushes, calls, returns   (lost.c: after an earlier crash)
 *	 units.c         writes, cut into blocks
 *	     |
 *	 states.c        epoch by epoch: which blocks (and sectors) arrived
 *	     |
 *	 medium.c        the disk in that state; its hash says whether it is new
 *	     |
 *	 explore.c       mount, observe.c, unmount, fsck -n, oracle.c; now and then, the same for
 *	                 crashes inside that mount
 *
 * The file system is the real one, with the real page cache, on one thread: a workload's recording
 * is the same each time, so a failure is replayed by the text of its workload and of its state,
 * which is printed.  Workers are processes, one a core, that take workload after workload; the
 * hashes of images are in memory that they share, so identical ones count once.
 *
 * Of operations that run at the same time only those are tried whose order is known: one that runs
 * while another one syncs (meet.c).  The threads' tests run them in any order, and disks that lie
 * are not tried.
 *
 * To read: op.h, model.h, record.h, units.h, states.h, oracle.h, explore.h; then this file.
 */
#include "explore.h"
#include "workload.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
	"usage: mapfs_crash [OPTION...]\n"
	"\n"
	"Cuts the power at every moment of many short workloads and checks what recovery makes of "
	"it.\n"
	"Exit status 0: all good; 1: a state is wrong (its workload and state are printed).\n"
	"\n"
	"  --images N       stop after about N distinct images (but do all single operations "
	"first)\n"
	"  --pairs N|all    sequences of two operations: N drawn by the seed (300), or all\n"
	"  --long N         random workloads (20), --length L operations each (24)\n"
	"  --complete K     all subsets of an epoch of up to K blocks (12)\n"
	"  --random N       subsets of an epoch that has too many for all (10000; inside "
	"recovery,\n"
	"                   a hundredth of it)\n"
	"  --deep N         one state in N also crashes while it recovers (64; 0: none)\n"
	"  --seed S         for all that is drawn (printed; else from the clock)\n"
	"  --jobs N         worker processes (as many as there are cores)\n"
	"  --shard I/N      every Nth workload from the Ith on, I from 0: for several machines, as "
	"in\n"
	"                   parallel -S HOSTS mapfs_crash --seed 1 --pairs all --shard {}/8 ::: "
	"{0..7}\n"
	"  --resume FILE    workloads that FILE lists are done; those that get done are added\n"
	"  --list           print the workloads\n"
	"  --find           of a planted bug: exit 0 when a state is wrong, 1 when none is\n"
	"  --workload TEXT  only this one, operations with ; between them\n"
	"  --state TEXT     of it only this state\n";

/* Without --images there is room for so many. */
#define MANY_IMAGES (8u << 20)

/* Then the rest is not worth the time. */
#define MOST_FAILURES 10u

struct options {
	struct workloads set;
	struct explore explore;
	uint64_t images;
	unsigned jobs, shard, shards;
	const char *resume, *workload, *state;
	bool list, find;
};

static void die(const char *what, const char *more)
{
	fprintf(stderr, "mapfs_crash: %s%s\n", what, more);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (*end || end == text)
		die("not a number: ", text);
	return n;
}

static void parse_shard(struct options *o, const char *text)
{
	if (sscanf(text, "%u/%u", &o->shard, &o->shards) != 2 || o->shard >= o->shards)
		die("--shard wants I/N with I below N, not ", text);
}

static void parse_one(struct options *o, int c)
{
	switch (c) {
	case 'i':
		o->images = number(optarg);
		break;
	case 'p':
		o->set.pairs =
			strcmp(optarg, "all") ? (unsigned)number(optarg) : WORKLOAD_ALL_PAIRS;
		break;
	case 'l':
		o->set.longs = (unsigned)number(optarg);
		break;
	case 'L':
		o->set.length = (unsigned)number(optarg);
		break;
	case 'r':
		o->explore.states.random = (unsigned)number(optarg);
		break;
	case 'c':
		o->explore.states.complete = (unsigned)number(optarg);
		if (o->explore.states.complete > STATES_COMPLETE_MAX)
			die("--complete is too many: ", optarg);
		break;
	case 'd':
		o->explore.deep = (unsigned)number(optarg);
		break;
	case 's':
		o->set.seed = number(optarg);
		break;
	case 'j':
		o->jobs = (unsigned)number(optarg);
		break;
	case 'n':
		parse_shard(o, optarg);
		break;
	case 'f':
		o->resume = optarg;
		break;
	case 'w':
		o->workload = optarg;
		break;
	case 't':
		o->state = optarg;
		break;
	case 'q':
		o->list = true;
		break;
	case 'b':
		o->find = true;
		break;
	default:
		fputs(usage, c == 'h' ? stdout : stderr);
		exit(c == 'h' ? 0 : 2);
	}
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {{"images", 1, NULL, 'i'}, {"pairs", 1, NULL, 'p'},
		{"long", 1, NULL, 'l'}, {"length", 1, NULL, 'L'}, {"random", 1, NULL, 'r'},
		{"complete", 1, NULL, 'c'}, {"deep", 1, NULL, 'd'}, {"seed", 1, NULL, 's'},
		{"jobs", 1, NULL, 'j'}, {"shard", 1, NULL, 'n'}, {"resume", 1, NULL, 'f'},
		{"workload", 1, NULL, 'w'}, {"state", 1, NULL, 't'}, {"list", 0, NULL, 'q'},
		{"find", 0, NULL, 'b'}, {"help", 0, NULL, 'h'}, {0}};
	int c;

	*o = (struct options){
		.set = {.seed = (uint64_t)time(NULL), .pairs = 300, .longs = 20, .length = 24},
		.explore = {.states = {.complete = 12, .random = 10000}, .deep = 64},
		.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
		.shards = 1};
	while ((c = getopt_long(argc, argv, "h", names, NULL)) != -1)
		parse_one(o, c);
	if (optind < argc)
		die("not an option: ", argv[optind]);
	if (o->state && !o->workload)
		die("--state wants --workload", "");
	if (o->workload)
		o->jobs = 1;
	o->explore.seed = o->set.seed;
}

/* --- Workers ----------------------------------------------------------------------------- */

/* Where a worker is, for the one that waits for it. */
struct place {
	char workload[RECORD_TEXT_BYTES];
	char state[STATE_TEXT_BYTES];
};

struct machine {
	struct options o;
	struct shared *shared;
	bool *done; /* by earlier runs, by workload */
	unsigned count;
	FILE *resume;
};

static void report(const struct machine *m, const struct place *at, const char *why)
{
	printf("%sok - %s\n# repeat: mapfs_crash --workload '%s' --state %s\n",
		m->o.find ? "" : "not ", why, at->workload, at->state);
	fflush(stdout);
}

static bool enough(void *arg)
{
	struct machine *m = arg;

	if (shared_full(m->shared))
		return true;
	return m->o.images && __atomic_load_n(&m->shared->images, __ATOMIC_RELAXED) >= m->o.images;
}

/* One line, written at once, so that workers do not mix theirs. */
static void note_done(struct machine *m, unsigned i)
{
	if (!m->resume)
		return;
	fprintf(m->resume, "%u\n", i);
	fflush(m->resume);
}

/* The workload, or the state of it, that was asked for. */
static bool explore_given(
	struct explore *x, const struct options *o, struct place *at, char why[512])
{
	bool good;

	snprintf(at->workload, sizeof(at->workload), "%s", o->workload);
	if (!o->state)
		return explore_workload(x, o->workload, why);
	good = explore_state(x, o->workload, o->state, why);
	snprintf(at->state, sizeof(at->state), "%s", o->state);
	return good;
}

static void work_on(struct machine *m, struct place *at, unsigned i)
{
	struct explore x = m->o.explore;
	char why[512];
	bool good;

	x.state = at->state;
	x.arg = m;
	if (m->o.workload) {
		good = explore_given(&x, &m->o, at, why);
	} else {
		workload_text(&m->o.set, i, at->workload, sizeof(at->workload));
		x.enough = i < workload_always() ? NULL : enough;
		good = explore_workload(&x, at->workload, why);
	}
	if (!good) {
		report(m, at, why);
		__atomic_fetch_add(&m->shared->failures, 1, __ATOMIC_RELAXED);
	} else if (!(x.enough && enough(m))) {
		__atomic_fetch_add(&m->shared->workloads, 1, __ATOMIC_RELAXED);
		note_done(m, i);
	}
}

/* Take workloads until none is left, enough images were seen, or too much is wrong. */
static void worker(struct machine *m, struct place *at)
{
	for (;;) {
		uint64_t i = __atomic_fetch_add(&m->shared->next, 1, __ATOMIC_RELAXED);
		if (i >= m->count || m->shared->failures >= (m->o.find ? 1 : MOST_FAILURES))
			return;
		if (i % m->o.shards != m->o.shard || m->done[i])
			continue;
		if (i >= workload_always() && enough(m))
			return;
		work_on(m, at, (unsigned)i);
	}
}

static void read_resume(struct machine *m)
{
	unsigned i;

	m->done = calloc(m->count + 1, sizeof(*m->done));
	if (!m->o.resume)
		return;
	m->resume = fopen(m->o.resume, "a+");
	if (!m->resume)
		die("cannot be opened: ", m->o.resume);
	while (fscanf(m->resume, "%u", &i) == 1)
		if (i < m->count)
			m->done[i] = true;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start_workers(struct machine *m, struct place *places, pid_t *pids)
{
	for (unsigned j = 0; j < m->o.jobs; j++) {
		pids[j] = fork();
		if (pids[j] < 0)
			die("cannot fork", "");
		if (pids[j] == 0) {
			worker(m, &places[j]);
			exit(0);
		}
	}
}

/* The worker was looking at a state that made it die. */
static void died(struct machine *m, const struct place *at)
{
	report(m, at, "the file system died");
	__atomic_fetch_add(&m->shared->failures, 1, __ATOMIC_RELAXED);
}

static void show_rate(const struct machine *m, double seconds, FILE *to)
{
	fprintf(to,
		"# %llu workloads, %llu distinct images, %llu of them inside recovery, in %.0f s: "
		"%.0f a second\n",
		(unsigned long long)m->shared->workloads, (unsigned long long)m->shared->images,
		(unsigned long long)m->shared->deep, seconds, (double)m->shared->images / seconds);
	fflush(to);
}

/* SIGCHLD is blocked.  On a terminal the rate is shown now and then. */
static void wait_for_workers(struct machine *m, const struct place *places, const pid_t *pids,
	const sigset_t *child, double began)
{
	const struct timespec patience = {.tv_sec = 10};
	unsigned left = m->o.jobs;
	int status;
	pid_t pid;

	while (left) {
		if (sigtimedwait(child, NULL, &patience) < 0 && isatty(STDERR_FILENO))
			show_rate(m, now() - began, stderr);
		while (left && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
			left--;
			for (unsigned j = 0; j < m->o.jobs && status; j++)
				if (pids[j] == pid)
					died(m, &places[j]);
		}
	}
}

/* As an exit status. */
static int verdict(const struct machine *m)
{
	bool found = m->shared->failures > 0, few = m->shared->images < m->o.images;

	if (m->o.find && !found)
		printf("not ok - nothing is wrong with %llu distinct images\n",
			(unsigned long long)m->shared->images);
	if (m->o.find)
		return !found;
	if (found)
		return 1;
	if (few)
		printf("not ok - fewer than %llu images: there are no more workloads\n",
			(unsigned long long)m->o.images);
	else if (shared_full(m->shared))
		printf("not ok - more images than can be remembered: --images N makes room\n");
	else
		printf("ok - %llu distinct images\n", (unsigned long long)m->shared->images);
	return few || shared_full(m->shared);
}

static int explore_all(struct machine *m)
{
	struct place *places = mmap(NULL, m->o.jobs * sizeof(*places), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t *pids = calloc(m->o.jobs, sizeof(*pids));
	double began = now();
	sigset_t child;

	if (places == MAP_FAILED || !pids)
		die("out of memory", "");
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	printf("# seed %llu, %u workloads\n", (unsigned long long)m->o.set.seed, m->count);
	fflush(stdout);
	start_workers(m, places, pids);
	wait_for_workers(m, places, pids, &child, began);
	show_rate(m, now() - began, stdout);
	munmap(places, m->o.jobs * sizeof(*places));
	free(pids);
	return verdict(m);
}

static int list(const struct machine *m)
{
	char text[RECORD_TEXT_BYTES];

	for (unsigned i = m->o.shard; i < m->count; i += m->o.shards) {
		workload_text(&m->o.set, i, text, sizeof(text));
		printf("%u %s\n", i, text);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct machine m = {0};
	int status;

	parse(&m.o, argc, argv);
	m.shared = m.o.explore.shared = shared_new(m.o.images ? m.o.images : MANY_IMAGES);
	m.count = m.o.workload ? 1 : workload_count(&m.o.set);
	if (m.o.list)
		return list(&m);
	read_resume(&m);
	status = explore_all(&m);
	free(m.done);
	return status;
}
