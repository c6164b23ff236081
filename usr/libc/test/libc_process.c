// SPDX-License-Identifier: MIT
/*
 * What a program gets from the system: arguments, environment, auxiliary vector, thread-local
 * storage; exit, setjmp, signals, fork, exec, pipes, folders, options.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static const char *self;

static _Thread_local int tls_zero;
static _Thread_local int tls_set = 42;
static _Thread_local struct {
	_Alignas(64) char bytes[64];
} tls_aligned;

static int constructed;

__attribute__((constructor)) static void construct(void)
{
	constructed = 1;
}

static bool startup(int argc, char **argv)
{
	return argc > 0 && !argv[argc] && getauxval(AT_PAGESZ) == 4096 && getauxval(AT_RANDOM) &&
	       constructed && tls_zero == 0 && tls_set == 42 && (uintptr_t)&tls_aligned % 64 == 0 &&
	       getauxval(9999) == 0 && errno == ENOENT;
}

static bool errno_kept(void)
{
	errno = 77;
	if (getpid() <= 0 || errno != 77)
		return false;
	return close(-1) == -1 && errno == EBADF;
}

static bool environment(void)
{
	char direct[] = "LIBC_C=3";

	unsetenv("LIBC_A");
	if (getenv("LIBC_A") || setenv("LIBC_A", "1", 1) != 0 || setenv("LIBC_AB", "2", 1) != 0 ||
		strcmp(getenv("LIBC_A"), "1") != 0 || putenv(direct) != 0)
		return false;
	direct[7] = '4';
	if (strcmp(getenv("LIBC_C"), "4") != 0 || setenv("LIBC_A", "9", 0) != 0 ||
		strcmp(getenv("LIBC_A"), "1") != 0 || setenv("LIBC_A", "9", 1) != 0 ||
		strcmp(getenv("LIBC_A"), "9") != 0)
		return false;
	if (setenv("a=b", "x", 1) != -1 || errno != EINVAL || setenv("", "x", 1) != -1)
		return false;
	return unsetenv("LIBC_A") == 0 && !getenv("LIBC_A") && getenv("LIBC_AB") &&
	       unsetenv("LIBC_C") == 0;
}

/* Runs `body` in a child and gives its wait status. */
static int in_child(void (*body)(void))
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		body();
		_exit(99);
	}
	return waitpid(child, &status, 0) == child ? status : -1;
}

static int exit_pipe[2];

static void say_1(void)
{
	if (write(exit_pipe[1], "1", 1) != 1)
		_exit(98);
}

static void say_2(void)
{
	if (write(exit_pipe[1], "2", 1) != 1)
		_exit(98);
}

static void exit_with_handlers(void)
{
	atexit(say_1);
	atexit(say_2);
	dup2(exit_pipe[1], 1);
	printf("3"); /* still buffered: exit writes it, after the handlers */
	exit(5);
}

static bool exits(void)
{
	char text[4] = {0};
	int status;

	if (pipe(exit_pipe) != 0)
		return false;
	status = in_child(exit_with_handlers);
	close(exit_pipe[1]);
	return WIFEXITED(status) && WEXITSTATUS(status) == 5 && read(exit_pipe[0], text, 4) == 3 &&
	       strcmp(text, "213") == 0 && close(exit_pipe[0]) == 0;
}

static jmp_buf here;

/* Leaves garbage in the registers and frames between. */
__attribute__((noinline)) static void jump(volatile int *depth)
{
	double garbage = 7;

	__asm__ volatile("fmv.d fs3, %0" : : "f"(garbage) : "fs3");
	if (--*depth == 0)
		longjmp(here, 0);
	if (*depth > 0)
		jump(depth);
}

static bool jumps(void)
{
	volatile double before, after;
	volatile int passes = 0, depth = 10;
	int value;

	__asm__ volatile("fmv.d %0, fs3" : "=f"(before));
	value = setjmp(here);
	if (value == 0 && passes++ == 0)
		jump(&depth);
	__asm__ volatile("fmv.d %0, fs3" : "=f"(after));
	return value == 1 && passes == 1 && depth == 0 && before == after;
}

static volatile sig_atomic_t handled, handled_code;
static sigjmp_buf fault;
static void *volatile fault_address;

static void on_usr1(int signal)
{
	handled += signal;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	fault_address = info->si_addr;
	handled_code = info->si_code;
	if (((ucontext_t *)context)->uc_mcontext.sc_regs.pc)
		siglongjmp(fault, 1);
}

static bool handlers(void)
{
	struct sigaction action = {.sa_handler = on_usr1}, old;
	sigset_t set, before, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (sigaction(SIGUSR1, &action, &old) != 0 || old.sa_handler != SIG_DFL)
		return false;
	if (raise(SIGUSR1) != 0 || handled != SIGUSR1)
		return false;
	if (sigprocmask(SIG_BLOCK, &set, &before) != 0 || kill(getpid(), SIGUSR1) != 0 ||
		handled != SIGUSR1 || sigpending(&pending) != 0 || !sigismember(&pending, SIGUSR1))
		return false;
	if (sigprocmask(SIG_SETMASK, &before, NULL) != 0 || handled != 2 * SIGUSR1)
		return false;
	return sigismember(&set, 65) == -1 && errno == EINVAL && sigaddset(&set, 0) == -1;
}

/* Twice: siglongjmp must unblock SIGSEGV, else the second one kills. */
static bool faults(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile int caught = 0;

	if (page == MAP_FAILED || sigaction(SIGSEGV, &action, NULL) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		if (sigsetjmp(fault, 1) == 0)
			*(volatile char *)(page + 123) = 1;
		else
			caught += fault_address == page + 123 && handled_code == SEGV_ACCERR;
	}
	signal(SIGSEGV, SIG_DFL);
	munmap(page, 4096);
	return caught == 2;
}

static void die_of_signal(void)
{
	raise(SIGTERM);
}

static void do_abort(void)
{
	signal(SIGABRT, SIG_IGN);
	abort();
}

static bool deaths(void)
{
	int status = in_child(die_of_signal);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM)
		return false;
	status = in_child(do_abort);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void exec_self(void)
{
	setenv("LIBC_EXEC", "passed", 1);
	execl(self, self, "--child", "with space", NULL);
}

/* Run by exec_self: argv[1] is --child. */
static int as_child(int argc, char **argv)
{
	const char *passed = getenv("LIBC_EXEC");

	return argc == 3 && strcmp(argv[2], "with space") == 0 && passed &&
			       strcmp(passed, "passed") == 0
		       ? 61
		       : 62;
}

static void exec_missing(void)
{
	execlp("no-such-program-anywhere", "x", NULL);
	_exit(errno == ENOENT ? 17 : 18);
}

static bool on_mapache(void)
{
	struct utsname names;

	return uname(&names) == 0 && strstr(names.release, "mapache");
}

static bool execs(void)
{
	int status = in_child(exec_missing);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 17)
		return false;
	if (!on_mapache())
		return true; /* an emulator can not start a program of its own kind */
	status = in_child(exec_self);
	return WIFEXITED(status) && WEXITSTATUS(status) == 61;
}

static char exec_path[] = "/tmp/libc_execXXXXXX";

static void exec_made_file(void)
{
	execlp(exec_path, exec_path, "23", NULL);
	_exit(errno == ENOEXEC ? 17 : 18);
}

/* The status of running a file with these contents. */
static int status_of_file(const char *contents)
{
	int fd, status;

	strcpy(exec_path + strlen(exec_path) - 6, "XXXXXX");
	fd = mkostemp(exec_path, O_CLOEXEC);
	if (fd < 0 || write(fd, contents, strlen(contents)) < 0 || fchmod(fd, 0700) != 0)
		return -1;
	close(fd);
	status = in_child(exec_made_file);
	unlink(exec_path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool scripts(void)
{
	return status_of_file("exit $1\n") == 23 && status_of_file("\177ELF exit 23\n") == 17;
}

static bool no_children(void)
{
	return wait(NULL) == -1 && errno == ECHILD;
}

static bool folders(void)
{
	char dir[] = "/tmp/libc_processXXXXXX", name[PATH_MAX];
	struct dirent **list;
	struct stat st;
	int n, seen = 0, fd;

	if (!mkdtemp(dir))
		return false;
	for (int i = 0; i < 100; i++) { /* more than one buffer of entries */
		snprintf(name, sizeof(name), "%s/an-entry-with-a-long-name-%03d", dir, i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0640);
		if (fd < 0 || close(fd) != 0)
			return false;
	}
	n = scandir(dir, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "an-entry-with-a-long-name-%03d", seen);
		seen += strcmp(list[i]->d_name, name) == 0;
		snprintf(name, sizeof(name), "%s/%s", dir, list[i]->d_name);
		if (list[i]->d_name[0] != '.' && unlink(name) != 0)
			return false;
		free(list[i]);
	}
	free(list);
	return n == 102 && seen == 100 && stat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
	       rmdir(dir) == 0 && stat(dir, &st) == -1 && errno == ENOENT && !opendir(dir);
}

static bool paths(void)
{
	char a[] = "/usr/lib/", b[] = "x", c[] = "/", d[] = "/usr//lib", real[PATH_MAX];

	return strcmp(basename(a), "lib") == 0 && strcmp(basename(b), "x") == 0 &&
	       strcmp(basename(c), "/") == 0 && strcmp(dirname(d), "/usr") == 0 &&
	       strcmp(dirname(b), ".") == 0 && strcmp(dirname(c), "/") == 0 &&
	       realpath("/./tmp/../tmp//.", real) && strcmp(real, "/tmp") == 0 &&
	       realpath("/..", real) && strcmp(real, "/") == 0 && !realpath("/no/such", real) &&
	       errno == ENOENT;
}

/* Links: relative, absolute, of a folder in the middle, to itself, to nowhere. */
static bool links(void)
{
	char dir[] = "/tmp/libc_linksXXXXXX", real[PATH_MAX], name[PATH_MAX], wanted[PATH_MAX];
	bool good;

	if (!mkdtemp(dir) || chdir(dir) != 0 || mkdir("d", 0700) != 0 || mkdir("d/e", 0700) != 0 ||
		symlink("d/e", "relative") != 0 || symlink("self", "self") != 0 ||
		symlink("nowhere", "lost") != 0)
		return false;
	snprintf(name, sizeof(name), "%s/d", dir);
	snprintf(wanted, sizeof(wanted), "%s/d/e", dir);
	good = symlink(name, "d/e/absolute") == 0 && realpath("relative", real) &&
	       strcmp(real, wanted) == 0 && realpath("relative/absolute/../d//e/.", real) &&
	       strcmp(real, wanted) == 0 && !realpath("self", real) && errno == ELOOP &&
	       !realpath("lost", real) && errno == ENOENT &&
	       readlink("relative", real, sizeof(real)) == 3;
	return unlink("d/e/absolute") == 0 && rmdir("d/e") == 0 && rmdir("d") == 0 &&
	       unlink("relative") == 0 && unlink("self") == 0 && unlink("lost") == 0 &&
	       chdir("/") == 0 && rmdir(dir) == 0 && good;
}

static bool options(void)
{
	char *argv[] = {"prog", "-ab", "value", "-cattached", "--long=7", "--fl", "--", "-x", NULL};
	static const struct option longs[] = {{"long", required_argument, NULL, 'L'},
		{"flag", no_argument, NULL, 'F'}, {NULL, 0, NULL, 0}};
	static const char wanted[] = "abcLF";
	const char *args[] = {NULL, "value", "attached", "7", NULL};

	optind = 0;
	for (int i = 0; i < 5; i++) {
		optarg = NULL;
		if (getopt_long(8, argv, "ab:c:", longs, NULL) != wanted[i])
			return false;
		if (args[i] && (!optarg || strcmp(optarg, args[i]) != 0))
			return false;
	}
	if (getopt_long(8, argv, "ab:c:", longs, NULL) != -1 || optind != 7)
		return false;
	optind = 0;
	argv[1] = "-q";
	if (getopt(2, argv, ":ab:") != '?' || optopt != 'q')
		return false;
	optind = 0;
	argv[1] = "-b";
	return getopt(2, argv, ":ab:") == ':' && optopt == 'b';
}

static int by_value(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static bool sorting(void)
{
	static int numbers[1000];

	for (int count = 0; count < 1000; count = count * 3 / 2 + 1) {
		long sum = 0;

		for (int i = 0; i < count; i++)
			sum += numbers[i] = (int)random_below(500);
		qsort(numbers, (size_t)count, sizeof(int), by_value);
		for (int i = 0; i < count; i++) {
			const int *found =
				bsearch(&numbers[i], numbers, (size_t)count, sizeof(int), by_value);

			sum -= numbers[i];
			if ((i && numbers[i - 1] > numbers[i]) || !found || *found != numbers[i])
				return false;
		}
		if (sum != 0)
			return false;
	}
	return true;
}

static bool system_facts(void)
{
	struct utsname names;
	char cwd[PATH_MAX], small[2];

	return uname(&names) == 0 && strcmp(names.machine, "riscv64") == 0 &&
	       sysconf(_SC_PAGESIZE) == 4096 && sysconf(_SC_NPROCESSORS_ONLN) >= 1 &&
	       getcwd(cwd, sizeof(cwd)) == cwd && chdir("/tmp") == 0 &&
	       !getcwd(small, sizeof(small)) && errno == ERANGE && chdir(cwd) == 0 &&
	       sysconf(12345) == -1;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--child") == 0)
		return as_child(argc, argv);
	self = realpath(argv[0], NULL);
	random_seed(argc, argv);
	ok(startup(argc, argv), "arguments, auxiliary vector, constructors, TLS");
	ok(errno_kept(), "errno");
	ok(environment(), "environment");
	ok(exits(), "exit: handlers in reverse, then stdio, then the status");
	ok(jumps(), "setjmp and longjmp");
	ok(handlers(), "signal handlers and masks");
	ok(faults(), "SIGSEGV with its address, left by siglongjmp");
	ok(deaths(), "death by signal, and by abort with SIGABRT ignored");
	ok(execs(), "exec");
	ok(scripts(), "a text is a script, a broken ELF is not");
	ok(no_children(), "wait without children");
	ok(folders(), "folders");
	ok(paths(), "basename, dirname, realpath");
	ok(links(), "symbolic links, realpath");
	ok(options(), "getopt and getopt_long");
	ok(sorting(), "qsort and bsearch");
	ok(system_facts(), "uname, sysconf, getcwd");
	return tap_end();
}
