// SPDX-License-Identifier: MIT
// /proc: what processes, their threads and their descriptors say of themselves, who may read it,
// and the files of the system that programs depend on. What is about memory is mem_proc.c's.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/tap.h"
#include "lib/text.h"

// --- Reading

static char *text_of_process(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	return text_of(path);
}

// The value behind "NAME:" and a tab, up to the end of the line.
static const char *line_of(char *status, const char *name)
{
	size_t n = strlen(name);

	for (char *line = strtok(status, "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, name, n) && line[n] == ':')
			return line + n + 1 + strspn(line + n + 1, "\t ");
	FAIL("no line %s", name);
}

static const char *status_of(pid_t pid, const char *name)
{
	return line_of(text_of_process(pid, "status"), name);
}

// The Nth field of stat, from 3 on, as proc(5) counts.
static long long stat_field(pid_t pid, int nth)
{
	char *field = strrchr(text_of_process(pid, "stat"), ')') + 2;

	for (int i = 3; i < nth; i++)
		field = strchr(field, ' ') + 1;
	return nth == 3 ? *field : strtoll(field, NULL, 10);
}

static void must_link(const char *path, const char *wanted)
{
	char target[512];
	ssize_t n = CHECK_OK(readlink(path, target, sizeof target - 1));

	target[n] = '\0';
	if (strcmp(target, wanted))
		FAIL("%s -> %s, should be %s", path, target, wanted);
}

static bool lists(const char *path, const char *name)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	bool found = false;

	CHECK(dir);
	while ((e = readdir(dir)))
		found |= !strcmp(e->d_name, name);
	closedir(dir);
	return found;
}

static void wait_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

// --- Processes

static void self_is_this_process(void)
{
	char number[40];
	struct stat one, other;

	snprintf(number, sizeof number, "%d", getpid());
	must_link("/proc/self", number);
	CHECK(lists("/proc", number));
	snprintf(number, sizeof number, "%d/task/%d", getpid(), getpid());
	must_link("/proc/thread-self", number);
	CHECK_OK(stat("/proc/self", &one));
	CHECK_OK(stat("/proc/thread-self/..", &other));
	CHECK_ERR(open("/proc/4194303/stat", O_RDONLY), ENOENT);
	CHECK_ERR(open("/proc/01", O_RDONLY), ENOENT);
}

static void stat_has_52_fields(void)
{
	char name[32], *text = text_of("/proc/self/stat");
	int spaces = 0;

	CHECK_EQ(sscanf(text, "%*d (%31[^)])", name), 1);
	for (char *c = strrchr(text, ')'); *c; c++)
		spaces += *c == ' ';
	CHECK_EQ(spaces, 50);
	CHECK_EQ(text[strlen(text) - 1], '\n');
	CHECK_EQ(strtol(text, NULL, 10), getpid());
	CHECK_EQ(stat_field(getpid(), 3), 'R');
	CHECK_EQ(stat_field(getpid(), 4), getppid());
	CHECK_EQ(stat_field(getpid(), 5), getpgrp());
	CHECK_EQ(stat_field(getpid(), 6), getsid(0));
	CHECK_EQ(stat_field(getpid(), 20), 1);
	CHECK_EQ(stat_field(getpid(), 38), SIGCHLD);
}

// Where its program is: this code and this constant are in it.
static void places_of_the_program(void)
{
	static const char constant[] = "in the file";
	uintptr_t code = (uintptr_t)places_of_the_program, data = (uintptr_t)constant;

	CHECK(stat_field(getpid(), 26) <= (long long)code);
	CHECK(stat_field(getpid(), 27) > (long long)code);
	CHECK(stat_field(getpid(), 27) - stat_field(getpid(), 26) <=
		1024 * strtoll(status_of(getpid(), "VmExe"), NULL, 10));
	CHECK(stat_field(getpid(), 45) > stat_field(getpid(), 26));
	CHECK(stat_field(getpid(), 46) > (long long)data);
	CHECK(stat_field(getpid(), 46) <= stat_field(getpid(), 47));
}

// Programs look lines up by what stands before them.
static void lines_of_status(void)
{
	static const char *const names[] = {"Name", "Umask", "State", "Tgid", "Ngid", "Pid", "PPid",
		"TracerPid", "Uid", "Gid", "FDSize", "Groups", "NStgid", "NSpid", "NSpgid", "NSsid",
		"VmPeak", "VmSize", "VmLck", "VmPin", "VmRSS", "RssAnon", "RssFile", "VmData",
		"VmStk", "VmExe", "VmSwap", "HugetlbPages", "CoreDumping", "THP_enabled", "Threads",
		"SigQ", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm",
		"CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters",
		"Speculation_Store_Bypass", "SpeculationIndirectBranch", "Cpus_allowed",
		"Cpus_allowed_list", "Mems_allowed", "Mems_allowed_list", "voluntary_ctxt_switches",
		"nonvoluntary_ctxt_switches"};
	char name[40], *at = text_of("/proc/self/status");

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) { // in this order
		snprintf(name, sizeof name, "%s%s:\t", i ? "\n" : "", names[i]);
		at = strstr(at, name);
		if (!at)
			FAIL("no line %s, or not in its place", names[i]);
	}
	CHECK(strstr(text_of("/proc/self/status"), " \nNStgid:")); // as Linux ends a list of groups
}

static void states(void)
{
	pid_t pid = start_child(wait_for_ever, NULL);
	int status;

	while (stat_field(pid, 3) != 'S')
		usleep(1000);
	CHECK(!strcmp(status_of(pid, "State"), "S (sleeping)"));
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(!strcmp(status_of(pid, "State"), "T (stopped)"));
	CHECK_OK(kill(pid, SIGKILL));
	while (stat_field(pid, 3) != 'Z')
		usleep(1000);
	CHECK(!strcmp(status_of(pid, "State"), "Z (zombie)"));
	CHECK_EQ(text_of_process(pid, "cmdline")[0], '\0');
	CHECK(!lists("/proc/self/task", "0"));
	end_child(pid);
}

static void nothing(int number)
{
	(void)number;
}

static void signals_of_a_process(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, 40);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	signal(SIGUSR2, nothing);
	signal(SIGHUP, SIG_IGN);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(strtoull(status_of(getpid(), "ShdPnd"), NULL, 16), 1ull << (SIGUSR1 - 1));
	CHECK_EQ(strtoull(status_of(getpid(), "SigBlk"), NULL, 16),
		1ull << (SIGUSR1 - 1) | 1ull << 39);
	CHECK(strtoull(status_of(getpid(), "SigCgt"), NULL, 16) & 1ull << (SIGUSR2 - 1));
	CHECK(strtoull(status_of(getpid(), "SigIgn"), NULL, 16) & 1ull << (SIGHUP - 1));
	CHECK_EQ(stat_field(getpid(), 32) & 1 << (SIGUSR1 - 1), 1 << (SIGUSR1 - 1));
}

static void ids_of_a_process(void)
{
	unsigned id[4];

	CHECK_EQ(sscanf(status_of(getpid(), "Uid"), "%u %u %u %u", id, id + 1, id + 2, id + 3), 4);
	CHECK_EQ(id[0], getuid());
	CHECK_EQ(id[1], geteuid());
	CHECK_EQ(strtol(status_of(getpid(), "Tgid"), NULL, 10), getpid());
	umask(0127);
	CHECK_EQ(strtol(status_of(getpid(), "Umask"), NULL, 8), 0127);
}

static void words_of_a_process(void)
{
	extern char **environ;
	size_t n = strlen(environ[0]);

	CHECK(!memcmp(text_of("/proc/self/environ"), environ[0], n + 1));
	CHECK(strstr(text_of("/proc/self/cmdline"), "t_proc"));
	CHECK(!strncmp(text_of("/proc/self/comm"), "t_proc", 6));
}

static void its_places(void)
{
	char here[256], path[300];
	struct stat exe;

	CHECK(getcwd(here, sizeof here));
	must_link("/proc/self/cwd", here);
	must_link("/proc/self/root", "/");
	CHECK_OK(mkdir("sub", 0755));
	CHECK_OK(chdir("sub"));
	snprintf(path, sizeof path, "%s/sub", here);
	must_link("/proc/self/cwd", path);
	CHECK_OK(readlink("/proc/self/exe", path, sizeof path));
	CHECK_OK(stat("/proc/self/exe", &exe));
	CHECK(S_ISREG(exe.st_mode));
	CHECK_OK(rmdir("../sub"));
	CHECK_OK(stat("/proc/self/cwd", &exe)); // without a name it is still there
}

static void limits_of_a_process(void)
{
	struct rlimit limit = {.rlim_cur = 77, .rlim_max = 88};
	char *line, *text;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	text = text_of("/proc/self/limits");
	line = strstr(text, "Max open files");
	CHECK(line);
	CHECK(!strncmp(line,
		"Max open files            77                   88                   files     \n",
		79));
	CHECK(!strncmp(text,
		"Limit                     Soft Limit           Hard Limit           Units     \n",
		79));
}

// --- Descriptors

static void descriptors(void)
{
	char here[256], path[400], name[32];
	int fd = make_file("f", 10), ends[2], again;
	struct stat st;

	CHECK(getcwd(here, sizeof here));
	snprintf(path, sizeof path, "%s/f", here);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	must_link(name, path);
	CHECK_OK(unlink("f"));
	snprintf(path, sizeof path, "%s/f (deleted)", here);
	must_link(name, path);
	CHECK(lists("/proc/self/fd", name + strlen("/proc/self/fd/")));
	again = (int)CHECK_OK(open(name, O_RDONLY)); // a new description of the same file
	CHECK_EQ(read(again, path, 10), 10);
	CHECK_EQ(path[9], pattern(9));
	CHECK_OK(close(fd));
	CHECK_ERR(readlink(name, path, sizeof path), ENOENT);
	CHECK_OK(pipe(ends));
	CHECK_OK(fstat(ends[0], &st));
	snprintf(name, sizeof name, "/proc/self/fd/%d", ends[0]);
	snprintf(path, sizeof path, "pipe:[%lu]", (unsigned long)st.st_ino);
	must_link(name, path);
}

static void positions_and_flags(void)
{
	int fd = make_file("f", 100);
	char name[64];

	CHECK_OK(lseek(fd, 42, SEEK_SET));
	snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fd);
	CHECK_EQ(strtol(line_of(text_of(name), "pos"), NULL, 10), 42);
	CHECK_EQ(strtol(line_of(text_of(name), "flags"), NULL, 8) & O_ACCMODE, O_RDWR);
	CHECK(!(strtol(line_of(text_of(name), "flags"), NULL, 8) & O_CLOEXEC));
	CHECK_OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
	CHECK(strtol(line_of(text_of(name), "flags"), NULL, 8) & O_CLOEXEC);
	fd = (int)CHECK_OK(open("f", O_RDONLY | O_CLOEXEC));
	snprintf(name, sizeof name, "/proc/self/fdinfo/%ld", CHECK_OK(dup(fd)));
	CHECK(!(strtol(line_of(text_of(name), "flags"), NULL, 8) & O_CLOEXEC));
}

static unsigned rights_of_link(int fd)
{
	char name[32];
	struct stat st;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	CHECK_OK(lstat(name, &st));
	return st.st_mode & 0777;
}

static void rights_of_links(void)
{
	CHECK_EQ(rights_of_link(make_file("f", 1)), 0700);
	CHECK_EQ(rights_of_link((int)CHECK_OK(open("f", O_RDONLY))), 0500);
	CHECK_EQ(rights_of_link((int)CHECK_OK(open("f", O_WRONLY))), 0300);
}

// An open file says what is so when reading begins at its start, and goes on with that.
static void read_again(void)
{
	int fd = (int)CHECK_OK(open("/proc/self/oom_score_adj", O_RDWR));
	char bytes[16] = "";

	CHECK_EQ(write(fd, "500\n", 4), 4);
	CHECK_EQ(pread(fd, bytes, sizeof bytes, 0), 4);
	CHECK(!strcmp(bytes, "500\n"));
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	CHECK_EQ(read(fd, bytes, 1), 1);
	CHECK_EQ(pwrite(fd, " 0x2bc ", 7, 0), 7);
	CHECK_EQ(read(fd, bytes, sizeof bytes), 3);
	CHECK_EQ(pread(fd, bytes, sizeof bytes, 0), 4);
	CHECK(!strcmp(bytes, "700\n"));
}

// --- While it changes

static void come_and_go(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			int fd = open("/dev/null", O_RDWR);
			_exit(fd < 0);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static void read_if_there(const char *folder, const char *name)
{
	char path[600], bytes[512];
	int fd;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	(void)!readlink(path, bytes, sizeof bytes);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return;
	(void)!read(fd, bytes, sizeof bytes);
	close(fd);
}

static void read_all_in(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			read_if_there(folder, e->d_name);
	if (dir)
		closedir(dir);
}

static void read_all_of(const char *number)
{
	static const char *const folders[] = {"", "/fd", "/fdinfo", "/task"};
	char path[600];

	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof path, "/proc/%s%s", number, folders[i]);
		read_all_in(path);
	}
	snprintf(path, sizeof path, "/proc/%s/task/%s", number, number);
	read_all_in(path);
}

// Every file of every process is read while processes begin and end: whatever is there is shown,
// and what has gone is an error.
static void a_walk_over_what_comes_and_goes(void)
{
	pid_t pids[3];
	int status, left = 3;

	if (!on_mapache())
		tap_skip("the machine's own processes are not ours to read");
	for (int i = 0; i < 3; i++)
		pids[i] = start_child(come_and_go, NULL);
	while (left) {
		DIR *dir = opendir("/proc");
		struct dirent *e;

		CHECK(dir);
		while ((e = readdir(dir)))
			if (e->d_name[0] >= '0' && e->d_name[0] <= '9')
				read_all_of(e->d_name);
		closedir(dir);
		for (int i = 0; i < 3; i++)
			if (pids[i] && waitpid(pids[i], &status, WNOHANG) == pids[i]) {
				CHECK_EQ(status, 0);
				pids[i] = 0;
				left--;
			}
	}
}

// --- The system

static void the_machine(void)
{
	unsigned long long user, system, idle, btime;
	char *text = text_of("/proc/stat");
	int harts = 0;

	CHECK_EQ(sscanf(text, "cpu  %llu %*u %llu %llu", &user, &system, &idle), 3);
	for (char *line = text; line; line = strchr(line, '\n'))
		harts += !strncmp(++line, "cpu", 3);
	CHECK_EQ(harts, sysconf(_SC_NPROCESSORS_ONLN));
	CHECK_EQ(sscanf(strstr(text, "\nbtime "), " btime %llu", &btime), 1);
	CHECK(btime <= (unsigned long long)time(NULL));
	CHECK(strstr(text, "\nctxt ") && strstr(text, "\nprocesses "));
	CHECK_EQ(strncmp(text_of("/proc/version"), "Linux version ", 14), 0);
	CHECK(strstr(text_of("/proc/filesystems"), "nodev\tproc\n"));
	CHECK(strstr(text_of("/proc/cpuinfo"), "processor\t: 0\n"));
}

// What begins anew would go back.
static void what_harts_wait_for(void)
{
	unsigned long waits, us, longest, sums[2] = {0};
	char name[32], kind[8];

	if (!on_mapache())
		tap_skip("/proc/harts and /proc/lockstat are Mapache's own");
	for (int round = 0; round < 2; round++) {
		int lines = 0;

		for (char *line = strchr(text_of("/proc/lockstat"), '\n'); line[1];
			line = strchr(line + 1, '\n'), lines++) {
			CHECK_EQ(sscanf(line, " %31s %7s %lu %lu %lu", name, kind, &waits, &us,
					 &longest),
				5);
			CHECK(!strcmp(kind, "spin") || !strcmp(kind, "mutex") ||
				!strcmp(kind, "any"));
			CHECK(longest <= us);
			sums[round] += waits;
		}
		CHECK(lines > 20);
	}
	CHECK(sums[1] >= sums[0]);
	int harts = -1;
	for (char *line = text_of("/proc/harts"); *line; line = strchr(line, '\n') + 1)
		harts++;
	CHECK_EQ(harts, sysconf(_SC_NPROCESSORS_ONLN));
}

static void disks(void)
{
	char *text = text_of("/proc/partitions");
	unsigned major, minor;
	unsigned long blocks;
	char name[32];

	CHECK(!strncmp(text, "major minor  #blocks  name\n\n", 28));
	CHECK_EQ(sscanf(text + 28, "%u %u %lu %31s", &major, &minor, &blocks, name), 4);
	CHECK(major > 0 && blocks > 0);
	CHECK(!strncmp(text_of("/proc/swaps"), "Filename\t", 9));
}

// Neither repeats itself, and time does not go back.
static void random_numbers_and_time(void)
{
	static const char *const names[] = {"/dev/random", "/dev/urandom"};
	char first[32], second[32];
	double up = strtod(text_of("/proc/uptime"), NULL);

	for (int i = 0; i < 2; i++) {
		int fd = (int)CHECK_OK(open(names[i], O_RDONLY));

		CHECK_EQ(read(fd, first, sizeof first), sizeof first);
		CHECK_EQ(read(fd, second, sizeof second), sizeof second);
		CHECK(memcmp(first, second, sizeof first));
		CHECK(memcmp(first, first + 1, sizeof first - 1)); // not one byte again and again
	}
	CHECK(up > 0);
	CHECK(strtod(text_of("/proc/uptime"), NULL) >= up);
}

static void the_load(void)
{
	double one, five, fifteen;
	unsigned running, all;
	int last;

	CHECK_EQ(sscanf(text_of("/proc/loadavg"), "%lf %lf %lf %u/%u %d", &one, &five, &fifteen,
			 &running, &all, &last),
		6);
	CHECK(running >= 1 && all >= running);
	CHECK(one >= 0 && five >= 0 && fifteen >= 0);
}

// The averages of sysinfo and of /proc/loadavg are the same ones, to what the text can show. This
// program runs until it is counted.
static void the_load_by_call(void)
{
	struct sysinfo info;
	double text[3] = {0}, difference;
	bool same = false;

	while (text[0] == 0)
		CHECK_EQ(sscanf(text_of("/proc/loadavg"), "%lf", text), 1);
	for (int tries = 0; !same && tries < 3; tries++) { // they may change between the two
		CHECK_OK(sysinfo(&info));
		CHECK_EQ(sscanf(text_of("/proc/loadavg"), "%lf %lf %lf", text, text + 1, text + 2),
			3);
		same = true;
		for (int i = 0; i < 3; i++) {
			difference = (double)info.loads[i] / 65536 - text[i];
			same &= difference < 0.011 && difference > -0.011;
		}
	}
	CHECK(same);
}

static void names_of_the_kernel(void)
{
	char first[64];

	CHECK(!strcmp(text_of("/proc/sys/kernel/ostype"), "Linux\n"));
	CHECK(strtol(text_of("/proc/sys/kernel/pid_max"), NULL, 10) >= 32768);
	CHECK(strtol(text_of("/proc/sys/vm/overcommit_memory"), NULL, 10) <= 2);
	strcpy(first, text_of("/proc/sys/kernel/random/uuid"));
	CHECK_EQ(strlen(first), 37);
	CHECK_EQ(first[14], '4');
	CHECK(strcmp(first, text_of("/proc/sys/kernel/random/uuid")));
	strcpy(first, text_of("/proc/sys/kernel/random/boot_id"));
	CHECK(!strcmp(first, text_of("/proc/sys/kernel/random/boot_id")));
}

static void devices(void)
{
	char byte = 1;
	struct stat st;
	int fd;

	must_link("/dev/fd", "/proc/self/fd");
	must_link("/dev/stdin", "/proc/self/fd/0");
	CHECK_OK(stat("/dev/shm", &st));
	CHECK_EQ(st.st_mode & 07777, 01777);
	fd = (int)CHECK_OK(shm_open("/t_proc", O_RDWR | O_CREAT | O_EXCL, 0600));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(shm_open("/t_proc", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	CHECK_ERR(shm_open("/a/b", O_RDWR | O_CREAT, 0600), EINVAL);
	CHECK_OK(stat("/dev/shm/t_proc", &st));
	CHECK_OK(ftruncate(fd, PAGE));
	store(map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), 7);
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_EQ(byte, 7);
	CHECK_OK(shm_unlink("/t_proc"));
	CHECK_ERR(shm_unlink("/t_proc"), ENOENT);
	fd = (int)CHECK_OK(open("/dev/full", O_RDWR));
	CHECK_ERR(write(fd, &byte, 1), ENOSPC);
	CHECK_EQ(read(fd, &byte, 1), 1);
	CHECK_EQ(byte, 0);
}

static const struct test tests[] = {
	{"self_is_this_process", self_is_this_process},
	{"stat_has_52_fields", stat_has_52_fields},
	{"places_of_the_program", places_of_the_program},
	{"lines_of_status", lines_of_status},
	{"states", states},
	{"signals_of_a_process", signals_of_a_process},
	{"ids_of_a_process", ids_of_a_process},
	{"words_of_a_process", words_of_a_process},
	{"its_places", its_places},
	{"limits_of_a_process", limits_of_a_process},
	{"descriptors", descriptors},
	{"positions_and_flags", positions_and_flags},
	{"rights_of_links", rights_of_links},
	{"read_again", read_again},
	{"a_walk_over_what_comes_and_goes", a_walk_over_what_comes_and_goes},
	{"the_machine", the_machine},
	{"what_harts_wait_for", what_harts_wait_for},
	{"disks", disks},
	{"random_numbers_and_time", random_numbers_and_time},
	{"the_load", the_load},
	{"the_load_by_call", the_load_by_call},
	{"names_of_the_kernel", names_of_the_kernel},
	{"devices", devices},
};

TEST_MAIN(tests)
