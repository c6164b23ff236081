// SPDX-License-Identifier: MIT
// Faults and traps as signals, which handlers mend; the context that comes back after a handler;
// and the alternate stack.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/signals.h"
#include "lib/tap.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM 0x80000000u
#endif

static volatile int last_code;

// Every register but those of the call must be what it was before the handler.
#ifdef __riscv
static void on_clobber(int signo)
{
	on_signal(signo);
	__asm__ volatile("li t0, -1\n li t1, -1\n li t2, -1\n li t3, -1\n li t4, -1\n li t5, -1\n"
			 "li t6, -1\n li a1, -1\n li a2, -1\n li a3, -1\n li a4, -1\n li a5, -1\n"
			 "li a6, -1\n fmv.d.x ft0, t0\n fmv.d.x fa0, t0\n fmv.d.x ft11, t0\n" ::
				 : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a1", "a2", "a3", "a4",
			 "a5", "a6", "ft0", "fa0", "ft11");
}

static void registers_come_back(void)
{
	unsigned long wrong;

	handle(SIGUSR1, on_clobber, 0);
	for (int round = 0; round < 50; round++) {
		// kill(getpid(), SIGUSR1) with values in the registers that a call keeps
		__asm__ volatile(
			"mv a0, %1\n li a1, 10\n li a7, 129\n"
			"li t0, 100\n li t1, 101\n li t3, 103\n li t6, 106\n li a4, 104\n"
			"li a5, 105\n fmv.d.x ft0, t0\n fmv.d.x fa0, t1\n fmv.d.x ft11, t3\n"
			"ecall\n"
			"addi t0, t0, -100\n addi t1, t1, -101\n addi t3, t3, -103\n"
			"addi t6, t6, -106\n addi a4, a4, -104\n addi a5, a5, -105\n"
			"or %0, t0, t1\n or %0, %0, t3\n or %0, %0, t6\n or %0, %0, a4\n"
			"or %0, %0, a5\n or %0, %0, a0\n"
			"fmv.x.d t0, ft0\n addi t0, t0, -100\n or %0, %0, t0\n"
			"fmv.x.d t0, fa0\n addi t0, t0, -101\n or %0, %0, t0\n"
			"fmv.x.d t0, ft11\n addi t0, t0, -103\n or %0, %0, t0\n"
			: "=&r"(wrong)
			: "r"((long)getpid())
			: "a0", "a1", "a4", "a5", "a7", "t0", "t1", "t3", "t6", "ft0", "fa0",
			"ft11", "memory");
		CHECK_EQ(wrong, 0);
		CHECK_EQ(count, round + 1);
	}
}
#endif

static char *page;

static void on_fault_repair(int signo, siginfo_t *info, void *context)
{
	(void)context;
	on_signal(signo);
	last_code = info->si_code;
	if ((char *)info->si_addr != page + 40)
		_exit(50);
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE) != 0)
		_exit(51);
}

// A handler may repair the cause and return: the access is tried again.
static void faults_can_be_repaired(void)
{
	struct sigaction action = {.sa_sigaction = on_fault_repair, .sa_flags = SA_SIGINFO};

	page = map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	store(page + 40, 'r');
	CHECK_EQ(load(page + 40), 'r');
	CHECK_EQ(count, 1);
	CHECK_EQ(last_code, SEGV_ACCERR);
}

static void fault_while_blocked(void *arg)
{
	sigset_t old;

	handle(SIGSEGV, on_signal, 0);
	block(SIGSEGV, &old);
	store(arg, 1);
	_exit(9);
}

static void blocked_fault_kills(void)
{
	int status = in_child(
		fault_while_blocked, map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

#ifdef __riscv
static void illegal_instruction(void *arg)
{
	(void)arg;
	__asm__ volatile(".word 0");
}

static void breakpoint(void *arg)
{
	(void)arg;
	__asm__ volatile("ebreak");
}

static void privileged_instruction(void *arg)
{
	(void)arg;
	__asm__ volatile("csrr zero, sstatus");
}

static void instructions_that_trap(void)
{
	CHECK_EQ(WTERMSIG(in_child(illegal_instruction, NULL)), SIGILL);
	CHECK_EQ(WTERMSIG(in_child(privileged_instruction, NULL)), SIGILL);
	CHECK_EQ(WTERMSIG(in_child(breakpoint, NULL)), SIGTRAP);
}

static unsigned long trap_address, trap_pc;

// Four bytes on, past what trapped.
static void on_trap(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	on_signal(signo);
	last_code = info->si_code;
	trap_address = (unsigned long)info->si_addr;
	trap_pc = uc->uc_mcontext.__gregs[0];
	uc->uc_mcontext.__gregs[0] += 4;
}

static void check_trap(int signo, int code, unsigned long address)
{
	CHECK_EQ(last, signo);
	CHECK_EQ(last_code, code);
	CHECK_EQ(trap_address, address);
}

// The handler is told what and where, and may let the program go on behind it.
static void traps_are_told(void)
{
	static const int signals[] = {SIGILL, SIGTRAP, SIGBUS};
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	static long words[2];
	unsigned long here;

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		CHECK_OK(sigaction(signals[i], &action, NULL));
	__asm__ volatile(
		"la %0, 1f\n.option push\n.option norvc\n1: csrr zero, sstatus\n.option pop"
		: "=r"(here)::"memory");
	check_trap(SIGILL, ILL_ILLOPC, here);
	__asm__ volatile("la %0, 1f\n.option push\n.option norvc\n1: ebreak\n.option pop"
			 : "=r"(here)::"memory");
	check_trap(SIGTRAP, TRAP_BRKPT, here);
	__asm__ volatile("lr.d zero, (%0)" ::"r"((char *)words + 4) : "memory");
	if (last == SIGBUS) // the emulation of a single program lets it pass
		check_trap(SIGBUS, BUS_ADRALN, (unsigned long)words + 4);
	else
		CHECK(!on_mapache());
	CHECK(count >= 2);
}
#endif

static char alternate[16384];
static volatile bool on_alternate;

static void look_at_stack(int signo)
{
	char here;

	on_signal(signo);
	on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
}

static void alternate_stack(void)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, old;

	CHECK_OK(sigaltstack(&stack, &old));
	CHECK(old.ss_flags & SS_DISABLE);
	handle(SIGUSR1, look_at_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(on_alternate);
	handle(SIGUSR1, look_at_stack, 0);
	raise(SIGUSR1);
	CHECK(!on_alternate);
	stack.ss_size = 10;
	CHECK_ERR(sigaltstack(&stack, NULL), ENOMEM);
	stack.ss_flags = 8;
	CHECK_ERR(sigaltstack(&stack, NULL), EINVAL);
	stack.ss_flags = SS_DISABLE; // whatever its size
	CHECK_OK(sigaltstack(&stack, NULL));
	CHECK_OK(sigaltstack(NULL, &old));
	CHECK(old.ss_flags & SS_DISABLE);
	CHECK_EQ(old.ss_size, 0);
}

static stack_t told;
static int change_error;

static void change_stack(int signo)
{
	stack_t other = {.ss_sp = alternate, .ss_size = sizeof alternate};

	look_at_stack(signo);
	change_error = sigaltstack(&other, NULL) == 0 ? 0 : errno;
}

static void read_stack(int signo)
{
	look_at_stack(signo);
	sigaltstack(NULL, &told);
}

static void stack_in_use(void)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, now;

	CHECK_OK(sigaltstack(&stack, NULL));
	handle(SIGUSR1, change_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(on_alternate);
	CHECK_EQ(change_error, EPERM);
	CHECK_OK(sigaltstack(NULL, &now));
	CHECK_EQ(now.ss_flags, 0);
	stack.ss_flags =
		(int)SS_AUTODISARM; // there is none while the handler runs, and it is back then
	CHECK_OK(sigaltstack(&stack, NULL));
	handle(SIGUSR1, read_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(on_alternate);
	CHECK(told.ss_flags & SS_DISABLE);
	CHECK_OK(sigaltstack(NULL, &now));
	CHECK_EQ((unsigned)now.ss_flags, SS_AUTODISARM);
	CHECK(now.ss_sp == alternate);
}

static void fill_stack(int signo)
{
	raise(signo);
}

static void overflow_alternate(void *arg)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};

	(void)arg;
	sigaltstack(&stack, NULL);
	handle(SIGUSR1, fill_stack, SA_ONSTACK | SA_NODEFER);
	raise(SIGUSR1);
}

// A frame that would not fit there any more is SIGSEGV, not what lies below it.
static void alternate_stack_is_not_left(void)
{
	CHECK_EQ(WTERMSIG(in_child(overflow_alternate, NULL)), SIGSEGV);
}

static int fall(int frames)
{
	volatile char here[1000];

	here[0] = (char)frames;
	return frames < 0 ? 0 : fall(frames + 1) + here[0];
}

static void on_overflow(int signo)
{
	look_at_stack(signo);
	_exit(on_alternate ? 44 : 45);
}

static void overflow_stack(void *arg)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};

	(void)arg;
	sigaltstack(&stack, NULL);
	handle(SIGSEGV, on_overflow, SA_ONSTACK);
	_exit(fall(0));
}

// The stack's end is met with a handler that has another one; without, the fault kills.
static void stack_overflow_is_handled(void)
{
	CHECK_EQ(WEXITSTATUS(in_child(overflow_stack, NULL)), 44);
}

static sigset_t mask_in_frame;

static void keep_mask(int signo, siginfo_t *info, void *context)
{
	(void)info;
	on_signal(signo);
	mask_in_frame = ((ucontext_t *)context)->uc_sigmask;
}

// Where a handler's frame finds no room, that of SIGSEGV has the mask from before sigsuspend.
static void lost_frame_keeps_the_mask(void)
{
	struct sigaction action = {.sa_sigaction = keep_mask, .sa_flags = SA_SIGINFO};
	stack_t stack = {.ss_size = 4 * PAGE};
	sigset_t none, now;

	stack.ss_sp = map(4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_OK(sigaltstack(&stack, NULL));
	sigemptyset(&action.sa_mask);
	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	handle(SIGUSR1, on_signal, SA_ONSTACK);
	block(SIGUSR1, &now);
	raise(SIGUSR1);
	sigemptyset(&none);
	CHECK_ERR(sigsuspend(&none), EINTR);
	CHECK_EQ(count, 1);
	CHECK_EQ(last, SIGSEGV);
	CHECK(sigismember(&mask_in_frame, SIGUSR1));
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
	CHECK(sigismember(&now, SIGUSR1));
}

// All bytes of the structure are written, and those between the fields say nothing of the kernel.
static void no_byte_is_left_over(void)
{
	stack_t old;
	const char *bytes = (const char *)&old;

	memset(&old, 0x55, sizeof old);
	CHECK_OK(sigaltstack(NULL, &old));
	for (size_t i = offsetof(stack_t, ss_flags) + sizeof old.ss_flags;
		i < offsetof(stack_t, ss_size); i++)
		CHECK_EQ(bytes[i], 0);
}

static const struct test tests[] = {
#ifdef __riscv
	{"registers_come_back", registers_come_back},
	{"instructions_that_trap", instructions_that_trap},
	{"traps_are_told", traps_are_told},
#endif
	{"faults_can_be_repaired", faults_can_be_repaired},
	{"blocked_fault_kills", blocked_fault_kills},
	{"alternate_stack", alternate_stack},
	{"stack_in_use", stack_in_use},
	{"alternate_stack_is_not_left", alternate_stack_is_not_left},
	{"stack_overflow_is_handled", stack_overflow_is_handled},
	{"lost_frame_keeps_the_mask", lost_frame_keeps_the_mask},
	{"no_byte_is_left_over", no_byte_is_left_over},
};

TEST_MAIN(tests)
