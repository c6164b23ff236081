// SPDX-License-Identifier: MIT
/*
 * threads [CASE...]: what POSIX threads promise, a case a line; all of them without a name.
 *
 * A case prints "ok NAME" when every assertion in it held, and ends the program with a message and
 * status 1 at the first that did not.  Nothing it prints depends on the order in which threads run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MUST(condition) ((condition) ? (void)0 : failed(__func__, __LINE__, #condition))

static _Noreturn void failed(const char *where, int line, const char *what)
{
	fprintf(stderr, "threads: %s, line %d: %s\n", where, line, what);
	_exit(1);
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	MUST(pthread_create(&thread, NULL, fn, arg) == 0);
	return thread;
}

static void *join(pthread_t thread)
{
	void *result;

	MUST(pthread_join(thread, &result) == 0);
	return result;
}

static struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* --- create and join ------------------------------------------------------------------------ */

static void *twice(void *arg)
{
	return (char *)arg + (size_t)arg;
}

static void *ends_itself(void *arg)
{
	pthread_exit((char *)arg + 1);
}

static void case_join(void)
{
	pthread_t thread[16];

	for (size_t round = 0; round < 20; round++) {
		for (size_t i = 0; i < 16; i++)
			thread[i] = start(i % 2 ? twice : ends_itself, (void *)(i + 1));
		for (size_t i = 0; i < 16; i++)
			MUST(join(thread[i]) == (void *)(i % 2 ? 2 * (i + 1) : i + 2));
	}
}

/* --- mutexes -------------------------------------------------------------------------------- */

#define MANY   8
#define ROUNDS 5000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *counts(void *arg)
{
	pthread_mutex_t *lock = arg;

	for (int i = 0; i < ROUNDS; i++) {
		long seen;

		MUST(pthread_mutex_lock(lock) == 0);
		seen = counter;
		if (i % 64 == 0)
			sched_yield();
		counter = seen + 1;
		MUST(pthread_mutex_unlock(lock) == 0);
	}
	return NULL;
}

static void crowd(void *(*fn)(void *), void *arg)
{
	pthread_t thread[MANY];

	for (int i = 0; i < MANY; i++)
		thread[i] = start(fn, arg);
	for (int i = 0; i < MANY; i++)
		join(thread[i]);
}

static void mutex_of(pthread_mutex_t *m, int type, int robust, int shared)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	MUST(pthread_mutexattr_settype(&attr, type) == 0);
	MUST(pthread_mutexattr_setrobust(&attr, robust) == 0);
	MUST(pthread_mutexattr_setpshared(&attr, shared) == 0);
	MUST(pthread_mutex_init(m, &attr) == 0);
	pthread_mutexattr_destroy(&attr);
}

static void *tries(void *arg)
{
	struct timespec soon = in_ms(CLOCK_REALTIME, 20);

	MUST(pthread_mutex_trylock(arg) == EBUSY);
	MUST(pthread_mutex_timedlock(arg, &soon) == ETIMEDOUT);
	return NULL;
}

static void case_mutex(void)
{
	pthread_mutex_t m;

	counter = 0;
	crowd(counts, &mutex);
	MUST(counter == MANY * ROUNDS);

	mutex_of(&m, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	MUST(pthread_mutex_lock(&m) == 0 && pthread_mutex_lock(&m) == 0);
	join(start(tries, &m));
	MUST(pthread_mutex_unlock(&m) == 0 && pthread_mutex_unlock(&m) == 0);

	mutex_of(&m, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	MUST(pthread_mutex_unlock(&m) == EPERM);
	MUST(pthread_mutex_lock(&m) == 0 && pthread_mutex_lock(&m) == EDEADLK);
	MUST(pthread_mutex_unlock(&m) == 0);
}

static void *dies_with_it(void *arg)
{
	MUST(pthread_mutex_lock(arg) == 0);
	return NULL;
}

static void case_robust(void)
{
	pthread_mutex_t *m =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	MUST(m != MAP_FAILED);
	mutex_of(m, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED);
	join(start(dies_with_it, m));
	MUST(pthread_mutex_lock(m) == EOWNERDEAD);
	MUST(pthread_mutex_consistent(m) == 0 && pthread_mutex_unlock(m) == 0);

	pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(m);
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid && status == 0);
	MUST(pthread_mutex_lock(m) == EOWNERDEAD);
	MUST(pthread_mutex_unlock(m) == 0);
	MUST(pthread_mutex_lock(m) == ENOTRECOVERABLE);
	munmap(m, 4096);
}

/* --- condition variables -------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t not_empty, not_full;
	int ring[4], first, n;
	long taken;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
	.not_empty = PTHREAD_COND_INITIALIZER,
	.not_full = PTHREAD_COND_INITIALIZER};

static void *puts_in(void *arg)
{
	for (int i = 1; i <= ROUNDS / 5; i++) {
		pthread_mutex_lock(&queue.lock);
		while (queue.n == 4)
			pthread_cond_wait(&queue.not_full, &queue.lock);
		queue.ring[(queue.first + queue.n++) % 4] = i;
		pthread_cond_signal(&queue.not_empty);
		pthread_mutex_unlock(&queue.lock);
	}
	return arg;
}

static void *takes_out(void *arg)
{
	for (int i = 1; i <= ROUNDS / 5; i++) {
		pthread_mutex_lock(&queue.lock);
		while (queue.n == 0)
			pthread_cond_wait(&queue.not_empty, &queue.lock);
		queue.taken += queue.ring[queue.first];
		queue.first = (queue.first + 1) % 4;
		queue.n--;
		pthread_cond_signal(&queue.not_full);
		pthread_mutex_unlock(&queue.lock);
	}
	return arg;
}

static pthread_cond_t gate = PTHREAD_COND_INITIALIZER;
static int gate_open, waiting;

static void *waits_at_gate(void *arg)
{
	pthread_mutex_lock(&mutex);
	waiting++;
	while (!gate_open)
		pthread_cond_wait(&gate, &mutex);
	waiting--;
	pthread_mutex_unlock(&mutex);
	return arg;
}

static void case_condition(void)
{
	pthread_t thread[MANY];
	pthread_condattr_t attr;
	pthread_cond_t cond;
	struct timespec soon;

	for (int i = 0; i < MANY; i++)
		thread[i] = start(i % 2 ? puts_in : takes_out, NULL);
	for (int i = 0; i < MANY; i++)
		join(thread[i]);
	MUST(queue.n == 0 && queue.taken == (long)MANY / 2 * (ROUNDS / 5) * (ROUNDS / 5 + 1) / 2);

	for (int i = 0; i < MANY; i++)
		thread[i] = start(waits_at_gate, NULL);
	for (int all = 0; !all; sched_yield()) {
		pthread_mutex_lock(&mutex);
		all = waiting == MANY;
		pthread_mutex_unlock(&mutex);
	}
	pthread_mutex_lock(&mutex);
	gate_open = 1;
	pthread_cond_broadcast(&gate);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < MANY; i++)
		join(thread[i]);
	MUST(waiting == 0);

	for (int monotonic = 0; monotonic < 2; monotonic++) {
		clockid_t clock = monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME;

		pthread_condattr_init(&attr);
		MUST(pthread_condattr_setclock(&attr, clock) == 0);
		pthread_cond_init(&cond, &attr);
		soon = in_ms(clock, 20);
		pthread_mutex_lock(&mutex);
		MUST(pthread_cond_timedwait(&cond, &mutex, &soon) == ETIMEDOUT);
		pthread_mutex_unlock(&mutex);
		pthread_cond_destroy(&cond);
	}
}

/* --- barriers, semaphores, read-write locks, once ------------------------------------------- */

static pthread_barrier_t barrier;
static atomic_int serial, phase_sum[10];

static void *in_phases(void *arg)
{
	for (int phase = 0; phase < 10; phase++) {
		phase_sum[phase]++;
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			serial++;
		MUST(phase_sum[phase] == MANY);
	}
	return arg;
}

static void case_barrier(void)
{
	MUST(pthread_barrier_init(&barrier, NULL, MANY) == 0);
	crowd(in_phases, NULL);
	MUST(serial == 10);
	pthread_barrier_destroy(&barrier);
}

static sem_t items;

static void *posts(void *arg)
{
	for (int i = 0; i < 1000; i++)
		MUST(sem_post(&items) == 0);
	return arg;
}

static void case_semaphore(void)
{
	struct timespec soon;
	pthread_t thread;

	MUST(sem_init(&items, 0, 0) == 0);
	thread = start(posts, NULL);
	for (int i = 0; i < 1000; i++)
		while (sem_wait(&items) != 0)
			MUST(errno == EINTR);
	join(thread);
	MUST(sem_trywait(&items) == -1 && errno == EAGAIN);
	soon = in_ms(CLOCK_REALTIME, 20);
	MUST(sem_timedwait(&items, &soon) == -1 && errno == ETIMEDOUT);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2];

static void *reads_and_writes(void *arg)
{
	for (int i = 0; i < ROUNDS / 5; i++) {
		if (i % 8 == 0) {
			pthread_rwlock_wrlock(&rwlock);
			pair[0]++;
			sched_yield();
			pair[1]++;
		} else {
			pthread_rwlock_rdlock(&rwlock);
			MUST(pair[0] == pair[1]);
		}
		pthread_rwlock_unlock(&rwlock);
	}
	return arg;
}

static void case_rwlock(void)
{
	crowd(reads_and_writes, NULL);
	MUST(pair[0] == MANY * (ROUNDS / 5 / 8) && pair[1] == pair[0]);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int once_ran;

static void only_once(void)
{
	sched_yield();
	once_ran++;
}

static void *calls_once(void *arg)
{
	pthread_once(&once, only_once);
	MUST(once_ran == 1);
	return arg;
}

static void case_once(void)
{
	crowd(calls_once, NULL);
	MUST(once_ran == 1);
}

/* --- thread-local storage ------------------------------------------------------------------- */

static _Thread_local int zeroed;
static _Thread_local long set = 77;
static pthread_key_t key;
static atomic_int destroyed;

static void destroy(void *value)
{
	MUST(value != NULL);
	destroyed++;
}

static void *has_its_own(void *arg)
{
	MUST(zeroed == 0 && set == 77 && pthread_getspecific(key) == NULL);
	for (int i = 0; i < 1000; i++) {
		zeroed++;
		set++;
		errno = i;
		if (i % 100 == 0)
			sched_yield();
		MUST(errno == i);
	}
	MUST(zeroed == 1000 && set == 1077);
	MUST(pthread_setspecific(key, &set) == 0);
	return arg;
}

static void case_local(void)
{
	MUST(pthread_key_create(&key, destroy) == 0);
	crowd(has_its_own, NULL);
	MUST(destroyed == MANY && zeroed == 0 && set == 77);
	MUST(pthread_key_delete(key) == 0);
}

/* --- cancellation --------------------------------------------------------------------------- */

static atomic_int cleaned, ready;

static void clean(void *arg)
{
	cleaned += *(int *)arg;
}

static void *waits_forever(void *arg)
{
	int n = 1, fd[2];
	char byte;

	MUST(pipe(fd) == 0);
	pthread_cleanup_push(clean, &n);
	ready++;
	MUST(read(fd[0], &byte, 1) == 1);
	pthread_cleanup_pop(0);
	return arg;
}

static void *waits_for_condition(void *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	int n = 10;

	pthread_mutex_lock(&lock);
	pthread_cleanup_push(clean, &n);
	ready++;
	for (;;)
		pthread_cond_wait(&never, &lock);
	pthread_cleanup_pop(0);
	return arg;
}

static void *asks_now_and_then(void *arg)
{
	int n = 100, old;

	MUST(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old) == 0);
	pthread_cleanup_push(clean, &n);
	ready++;
	usleep(20000);
	pthread_testcancel();
	MUST(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old) == 0);
	for (;;)
		pthread_testcancel();
	pthread_cleanup_pop(0);
	return arg;
}

static void *spins(void *arg)
{
	int n = 1000, old;

	pthread_cleanup_push(clean, &n);
	MUST(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old) == 0);
	ready++;
	for (volatile long i = 0;; i++)
		;
	pthread_cleanup_pop(0);
	return arg;
}

static void case_cancel(void)
{
	void *(*const victims[])(void *) = {
		waits_forever, waits_for_condition, asks_now_and_then, spins};
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		thread[i] = start(victims[i], NULL);
	while (ready < 4)
		sched_yield();
	for (int i = 0; i < 4; i++)
		MUST(pthread_cancel(thread[i]) == 0);
	for (int i = 0; i < 4; i++)
		MUST(join(thread[i]) == PTHREAD_CANCELED);
	MUST(cleaned == 1111);
}

/* --- attributes ----------------------------------------------------------------------------- */

static void *knows_its_stack(void *arg)
{
	pthread_attr_t attr;
	size_t bytes, guard;
	void *base;
	char here;

	MUST(pthread_getattr_np(pthread_self(), &attr) == 0);
	MUST(pthread_attr_getstack(&attr, &base, &bytes) == 0);
	MUST(pthread_attr_getguardsize(&attr, &guard) == 0);
	MUST(&here >= (char *)base && &here < (char *)base + bytes);
	pthread_attr_destroy(&attr);
	return arg;
}

static void case_attributes(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	void *stack = NULL;
	cpu_set_t cpus;

	knows_its_stack(NULL); /* the main thread's, from /proc/self/maps */
	join(start(knows_its_stack, NULL));

	pthread_attr_init(&attr);
	MUST(pthread_attr_setstacksize(&attr, 256 << 10) == 0);
	MUST(pthread_create(&thread, &attr, knows_its_stack, NULL) == 0);
	join(thread);
	MUST(posix_memalign(&stack, 4096, 64 << 10) == 0);
	MUST(pthread_attr_setstack(&attr, stack, 64 << 10) == 0);
	MUST(pthread_create(&thread, &attr, twice, NULL) == 0);
	join(thread);
	free(stack);

	pthread_attr_init(&attr);
	MUST(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
	MUST(pthread_create(&thread, &attr, posts, NULL) == 0);
	for (int i = 0; i < 1000; i++)
		MUST(sem_wait(&items) == 0);
	MUST(sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) >= 1);
}

/* --- signals -------------------------------------------------------------------------------- */

static _Thread_local volatile int handled;
static atomic_int handled_where;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
	handled_where++;
}

static void *is_signalled(void *arg)
{
	ready++;
	while (!handled)
		usleep(1000);
	MUST(handled == 1);
	return arg;
}

static void *waits_for_signal(void *arg)
{
	sigset_t mask;
	int sig;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	ready++;
	MUST(sigwait(&mask, &sig) == 0 && sig == SIGUSR2);
	return arg;
}

static void case_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	pthread_t thread[MANY];
	sigset_t mask;

	sigaction(SIGUSR1, &action, NULL);
	ready = 0;
	for (int i = 0; i < MANY; i++)
		thread[i] = start(is_signalled, NULL);
	while (ready < MANY)
		sched_yield();
	for (int i = 0; i < MANY; i++)
		MUST(pthread_kill(thread[i], SIGUSR1) == 0);
	for (int i = 0; i < MANY; i++)
		join(thread[i]);
	MUST(handled_where == MANY && handled == 0);

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	MUST(pthread_sigmask(SIG_BLOCK, &mask, NULL) == 0);
	thread[0] = start(waits_for_signal, NULL);
	MUST(kill(getpid(), SIGUSR2) == 0);
	join(thread[0]);
}

/* --- processes ------------------------------------------------------------------------------ */

static void *sleeps(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *exits(void *arg)
{
	_exit((int)(size_t)arg);
}

static void *execs(void *arg)
{
	execl("/proc/self/exe", "threads", "exit-status-4", (char *)NULL);
	_exit(99);
	return arg;
}

/* The status is the same if the first thread takes longer to end than this sleeps. */
static void *leads_on(void *arg)
{
	usleep(20000);
	_exit(5);
	return arg;
}

static int status_of(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0) == pid);
	return status;
}

static void case_processes(void)
{
	pid_t pid;

	pid = fork(); /* any thread's _exit ends all */
	if (pid == 0) {
		start(sleeps, NULL);
		start(exits, (void *)3);
		sleeps(NULL);
	}
	MUST(WEXITSTATUS(status_of(pid)) == 3);

	pid = fork(); /* exec by a thread that is not the first: it takes its place */
	if (pid == 0) {
		start(sleeps, NULL);
		start(execs, NULL);
		sleeps(NULL);
	}
	MUST(WEXITSTATUS(status_of(pid)) == 4);

	pid = fork(); /* the first thread may end before the others */
	if (pid == 0) {
		start(leads_on, NULL);
		pthread_exit(NULL);
	}
	MUST(WEXITSTATUS(status_of(pid)) == 5);

	pid = fork(); /* a deadly signal ends all threads */
	if (pid == 0) {
		start(sleeps, NULL);
		kill(getpid(), SIGKILL);
		sleeps(NULL);
	}
	MUST(WIFSIGNALED(status_of(pid)));
}

/* --- many ----------------------------------------------------------------------------------- */

#define CROWD 1000

static pthread_cond_t full = PTHREAD_COND_INITIALIZER; /* waiting == CROWD */

static void *passes_gate(void *arg)
{
	pthread_mutex_lock(&mutex);
	if (++waiting == CROWD)
		pthread_cond_signal(&full);
	while (!gate_open)
		pthread_cond_wait(&gate, &mutex);
	pthread_mutex_unlock(&mutex);
	return arg;
}

static void case_thousand(void)
{
	static pthread_t thread[CROWD];
	pthread_attr_t attr;

	waiting = gate_open = 0;
	pthread_attr_init(&attr);
	MUST(pthread_attr_setstacksize(&attr, 64 << 10) == 0);
	for (size_t i = 0; i < CROWD; i++)
		MUST(pthread_create(&thread[i], &attr, passes_gate, (void *)(i + 1)) == 0);
	pthread_mutex_lock(&mutex);
	while (waiting < CROWD)
		pthread_cond_wait(&full, &mutex);
	gate_open = 1;
	pthread_cond_broadcast(&gate);
	pthread_mutex_unlock(&mutex);
	for (size_t i = 0; i < CROWD; i++)
		MUST(join(thread[i]) == (void *)(i + 1));
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"join", case_join},
	{"mutex", case_mutex},
	{"robust", case_robust},
	{"condition", case_condition},
	{"barrier", case_barrier},
	{"semaphore", case_semaphore},
	{"rwlock", case_rwlock},
	{"once", case_once},
	{"local", case_local},
	{"cancel", case_cancel},
	{"attributes", case_attributes},
	{"signals", case_signals},
	{"processes", case_processes},
	{"thousand", case_thousand},
};

int main(int argc, char **argv)
{
	int ran = 0;

	if (argc == 2 && !strcmp(argv[1], "exit-status-4"))
		return 4;
	alarm(240); /* a hang is a failure */
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int wanted = argc == 1;

		for (int a = 1; a < argc; a++)
			wanted |= !strcmp(argv[a], cases[i].name);
		if (!wanted)
			continue;
		cases[i].run();
		printf("ok %s\n", cases[i].name);
		fflush(stdout);
		ran++;
	}
	if (!ran)
		fprintf(stderr, "threads: no such case\n");
	return ran ? 0 : 2;
}
