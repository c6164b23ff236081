// SPDX-License-Identifier: MIT
// execve of ELF files that are strange or broken. The tests build them: a header, program headers,
// and a few instructions that end with exit(what is found in memory). And of scripts, and of long
// arguments.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define TEXT  0x10000ul // where the code is mapped, the file's first page
#define ENTRY (TEXT + 0x200)
#define DATA  0x40000ul
#define CODE  0x200 // its place in the file

struct image {
	unsigned char bytes[8 * PAGE];
	size_t size;
};

static Elf64_Ehdr *header(struct image *im)
{
	return (Elf64_Ehdr *)im->bytes;
}

static Elf64_Phdr *segment(struct image *im, int i)
{
	return (Elf64_Phdr *)(im->bytes + sizeof(Elf64_Ehdr)) + i;
}

// The address as lui and addi build it: the low part is signed.
static void load_address(uint32_t *code, uint32_t address)
{
	uint32_t low = address & 0xfff, high = (address + 0x800) >> 12;

	code[0] = high << 12 | 5 << 7 | 0x37;                    // lui t0, high
	code[1] = low << 20 | 5 << 15 | 0 << 12 | 5 << 7 | 0x13; // addi t0, t0, low
}

// exit(the byte at ADDRESS)
static void code_exit_byte(struct image *im, uint32_t address)
{
	uint32_t code[5];

	load_address(code, address);
	code[2] = 5 << 15 | 4 << 12 | 10 << 7 | 0x03; // lbu a0, 0(t0)
	code[3] = 94 << 20 | 17 << 7 | 0x13;          // li a7, 94
	code[4] = 0x73;                               // ecall
	memcpy(im->bytes + CODE, code, sizeof code);
}

// Two segments: the code, and BYTES of the file's second page at DATA.
static struct image *image_new(size_t file_bytes, size_t memory_bytes)
{
	static struct image im;
	Elf64_Ehdr *h = header(&im);

	memset(&im, 0, sizeof im);
	im.size = 3 * PAGE;
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_ident[EI_VERSION] = EV_CURRENT;
	h->e_type = ET_EXEC;
	h->e_machine = EM_RISCV;
	h->e_version = EV_CURRENT;
	h->e_entry = ENTRY;
	h->e_phoff = sizeof *h;
	h->e_ehsize = sizeof *h;
	h->e_phentsize = sizeof(Elf64_Phdr);
	h->e_phnum = 2;
	*segment(&im, 0) = (Elf64_Phdr){.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = TEXT,
		.p_filesz = PAGE,
		.p_memsz = PAGE,
		.p_align = PAGE};
	*segment(&im, 1) = (Elf64_Phdr){.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W,
		.p_offset = PAGE,
		.p_vaddr = DATA,
		.p_filesz = file_bytes,
		.p_memsz = memory_bytes,
		.p_align = PAGE};
	memset(im.bytes + PAGE, 77, 2 * PAGE);
	code_exit_byte(&im, DATA);
	return &im;
}

static void write_image(const struct image *im)
{
	int fd = (int)CHECK_OK(open("program", O_WRONLY | O_CREAT | O_TRUNC, 0755));

	CHECK_EQ(write(fd, im->bytes, im->size), im->size);
	CHECK_OK(close(fd));
}

static char *const argv_program[] = {"program", NULL};

static void exec_program(void *arg)
{
	(void)arg;
	execve("./program", argv_program, argv_program + 1);
	_exit(errno == ENOEXEC ? 201 : errno == EACCES ? 202 : errno == EINVAL ? 203 : 204);
}

static int run(const struct image *im)
{
	write_image(im);
	return in_child(exec_program, NULL);
}

static void check_exit(const struct image *im, int code)
{
	int status = run(im);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
		FAIL("wait status %#x, should be exit with %d", (unsigned)status, code);
}

static void check_refused(const struct image *im)
{
	write_image(im);
	CHECK_ERR(execve("./program", argv_program, argv_program + 1), ENOEXEC);
}

static void need_riscv(void)
{
#ifndef __riscv
	tap_skip("the programs are for riscv64");
#else
	struct image *im = image_new(PAGE, PAGE);

	if (run(im) == 201 << 8)
		tap_skip("execve runs no programs of this machine here");
#endif
}

static void data_is_loaded(void)
{
	need_riscv();
	check_exit(image_new(PAGE, PAGE), 77);
}

// A last page that the file fills in part: the rest is zero, though the file goes on.
static void bss_tail_is_zeroed(void)
{
	struct image *im;

	need_riscv();
	im = image_new(100, PAGE);
	code_exit_byte(im, DATA + 99);
	check_exit(im, 77);
	code_exit_byte(im, DATA + 100);
	check_exit(im, 0);
	code_exit_byte(im, DATA + PAGE - 1);
	check_exit(im, 0);
}

static void memory_over_pages(void)
{
	struct image *im;

	need_riscv();
	im = image_new(10, 5 * PAGE);
	code_exit_byte(im, DATA + 9);
	check_exit(im, 77);
	code_exit_byte(im, DATA + 4 * PAGE + 123);
	check_exit(im, 0);
}

static void nothing_from_the_file(void)
{
	struct image *im;

	need_riscv();
	im = image_new(0, 3 * PAGE);
	check_exit(im, 0);
	code_exit_byte(im, DATA + 2 * PAGE);
	check_exit(im, 0);
}

static void past_the_memory_is_nothing(void)
{
	struct image *im;
	int status;

	need_riscv();
	im = image_new(10, 2 * PAGE);
	code_exit_byte(im, DATA + 2 * PAGE);
	status = run(im);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

// The segment starts inside a page, in the file as in memory.
static void start_inside_a_page(void)
{
	struct image *im;

	need_riscv();
	im = image_new(200, 300);
	segment(im, 1)->p_offset = PAGE + 0x123;
	segment(im, 1)->p_vaddr = DATA + 0x123;
	code_exit_byte(im, DATA + 0x123 + 199);
	check_exit(im, 77);
	code_exit_byte(im, DATA + 0x123 + 200);
	check_exit(im, 0);
}

static void unaligned_offset_is_refused(void)
{
	struct image *im = image_new(PAGE, PAGE);

	segment(im, 1)->p_offset = PAGE + 8; // not congruent with the address
	if (!on_mapache())
		tap_skip("Linux says EINVAL, and says it too late");
	check_refused(im);
}

static void text_is_refused(void)
{
	struct image im = {.size = 30};

	memcpy(im.bytes, "this is not a program at all\n\n", 30);
	check_refused(&im);
}

static void empty_is_refused(void)
{
	struct image im = {.size = 0};

	check_refused(&im);
}

static void truncated_is_refused(void)
{
	static const size_t sizes[] = {1, 4, 16, 63, 64, 100, 175};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct image *im = image_new(PAGE, PAGE);

		im->size = sizes[i];
		if (!on_mapache() && sizes[i] >= 64)
			continue; // Linux: EIO, or a zero-filled table
		check_refused(im);
	}
}

static void wrong_headers_are_refused(void)
{
	struct image *im = image_new(PAGE, PAGE);

	header(im)->e_ident[EI_CLASS] = 1; // 32 bits
	if (on_mapache())                  // Linux looks at the machine only
		check_refused(im);
	im = image_new(PAGE, PAGE);
	header(im)->e_machine = 183; // AArch64
	check_refused(im);
	im = image_new(PAGE, PAGE);
	header(im)->e_type = ET_REL;
	check_refused(im);
	im = image_new(PAGE, PAGE);
	header(im)->e_phentsize = 32;
	check_refused(im);
	im = image_new(PAGE, PAGE);
	header(im)->e_phnum = 0;
	check_refused(im);
	im = image_new(PAGE, PAGE);
	header(im)->e_ident[0] = 'X';
	check_refused(im);
}

static void segments_in_forbidden_places(void)
{
	static const uint64_t addresses[] = {
		0xffffffc000000000u, 0x4000000000u, 0x3ffffffff000u, ~0ull - PAGE + 1};

	if (!on_mapache())
		tap_skip("Linux refuses them after the point of no return");
	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		struct image *im = image_new(PAGE, PAGE);

		segment(im, 1)->p_vaddr = addresses[i];
		check_refused(im);
	}
	struct image *im = image_new(PAGE, PAGE);
	segment(im, 1)->p_memsz = ~0ull - 10;
	check_refused(im);
	im = image_new(2 * PAGE, PAGE); // more in the file than in memory
	check_refused(im);
}

static void *volatile nowhere = (void *)8; // volatile: the compiler would warn of it

static void paths_and_rights(void)
{
	char *const argv[] = {"x", NULL};
	int fd = make_file("plain", 100);

	CHECK_ERR(execve("missing", argv, argv + 1), ENOENT);
	CHECK_ERR(execve("plain/x", argv, argv + 1), ENOTDIR);
	CHECK_ERR(execve("plain", argv, argv + 1), EACCES); // not executable, root or not
	CHECK_ERR(execve(".", argv, argv + 1), EACCES);
	CHECK_ERR(execve("", argv, argv + 1), ENOENT);
	CHECK_ERR(execve(nowhere, argv, argv + 1), EFAULT);
	CHECK_ERR(execve("/bin/true", nowhere, argv + 1), EFAULT);
	close(fd);
}

// --- scripts

static void make_script(const char *name, const char *line)
{
	int fd = (int)CHECK_OK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0755));

	CHECK_EQ(write(fd, line, strlen(line)), strlen(line));
	CHECK_OK(close(fd));
}

static void exec_script(void *arg)
{
	char *const argv[] = {"zero", "one", "two", NULL};

	execve(arg, argv, argv + 3);
	_exit(200 + (errno == ENOEXEC) + 2 * (errno == ELOOP) + 4 * (errno == ENOENT));
}

#define REFUSED_ENOEXEC 201
#define REFUSED_ELOOP   202
#define REFUSED_ENOENT  204

static int run_script(char *name)
{
	int status = in_child(exec_script, name);

	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

// The interpreter gets its one argument, the script's path, and what follows argv[0].
static void scripts_have_arguments(void)
{
	char line[300];

	make_script("script", "#!/bin/sh\n"
			      "[ \"$0:$1:$2:$#\" = ./script:one:two:2 ] && exit 5\n");
	CHECK_EQ(run_script("./script"), 5);
	make_script("script", "#! \t /bin/sh  -e  \nfalse\nexit 5\n");
	CHECK_EQ(run_script("./script"), 1);
	make_script("script", "#!/bin/sh"); // no newline
	CHECK_EQ(run_script("./script"), 0);
	strcpy(line, "#!");
	CHECK(getcwd(line + 2, 200));
	strcat(line, "/inner -x y\n"); // blanks inside of it are the argument's
	make_script("outer", line);
	make_script("inner", "#!/bin/sh\n[ \"$#:$1:$2\" = '4:-x y:./outer' ] && exit 6\n");
	CHECK_EQ(run_script("./outer"), 6);
}

static void broken_scripts(void)
{
	make_script("script", "#!\nexit 5\n");
	CHECK_EQ(run_script("./script"), REFUSED_ENOEXEC);
	make_script("script", "#!   \t\n");
	CHECK_EQ(run_script("./script"), REFUSED_ENOEXEC);
	make_script("script", "#!/no/such/interpreter\n");
	CHECK_EQ(run_script("./script"), REFUSED_ENOENT);
}

// 256 bytes of the line count: of a long one the interpreter must be among them.
static void long_script_lines(void)
{
	char line[400];

	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\0';
	memcpy(line, "#!/bin/true ", 12);
	make_script("script", line);
	CHECK_EQ(run_script("./script"), 0);
	memset(line, 'x', 12);
	memcpy(line, "#!/", 3);
	make_script("script", line);
	CHECK_EQ(run_script("./script"), REFUSED_ENOEXEC);
	memset(line, ' ', sizeof line - 1);
	memcpy(line, "#!", 2);
	make_script("script", line);
	CHECK_EQ(run_script("./script"), REFUSED_ENOEXEC);
}

// A script may be another one's interpreter, five deep.
static void nested_scripts(void)
{
	char line[300] = "#!", name[2] = "a";

	CHECK(getcwd(line + 2, 200));
	strcat(line, "/?\n");
	make_script("a", "#!/bin/sh\nexit 7\n");
	for (int depth = 2; depth <= 6; depth++) {
		line[strlen(line) - 2] = name[0]++;
		make_script(name, line);
		CHECK_EQ(run_script(name), depth <= 5 ? 7 : REFUSED_ELOOP);
	}
}

// --- arguments

#define STRING_MAX (128 * 1024) // of one, with its end

static char *long_string(size_t bytes)
{
	char *s = map_anon(bytes + 1);

	memset(s, 'a', bytes - 1);
	return s;
}

static void exec_long(void *arg)
{
	char *const *argv = arg;

	execve("/bin/true", argv, argv + 3);
	_exit(errno == E2BIG ? 77 : 99);
}

static void long_arguments(void)
{
	char *argv[] = {"true", long_string(STRING_MAX), NULL, NULL};

	CHECK_EQ(in_child(exec_long, argv), 0);
	argv[1] = long_string(STRING_MAX + 1);
	CHECK_EQ(WEXITSTATUS(in_child(exec_long, argv)), 77);
}

struct many {
	char **argv;
	rlim_t stack;
};

static void exec_many(void *arg)
{
	struct many *many = arg;
	struct rlimit limit = {many->stack, many->stack};
	char *const none[] = {NULL};

	if (setrlimit(RLIMIT_STACK, &limit))
		_exit(98);
	execve("/bin/true", many->argv, none);
	_exit(errno == E2BIG ? 77 : 99);
}

// All together, pointers too: a quarter of the stack's limit, up to 6 MiB, but always 128 KiB.
static void many_arguments(void)
{
	struct {
		rlim_t stack;
		size_t room;
	} cases[] = {{8 << 20, 2 << 20}, {1 << 20, 256 << 10}, {64 << 20, 6 << 20}};
	char *argument = long_string(1000 - sizeof(char *));

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t n = cases[i].room / 1000;
		struct many many = {(char **)map_anon((n + 2) * sizeof(char *)), cases[i].stack};

		for (size_t k = 0; k + 1 < n; k++) // and 1000 bytes for the path
			many.argv[k] = argument;
		CHECK_EQ(in_child(exec_many, &many), 0);
		many.argv[n - 1] = many.argv[n] = argument;
		CHECK_EQ(WEXITSTATUS(in_child(exec_many, &many)), 77);
	}
}

// --- what stays

static void exec_true_with_descriptor(void *arg)
{
	char *const argv[] = {"cat", NULL};

	dup2(*(int *)arg, STDIN_FILENO);
	execv("/bin/cat", argv);
	_exit(99);
}

// Descriptors stay open over execve, except those that say close-on-exec.
static void descriptors_over_exec(void)
{
	int data[2], result[2], keep;
	char back[6];
	ssize_t n;

	CHECK_OK(pipe2(data, O_CLOEXEC));
	CHECK_OK(pipe2(result, O_CLOEXEC));
	CHECK_EQ(write(data[1], "hello", 5), 5);
	CHECK_OK(close(data[1]));
	keep = (int)CHECK_OK(dup(STDOUT_FILENO));
	CHECK_OK(dup2(result[1], STDOUT_FILENO));
	CHECK_OK(close(result[1]));
	pid_t pid = start_child(exec_true_with_descriptor, &data[0]);
	CHECK_OK(dup2(keep, STDOUT_FILENO));
	n = read(result[0], back, sizeof back);
	CHECK_EQ(n, 5);
	CHECK_EQ(read(result[0], back, 1), 0); // nobody else holds the other end
	must_exit_well(pid);
}

static void caught(int signo)
{
	(void)signo;
}

static void exec_reporting_signals(void *arg)
{
	char *const argv[] = {"sh", "-c", "kill -USR1 $$; kill -USR2 $$; exit 5", NULL};

	(void)arg;
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, caught);
	execv("/bin/sh", argv);
	_exit(99);
}

// An ignored signal stays ignored over execve, a caught one falls back to its default.
static void signals_over_exec(void)
{
	int status = in_child(exec_reporting_signals, NULL);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGUSR2);
}

static void exec_true(void *arg)
{
	char *const argv[] = {"true", NULL};

	(void)arg;
	execv("/bin/true", argv);
	_exit(99);
}

// Nor is there a moment at which it is not ignored. Several harts are what makes it hard.
static void ignored_all_along_exec(void)
{
	enum { RUNS = 150 };

	signal(SIGHUP, SIG_IGN);
	for (int i = 0; i < RUNS; i++) {
		pid_t pid = start_child(exec_true, NULL);
		int status;

		while (CHECK_OK(waitpid(pid, &status, WNOHANG)) == 0)
			CHECK_OK(kill(pid, SIGHUP));
		CHECK_EQ(status, 0);
	}
}

static const struct test tests[] = {
	{"data_is_loaded", data_is_loaded},
	{"bss_tail_is_zeroed", bss_tail_is_zeroed},
	{"memory_over_pages", memory_over_pages},
	{"nothing_from_the_file", nothing_from_the_file},
	{"past_the_memory_is_nothing", past_the_memory_is_nothing},
	{"start_inside_a_page", start_inside_a_page},
	{"unaligned_offset_is_refused", unaligned_offset_is_refused},
	{"text_is_refused", text_is_refused},
	{"empty_is_refused", empty_is_refused},
	{"truncated_is_refused", truncated_is_refused},
	{"wrong_headers_are_refused", wrong_headers_are_refused},
	{"segments_in_forbidden_places", segments_in_forbidden_places},
	{"paths_and_rights", paths_and_rights},
	{"scripts_have_arguments", scripts_have_arguments},
	{"broken_scripts", broken_scripts},
	{"long_script_lines", long_script_lines},
	{"nested_scripts", nested_scripts},
	{"long_arguments", long_arguments},
	{"many_arguments", many_arguments},
	{"descriptors_over_exec", descriptors_over_exec},
	{"signals_over_exec", signals_over_exec},
	{"ignored_all_along_exec", ignored_all_along_exec},
};

TEST_MAIN(tests)
